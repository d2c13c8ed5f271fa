"""Faults that come while instances begin or end, and others that come at the same time."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest
from fake_host import FakeHost
from scaling_cloud import IMAGE, TYPE, ScalingCloud

from steelyard.errors import LocalCloudError
from steelyard.localcloud.faults.board import FaultBoard
from steelyard.localcloud.faults.cloud_fault import ZoneOut
from steelyard.localcloud.faults.fault import Order
from steelyard.localcloud.service import ApiError

ZONE_OUT = Order(kind="zone", target="cn-hangzhou-h")


class SlowHost(FakeHost):
    """One whose instances take as long to end as a test wants, and of whose ends it tells later."""

    def __init__(self) -> None:
        super().__init__()
        self.may_end = threading.Event()
        self.may_end.set()
        self.late_news: list[Callable[[], None]] = []

    def shut_down(self, instance_id: str, grace_s: float) -> None:
        self.may_end.wait(30)
        if instance_id in self.running:
            self.late_news.append(self.running.pop(instance_id))


@pytest.fixture
def host() -> SlowHost:
    return SlowHost()


@pytest.fixture
def board(cloud: ScalingCloud) -> Iterator[FaultBoard]:
    board = FaultBoard(cloud.cloud)
    yield board
    board.close()


def run_instance(cloud: ScalingCloud, status: str = "Running") -> str:
    settings = {
        "VSwitchId": cloud.vswitch_ids[0],
        "SecurityGroupId": cloud.security_group_id,
        "ImageId": IMAGE,
        "InstanceType": TYPE,
    }
    (instance_id,) = cloud.call("ecs", "RunInstances", settings)["InstanceIdSets"]["InstanceIdSet"]
    wait_status(cloud, instance_id, status)
    return str(instance_id)


def wait_status(cloud: ScalingCloud, instance_id: str, status: str) -> None:
    wait_until(lambda: cloud.ecs.find_instance(instance_id).status == status)


def wait_until(is_so: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 30
    while not is_so():
        assert time.monotonic() < deadline
        time.sleep(0.005)


@contextmanager
def meanwhile(call: Callable[[], object]) -> Iterator[None]:
    """Let a call go on in a thread of its own, and wait for its end."""
    thread = threading.Thread(target=call)
    thread.start()
    yield
    thread.join(30)
    assert not thread.is_alive()


@pytest.fixture
def booting(cloud: ScalingCloud, host: SlowHost) -> str:
    """An instance that the host is about to boot."""
    host.may_boot.clear()
    return run_instance(cloud, "Starting")


@pytest.mark.parametrize("kind", ["zone", "kill"])
def test_an_instance_that_is_struck_as_it_boots_does_not_come_up(cloud, host, board, booting, kind):
    order = ZONE_OUT if kind == "zone" else Order(kind=kind, target=booting)
    with meanwhile(lambda: board.make(order)):
        wait_until(lambda: cloud.ecs.find_instance(booting).status == "Stopping" or bool(board.list()))
        host.may_boot.set()
    wait_status(cloud, booting, "Stopped")
    assert host.running == {}


def test_an_instance_that_waits_for_its_boot_when_its_zone_goes_out_comes_up_with_the_zone(
    cloud, host, board, booting
):
    with meanwhile(lambda: board.make(ZONE_OUT)):
        wait_until(lambda: cloud.ecs.find_instance(booting).status == "Stopping" or bool(board.list()))
        host.may_boot.set()
    board.clear_all()
    wait_status(cloud, booting, "Running")


def test_a_zone_that_is_back_at_once_boots_those_whose_end_is_told_late(cloud, host, board):
    instance_id = run_instance(cloud)
    board.make(ZONE_OUT)
    board.clear_all()
    for tell in host.late_news:
        tell()
    wait_until(lambda: cloud.ecs.find_instance(instance_id).boot_number == 2)
    wait_status(cloud, instance_id, "Running")


class TestReboot:
    @pytest.fixture
    def rebooting(self, cloud, host):
        """An instance that is rebooted, and has not ended yet."""
        instance_id = run_instance(cloud)
        host.may_end.clear()
        cloud.call("ecs", "RebootInstance", {"InstanceId": instance_id})
        return instance_id

    def test_one_that_is_under_way_when_the_zone_goes_out_ends_there(self, cloud, host, board, rebooting):
        board.make(ZONE_OUT)
        host.may_end.set()
        wait_status(cloud, rebooting, "Stopped")
        board.clear_all()
        wait_status(cloud, rebooting, "Running")

    def test_one_that_is_under_way_until_the_zone_is_back_goes_on(self, cloud, host, board, rebooting):
        board.make(ZONE_OUT)
        board.clear_all()
        host.may_end.set()
        wait_status(cloud, rebooting, "Running")
        assert cloud.ecs.find_instance(rebooting).boot_number == 2


@pytest.mark.parametrize("name", ["StartInstance", "StartInstances"])
def test_nobody_starts_an_instance_in_a_zone_that_goes_out(cloud, host, board, name):
    stopped, running = run_instance(cloud), run_instance(cloud)
    cloud.call("ecs", "StopInstance", {"InstanceId": stopped})
    wait_status(cloud, stopped, "Stopped")
    host.may_end.clear()
    ids = {"InstanceId": stopped if name == "StartInstance" else [stopped]}
    with meanwhile(lambda: board.make(ZONE_OUT)):
        wait_until(lambda: bool(cloud.ecs.stock.closed_zones()))
        with pytest.raises(ApiError) as refused:
            cloud.call("ecs", name, ids)
        assert "NoStock" in refused.value.code
        host.may_end.set()
    wait_status(cloud, running, "Stopped")


def test_one_that_does_not_end_with_its_zone_saves_no_other(cloud, host, board, monkeypatch):
    instance_ids = [run_instance(cloud) for _ in range(3)]
    end = host.shut_down

    def end_others(instance_id: str, grace_s: float) -> None:
        if instance_id == instance_ids[0]:
            raise LocalCloudError("it is still alive")
        end(instance_id, grace_s)

    monkeypatch.setattr(host, "shut_down", end_others)
    board.make(ZONE_OUT)
    statuses = [cloud.ecs.find_instance(one).status for one in instance_ids]
    assert statuses == ["Stopping", "Stopped", "Stopped"]


def test_a_zone_that_could_not_be_taken_out_has_its_instances_again(cloud, host, board, monkeypatch):
    instance_id = run_instance(cloud)

    def fail(self: ZoneOut, zone_id: str, *, has_power: bool) -> None:
        if not has_power:
            raise LocalCloudError("a load balancer does not follow")

    monkeypatch.setattr(ZoneOut, "_tell_tenants", fail)
    with pytest.raises(LocalCloudError):
        board.make(ZONE_OUT)
    assert (board.list(), cloud.ecs.stock.closed_zones()) == ([], frozenset())
    wait_until(lambda: cloud.ecs.find_instance(instance_id).boot_number == 2)
    wait_status(cloud, instance_id, "Running")
