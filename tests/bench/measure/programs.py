"""Builds what is measured. Peers are built where Go is; without it their columns stay empty."""

import pathlib
import shutil
import subprocess
import sys
from typing import Dict

from .candidates import PEERS


def build(directory: pathlib.Path, wanted: bool) -> Dict[str, pathlib.Path]:
    """The programs by name. Go resolves its modules in a copy, so that the sources stay as they are."""
    programs: Dict[str, pathlib.Path] = {}
    if not wanted or not shutil.which("go"):
        print("without Go: no peers, no TLS", file=sys.stderr)
        return programs
    for source in sorted(path for path in PEERS.iterdir() if path.is_dir()):
        copy = directory / "peers" / source.name
        program = copy / source.name
        if not program.exists() or (source / "main.go").stat().st_mtime > program.stat().st_mtime:
            print(f"building {source.name} ...", file=sys.stderr)
            shutil.copytree(source, copy, dirs_exist_ok=True)
            built = subprocess.run("go mod tidy && go build -o " + source.name + " .", shell=True, cwd=copy,
                                   stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
            if built.returncode != 0:
                print(f"{source.name} cannot be built: {built.stdout[-500:]}", file=sys.stderr)
                continue
        programs[source.name] = program
    return programs
