"""What the program itself makes of the settings that a manifest gives it."""

import json
import pathlib
import re
import subprocess
from typing import Any, Dict, Optional

from harness.paths import SERVICE
from harness.service import clean_environment

_SECRETS = "/run/secrets/"


def settings_in_effect(directory: pathlib.Path, config: str, environment: Optional[Dict[str, str]] = None) -> Dict[str, Any]:
    """Every setting by its name, as `check --show` says. Fails on a mistake and on a warning.

    Secrets are not there when somebody writes manifests: stand-ins take their place in `directory`.
    """
    for path in re.findall(rf'"{_SECRETS}([^"]+)"', config):
        (directory / path).parent.mkdir(parents=True, exist_ok=True)
        (directory / path).write_text("stand-in\n")
    file = directory / "care360-lookup.cfg"
    file.write_text(config.replace(_SECRETS, f"{directory}/"))
    shown = subprocess.run([SERVICE, "check", "--show", "-c", file], text=True, stdout=subprocess.PIPE,
                           stderr=subprocess.PIPE, env=clean_environment(**(environment or {})))
    assert (shown.returncode, shown.stderr) == (0, "")
    return {name: _value(rest) for name, rest in (line.split(None, 1) for line in shown.stdout.splitlines())}


def _value(rest: str) -> Any:
    """The value at the beginning of a line; what follows is its unit and where it came from."""
    if rest.startswith("{"):
        return rest[:rest.rindex("}") + 1]
    return json.JSONDecoder().raw_decode(rest)[0]
