"""A worker takes a quorum for that of all only where it can be."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

import pytest
import torch.distributed as dist

from steelyard.training.elastic_environment import ElasticEnvironment
from steelyard.training.elastic_team import ElasticTeam
from steelyard.training.port import free_port
from steelyard.training.quorum_seat import wait_at_gate

ALL = ("0", "1", "2")


class Seat:
    """Answers with one quorum after the other, and with the last one for ever."""

    def __init__(self, *members: tuple[str, ...]) -> None:
        self.left = list(members)
        self.num_asked = 0

    def ask(self, **about: Any) -> Any:
        self.num_asked += 1
        members = self.left.pop(0) if len(self.left) > 1 else self.left[0]
        max_step = 0 if members == ("0",) else 7
        place = members.index("0") if "0" in members else 0
        return SimpleNamespace(quorum_id=1, replica_ids=list(members), replica_rank=place, max_step=max_step)

    def leave(self) -> None:
        pass


@pytest.fixture
def team(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[ElasticTeam]:
    monkeypatch.setenv("RUST_LOG", "warn")  # which the team sets
    monkeypatch.setattr("steelyard.training.elastic_team._PAUSE_S", 0.0)
    place = ElasticEnvironment(lighthouse="http://127.0.0.1:1", restart_count=getattr(request, "param", 0))
    team = ElasticTeam(place, rank=0, world_size=len(ALL))
    yield team
    team.leave()


def test_the_first_quorum_is_asked_for_until_all_that_were_expected_are_in_it(team: ElasticTeam) -> None:
    team._seat = seat = Seat(("0",), ("0", "2"), ALL)  # type: ignore[assignment]

    assert tuple(team._ask().replica_ids) == ALL
    assert seat.num_asked == 3


def test_a_worker_that_does_not_come_is_not_waited_for_for_ever(
    team: ElasticTeam, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("steelyard.training.elastic_team._REGATHERING_S", 0.01)
    team._seat = Seat(("0",))  # type: ignore[assignment]

    assert team._ask().replica_ids == ["0"]


@pytest.mark.parametrize("team", [1], indirect=True)
def test_a_worker_that_was_started_again_and_seems_alone_asks_for_the_others_again(team: ElasticTeam) -> None:
    team._seat = Seat(("0",), ("0",), ("2", "0"))  # type: ignore[assignment]

    assert team._ask().replica_ids == ["2", "0"]


@pytest.mark.parametrize("team", [1], indirect=True)
def test_a_worker_that_was_started_again_and_is_alone_does_not_ask_for_ever(
    team: ElasticTeam, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("steelyard.training.elastic_team._ALONE_S", 0.01)
    team._seat = Seat(("0",))  # type: ignore[assignment]

    assert team._ask().replica_ids == ["0"]


@pytest.mark.parametrize("team", [1], indirect=True)
def test_a_worker_that_was_started_again_takes_what_is_there(team: ElasticTeam) -> None:
    team._seat = seat = Seat(("0", "2"), ALL)  # type: ignore[assignment]

    assert team._ask().replica_ids == ["0", "2"]
    assert seat.num_asked == 1


def test_a_worker_that_leaves_before_it_has_asked_for_the_next_quorum_asks_for_none(
    team: ElasticTeam, monkeypatch: pytest.MonkeyPatch
) -> None:
    team._seat = seat = Seat(ALL)  # type: ignore[assignment]
    is_left = threading.Event()
    monkeypatch.setattr(seat, "leave", is_left.set)
    joined: list[Seat] = []
    monkeypatch.setattr(team, "_join", lambda: joined.append(seat) or seat)
    team._thread.submit(is_left.wait, 30)  # what was asked of the thread before
    team._is_steady = True
    team.form()

    team.leave()

    assert (is_left.is_set(), joined, seat.num_asked) == (True, [], 0)


@pytest.fixture
def closed_gate() -> Iterator[ElasticEnvironment]:
    """A gate whose keeper has not come; nobody else can open it."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        yield ElasticEnvironment(
            lighthouse="http://127.0.0.1:1",
            master_address="127.0.0.1",
            master_port=taken.getsockname()[1],
        )


def test_a_gate_that_nobody_opens_is_given_up_after_its_time_and_not_asked_through_torch(
    closed_gate: ElasticEnvironment, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[Any] = []
    monkeypatch.setattr("steelyard.training.quorum_seat._GATE_TIMEOUT_S", 0.2)
    monkeypatch.setattr(dist, "TCPStore", lambda *place, **options: asked.append(place))

    wait_at_gate(closed_gate, 1, 2)

    assert asked == []  # which would go on for twice that time and longer


def test_workers_that_come_to_the_gate_before_its_keeper_go_on_with_it() -> None:
    port = free_port()
    place = ElasticEnvironment(lighthouse="http://127.0.0.1:1", master_address="127.0.0.1", master_port=port)
    early = [threading.Thread(target=wait_at_gate, args=(place, number, 3)) for number in (1, 2)]
    for each in early:
        each.start()
    assert all(each.is_alive() for each in early)

    wait_at_gate(place, 0, 3)

    for each in early:
        each.join(30)
    assert not any(each.is_alive() for each in early)
