"""A local cloud on the namespace host, and calls from within its instances' networks."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TypeVar

import psutil
from alibabacloud_ecs20140526 import models as ecs
from local_fleet import REGION, LocalFleet

from steelyard.localcloud import daemon
from steelyard.localcloud.hosts import kernel
from steelyard.localcloud.hosts.choice import choose, raise_loopback
from steelyard.localcloud.terms import agree

T = TypeVar("T")
PATIENCE_S = 0.9
"""For what a filter may drop: after a second the kernel asks again, and would find what has changed meanwhile."""


@contextmanager
def standing_cloud(folder: Path) -> Iterator[None]:
    """Run a cloud on the namespace host, which leaves nothing when it is stopped."""
    raise_loopback()
    links = {path.name for path in Path("/sys/class/net").iterdir()}
    routes = Path("/proc/net/route").read_text()
    choose(folder, name="namespace", has_limits=None, is_running=False)
    agree(
        folder, calls_per_s=None, has_quotas=False, is_running=False
    )  # Each test has a VPC of its own, or two.
    daemon.start(folder)
    assert {path.name for path in Path("/sys/class/net").iterdir()} == links
    yield
    assert daemon.stop(folder).left == ()
    assert not (folder / "namespaces.json").exists()
    assert {path.name for path in Path("/sys/class/net").iterdir()} == links
    assert Path("/proc/net/route").read_text() == routes


@contextmanager
def standing_fleets(folder: Path) -> Iterator[Callable[[], LocalFleet]]:
    """Give fleets in a cloud, and delete their instances afterwards."""
    made: list[LocalFleet] = []

    def make() -> LocalFleet:
        info = daemon.status(folder)
        assert info is not None
        made.append(LocalFleet(info))
        return made[-1]

    yield make
    for fleet in made:
        request = ecs.DescribeInstancesRequest(region_id=REGION, vpc_id=fleet.vpc_id)
        for instance in fleet.ecs_client.describe_instances(request).body.instances.instance:
            fleet.delete(instance.instance_id)


def environments(fleet: LocalFleet, instance_id: str) -> Iterator[tuple[int, dict[str, str]]]:
    """Give the processes of an instance that run at the moment, and their environments."""
    home = f"{fleet.cloud.data_dir}/instances/{instance_id}/"
    for process in fleet.family():
        with suppress(psutil.Error):  # It may have ended since.
            environment = process.environ()
            if environment.get("HOME", "").startswith(home):
                yield process.pid, environment


def in_instance(fleet: LocalFleet, instance_id: str, call: Callable[[], T]) -> T:
    """Make a call from within an instance's network."""
    for pid, _ in environments(fleet, instance_id):
        try:
            network = os.open(f"/proc/{pid}/ns/net", os.O_RDONLY)
        except OSError:  # It has ended since.
            continue
        try:
            return kernel.inside(call, network=network)
        finally:
            os.close(network)
    raise AssertionError(f"no process of {instance_id}")
