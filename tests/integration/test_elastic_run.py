"""Workers that are killed, stopped and started again cost steps, never samples, and never the job.

Real processes: they are killed by SIGKILL at places chosen to hurt, and the parameters are compared with those of one
process that makes every step on its whole window, in float64.
"""

from __future__ import annotations

import itertools
import signal
from collections import Counter
from typing import Any

import pytest
from elastic_worker import GLOBAL_BATCH, NUM_SAMPLES
from elastic_workers import ElasticRun, wait_until

from steelyard.training.retry import ALONE_EXIT_CODE


def assert_as_one_process(run: ElasticRun, begin: Any, name: str) -> None:
    """Compare a worker's end with that of one process with the same windows."""
    alone = begin(num_steps=run.num_steps)
    alone.wait(alone.start(0, is_alone=True))
    run.assert_ended_as(alone, name)


def assert_each_sample_once(run: ElasticRun) -> None:
    """Every window was made once, of all its samples; each epoch holds every sample once."""
    steps = run.samples_by_step()
    assert sorted(steps) == list(range(1, run.num_steps + 1))
    assert all(count == 1 for samples in steps.values() for count in samples.values())
    per_epoch = -(-NUM_SAMPLES // GLOBAL_BATCH)
    first = sum((steps[step] for step in range(1, per_epoch + 1)), Counter())
    assert run.num_steps < per_epoch or first == Counter(range(NUM_SAMPLES))


def test_a_worker_that_is_killed_in_mid_reduction_costs_one_step_and_comes_back_with_the_live_state(
    runs: Any,
) -> None:
    run = runs(num_steps=90)
    run.start(0, lingers_from=14)
    run.start(1, seed=11, dies_at=12, dies_in="backward")
    run.start(2, seed=12)  # whatever it begins with, it takes the state of the first
    run.wait_for_step("0.0", 14)
    run.wait_for_step(run.start(1, restart_count=1, seed=13), 15)
    run.go_on()
    run.wait("0.0", "2.0", "1.1")
    assert run.exit_code("1.0") == -signal.SIGKILL
    assert [note["step"] for name in ("0.0", "2.0") for note in run.notes(name) if not note["is_made"]] == [
        12,
        12,
    ]
    assert {note["world"] for note in run.made("0.0")} == {2, 3}
    assert run.made("1.1")[0]["step"] > 13
    assert run.made("1.1")[-1]["rank"] == 2  # those that were there longer come first
    ends = [run.result(name) for name in ("0.0", "2.0", "1.1")]
    assert ends[0]["parameters"] == ends[1]["parameters"] == ends[2]["parameters"]
    assert ends[0]["momentum"] == ends[1]["momentum"] == ends[2]["momentum"]
    assert_as_one_process(run, runs, "1.1")
    shares = {tuple(note["shares"]) for note in run.made("0.0")}
    assert {sum(each) for each in shares} == {GLOBAL_BATCH}
    done = Counter(step for step, samples in run.samples_by_step().items() for _ in samples)
    assert len(done) == 90
    assert run.longest_pause_s("0.0") < 8.0  # not the 10 s after which a peer counts as hung


def test_a_worker_that_comes_when_the_others_are_done_says_that_it_found_nobody(runs: Any) -> None:
    run = runs(num_steps=3, num_workers=2)
    run.wait(run.start(0), run.start(1))

    late = run.start(1, restart_count=1)

    wait_until(lambda: run.exit_code(late) is not None, "the late one ends")
    assert run.exit_code(late) == ALONE_EXIT_CODE, run.log(late)
    assert "nobody is left to take the state from" in run.log(late)
    assert run.made(late) == []


@pytest.mark.slow
def test_every_sample_of_an_epoch_is_counted_once_however_its_worker_dies(runs: Any) -> None:
    run = runs(num_steps=20)
    run.start(0, dies_at=5, dies_in="update")
    run.start(1)
    run.start(2, dies_at=9, dies_in="step")
    run.wait("1.0")
    assert run.made("1.0")[-1]["shares"] == [GLOBAL_BATCH]
    assert_each_sample_once(run)
    assert_as_one_process(run, runs, "1.0")


def test_a_hung_worker_is_noticed_within_the_timeout_and_takes_the_live_state_when_it_goes_on(
    runs: Any,
) -> None:
    run = runs(num_steps=40, peer_timeout_s=2.0)
    run.start(0, lingers_from=11)
    run.start(1)
    run.start(2, dies_at=8, dies_in="stop")
    run.wait_for_step("0.0", 11)
    assert run.longest_pause_s("0.0") < 8.0
    run.send("2.0", signal.SIGCONT)
    run.wait_for_step("2.0", 12)
    run.go_on()
    run.wait("0.0", "1.0", "2.0")
    assert run.result("2.0")["parameters"] == run.result("0.0")["parameters"]
    assert_each_sample_once(run)
    assert_as_one_process(run, runs, "2.0")


@pytest.mark.slow
def test_the_lighthouse_may_die(runs: Any) -> None:
    run = runs(num_steps=60)
    for rank in range(3):
        run.start(rank)
    run.wait_for_step("0.0", 8)
    run.lighthouse.stop()
    run.lighthouse.start()
    run.wait("0.0", "1.0", "2.0")
    assert run.lighthouse.num_starts == 2
    # None, unless the new lighthouse had counted beyond the old one by the time that it knew all.
    assert len({note["step"] for name in run.pids for note in run.notes(name) if not note["is_made"]}) <= 1
    assert run.longest_pause_s("0.0") < 5.0  # not the 10 s after which a peer counts as hung
    assert_each_sample_once(run)
    assert_as_one_process(run, runs, "0.0")


@pytest.mark.slow
@pytest.mark.parametrize("way", ["backward", "update"])
def test_workers_that_do_not_talk_to_the_lost_one_notice_too(runs: Any, way: str) -> None:
    run = runs(num_steps=25, num_workers=6)
    for rank in range(6):
        run.start(rank, **({"dies_at": 10, "dies_in": way} if rank == 2 else {}))
    names = [f"{rank}.0" for rank in range(6) if rank != 2]
    run.wait(*names)
    assert (
        max(run.longest_pause_s(name) for name in names) < 5.0
    )  # not the 10 s after which a peer counts as hung
    assert_each_sample_once(run)
    assert_as_one_process(run, runs, "5.0")


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(3))
def test_workers_that_come_and_go_all_the_time_make_the_same_steps(runs: Any, seed: int) -> None:
    run = runs(num_steps=150)
    places = itertools.cycle([(seed + shift) % 3 for shift in (0, 2, 1)])
    living = {rank: run.start(rank) for rank in range(3)}
    for restart_count in range(1, 6):
        rank = next(places)
        step = 20 * restart_count
        others = [name for place, name in living.items() if place != rank]
        run.wait_for_step(others[0], step)
        run.send(living[rank], signal.SIGKILL)
        run.wait_for_step(others[0], step + 2)
        living[rank] = run.start(rank, restart_count, seed=seed)
    run.wait(*living.values())
    ends = [run.result(name)["parameters"] for name in living.values()]
    assert ends[0] == ends[1] == ends[2]
    assert_as_one_process(run, runs, living[0])
