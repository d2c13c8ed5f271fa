"""Network and application load balancers under load: 8 clients, 3 instances, all of it through the cloud's API.

The weights 100, 50 and 0 hold within 1 % over 10,000 requests. Changes of weight, draining and reloads lose no request.
Nor does an instance that is killed: an application load balancer sends a GET to another one; a network one passes
connections on and cannot, so that its clients repeat what was cut, which is at most one request each.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import pytest
from alibabacloud_ecs20140526 import models as ecs
from local_fleet import SECOND_CIDR, ZONES, LocalFleet
from traffic import Traffic, ask, wait_until
from zonal_front import FRONT_PORT, ZonalFront

from steelyard.localcloud.daemon import CloudInfo
from steelyard.localcloud.faults.client import FaultClient
from steelyard.localcloud.faults.fault import Order

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]

NUM_CLIENTS, NUM_REQUESTS = 8, 10_000


@dataclass(frozen=True, kw_only=True)
class Stage:
    """A load balancer before three instances that run.

    Attributes:
        first, second, third: The instances.
    """

    front: ZonalFront
    address: str
    first: str
    second: str
    third: str

    def weigh(self, *weights: int) -> None:
        self.front.weigh(dict(zip((self.first, self.second, self.third), weights, strict=True)))

    def wait_healthy(self) -> None:
        self.front.wait_healthy(self.first, self.second, self.third)

    def traffic(self) -> Traffic:
        # Connections are what a network one balances.
        is_network = self.front.is_network
        return Traffic(self.address, FRONT_PORT, is_kept=not is_network, repeats=is_network)


@pytest.fixture(scope="module")
def fleet(info: CloudInfo) -> LocalFleet:
    return LocalFleet(info)


@pytest.fixture(scope="module")
def instance_ids(fleet: LocalFleet) -> list[str]:
    return fleet.run(3)


@pytest.fixture(scope="module")
def second_vswitch_id(fleet: LocalFleet) -> str:
    return fleet.add_vswitch(SECOND_CIDR, ZONES[1])


@pytest.fixture(scope="module", params=["network", "application"])
def front(
    request: pytest.FixtureRequest, fleet: LocalFleet, instance_ids: list[str], second_vswitch_id: str
) -> ZonalFront:
    front = ZonalFront(request.param, fleet, second_vswitch_id)
    front.add(dict.fromkeys(instance_ids, 100))
    return front


@pytest.fixture
def stage(front: ZonalFront, instance_ids: list[str]) -> Stage:
    first, second, third = instance_ids
    stage = Stage(front=front, address=front.address, first=first, second=second, third=third)
    stage.weigh(100, 100, 100)
    stage.wait_healthy()
    return stage


@pytest.fixture
def tell(
    request: pytest.FixtureRequest, record_property: Callable[[str, object], None]
) -> Callable[..., None]:
    """Print what was measured as one line of JSON; `-s` shows it."""

    def tell(**measured: object) -> None:
        record_property("measured", measured)
        print(json.dumps({"proof": request.node.name, **measured}))

    return tell


@pytest.fixture
def killable(fleet: LocalFleet, stage: Stage) -> Iterator[str]:
    """An instance that is started again after the test."""
    yield stage.second
    fleet.ecs_client.start_instance(ecs.StartInstanceRequest(instance_id=stage.second))
    wait_until(lambda: fleet.statuses(stage.second)[stage.second] == "Running")


def test_weights_hold_within_one_percent(stage: Stage, tell: Callable[..., None]) -> None:
    stage.weigh(100, 50, 0)
    is_kept = not stage.front.is_network
    traffic = ask(stage.address, FRONT_PORT, NUM_REQUESTS, NUM_CLIENTS, is_kept=is_kept)
    counts = [traffic.names()[one] for one in (stage.first, stage.second, stage.third)]
    tell(requests=NUM_REQUESTS, errors=len(traffic.errors), counts=counts)
    assert traffic.errors == []
    assert abs(counts[0] / NUM_REQUESTS - 2 / 3) < 0.01
    assert abs(counts[1] / NUM_REQUESTS - 1 / 3) < 0.01
    assert counts[2] == 0


def test_a_killed_instance_loses_no_request(
    stage: Stage, killable: str, fleet: LocalFleet, tell: Callable[..., None]
) -> None:
    traffic = stage.traffic()
    with traffic.flowing(NUM_CLIENTS):
        wait_until(lambda: len(traffic.answers) > 1000)
        FaultClient(fleet.cloud).make(Order(kind="kill", target=killable))
        stage.front.wait_healthy(stage.first, stage.third)
        seen = len(traffic.answers)
        wait_until(lambda: len(traffic.answers) > seen + 1000)
    tell(requests=len(traffic.answers), errors=len(traffic.errors), repeated=traffic.repeated)
    assert traffic.errors == []
    assert len(traffic.repeated) <= (NUM_CLIENTS if stage.front.is_network else 0)


def test_changes_of_weight_draining_and_reloads_lose_no_request(
    stage: Stage, tell: Callable[..., None]
) -> None:
    traffic, front = stage.traffic(), stage.front
    with traffic.flowing(NUM_CLIENTS):
        for change in range(5):
            seen = len(traffic.answers)
            stage.weigh(100, 10 * change, 100)  # over the runtime interface
            further = front.listen(FRONT_PORT + 1, front.group_id)  # by a reload
            front.remove(stage.third)  # it is drained
            front.weigh({stage.first: 0, stage.second: 100})
            front.add({stage.third: 100})
            front.call("DeleteListener", ListenerId=further)
            stage.wait_healthy()
            wait_until(lambda seen=seen: len(traffic.answers) > seen + 300)
    tell(requests=len(traffic.answers), errors=len(traffic.errors), repeated=traffic.repeated, changes=30)
    assert (traffic.errors, traffic.repeated) == ([], [])
