"""Certificates made on the spot: an authority of the test's own, and what it vouches for."""

import dataclasses
import pathlib
import subprocess
from typing import Optional

_NEW_KEY = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256"]

# The least that `openssl ca`, which alone takes dates, must be told.
_CA_SETTINGS = """\
[ca]
default_ca = own
[own]
database = {index}
new_certs_dir = {directory}
default_md = sha256
rand_serial = yes
copy_extensions = copy
policy = any
[any]
commonName = supplied
"""


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

    def expired(self, alternative: str) -> Certificate:
        """Vouched for that for a day, long ago."""
        made = Certificate(self._directory / "expired.pem", self._directory / "expired.key")
        request, settings, index = (self._directory / f"expired.{suffix}" for suffix in ("csr", "cnf", "index"))
        settings.write_text(_CA_SETTINGS.format(index=index, directory=self._directory))
        index.touch()
        self._run("req", "-new", *_NEW_KEY, "-nodes", "-subj", "/CN=expired", "-keyout", made.key, "-out", request,
                  "-addext", f"subjectAltName={alternative}")
        self._run("ca", "-batch", "-notext", "-config", settings, "-cert", self._own.certificate, "-keyfile", self._own.key,
                  "-startdate", "20200101000000Z", "-enddate", "20200102000000Z",
                  "-in", request, "-out", made.certificate)
        return made

    @classmethod
    def _openssl(cls, made: Certificate, subject: str, *more: object, password: Optional[str] = None) -> None:
        protection = ["-passout", f"pass:{password}"] if password else ["-nodes"]
        cls._run("req", "-x509", *_NEW_KEY, "-days", 2, "-subj", subject, "-keyout", made.key, "-out", made.certificate,
                 *protection, *more)

    @staticmethod
    def _run(*arguments: object) -> None:
        done = subprocess.run(["openssl", *map(str, arguments)], stderr=subprocess.PIPE, text=True)
        assert done.returncode == 0, done.stderr
