"""Certificates made on the spot: an authority of the test's own, and what it vouches for."""

import dataclasses
import pathlib
import subprocess
from typing import Optional

_NEW_KEY = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-days", "2"]


@dataclasses.dataclass
class Certificate:
    """The files of a certificate and its key, both PEM."""

    certificate: pathlib.Path
    key: pathlib.Path


class Authority:
    """A certificate authority that lives as long as its directory."""

    def __init__(self, directory: pathlib.Path, name: str = "authority") -> None:
        directory.mkdir(parents=True, exist_ok=True)
        self._directory = directory
        self._own = Certificate(directory / f"{name}.pem", directory / f"{name}.key")
        self._openssl(self._own, f"/CN={name}", "-addext", "basicConstraints=critical,CA:TRUE")

    @property
    def ca_file(self) -> pathlib.Path:
        """What others must trust."""
        return self._own.certificate

    def certificate(self, name: str, alternative: str = "", password: Optional[str] = None) -> Certificate:
        """Vouches for a name; `alternative` is a subjectAltName such as IP:127.0.0.1. A password encrypts the key."""
        made = Certificate(self._directory / f"{name}.pem", self._directory / f"{name}.key")
        self._openssl(made, f"/CN={name}", "-CA", self._own.certificate, "-CAkey", self._own.key,
                      *(["-addext", f"subjectAltName={alternative}"] if alternative else []), password=password)
        return made

    @staticmethod
    def _openssl(made: Certificate, subject: str, *more: object, password: Optional[str] = None) -> None:
        protection = ["-passout", f"pass:{password}"] if password else ["-nodes"]
        done = subprocess.run(["openssl", "req", "-x509", *_NEW_KEY, "-subj", subject, "-keyout", made.key,
                               "-out", made.certificate, *protection, *more], stderr=subprocess.PIPE, text=True)
        assert done.returncode == 0, done.stderr
