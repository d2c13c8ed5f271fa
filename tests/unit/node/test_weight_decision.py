from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from steelyard.node.weight_decision import PATIENCE, SpeedStep, WeightDecision, target_weights

IDS = ("i-a", "i-b", "i-c", "i-d")
SPEEDS = st.dictionaries(st.sampled_from(IDS), st.floats(0.001, 1e6))
WEIGHTS = st.dictionaries(st.sampled_from(IDS), st.integers(0, 100))


def after(weights: Mapping[str, int], *speeds: Mapping[str, float], job_id: str = "job-1") -> dict[str, int]:
    """Give what is changed after steps of such speeds."""
    decision = WeightDecision()
    for i, one in enumerate(speeds):
        decision.note([SpeedStep(job_id=job_id, time=float(i), speeds=one, is_imitated=False)])
    return decision.changes(weights)


def record(*workers: dict[str, Any], **event: Any) -> dict[str, Any]:
    return {"id": "job-1", "last_event": {"time": 7.0, "is_imitated": True, "nodes": list(workers), **event}}


def test_the_fastest_gets_100_and_the_others_their_part_of_it() -> None:
    assert after({"i-a": 100, "i-b": 100}, *[{"i-a": 150.0, "i-b": 50.0}] * 3) == {"i-b": 33}
    assert after({"i-a": 50, "i-b": 50}, *[{"i-a": 150.0, "i-b": 50.0}] * 3) == {"i-a": 100, "i-b": 33}


def test_a_change_has_to_last() -> None:
    even, odd = {"i-a": 10.0, "i-b": 10.0}, {"i-a": 10.0, "i-b": 5.0}
    weights = {"i-a": 100, "i-b": 100}
    assert after(weights, odd, odd) == {}
    assert after(weights, odd, odd, even) == {}
    assert after(weights, even, even, odd, odd, odd) == {"i-b": 50}


def test_of_what_lasted_the_middle_is_taken() -> None:
    steps = [{"i-a": 100.0, "i-b": speed} for speed in (20.0, 60.0, 50.0)]
    assert after({"i-a": 100, "i-b": 100}, *steps) == {"i-b": 50}


def test_a_small_change_is_left_alone() -> None:
    def changed(weight: int, speed: float) -> dict[str, int]:
        return after({"i-a": 100, "i-b": weight}, *[{"i-a": 100.0, "i-b": speed}] * 3)

    assert changed(100, 96.0) == {}
    assert changed(100, 95.0) == {"i-b": 95}
    assert changed(33, 36.0) == {}
    assert changed(20, 22.0) == {"i-b": 22}
    assert changed(33, 33.0) == {}


def test_a_node_whose_weight_is_0_keeps_it() -> None:
    assert after({"i-a": 100, "i-b": 0, "i-c": 100}, *[{"i-a": 9.0, "i-b": 9.0, "i-c": 3.0}] * 3) == {
        "i-c": 33
    }


def test_nodes_that_no_job_measures_keep_their_weight_and_their_place_among_the_others() -> None:
    weights = {"i-a": 100, "i-b": 33, "i-c": 33}
    # The slow ones alone: one of them has become slower still, and neither becomes as good as the fast one.
    assert after(weights, *[{"i-b": 30.0, "i-c": 10.0}] * 3) == {"i-c": 11}
    assert after(weights, *[{"i-b": 30.0}] * 3) == {}


def test_servers_of_other_clusters_are_not_touched() -> None:
    assert after({"i-a": 100}, *[{"i-a": 10.0, "i-x": 1000.0}] * 3) == {}


def test_one_step_that_is_seen_often_counts_once() -> None:
    decision = WeightDecision()
    step = SpeedStep(job_id="job-1", time=1.0, speeds={"i-a": 2.0, "i-b": 1.0}, is_imitated=False)
    for _ in range(5):
        decision.note([step])
    assert not decision.has_news
    assert decision.changes({"i-a": 100, "i-b": 100}) == {}


def test_a_job_that_has_ended_is_forgotten() -> None:
    decision = WeightDecision()
    for i in range(PATIENCE):
        decision.note([SpeedStep(job_id="job-1", time=i, speeds={"i-a": 2.0, "i-b": 1.0}, is_imitated=True)])
    assert decision.has_news
    assert decision.is_imitated
    decision.note([])
    assert not decision.has_news
    assert decision.changes({"i-a": 100, "i-b": 100}) == {}


def test_a_node_has_the_speed_of_all_its_workers() -> None:
    step = SpeedStep.of_job(
        record(
            {"node_id": "i-a", "rank": 0, "samples_per_s": 10.0},
            {"node_id": "i-a", "rank": 1, "samples_per_s": 20.0},
            {"node_id": "i-b", "rank": 2, "samples_per_s": 10.0},
            {"node_id": "i-c", "rank": 3, "samples_per_s": 0.0},
            {"node_id": "i-d", "rank": 4, "samples_per_s": None},
        )
    )
    assert step == SpeedStep(job_id="job-1", time=7.0, speeds={"i-a": 30.0, "i-b": 10.0}, is_imitated=True)


def test_a_job_without_a_step_says_nothing() -> None:
    assert SpeedStep.of_job({"id": "job-1", "last_event": None}) is None
    assert SpeedStep.of_job(record()) is None


@pytest.mark.parametrize("speed", [float("nan"), float("inf"), -1.0, "fast", None, 0])
def test_what_a_script_says_and_is_no_speed_is_passed_over(speed: Any) -> None:
    bad, good = {"node_id": "i-a", "samples_per_s": speed}, {"node_id": "i-b", "samples_per_s": 2.0}
    step = SpeedStep.of_job(record(bad, good))
    assert step is not None
    assert step.speeds == {"i-b": 2.0}
    assert SpeedStep.of_job(record(bad)) is None
    assert SpeedStep.of_job(record(good, time="noon")) is None
    assert SpeedStep.of_job({"id": "job-1", "last_event": {"time": 1.0, "nodes": {"i-a": speed}}}) is None


@given(SPEEDS, WEIGHTS)
def test_a_target_is_a_weight_of_a_measured_server_and_the_faster_one_has_no_less(
    speeds: dict[str, float], weights: dict[str, int]
) -> None:
    targets = target_weights(speeds, weights)
    assert set(targets) == {one for one in speeds if weights.get(one)}
    assert all(1 <= weight <= 100 for weight in targets.values())
    by_speed = sorted(targets, key=lambda one: speeds[one])
    assert [targets[one] for one in by_speed] == sorted(targets.values())


@given(st.lists(SPEEDS, min_size=PATIENCE, max_size=PATIENCE), WEIGHTS)
def test_what_was_set_is_not_set_again(steps: list[dict[str, float]], weights: dict[str, int]) -> None:
    steady = [steps[-1]] * PATIENCE
    changes = after(weights, *steady)
    assert after({**weights, **changes}, *steady) == {}
    assert all(weights[one] > 0 for one in after(weights, *steps))
