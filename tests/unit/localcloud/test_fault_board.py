from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from clocked_cloud import Clock, standing_cloud

from steelyard.localcloud.faults import board as board_module
from steelyard.localcloud.faults.board import FaultBoard
from steelyard.localcloud.faults.fault import Order
from steelyard.localcloud.service import ApiError
from steelyard.localcloud.services.vpc.actions import VpcService


@pytest.fixture
def board(tmp_path: Path) -> Iterator[FaultBoard]:
    with standing_cloud(tmp_path, Clock(), VpcService) as cloud:
        board = FaultBoard(cloud)
        yield board
        board.close()


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
