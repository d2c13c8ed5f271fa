"""Runs that end in the middle are gone on with from their newest checkpoint, by another number of workers.

Real processes in float64, ended by SIGKILL; the end is compared with that of one process that was left alone.
"""

from __future__ import annotations

import json
import signal
from collections import Counter
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from elastic_worker import GLOBAL_BATCH, NUM_SAMPLES
from elastic_workers import EXACT, ElasticRun, WorkerServer, wait_until

NUM_STEPS = 30


@pytest.fixture
def begin(runs: Any) -> Any:
    return partial(runs, num_steps=NUM_STEPS)


@pytest.fixture(scope="module")
def undisturbed(worker_server: WorkerServer, tmp_path_factory: pytest.TempPathFactory) -> ElasticRun:
    """One process that makes every step."""
    run = ElasticRun(worker_server, tmp_path_factory.mktemp("alone"), num_steps=NUM_STEPS, is_fixed=True)
    run.wait(run.start(0, is_alone=True))
    return run


def assert_each_sample_once(first: ElasticRun, second: ElasticRun, resumed_at: int) -> None:
    """What the first run made up to the checkpoint and what the second made are every window once."""
    steps = {step: seen for step, seen in first.samples_by_step().items() if step <= resumed_at}
    later = second.samples_by_step()
    assert steps.keys().isdisjoint(later)
    steps |= later
    assert sorted(steps) == list(range(1, NUM_STEPS + 1))
    assert all(count == 1 for samples in steps.values() for count in samples.values())
    per_epoch = -(-NUM_SAMPLES // GLOBAL_BATCH)
    assert sum((steps[step] for step in range(1, per_epoch + 1)), Counter()) == Counter(range(NUM_SAMPLES))


def events(run: ElasticRun, name: str, kind: str) -> list[dict[str, Any]]:
    lines = (run.folder / f"{name}.events").read_text().splitlines()
    return [event for event in map(json.loads, lines) if event["kind"] == kind]


def losses(run: ElasticRun, name: str) -> dict[int, float]:
    return {event["step"]: event["loss"] for event in events(run, name, "step")}


def kill(run: ElasticRun, *names: str) -> None:
    for name in names:
        if run.exit_code(name) is None:
            run.send(name, signal.SIGKILL)
        wait_until(lambda name=name: run.exit_code(name) is not None, f"{name} is killed")


def wait_for_checkpoint(folder: Path, step: int) -> None:
    wait_until(lambda: any(folder.glob(f"step-{step:08d}-*/manifest.json")), f"step {step} is saved")


def test_a_run_of_three_that_is_killed_is_gone_on_with_by_two(
    begin: Any, undisturbed: ElasticRun, tmp_path: Path
) -> None:
    options = {"checkpoint": str(tmp_path / "kept"), "every_steps": 4}
    first = begin(is_fixed=True)
    names = [first.start(rank, **options) for rank in range(3)]
    wait_for_checkpoint(tmp_path / "kept", 8)
    kill(first, *names)
    newest = max((tmp_path / "kept").glob("*/manifest.json")).parent
    resumed_at = int(newest.name.split("-")[1])

    second = begin(is_fixed=True, num_workers=2)
    names = [second.start(rank, seed=7 + rank, **options) for rank in range(2)]
    second.wait(*names)

    assert events(second, "0.0", "resume")[0]["step"] == resumed_at
    assert_each_sample_once(first, second, resumed_at)
    second.assert_ended_as(undisturbed, "0.0")
    expected, actual = losses(undisturbed, "0.0"), losses(first, "0.0") | losses(second, "0.0")
    assert len(actual) == NUM_STEPS
    assert all(abs(actual[step] - expected[step]) <= EXACT for step in expected)


@pytest.mark.slow
def test_a_sharded_run_is_gone_on_with_by_a_lone_worker_and_the_other_way_round(
    begin: Any, undisturbed: ElasticRun, tmp_path: Path
) -> None:
    options = {"checkpoint": str(tmp_path / "kept"), "every_steps": 4}
    alone = begin(is_fixed=True)
    alone.start(0, is_alone=True, dies_at=6, dies_in="sleep", **options)
    wait_for_checkpoint(tmp_path / "kept", 4)
    kill(alone, "0.0")

    sharded = begin(is_fixed=True, num_workers=2)
    for rank in range(2):
        sharded.start(rank, is_sharded=True, **options)
    wait_for_checkpoint(tmp_path / "kept", 16)
    kill(sharded, "0.0", "1.0")

    last = begin(is_fixed=True)
    last.wait(last.start(0, is_alone=True, **options))
    assert events(sharded, "0.0", "resume")[0]["step"] == 4
    assert events(last, "0.0", "resume")[0]["step"] >= 16
    last.assert_ended_as(undisturbed, "0.0")


@pytest.mark.slow
def test_a_member_killed_in_mid_save_leaves_it_to_the_next_one_and_all_can_be_lost(
    begin: Any, undisturbed: ElasticRun, tmp_path: Path
) -> None:
    options = {"checkpoint": str(tmp_path / "kept"), "every_steps": 5}
    first = begin()
    first.start(0, writes_slowly=True, **options)
    first.start(1, **options)
    first.start(2, **options)
    wait_until((first.folder / "0.0.writing").exists, "the first member writes")
    kill(first, "0.0")
    wait_until(lambda: any((tmp_path / "kept").glob("*/manifest.json")), "another member saves")
    kill(first, "1.0", "2.0")

    second = begin(num_workers=2)
    names = [second.start(rank, seed=rank, **options) for rank in range(2)]
    second.wait(*names)
    assert events(second, "0.0", "resume")[0]["step"] >= 10
    second.assert_ended_as(undisturbed, "0.0")  # which no sample lost or counted twice would leave it


LEFT = 143


def test_a_worker_that_is_asked_to_leave_makes_its_step_and_costs_the_others_none(
    begin: Any, undisturbed: ElasticRun
) -> None:
    run = begin()
    names = [run.start(rank, lingers_from=8) for rank in range(3)]
    run.wait_for_step("0.0", 8)
    run.send("0.0", signal.SIGTERM)  # the first of the quorum, which writes the events
    run.go_on()
    run.wait("1.0", "2.0")

    assert run.exit_code("0.0") == LEFT
    assert all(note["is_made"] for name in names for note in run.notes(name))
    steps = run.samples_by_step()
    assert sorted(steps) == list(range(1, NUM_STEPS + 1))
    assert all(count == 1 for samples in steps.values() for count in samples.values())
    assert sum(sum(samples.values()) for samples in steps.values()) == samples_of(NUM_STEPS)
    run.assert_ended_as(undisturbed, "1.0")
    (told,) = events(run, "0.0", "leave")
    assert (told["node_id"], told["step"]) == ("i-0", max(note["step"] for note in run.notes("0.0")))
    assert run.longest_pause_s("1.0") < 8.0  # not the 10 s after which a peer counts as hung


def samples_of(num_steps: int) -> int:
    """Return how many samples so many windows hold: the last one of an epoch is shorter."""
    per_epoch = -(-NUM_SAMPLES // GLOBAL_BATCH)
    epochs, rest = divmod(num_steps, per_epoch)
    return epochs * NUM_SAMPLES + rest * GLOBAL_BATCH


@pytest.mark.parametrize("is_fixed", [True, False])
def test_workers_that_cannot_go_on_leave_together_with_a_checkpoint_of_that_very_step(
    begin: Any, undisturbed: ElasticRun, tmp_path: Path, is_fixed: bool
) -> None:
    options = {"checkpoint": str(tmp_path / "kept")}
    first = begin(is_fixed=is_fixed, num_workers=2)
    names = [first.start(rank, lingers_from=8, **options) for rank in range(2)]
    first.wait_for_step("0.0", 8)
    for name in names[is_fixed:]:
        first.send(name, signal.SIGTERM)
    for name in names:
        wait_until(lambda name=name: first.exit_code(name) is not None, f"{name} leaves")
        assert first.exit_code(name) == LEFT, first.log(name)

    second = begin(is_fixed=is_fixed, num_workers=2)
    names = [second.start(rank, seed=rank, **options) for rank in range(2)]
    second.wait(*names)
    resumed_at = events(second, "0.0", "resume")[0]["step"]
    assert resumed_at == max(first.samples_by_step())
    assert_each_sample_once(first, second, resumed_at)
    second.assert_ended_as(undisturbed, "0.0")
