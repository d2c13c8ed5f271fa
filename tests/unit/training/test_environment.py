"""What a worker is told by torchrun, by the launcher, or by nobody."""

from __future__ import annotations

from pathlib import Path

import pytest

from steelyard.errors import UsageError
from steelyard.training.environment import WorkerEnvironment


def test_without_any_variable_a_worker_is_alone() -> None:
    assert WorkerEnvironment.read({}) == WorkerEnvironment()


def test_torchruns_variables_give_the_place() -> None:
    place = WorkerEnvironment.read({"RANK": "2", "WORLD_SIZE": "3", "LOCAL_RANK": "1"})
    assert (place.rank, place.world_size, place.local_rank, place.node_id) == (2, 3, 1, "rank-2")
    assert place.policy_name == "speed"
    assert place.imitated_speed is None


def test_the_launchers_variables_give_the_rest() -> None:
    place = WorkerEnvironment.read(
        {
            "RANK": "0",
            "WORLD_SIZE": "1",
            "STEELYARD_NODE_ID": "i-1",
            "STEELYARD_BALANCE": "equal",
            "STEELYARD_EVENTS_PATH": "/events.jsonl",
            "STEELYARD_IMITATED_SPEED": "0.3333",
            "STEELYARD_IMITATED_SAMPLE_MS": "8",
        }
    )
    assert place.node_id == "i-1"
    assert place.policy_name == "equal"
    assert place.events_path == Path("/events.jsonl")
    assert place.imitated_speed == 0.3333
    assert place.imitated_sample_s == 0.008


@pytest.mark.parametrize(
    "variables",
    [
        {"RANK": "3", "WORLD_SIZE": "3"},
        {"RANK": "1"},
        {"RANK": "one", "WORLD_SIZE": "2"},
        {"STEELYARD_IMITATED_SPEED": "0"},
        {"STEELYARD_IMITATED_SPEED": "nan"},
        {"STEELYARD_IMITATED_SAMPLE_MS": "fast"},
    ],
)
def test_a_variable_that_makes_no_sense_is_named(variables: dict[str, str]) -> None:
    with pytest.raises(UsageError) as caught:
        WorkerEnvironment.read(variables)
    assert any(name in caught.value.message for name in variables)
    assert caught.value.hint
