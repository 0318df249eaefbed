"""Where things are: the project, the build under test, and how big the tests are to be."""

import os
import pathlib

PROJECT = pathlib.Path(__file__).resolve().parents[3]
BUILD = pathlib.Path(os.environ.get("CARE360_BUILD_DIR", PROJECT / "build")).resolve()

SERVICE = BUILD / "care360-lookup"
SIMULATOR = BUILD / "care360-sim"
MOCK_CLUSTER = BUILD / "tests" / "mock_cluster"


def full_size() -> bool:
    """Whether the big tests run at the size that the project promises, not the one for CI."""
    return os.environ.get("CARE360_FULL_SIZE") == "1"
