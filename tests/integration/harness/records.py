"""Puts requests into Kafka and takes results out of it."""

import contextlib
import socket
import struct
import sys
import time
import uuid
import zlib
from typing import Dict, Iterable, Iterator, List, Optional

from confluent_kafka import Consumer, KafkaError, KafkaException, Message, Producer, TopicPartition
from confluent_kafka.admin import AdminClient, NewPartitions, NewTopic

from .checker import Result
from .requests import Request
from .waiting import wait_for


def fresh(prefix: str) -> str:
    """A name that no other test has."""
    return f"{prefix}-{uuid.uuid4().hex[:10]}"


def result_in(message: Message) -> Result:
    if message.error():
        raise KafkaException(message.error())
    return Result(message.partition(), message.offset(), message.timestamp()[1], message.key(), message.value(),
                  message.headers() or [])


class Follower:
    """Reads a topic as it grows, each record once: waiting costs no more for what came before."""

    def __init__(self, consumer: Consumer) -> None:
        self._consumer = consumer

    def take(self, timeout: float = 0.1) -> List[Result]:
        """What came since the last call."""
        return [result_in(message) for message in self._consumer.consume(1000, timeout)]

    def close(self) -> None:
        self._consumer.close()


class Topics:
    """What a test does with one cluster: makes topics, fills them, reads them."""

    def __init__(self, bootstrap: str, mock=None) -> None:
        self.bootstrap = bootstrap
        self._mock = mock  # the mock cluster makes its topics itself
        self._readers: Dict[str, Consumer] = {}
        self._producer = Producer({
            "bootstrap.servers": bootstrap, "log_level": 2, "linger.ms": 5, "acks": "all", "enable.idempotence": mock is None,
            "queue.buffering.max.messages": 200_000, "queue.buffering.max.kbytes": 262_144, "batch.num.messages": 10_000})
        self.admin = AdminClient({"bootstrap.servers": bootstrap, "log_level": 2})

    def create(self, name: str, partitions: int, settings: Optional[Dict[str, str]] = None) -> str:
        if self._mock:
            self._mock.topic(name, partitions)
            return name
        topic = NewTopic(name, partitions, 1, config=settings or {})
        for future in self.admin.create_topics([topic]).values():
            future.result(30)
        wait_for(lambda: self._partitions(name) == partitions, f"topic {name} is there")
        return name

    def grow(self, name: str, partitions: int) -> None:
        """More partitions for a topic that is there."""
        for future in self.admin.create_partitions([NewPartitions(name, partitions)]).values():
            future.result(30)
        wait_for(lambda: self._partitions(name) == partitions, f"topic {name} has {partitions} partitions")

    def delete(self, name: str) -> None:
        for future in self.admin.delete_topics([name]).values():
            future.result(30)
        wait_for(lambda: not self._partitions(name), f"topic {name} is gone")

    def delete_records(self, topic: str, before: Dict[int, int]) -> None:
        """Removes the records of each partition below an offset, as retention does.

        confluent_kafka has this only from 2.4 on, so the request is written out: DeleteRecords, version 1.
        """
        host, port = self.bootstrap.rsplit(":", 1)
        partitions = b"".join(struct.pack(">iq", p, offset) for p, offset in before.items())
        name = topic.encode()
        body = struct.pack(">hhih", 21, 1, 7, -1) + struct.pack(">ih", 1, len(name)) + name
        body += struct.pack(">i", len(before)) + partitions + struct.pack(">i", 20_000)
        with socket.create_connection((host, int(port)), 20) as connection, connection.makefile("rwb") as stream:
            stream.write(struct.pack(">i", len(body)) + body)
            stream.flush()
            answer = stream.read(*struct.unpack(">i", stream.read(4)))
        errors = [struct.unpack_from(">h", answer, len(answer) - 14 * (n + 1) + 12)[0] for n in range(len(before))]
        assert not any(errors), f"DeleteRecords of {topic}: {errors}"

    def produce(self, topic: str, partitions: int, requests: Iterable[Request], keep: bool = True) -> List[Request]:
        """Puts the requests into the topic and notes where each went.

        One with a key always goes to the same partition. `keep=False` returns nothing, for
        backlogs too large to hold.
        """
        self._producer.list_topics(topic, timeout=20)  # else the first record waits a second for the topic's partitions
        kept: List[Request] = []
        failures: List[KafkaError] = []
        for number, request in enumerate(requests):
            partition = zlib.crc32(request.key) % partitions if request.key is not None else number % partitions

            def delivered(error, message, request=request):
                if error:
                    failures.append(error)
                request.topic, request.partition, request.offset = topic, message.partition(), message.offset()

            self._put(topic, partition, request, delivered if keep else None)
            if keep:
                kept.append(request)
        assert self._producer.flush(120) == 0, f"{topic} takes no more records"
        assert not failures, failures[0]
        return kept

    def _put(self, topic: str, partition: int, request: Request, delivered) -> None:
        while True:
            try:
                more = {"on_delivery": delivered} if delivered else {}
                self._producer.produce(topic, request.value, request.key, partition,
                                       headers=request.headers or None, **more)
                self._producer.poll(0)
                return
            except BufferError:
                self._producer.poll(0.05)

    def ends(self, topic: str) -> Dict[int, int]:
        """The end of each partition: the offset that the next record gets, or of the first open transaction."""
        return self._ends(self._reader("looking-on"), topic)

    def count(self, topic: str) -> int:
        return sum(self.ends(topic).values())

    def committed(self, group: str, topic: str) -> Dict[int, int]:
        """The group's committed offsets, 0 where there is none yet."""
        consumer = self._reader(group)
        wanted = [TopicPartition(topic, p) for p in self._partition_numbers(consumer, topic)]
        return {tp.partition: max(tp.offset, 0) for tp in consumer.committed(wanted, timeout=20)}

    def commit(self, group: str, topic: str, offsets: Dict[int, int]) -> None:
        """Commits for a group that has no member."""
        self._reader(group).commit(offsets=[TopicPartition(topic, p, offset) for p, offset in offsets.items()], asynchronous=False)

    def wait_transactions_over(self, topic: str) -> None:
        """Waits until no open transaction, such as one of a process that was killed, holds back what comes after it."""
        def over() -> bool:
            return self.ends(topic) == self._ends(self._everything_reader(), topic)

        wait_for(over, f"the transactions in {topic} are over", 60, 0.1)

    def read(self, topic: str) -> Iterator[Result]:
        """Everything that is in the topic now and was committed, each partition in its order."""
        consumer = Consumer({**self._reader_settings("looking-on"), "enable.partition.eof": True})
        try:
            left = {p for p, end in self.ends(topic).items() if end > 0}
            consumer.assign([TopicPartition(topic, p, 0) for p in left])
            deadline = time.monotonic() + 120
            while left:
                assert time.monotonic() < deadline, f"cannot read {topic}: partitions {left} have no end"
                for message in consumer.consume(5000, 0.5):
                    if message.error() and message.error().code() == KafkaError._PARTITION_EOF:
                        left.discard(message.partition())
                    elif message.partition() in left:
                        yield result_in(message)
        finally:
            consumer.close()

    def follow(self, topic: str) -> "Follower":
        """For looking at a topic again and again while it grows. End it with close()."""
        consumer = Consumer(self._reader_settings("looking-on"))
        consumer.assign([TopicPartition(topic, p, 0) for p in self._partition_numbers(consumer, topic)])
        return Follower(consumer)

    def wait_worked_off(self, group: str, topic: str, timeout: float, service=None) -> float:
        """Waits until the group has committed everything in the topic. Returns how long it took."""
        start = time.monotonic()
        self.wait_committed(group, topic, self.ends(topic), timeout, service)
        return time.monotonic() - start

    def wait_committed(self, group: str, topic: str, ends: Dict[int, int], timeout: float, service=None) -> None:
        """Waits until the group has committed everything below `ends`."""
        def done() -> bool:
            if service:
                service.expect_running()
            with contextlib.suppress(KafkaException):  # a new broker may not have found its coordinators yet
                committed = self.committed(group, topic)
                return all(committed[partition] >= end for partition, end in ends.items())
            return False

        wait_for(done, f"group {group} has committed {topic}", timeout, 0.1,
                 detail=lambda: f"{self.committed(group, topic)} of {ends}")

    def end(self) -> None:
        for consumer in self._readers.values():
            consumer.close()
        self._readers.clear()

    def _reader(self, group: str) -> Consumer:
        """A consumer that joins no group, for looking at a topic or at a group's offsets."""
        if group not in self._readers:
            self._readers[group] = Consumer(self._reader_settings(group))
        return self._readers[group]

    def _everything_reader(self) -> Consumer:
        """A consumer that also sees what is not committed yet."""
        name = "looking-at-everything"
        if name not in self._readers:
            self._readers[name] = Consumer({**self._reader_settings(name), "isolation.level": "read_uncommitted"})
        return self._readers[name]

    def _ends(self, consumer: Consumer, topic: str) -> Dict[int, int]:
        return {p: consumer.get_watermark_offsets(TopicPartition(topic, p), timeout=20)[1]
                for p in self._partition_numbers(consumer, topic)}

    def _reader_settings(self, group: str) -> dict:
        return {"bootstrap.servers": self.bootstrap, "group.id": group, "enable.auto.commit": False,
                "log_level": 2, "auto.offset.reset": "earliest", "fetch.wait.max.ms": 20, "queued.max.messages.kbytes": 32_768}

    def _partitions(self, name: str) -> int:
        topics = self.admin.list_topics(timeout=20).topics
        return len(topics[name].partitions) if name in topics else 0

    @staticmethod
    def _partition_numbers(consumer: Consumer, topic: str) -> List[int]:
        return sorted(consumer.list_topics(topic, timeout=20).topics[topic].partitions)
