"""A local cloud that is killed at each point of an action in turn: the next one finds all of it or none of it."""

from __future__ import annotations

import json
import os
import sqlite3
from collections.abc import Callable, Iterator
from itertools import count
from pathlib import Path
from typing import Any

import psutil
import pytest
from alibabacloud_ecs20140526 import models as ecs
from alibabacloud_slb20140515 import models as slb
from crashing_cloud import ORDER_NAME
from local_fleet import LISTENER, REGION, LocalFleet
from traffic import wait_until

from steelyard.localcloud import daemon, kin
from steelyard.localcloud.hosts.link import is_supervised

pytestmark = [pytest.mark.slow, pytest.mark.timeout(3000)]


@pytest.fixture
def fleet(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[LocalFleet]:
    spawn, program = os.posix_spawn, Path(__file__).with_name("crashing_cloud.py")

    def spawn_crashing(path: str, command: list[str], *rest: Any, **settings: Any) -> int:
        module = command.index("-m")
        return spawn(path, [*command[:module], str(program), *command[module + 2 :]], *rest, **settings)

    monkeypatch.setattr(os, "posix_spawn", spawn_crashing)
    fleet = LocalFleet(daemon.start(tmp_path / "cloud"))
    yield fleet
    assert daemon.stop(tmp_path / "cloud").left == ()


def run_two(fleet: LocalFleet) -> None:
    fleet.run(2)


def release_one(fleet: LocalFleet) -> None:
    ids = [one["id"] for one in records(fleet, "instance")]
    fleet.delete(ids[0])
    wait_until(lambda: all(one["id"] != ids[0] for one in records(fleet, "instance")))


def reboot_one(fleet: LocalFleet) -> None:
    ids = [one["id"] for one in records(fleet, "instance")]
    fleet.ecs_client.reboot_instance(ecs.RebootInstanceRequest(instance_id=ids[0], force_stop=True))
    wait_until(lambda: fleet.statuses(ids[0])[ids[0]] == "Running")


def balance(fleet: LocalFleet) -> None:
    client = fleet.slb_client
    balancer_id = client.create_load_balancer(
        slb.CreateLoadBalancerRequest(region_id=REGION, v_switch_id=fleet.vswitch_id, address_type="intranet")
    ).body.load_balancer_id
    group_id = client.create_vserver_group(
        slb.CreateVServerGroupRequest(region_id=REGION, load_balancer_id=balancer_id)
    ).body.vserver_group_id
    target = {"load_balancer_id": balancer_id, "listener_port": 8080}
    client.create_load_balancer_httplistener(
        slb.CreateLoadBalancerHTTPListenerRequest(**target, **LISTENER, vserver_group_id=group_id)
    )
    client.start_load_balancer_listener(
        slb.StartLoadBalancerListenerRequest(**target, listener_protocol="http")
    )
    client.delete_load_balancer(slb.DeleteLoadBalancerRequest(load_balancer_id=balancer_id))


def records(fleet: LocalFleet, kind: str) -> list[dict[str, Any]]:
    state = sqlite3.connect(f"file:{fleet.cloud.data_dir}/state.sqlite?mode=ro", uri=True)
    try:
        found = state.execute("SELECT body FROM resource WHERE kind = ?", (kind,)).fetchall()
    finally:
        state.close()
    return [json.loads(body) for (body,) in found]


def faults(fleet: LocalFleet) -> list[str]:
    """Look for what is there by half: a record without what it is of, a thing without a record, a move without end."""
    folder = Path(fleet.cloud.data_dir)
    instances = {one["id"]: one for one in records(fleet, "instance")}
    disks = {one["id"]: one for one in records(fleet, "disk")}
    balancers = {one["id"] for one in records(fleet, "load_balancer")}
    running = {one.parent.name for one in folder.glob("instances/*/lock") if is_supervised(one.parent)}
    wanted = {name for name, one in instances.items() if one["status"] == "Running"}
    return [
        *(f"{i} is {one['status']}" for i, one in instances.items() if one["is_released"]),
        *(
            f"{i} is {one['status']}"
            for i, one in instances.items()
            if one["status"] not in ("Running", "Stopped")
        ),
        *(f"{disk_id} is nobody's" for disk_id, one in disks.items() if one["instance_id"] not in instances),
        *(f"{i} lacks a disk" for i, one in instances.items() if not set(one["disk_ids"]) <= set(disks)),
        *(f"{one} runs, or does not" for one in running ^ wanted),
        *(f"files of {one.name}" for one in folder.glob("instances/*/") if one.name not in instances),
        *(f"files of {one.name}" for one in folder.glob("load-balancers/*/") if one.name not in balancers),
        *(
            f"{one['id']} of none"
            for one in records(fleet, "listener")
            if one["load_balancer_id"] not in balancers
        ),
    ]


def is_gone(process: psutil.Process) -> bool:
    return not kin.alive([process])


def is_killed_at(point: int, fleet: LocalFleet, act: Callable[[LocalFleet], None]) -> bool:
    """Act while the cloud is to die at a point; False where that has come to its end without it."""
    if not records(fleet, "instance"):
        fleet.run(1)
    cloud, order = psutil.Process(fleet.cloud.pid), Path(fleet.cloud.data_dir) / ORDER_NAME
    order.write_text(str(point))
    try:
        act(fleet)
    except Exception:  # noqa: BLE001 - whatever a client says of a cloud that is gone
        wait_until(lambda: is_gone(cloud))
    wait_until(lambda: is_gone(cloud) or not faults(fleet))
    order.unlink()
    return is_gone(cloud)


def is_killed_at_and_mended(point: int, fleet: LocalFleet, act: Callable[[LocalFleet], None]) -> bool:
    if not is_killed_at(point, fleet, act):
        return False
    fleet.connect(daemon.start(Path(fleet.cloud.data_dir)))
    wait_until(lambda: faults(fleet), lambda found: not found)
    return True


@pytest.mark.parametrize("act", [run_two, release_one, reboot_one, balance])
def test_a_kill_at_any_point_of_an_action_leaves_no_half_of_it(fleet, act):
    num_points = next(point for point in count() if not is_killed_at_and_mended(point + 1, fleet, act))
    assert num_points > 4
