"""Fixtures of the integration tests: one real broker for all of them, fresh topics for each."""

import pathlib
import sys

import pytest

sys.path.insert(0, str(pathlib.Path(__file__).parent))

from harness import paths  # noqa: E402
from harness.broker import KafkaBroker, MockCluster  # noqa: E402
from harness.figures import figure, pytest_terminal_summary  # noqa: E402,F401
from harness.records import Topics  # noqa: E402
from harness.scene import Scene  # noqa: E402
from harness.secured import Secured  # noqa: E402
from harness.sim import Sim  # noqa: E402


@pytest.fixture(scope="session")
def broker():
    """The real Apache Kafka broker."""
    with KafkaBroker() as broker:
        yield broker


@pytest.fixture(scope="session")
def topics(broker):
    topics = Topics(broker.bootstrap)
    yield topics
    topics.end()


@pytest.fixture(scope="module")
def mock_cluster(tmp_path_factory):
    """A mock cluster of this module."""
    with MockCluster(tmp_path_factory.mktemp("mock")) as mock:
        yield mock


@pytest.fixture(scope="module")
def mock_topics(mock_cluster):
    """The same as topics, of the mock cluster."""
    topics = Topics(mock_cluster.bootstrap, mock_cluster)
    yield topics
    topics.end()


@pytest.fixture(scope="session")
def secured(tmp_path_factory):
    """A real broker with encrypted listeners and rights."""
    secured = Secured(tmp_path_factory.mktemp("secured"))
    yield secured
    secured.end()


@pytest.fixture
def sim(tmp_path):
    """The simulated API, which records what it sees."""
    with Sim(tmp_path / "sim", record=True) as sim:
        yield sim


@pytest.fixture
def make_scene(topics, sim, tmp_path):
    """Makes a scene on the real broker: make_scene(partitions=8, **{"lookup.ordering": "none"})."""
    made = []

    def make(**options):
        made.append(Scene(options.pop("topics", topics), options.pop("sim", sim), options.pop("directory", tmp_path), **options))
        return made[-1]

    yield make
    for scene in made:
        scene.__exit__()


@pytest.fixture
def size(figure):
    """size(ci, full): how big this test is, and says so where it is smaller than it could be."""
    def choose(ci: int, full: int) -> int:
        chosen = full if paths.full_size() else ci
        figure(f"{chosen:,} requests" + ("" if chosen == full else f" (full size, by --full: {full:,})"))
        return chosen

    return choose


@pytest.fixture
def seconds():
    """seconds(ci, full): how long something is to last, in CI and at full size."""
    return lambda ci, full: full if paths.full_size() else ci


def pytest_configure(config):
    config.addinivalue_line("markers", "alone: compares speeds or times, so that nothing else may run beside it")
