"""Fixtures of the image's tests: the image, built once, and its files as a root to run things in."""

import os
import pathlib
import subprocess
import sys
import tempfile

import pytest

HERE = pathlib.Path(__file__).parent
PROJECT = HERE.parents[1]
sys.path.insert(0, str(PROJECT / "tests" / "integration"))

from builder import BASE, IMAGE, Builder  # noqa: E402
from harness.figures import figure, pytest_terminal_summary  # noqa: E402,F401
from harness.process import Process  # noqa: E402


@pytest.fixture(scope="session")
def builder():
    """buildah, with its images in build-tests/image: there they are found again by the next run."""
    with tempfile.TemporaryDirectory(prefix="care360-buildah-") as scratch:
        builder = Builder(PROJECT, PROJECT / "build-tests" / "image", pathlib.Path(scratch))
        yield builder
        builder.tidy()


@pytest.fixture(scope="session")
def image(builder):
    """What `inspect` says of the finished image."""
    if not builder.has(BASE):
        builder.run(HERE / "base", BASE)
    return builder.build_image(IMAGE)


@pytest.fixture(scope="session")
def units_on_debian_13(builder, image, tmp_path_factory):
    """The units, built and run on Debian 13: begun here, since most of the time they wait."""
    with Process(builder.stage_command("test"), tmp_path_factory.mktemp("units"), "units", builder.environment) as process:
        yield process


@pytest.fixture(scope="session")
def root(builder, image):
    """The image's files."""
    with builder.mounted(IMAGE) as root:
        yield root


@pytest.fixture(scope="session")
def package(builder, image, tmp_path_factory):
    """The Debian package that the image was made from."""
    directory = tmp_path_factory.mktemp("package")
    with builder.mounted(builder.stage("build")) as build:
        found, = build.glob("build/care360-lookup_*.deb")
        subprocess.run(["cp", found, directory], check=True)
    return directory / found.name


@pytest.fixture
def shared_directory():
    """A directory that the image's user may read: pytest's own are for root alone."""
    with tempfile.TemporaryDirectory(prefix="care360-image-") as directory:
        os.chmod(directory, 0o755)
        yield pathlib.Path(directory)
