"""A real Apache Kafka broker on loopback, from the jars that Maven brings; and librdkafka's mock of one."""

import dataclasses
import fcntl
import os
import pathlib
import shutil
import socket
import subprocess
import tempfile
from typing import List, Optional, Tuple

from .paths import BUILD, MOCK_CLUSTER, PROJECT
from .process import Process, free_port
from .tls import Certificate
from .waiting import wait_for

_POM = PROJECT / "tests" / "integration" / "kafka" / "pom.xml"
_COPY = "org.apache.maven.plugins:maven-dependency-plugin:3.8.1:copy-dependencies"

# Everything on one node, and nothing that waits for company that will not come.
_PROPERTIES = """\
process.roles=broker,controller
node.id=1
controller.quorum.voters=1@127.0.0.1:{controller_port}
listeners=PLAINTEXT://127.0.0.1:{port},CONTROLLER://127.0.0.1:{controller_port}{more_listeners}
advertised.listeners=PLAINTEXT://127.0.0.1:{port}{more_advertised}
controller.listener.names=CONTROLLER
listener.security.protocol.map=PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT{more_protocols}
log.dirs={directory}/log
auto.create.topics.enable=false
group.initial.rebalance.delay.ms=0
group.min.session.timeout.ms=1000
default.replication.factor=1
offsets.topic.replication.factor=1
offsets.topic.num.partitions=4
transaction.state.log.replication.factor=1
transaction.state.log.min.isr=1
transaction.state.log.num.partitions=2
transaction.abort.timed.out.transaction.cleanup.interval.ms=1000
share.coordinator.state.topic.replication.factor=1
share.coordinator.state.topic.min.isr=1
num.network.threads=2
num.io.threads=4
log.cleaner.enable=false
"""

# Two more listeners: one where clients log in with a password, one where they show a certificate. Everybody
# there may do what deny() of harness/secured.py does not deny them.
_SECURE_LISTENERS = ",SASL_SSL://127.0.0.1:{sasl_port},SSL://127.0.0.1:{ssl_port}"
_SECURE_PROTOCOLS = ",SASL_SSL:SASL_SSL,SSL:SSL"
_SECURE_PROPERTIES = """\
ssl.keystore.type=PEM
ssl.keystore.location={directory}/keystore.pem
ssl.truststore.type=PEM
ssl.truststore.location={ca_file}
sasl.enabled.mechanisms=SCRAM-SHA-512,PLAIN
listener.name.sasl_ssl.scram-sha-512.sasl.jaas.config=org.apache.kafka.common.security.scram.ScramLoginModule required;
listener.name.sasl_ssl.plain.sasl.jaas.config=org.apache.kafka.common.security.plain.PlainLoginModule required \
  user_{user}="{password}";
listener.name.ssl.ssl.client.auth=required
authorizer.class.name=org.apache.kafka.metadata.authorizer.StandardAuthorizer
allow.everyone.if.no.acl.found=true
super.users=User:ANONYMOUS
"""


@dataclasses.dataclass
class Security:
    """What a broker that also has encrypted listeners is made with."""

    certificate: Certificate
    ca_file: pathlib.Path  # who vouches for the clients' certificates
    user: str
    password: str


def kafka_jars() -> pathlib.Path:
    """The directory with the broker's jars; Maven is asked once for each version of the pom."""
    directory = BUILD / "kafka"
    complete = directory / "complete"
    pom = _POM.read_text()
    with open(BUILD / "kafka.lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # more than one process of pytest may want them
        if not complete.exists() or complete.read_text() != pom:
            shutil.rmtree(directory, ignore_errors=True)
            directory.mkdir(parents=True)
            maven = subprocess.run(["mvn", "-q", "-B", "-f", _POM, _COPY, "-DincludeScope=runtime",
                                    f"-DoutputDirectory={directory}"], stdout=subprocess.PIPE, text=True)
            assert maven.returncode == 0, f"Maven cannot bring the broker: {maven.stdout[-3000:]}"
            complete.write_text(pom)
    return directory


class KafkaBroker:
    """
    One broker that is its own controller. Its data outlives kill() and restart(), not end(). With `security`
    it also listens at sasl_port, where clients log in by SCRAM-SHA-512 or PLAIN, and at ssl_port, where they
    show a certificate. Each of its `wires` is a listener of its own, whose clients come by way of somebody who
    listens at another port: (its port, the port that clients are told). `properties`: more of them, a line each.
    """

    def __init__(self, security: Optional[Security] = None, wires: int = 0, properties: str = "") -> None:
        self._directory = pathlib.Path(tempfile.mkdtemp(prefix="care360-kafka-"))
        self._jars = kafka_jars()
        self._security = security
        self.port, self.sasl_port, self.ssl_port = free_port(), free_port(), free_port()
        self.wires: List[Tuple[int, int]] = [(free_port(), free_port()) for _ in range(wires)]
        self.bootstrap = f"127.0.0.1:{self.port}"
        self._properties = self._directory / "server.properties"
        self._properties.write_text(self._property_text() + properties)
        self._process: Optional[Process] = None
        self._format()

    def __enter__(self) -> "KafkaBroker":
        return self.start()

    def __exit__(self, *_) -> None:
        self.end()

    def start(self, timeout: float = 60.0) -> "KafkaBroker":
        """Starts it and waits until it answers."""
        self._process = Process(self._java("kafka.Kafka", self._properties), self._directory, "broker")
        wait_for(self._answers, "the broker answers", timeout, interval=0.1,
                 detail=lambda: self._process.stdout[-2000:] + self._process.stderr[-2000:])
        return self

    def stop(self) -> None:
        """An orderly end; start() brings it back."""
        if self._process:
            self._process.terminate(60)

    def kill(self) -> None:
        """kill -9; start() brings it back."""
        if self._process:
            self._process.kill()

    def restart(self) -> None:
        self.stop()
        self.start()

    def end(self) -> None:
        """Gone, and its data with it."""
        self.kill()
        shutil.rmtree(self._directory, ignore_errors=True)

    def _property_text(self) -> str:
        listeners = advertised = protocols = ""
        for number, (port, told) in enumerate(self.wires):
            listeners += f",WIRE{number}://127.0.0.1:{port}"
            advertised += f",WIRE{number}://127.0.0.1:{told}"
            protocols += f",WIRE{number}:PLAINTEXT"
        security = self._security
        if security:
            pair = security.certificate
            (self._directory / "keystore.pem").write_text(pair.key.read_text() + pair.certificate.read_text())
            secure = _SECURE_LISTENERS.format(sasl_port=self.sasl_port, ssl_port=self.ssl_port)
            listeners, advertised, protocols = listeners + secure, advertised + secure, protocols + _SECURE_PROTOCOLS
        properties = _PROPERTIES.format(port=self.port, controller_port=free_port(), directory=self._directory, more_listeners=listeners,
                                        more_advertised=advertised, more_protocols=protocols)
        return properties + (_SECURE_PROPERTIES.format(directory=self._directory, ca_file=security.ca_file, user=security.user,
                                                       password=security.password) if security else "")

    def _format(self) -> None:
        cluster = "Y2FyZTM2MC1sb29rdXAtdA"  # any 16 bytes in base64
        security = self._security
        login = ["--add-scram", f"SCRAM-SHA-512=[name={security.user},password={security.password}]"] if security else []
        done = subprocess.run(self._java("kafka.tools.StorageTool", "format", "-t", cluster, "-c", self._properties, *login),
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        assert done.returncode == 0, done.stdout[-2000:]

    def _java(self, main_class: str, *arguments: object) -> list:
        # One collector thread and the quick compiler: the cores are for the service under test.
        return ["java", "-Xmx512m", "-Xms256m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1",
                "-Djava.awt.headless=true", "-cp", f"{self._jars}/*", main_class, *map(str, arguments)]

    def _answers(self) -> bool:
        from confluent_kafka.admin import AdminClient
        self._process.expect_running()
        try:
            socket.create_connection(("127.0.0.1", self.port), 1).close()
        except OSError:
            return False
        admin = AdminClient({"bootstrap.servers": self.bootstrap, "log_level": 0})
        try:
            return len(admin.list_topics(timeout=5).brokers) == 1
        except Exception:  # not ready yet: the deadline of wait_for() decides
            return False


class MockCluster:
    """librdkafka's mock cluster in a process of its own. It is lost with that process."""

    def __init__(self, directory: pathlib.Path, brokers: int = 1) -> None:
        self._process = Process([MOCK_CLUSTER, brokers], directory, "mock-cluster",
                                environment=dict(os.environ), keep_stdin=True)
        self.bootstrap = wait_for(self._first_line, "the mock cluster says its address", 10)

    def __enter__(self) -> "MockCluster":
        return self

    def __exit__(self, *_) -> None:
        self.end()

    def topic(self, name: str, partitions: int) -> None:
        self._command(f"topic {name} {partitions}")

    def down(self, broker: int = 1) -> None:
        """Closes the broker's connections and refuses new ones."""
        self._command(f"down {broker}")

    def up(self, broker: int = 1) -> None:
        self._command(f"up {broker}")

    def round_trip(self, milliseconds: int, broker: int = 1) -> None:
        """Answers no sooner than this."""
        self._command(f"rtt {broker} {milliseconds}")

    def end(self) -> None:
        self._process.end()

    def _first_line(self) -> str:
        self._process.expect_running()
        lines = self._process.stdout.splitlines(keepends=True)
        return lines[0].strip() if lines and lines[0].endswith("\n") else ""

    def _command(self, line: str) -> None:
        before = self._process.stdout.count("\n")
        self._process.stdin.write(line.encode() + b"\n")
        self._process.stdin.flush()
        wait_for(lambda: self._process.stdout.count("\n") > before, f"mock cluster: {line}", 10)
        answer = self._process.stdout.splitlines()[before]
        assert answer == "ok", f"mock cluster: {line}: {answer}"
