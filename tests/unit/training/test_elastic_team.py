"""A worker takes a quorum for that of all only where it can be."""

from __future__ import annotations

from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

import pytest

from steelyard.training.elastic_environment import ElasticEnvironment
from steelyard.training.elastic_team import ElasticTeam

ALL = ("0", "1", "2")


class Seat:
    """Answers with one quorum after the other, and with the last one for ever."""

    def __init__(self, *members: tuple[str, ...]) -> None:
        self.left = list(members)
        self.num_asked = 0

    def ask(self, **about: Any) -> Any:
        self.num_asked += 1
        members = self.left.pop(0) if len(self.left) > 1 else self.left[0]
        return SimpleNamespace(quorum_id=1, replica_ids=list(members))

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
def test_a_worker_that_was_started_again_takes_what_is_there(team: ElasticTeam) -> None:
    team._seat = seat = Seat(("0", "2"), ALL)  # type: ignore[assignment]

    assert team._ask().replica_ids == ["0", "2"]
    assert seat.num_asked == 1
