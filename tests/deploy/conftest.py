"""Fixtures of the tests of deploy/: what tests/deploy/tools brought, and manifests as Kustomize makes them."""

import os
import pathlib
import shutil
import subprocess
import sys

import pytest

sys.path.insert(0, str(pathlib.Path(__file__).parent))
sys.path.insert(0, str(pathlib.Path(__file__).parents[1] / "integration"))

from manifests import Manifests  # noqa: E402

PROJECT = pathlib.Path(__file__).resolve().parents[2]
DEPLOY = PROJECT / "deploy"
_TOOLS = pathlib.Path(os.environ.get("CARE360_TOOLS_DIR", PROJECT / "build-tests" / "tools")).resolve()
_BRING = PROJECT / "tests" / "deploy" / "tools"

# An overlay of the tests' own: the one component that no overlay of ours uses.
_WITH_HPA = """\
apiVersion: kustomize.config.k8s.io/v1beta1
kind: Kustomization
resources: [../../base]
components: [../../components/hpa]
"""


@pytest.fixture(scope="session")
def deploy():
    return DEPLOY


@pytest.fixture(scope="session")
def tool():
    """tool("promtool"): where it is. What is not there yet is brought, which takes a minute."""
    done = subprocess.run([_BRING, _TOOLS], text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    assert done.returncode == 0, f"tests/deploy/tools: {done.stdout[-3000:]}"
    return lambda name: _TOOLS / name


@pytest.fixture(scope="session")
def build(tool, tmp_path_factory):
    """build("overlays/production"): what Kustomize makes of it."""
    copy = tmp_path_factory.mktemp("deploy") / "deploy"
    shutil.copytree(DEPLOY, copy)
    (copy / "kubernetes" / "overlays" / "hpa").mkdir()
    (copy / "kubernetes" / "overlays" / "hpa" / "kustomization.yaml").write_text(_WITH_HPA)
    built = {}

    def run(name: str) -> Manifests:
        if name not in built:
            done = subprocess.run([tool("kustomize"), "build", copy / "kubernetes" / name], text=True,
                                  stdout=subprocess.PIPE, stderr=subprocess.PIPE)
            assert done.returncode == 0, done.stderr
            assert done.stderr == "", "a warning, such as of a field that is deprecated"
            built[name] = Manifests(done.stdout)
        return built[name]

    return run
