"""buildah, and roots to run things in."""

import contextlib
import json
import os
import pathlib
import subprocess
from typing import Any, Dict, Iterator, Sequence

BASE = "localhost/debian:trixie-slim"
IMAGE = "localhost/care360-lookup:test"

_STORAGE = """\
[storage]
driver = "{driver}"
graphroot = "{images}"
runroot = "{scratch}"
"""


def storage_driver(scratch: pathlib.Path) -> str:
    """The quick one where the machine allows it, else the one that copies."""
    lower, upper, work, merged = (scratch / "probe" / name for name in ("lower", "upper", "work", "merged"))
    for directory in (lower, upper, work, merged):
        directory.mkdir(parents=True)
    tried = subprocess.run(["unshare", "--mount", "mount", "-t", "overlay", "overlay",
                            "-o", f"lowerdir={lower},upperdir={upper},workdir={work}", merged], stderr=subprocess.DEVNULL)
    return "overlay" if tried.returncode == 0 else "vfs"


class Builder:
    """buildah with a place for images of its own."""

    def __init__(self, project: pathlib.Path, images: pathlib.Path, scratch: pathlib.Path) -> None:
        images.mkdir(parents=True, exist_ok=True)
        configuration = scratch / "storage.conf"
        configuration.write_text(_STORAGE.format(driver=storage_driver(scratch), images=images / "storage", scratch=scratch / "run"))
        self._project = project
        epoch = subprocess.run(["git", "log", "-1", "--format=%ct"], cwd=project, stdout=subprocess.PIPE, text=True).stdout
        self._epoch = epoch.strip() or "1000000000"
        self.environment = {**os.environ, "CONTAINERS_STORAGE_CONF": str(configuration), "BUILDAH_ISOLATION": "chroot",
                            "SOURCE_DATE_EPOCH": self._epoch}

    def run(self, *command: object) -> str:
        """Runs a command where the images are, and returns what it prints."""
        done = subprocess.run([str(word) for word in command], cwd=self._project, env=self.environment,
                              stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        assert done.returncode == 0, f"{command}: {done.stdout[-3000:]}{done.stderr[-3000:]}"
        return done.stdout

    def build_image(self, tag: str, *options: str) -> Dict[str, Any]:
        """Builds as releases are built, on the base that is here. Returns what `inspect` says."""
        self.run(self._project / "deploy" / "image", "--tool", "buildah", "--no-pull", "--layers", "--tag", tag, *options)
        return self.inspect(tag)

    def tidy(self) -> None:
        """Gives back the room of what was only on the way to an image."""
        self.run("buildah", "rm", "--all")
        self.run("buildah", "rmi", "--prune")

    def has(self, image: str) -> bool:
        return subprocess.run(["buildah", "inspect", "--type", "image", image], env=self.environment,
                              stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL).returncode == 0

    def inspect(self, image: str) -> Dict[str, Any]:
        return json.loads(self.run("buildah", "inspect", "--type", "image", image))

    def stage_command(self, name: str) -> Sequence[object]:
        """What builds one stage of the Dockerfile, from what the image was built from."""
        digest = self.inspect(BASE)["FromImageDigest"]
        return ["buildah", "build", "--pull-never", "--layers", "--format", "docker", "--timestamp", self._epoch,
                "--build-arg", f"BASE={BASE}@{digest}", "--build-arg", f"SOURCE_DATE_EPOCH={self._epoch}",
                "--target", name, self._project]

    def stage(self, name: str) -> str:
        """The image of one stage of the Dockerfile."""
        return self.run(*self.stage_command(name)).split()[-1]

    @contextlib.contextmanager
    def container(self, image: str) -> Iterator[str]:
        """A container of buildah's, which is a place to run commands as root."""
        container = self.run("buildah", "from", "--pull-never", image).strip()
        try:
            yield container
        finally:
            self.run("buildah", "rm", container)

    @contextlib.contextmanager
    def mounted(self, image: str) -> Iterator[pathlib.Path]:
        """The files of an image."""
        with self.container(image) as container:
            yield pathlib.Path(self.run("buildah", "mount", container).strip())


def environment_of(image: Dict[str, Any]) -> Sequence[str]:
    """The words that give a command the image's environment and no other."""
    return ["env", "-i", *image["OCIv1"]["config"]["Env"]]


def contained(root: pathlib.Path, image: Dict[str, Any], directory: pathlib.Path) -> Sequence[object]:
    """The words before a command that runs it as a container engine would: see the script `contained`."""
    user, group = image["OCIv1"]["config"]["User"].split(":")
    return ["unshare", "--mount", "--pid", "--fork", "--kill-child", pathlib.Path(__file__).parent / "contained",
            root, user, group, directory, *environment_of(image)]
