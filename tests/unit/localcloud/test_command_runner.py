"""What becomes of commands whose cloud ends while they run."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from clocked_cloud import Clock, standing_cloud
from fake_host import FakeHost

from steelyard.localcloud.cloud import Cloud
from steelyard.localcloud.record import Records
from steelyard.localcloud.services.ecs.command import RUNNING, TERMINATED, CommandRun, overall
from steelyard.localcloud.services.ecs.command_runner import CommandRunner

DEADLINE_S = 30.0


@pytest.fixture
def cloud(tmp_path: Path) -> Iterator[Cloud]:
    with standing_cloud(tmp_path, Clock()) as cloud:
        yield cloud


@pytest.fixture
def runs(cloud: Cloud) -> Records[CommandRun]:
    return Records(cloud.store, CommandRun)


@pytest.fixture
def host() -> FakeHost:
    host = FakeHost()
    host.running["i-1"] = lambda: None
    return host


@pytest.fixture
def runner(cloud: Cloud, host: FakeHost, runs: Records[CommandRun]) -> Iterator[CommandRunner]:
    runner = CommandRunner(cloud, host, runs)
    yield runner
    runner.close()


def begin(runner: CommandRunner, runs: Records[CommandRun], timeout_s: float = 60) -> str:
    run = CommandRun(
        id="t-1/i-1",
        created_at=0.0,
        invoke_id="t-1",
        instance_id="i-1",
        command_id="c-1",
        username="",
        status=RUNNING,
    )
    runs.put(run)
    runner.start(run, "true", "", timeout_s)
    return run.id


def test_a_run_of_a_cloud_that_ended_is_finished_by_the_next_one(cloud, host, runner, runs):
    run_id = begin(runner, runs)
    runner.close()
    host.finish_errand("t-1-i-1", None)
    assert runs.get(run_id).status == RUNNING, "a cloud that ends leaves its records as they are"

    CommandRunner(cloud, host, runs).resume()

    run = runs.get(run_id)
    assert (run.status, run.error_code, run.exit_code) == ("Failed", "ClientNotRunning", None)
    CommandRunner(cloud, host, runs).resume()
    assert runs.get(run_id) == run


def test_the_first_reason_to_end_one_is_the_one_that_is_told(host, runner, runs):
    run_id = begin(runner, runs, timeout_s=0.05)
    deadline = time.monotonic() + DEADLINE_S
    while runs.get(run_id).status == RUNNING:
        assert time.monotonic() < deadline
        time.sleep(0.01)
    runner.end(run_id, TERMINATED)
    assert runs.get(run_id).status == "Timeout"


def test_one_that_ends_before_its_start_is_answered_keeps_no_timer(host, runner, runs, monkeypatch):
    def run_at_once(instance_id, errand, on_end) -> None:
        on_end(0, b"done")

    monkeypatch.setattr(host, "run", run_at_once)
    run_id = begin(runner, runs, timeout_s=0.01)
    assert runs.get(run_id).status == "Success"
    assert runner._active == {}


def test_one_that_is_stopped_as_it_starts_is_killed(host, runner, runs, monkeypatch):
    run = host.run

    def run_after_the_stop(*words) -> None:
        runner.end("t-1/i-1", TERMINATED)
        run(*words)

    monkeypatch.setattr(host, "run", run_after_the_stop)
    run_id = begin(runner, runs)
    assert host.errands == {}
    assert runs.get(run_id).status == TERMINATED
    assert runner._active == {}


def test_one_that_is_stopped_before_its_turn_comes_is_not_started(host, runner, runs, monkeypatch):
    start = runner.start

    def start_after_the_stop(run: CommandRun, *words) -> None:
        runner.end(run.id, TERMINATED)
        start(run, *words)

    monkeypatch.setattr(runner, "start", start_after_the_stop)
    run_id = begin(runner, runs)
    assert host.errands == {}
    assert runs.get(run_id).status == TERMINATED
    assert runner._active == {}


@pytest.mark.parametrize(
    ("statuses", "expected"),
    [
        (["Success"], "Success"),
        (["Success", "Running"], "Running"),
        (["Success", "Failed"], "PartialFailed"),
        (["Failed", "Timeout"], "Failed"),
        (["Terminated", "Failed"], "Terminated"),
    ],
)
def test_an_invocation_is_what_its_instances_are(statuses, expected):
    runs = [
        CommandRun(
            id=f"t-1/i-{number}",
            created_at=0.0,
            invoke_id="t-1",
            instance_id=f"i-{number}",
            command_id="c-1",
            username="",
            status=status,
        )
        for number, status in enumerate(statuses)
    ]
    assert overall(runs) == expected
