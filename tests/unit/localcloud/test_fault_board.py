from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from clocked_cloud import Clock, standing_cloud
from fake_host import FakeHost

from steelyard.errors import LocalCloudError
from steelyard.localcloud.cloud import Cloud
from steelyard.localcloud.faults import board as board_module
from steelyard.localcloud.faults.board import FaultBoard
from steelyard.localcloud.faults.cloud_fault import ZoneOut
from steelyard.localcloud.faults.fault import Order
from steelyard.localcloud.service import ApiError
from steelyard.localcloud.services.ecs.actions import EcsService
from steelyard.localcloud.services.vpc.actions import VpcService

TYPE = "ecs.gn7i-c8g1.2xlarge"


@pytest.fixture
def board(tmp_path: Path) -> Iterator[FaultBoard]:
    with standing_cloud(tmp_path, Clock(), VpcService) as cloud:
        board = FaultBoard(cloud)
        yield board
        board.close()


@pytest.fixture
def cloud(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Cloud]:
    """One with instances, on a host without processes."""
    monkeypatch.setattr("steelyard.localcloud.services.ecs.state.make_host", lambda data_dir: FakeHost())
    with standing_cloud(tmp_path, Clock(), VpcService, EcsService) as cloud:
        yield cloud


def order(number: int) -> Order:
    return Order(kind="fail", target="*" * (number + 1))


def test_there_is_an_end_to_the_faults_that_may_be_in_force(
    board: FaultBoard, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(board_module, "MAX_FAULTS", 3)
    made = [board.make(order(number)) for number in range(3)]
    with pytest.raises(ApiError, match="3 faults are in force already") as caught:
        board.make(order(3))
    assert caught.value.status == 409
    board.make(order(2))  # It takes the place of the one of its kind and target.
    board.clear(made[0].id)
    board.make(order(3))
    assert len(board.list()) == 3


ZONE_OUT = Order(kind="zone", target="cn-hangzhou-h")
SOLD_OUT = Order(kind="stock", target=TYPE, settings={"zone": "cn-hangzhou-h"})


def test_what_a_kill_left_half_made_is_undone_by_the_next_start(cloud: Cloud) -> None:
    ecs = cloud.services["ecs"]
    assert isinstance(ecs, EcsService)
    FaultBoard(cloud).make(replace(SOLD_OUT, settings={"zone": "cn-hangzhou-i"}))
    with cloud.transaction():
        ecs.stock.close_zone("cn-hangzhou-h")
        ecs.stock.limit(TYPE, "cn-hangzhou-h", 0)
    FaultBoard(cloud).start()
    assert ecs.stock.closed_zones() == frozenset()
    assert ecs.stock.limits() == {(TYPE, "cn-hangzhou-i"): 0}


@pytest.mark.parametrize("wanted", [ZONE_OUT, SOLD_OUT], ids=lambda order: order.kind)
def test_a_fault_that_cannot_be_kept_does_not_happen(
    cloud: Cloud, monkeypatch: pytest.MonkeyPatch, wanted: Order
) -> None:
    put = cloud.store.put

    def refuse(kind: str, *rest: Any) -> None:
        if kind == "fault":
            raise sqlite3.OperationalError("database or disk is full")
        put(kind, *rest)

    board = FaultBoard(cloud)
    monkeypatch.setattr(cloud.store, "put", refuse)
    with pytest.raises(sqlite3.OperationalError):
        board.make(wanted)
    ecs = cloud.services["ecs"]
    assert isinstance(ecs, EcsService)
    assert (board.list(), ecs.stock.closed_zones(), ecs.stock.limits()) == ([], frozenset(), {})


def test_a_fault_that_could_not_be_ended_can_be_cleared_again(
    cloud: Cloud, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*words: object) -> None:
        raise LocalCloudError("not now")

    board = FaultBoard(cloud)
    made = board.make(ZONE_OUT)
    with monkeypatch.context() as patch:
        patch.setattr(ZoneOut, "end", fail)
        with pytest.raises(LocalCloudError):
            board.clear(made.id)
    assert board.list() == [made]
    assert list(board.clear_all()) == [made]


def test_a_refused_order_leaves_the_fault_that_it_would_have_replaced(cloud: Cloud) -> None:
    board = FaultBoard(cloud)
    made = board.make(SOLD_OUT)
    with pytest.raises(ApiError, match="must be a number"):
        board.make(replace(SOLD_OUT, settings={"left": -1}))
    assert board.list() == [made]
    again = FaultBoard(cloud)
    again.start()
    assert again.list() == [made]


def test_a_fault_of_other_zones_lifts_the_limits_of_the_one_before(cloud: Cloud) -> None:
    ecs = cloud.services["ecs"]
    assert isinstance(ecs, EcsService)
    board = FaultBoard(cloud)
    board.make(SOLD_OUT)
    made = board.make(replace(SOLD_OUT, settings={"zone": "cn-hangzhou-i"}))
    assert ecs.stock.limits() == {(TYPE, "cn-hangzhou-i"): 0}
    assert board.list() == [made]
    board.clear(made.id)
    assert ecs.stock.limits() == {}


def test_a_zone_that_is_taken_out_once_more_keeps_in_mind_who_died(cloud: Cloud) -> None:
    kind = ZoneOut(cloud)
    kept = kind.take_over("cn-hangzhou-h", {"struck": ["i-1", "i-2"]}, {"struck": ["i-2", "i-3"]})
    assert kept == {"struck": ["i-1", "i-2", "i-3"]}
    board = FaultBoard(cloud)
    made = [board.make(ZONE_OUT) for _ in range(2)]
    assert board.list() == made[1:]


@pytest.mark.parametrize("for_s", [-1, float("nan"), float("inf"), 1e12, True, "5"])
def test_a_fault_ends_after_a_number_of_seconds(for_s: object) -> None:
    with pytest.raises(ApiError, match="must be a number of seconds"):
        Order.from_json({"kind": "zone", "target": "cn-hangzhou-h", "for_s": for_s})
