"""A broker with encrypted listeners, rights that can be denied, and what clients need to reach it."""

import pathlib
import socket
import struct
from typing import Any, Dict

from .broker import KafkaBroker, Security
from .records import Topics
from .tls import Authority

USER, PASSWORD = "ada", "right-word-7"

# Of Kafka's protocol: kinds of resources, and what is done to them.
TOPIC, GROUP = 2, 3
ALL, READ, DESCRIBE = 2, 3, 8


class Secured:
    """A broker with encrypted listeners, and what clients need to reach it."""

    def __init__(self, directory: pathlib.Path) -> None:
        self.directory = directory
        authority = Authority(directory / "authority")
        self.stranger = Authority(directory / "stranger").ca_file
        self.client = authority.certificate("client", password="key-word-9")
        self.ca_file = authority.ca_file
        self.broker = KafkaBroker(Security(
            authority.certificate("broker", "IP:127.0.0.1"), authority.ca_file, USER, PASSWORD)).start()
        self.topics = Topics(self.broker.bootstrap)

    def end(self) -> None:
        self.topics.end()
        self.broker.end()

    def file(self, text: str) -> str:
        path = self.directory / f"{text}.secret"
        path.write_text(text + "\n")
        return str(path)

    def login(self, mechanism: str, password: str = PASSWORD, host: str = "127.0.0.1", ca_file: Any = None) -> Dict[str, Any]:
        return {"kafka.brokers": f"{host}:{self.broker.sasl_port}", "kafka.security.protocol": "sasl_ssl",
                "kafka.security.ca_file": str(ca_file or self.ca_file), "kafka.security.sasl_mechanism": mechanism,
                "kafka.security.username": USER, "kafka.security.password_file": self.file(password),
                "kafka.client.broker_address_family": "v4"}

    def certificate(self) -> Dict[str, Any]:
        return {"kafka.brokers": f"127.0.0.1:{self.broker.ssl_port}", "kafka.security.protocol": "ssl",
                "kafka.security.ca_file": str(self.ca_file), "kafka.security.certificate_file": str(self.client.certificate),
                "kafka.security.key_file": str(self.client.key), "kafka.security.key_password_file": self.file("key-word-9")}

    def allow(self, kind: int, name: str, operation: int) -> None:
        """Gives the user a right. Where anything is ruled about a resource, nothing else is allowed there."""
        self._rule(kind, name, operation, 3)

    def deny(self, kind: int, name: str, operation: int) -> None:
        """Takes a right from the user. It holds a moment later."""
        self._rule(kind, name, operation, 2)

    def _rule(self, kind: int, name: str, operation: int, permission: int) -> None:
        """A CreateAcls request of version 1, made by hand: Debian 12's confluent_kafka has no call for it."""
        def text(value: str) -> bytes:
            return struct.pack(">h", len(value)) + value.encode()

        literal = 3
        request = (struct.pack(">hhi", 30, 1, 1) + text("tests") + struct.pack(">ib", 1, kind) + text(name) + struct.pack(">b", literal)
                   + text(f"User:{USER}") + text("*") + struct.pack(">bb", operation, permission))
        with socket.create_connection(("127.0.0.1", self.broker.port), 30) as connection:
            connection.sendall(struct.pack(">i", len(request)) + request)
            reply = connection.recv(4096)
        assert reply[16:18] == b"\0\0", reply  # the error, behind size, correlation, throttle time and count
