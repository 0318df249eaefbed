"""Deaths of an instance, and how much a life after one may repeat."""

import dataclasses
import json
import time
from typing import Dict, Iterable, Tuple

from .checker import Result, milliseconds
from .scene import Scene
from .service import Service
from .waiting import wait_for

# Results carry the broker's clock, so that "when was it acknowledged" has an answer.
BROKER_TIME = {"message.timestamp.type": "LogAppendTime"}


@dataclasses.dataclass
class Death:
    """When an instance was killed, when nobody published any more, and what the group had committed."""

    when_ms: float
    over_ms: float
    committed: Dict[int, int]


def kill(scene: Scene, service: Service) -> Death:
    when = time.time() * 1000
    service.kill()
    committed = scene.topics.committed(scene.group, scene.requests_topic)
    counts = [-1]

    def quiet() -> bool:
        """What was on its way to the broker at the death is in its log by now."""
        counts.append(scene.result_count())
        return counts[-1] == counts[-2]

    wait_for(quiet, "the broker has appended what was on its way", 30, 0.2)
    return Death(when, time.time() * 1000, committed)


def offset_of(result: Result) -> Tuple[int, int]:
    """Partition and offset of the request that a result answers."""
    _, partition, offset = result.ce_id.rsplit("/", 2)
    return int(partition), int(offset)


def uncommitted_at(results: Iterable[Result], death: Death) -> int:
    """
    The contract's bound on the repeats of a death: results that were published then, or made and on their way to
    the broker, and whose requests were not committed.
    """
    made = {offset_of(result) for result in results
            if result.timestamp_ms <= death.over_ms or _completed_ms(result) <= death.over_ms}
    return sum(offset >= death.committed[partition] for partition, offset in made)


def _completed_ms(result: Result) -> float:
    return milliseconds(json.loads(result.value)["completedAt"])


def ended_by_fatal_error(service: Service) -> bool:
    """
    Whether it gave up as the contract says. Before 2.3.0 librdkafka cannot always tell whether a batch that was
    on its way when the broker went was written, and its idempotent producer gives up (confluentinc/librdkafka#4438):
    the service then ends with 1, acknowledges nothing, and the requests are read again.
    """
    return service.wait() == 1 and "cannot go on" in service.stderr


def restart_after_fatal_error(scene: Scene) -> None:
    """What an orchestrator does."""
    dead = scene.services[-1]
    assert ended_by_fatal_error(dead), dead.stderr[-2000:]
    assert len(scene.services) <= 3, "it does not come to an end"
    scene.service(ready=False)
