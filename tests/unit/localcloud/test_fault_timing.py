"""Faults that come while instances begin or end, and others that come at the same time."""

from __future__ import annotations

import sqlite3
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import Any

import pytest
from fake_host import FakeHost
from scaling_cloud import IMAGE, TYPE, ScalingCloud

from steelyard.errors import LocalCloudError
from steelyard.localcloud.faults.board import FaultBoard
from steelyard.localcloud.faults.cloud_fault import SoldOut, ZoneOut
from steelyard.localcloud.faults.fault import Fault, Order
from steelyard.localcloud.faults.instance_fault import Kill
from steelyard.localcloud.service import ApiError, Request

ZONE_OUT = Order(kind="zone", target="cn-hangzhou-h")


class SlowHost(FakeHost):
    """One whose instances take as long to end as a test wants, and of whose ends it tells later."""

    def __init__(self) -> None:
        super().__init__()
        self.may_end = threading.Event()
        self.may_end.set()
        self.late_news: list[Callable[[], None]] = []
        self.paces: dict[str, float] = {}

    def set_pace(self, instance_id: str, share: float) -> None:
        self.paces[instance_id] = share

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
def meanwhile(call: Callable[[], object]) -> Iterator[threading.Thread]:
    """Let a call go on in a thread of its own, and wait for its end."""
    thread = threading.Thread(target=call)
    thread.start()
    yield thread
    thread.join(30)
    assert not thread.is_alive()


@pytest.fixture
def booting(cloud: ScalingCloud, host: SlowHost) -> Iterator[str]:
    """An instance that the host is about to boot."""
    host.may_boot.clear()
    yield run_instance(cloud, "Starting")
    host.may_boot.set()


@pytest.mark.parametrize("kind", ["zone", "kill"])
def test_an_instance_that_is_struck_as_it_boots_does_not_come_up(cloud, host, board, booting, kind):
    order = ZONE_OUT if kind == "zone" else Order(kind=kind, target=booting)
    with meanwhile(lambda: board.make(order)):
        wait_until(lambda: cloud.ecs.find_instance(booting).status != "Starting")
        host.may_boot.set()
    wait_status(cloud, booting, "Stopped")
    assert host.running == {}


def test_an_instance_that_waits_for_its_boot_when_its_zone_goes_out_comes_up_with_the_zone(
    cloud, host, board, booting
):
    with meanwhile(lambda: board.make(ZONE_OUT)):
        wait_until(lambda: cloud.ecs.find_instance(booting).status != "Starting")
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


SOLD_OUT = Order(kind="stock", target=TYPE, settings={"zone": "cn-hangzhou-h"})


@dataclass(frozen=True)
class Hold:
    """A call that is held up, once it has come, until it may go on."""

    has_come: threading.Event = field(default_factory=threading.Event)
    may_go: threading.Event = field(default_factory=threading.Event)


@pytest.fixture
def held(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., Hold]]:
    """Hold up the first call of something."""
    holds: list[Hold] = []

    def hold_up(owner: Any, name: str, is_meant: Callable[..., bool] = lambda *_: True) -> Hold:
        call, hold = getattr(owner, name), Hold()
        holds.append(hold)

        def wait_and_call(*arguments: Any) -> Any:
            if not hold.has_come.is_set() and is_meant(*arguments):
                hold.has_come.set()
                hold.may_go.wait(30)
            return call(*arguments)

        monkeypatch.setattr(owner, name, wait_and_call)
        return hold

    yield hold_up
    for hold in holds:
        hold.may_go.set()


def in_turn(first: Callable[[], object], second: Callable[[], object], hold: Hold) -> None:
    """Let a call come while the one before it is held up; it may have to wait for that."""
    with meanwhile(first):
        assert hold.has_come.wait(30)
        with meanwhile(second) as after:
            after.join(0.3)
            hold.may_go.set()


class TestAtATime:
    def test_a_fault_that_ends_takes_nothing_from_the_one_in_its_place(self, cloud, board, held):
        before = board.make(SOLD_OUT)
        hold = held(SoldOut, "end")
        in_turn(lambda: board.clear(before.id), lambda: board.make(SOLD_OUT), hold)
        (after,) = board.list()
        assert after.id != before.id
        assert cloud.ecs.stock.limits() == {(TYPE, "cn-hangzhou-h"): 0}

    def test_of_two_alike_one_is_in_force(self, cloud, board, held):
        hold = held(SoldOut, "begin")
        in_turn(lambda: board.make(SOLD_OUT), lambda: board.make(SOLD_OUT), hold)
        assert len(board.list()) == 1

    @pytest.fixture
    def call(self, cloud):
        """Calls what a fault lets fail, and keeps in mind whether it did."""
        request = Request(
            action="DescribeVpcs",
            params={},
            region_id="cn-hangzhou",
            dry_run=False,
            request_id="",
            caller=cloud.cloud.identity.root_key(),
        )

        def call() -> None:
            try:
                cloud.cloud.before_call("vpc", request)
                call.failed.append(False)
            except ApiError:
                call.failed.append(True)

        call.failed = []
        return call

    def test_a_fault_whose_last_calls_fail_together_is_over_for_good(self, cloud, board, held, call):
        board.make(Order(kind="fail", target="DescribeVpcs", settings={"times": 2}))
        hold = held(cloud.store, "put", lambda kind, *_: kind == "fault")
        in_turn(call, call, hold)
        again = FaultBoard(cloud.cloud)
        again.start()
        assert (board.list(), again.list()) == ([], [])
        assert call.failed == [True, True]

    def test_of_calls_that_come_together_no_more_fail_than_are_to(self, board, held, call):
        board.make(Order(kind="fail", target="DescribeVpcs", settings={"times": 1}))
        hold = held(board, "_drop")
        in_turn(call, call, hold)
        assert sorted(call.failed) == [False, True]


def test_a_fault_that_ends_while_the_disk_is_full_ends_once_there_is_room(cloud, board, monkeypatch):
    end, refusals = SoldOut.end, [sqlite3.OperationalError("database or disk is full")]

    def end_at_last(self: SoldOut, *arguments: Any) -> None:
        if refusals:
            raise refusals.pop()
        end(self, *arguments)

    monkeypatch.setattr(SoldOut, "end", end_at_last)
    board.make(replace(SOLD_OUT, for_s=0.01))
    wait_until(lambda: not board.list())
    assert cloud.ecs.stock.limits() == {}
    assert not refusals


def test_a_fault_that_ran_out_while_there_was_no_cloud_ends_after_what_was_half_made_is_undone(
    cloud, board, monkeypatch
):
    board.make(replace(SOLD_OUT, for_s=60))
    board.close()
    cloud.now += 60
    again, undone = FaultBoard(cloud.cloud), []

    def wait_for_its_end(self: Kill, faults: Sequence[Fault]) -> None:
        deadline = time.monotonic() + 0.5
        while again.list() and time.monotonic() < deadline:
            time.sleep(0.005)

    monkeypatch.setattr(Kill, "tidy", wait_for_its_end)
    monkeypatch.setattr(SoldOut, "tidy", lambda self, faults: undone.extend(faults))
    again.start()
    assert [one.kind for one in undone] == ["stock"]
    wait_until(lambda: not again.list())
    assert cloud.ecs.stock.limits() == {}
    again.close()


class TestHang:
    def test_an_instance_that_has_no_process_yet_is_not_told_to_hang(self, host, board, booting):
        with pytest.raises(ApiError, match="has no process yet"):
            board.make(Order(kind="hang", target=booting))
        assert (board.list(), host.paces) == ([], {})

    def test_a_boot_that_comes_in_between_is_not_left_to_hang(self, cloud, host, board, held):
        instance_id = run_instance(cloud)
        hold = held(host, "set_pace")
        refusals = []

        def hang() -> None:
            try:
                board.make(Order(kind="hang", target=instance_id))
            except ApiError as err:
                refusals.append(err.message)

        def reboot() -> None:
            cloud.call("ecs", "RebootInstance", {"InstanceId": instance_id})
            wait_until(lambda: cloud.ecs.find_instance(instance_id).boot_number == 2)
            wait_status(cloud, instance_id, "Running")

        with meanwhile(hang):
            assert hold.has_come.wait(30)
            reboot()
            hold.may_go.set()
        assert ["was booted anew" in one for one in refusals] == [True]
        assert (board.list(), host.paces) == ([], {instance_id: 1.0})
