"""Fixtures of the integration tests: one real broker for all of them, fresh topics for each."""

import os
import pathlib
import sys

import pytest

sys.path.insert(0, str(pathlib.Path(__file__).parent))
