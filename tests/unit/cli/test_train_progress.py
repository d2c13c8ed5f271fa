"""Training is followed step by step, and a job tells what its balance gained."""

from __future__ import annotations

import io
from typing import Any

import pytest
from rich.console import Console

from steelyard.cli import console, job_view, train_progress


@pytest.fixture
def screen(monkeypatch: pytest.MonkeyPatch) -> io.StringIO:
    screen = io.StringIO()
    shown = Console(file=screen, width=200)
    monkeypatch.setattr(train_progress, "stderr", lambda: shown)
    monkeypatch.setattr(job_view, "stdout", lambda: shown)
    monkeypatch.setattr(console, "stdout", lambda: shown)
    return screen


def step(number: int, **changes: Any) -> dict[str, Any]:
    worker = {
        "rank": 0,
        "node_id": "i-1",
        "share": 48,
        "samples_per_s": 400.0,
        "compute_s": 0.12,
        "wait_s": 0.03,
    }
    return {
        "kind": "step",
        "step": number,
        "total_steps": 40,
        "loss": 1.5,
        "samples_per_s": 400.0,
        "is_imitated": True,
        "seconds": 0.2,
        "communicate_s": 0.05,
        "eta_s": 65.2,
        "nodes": [worker],
        **changes,
    }


def follow(*events: dict[str, Any]) -> None:
    with train_progress.TrainProgress("train") as following:
        for event in events:
            following(event)


def test_workers_are_named_in_full_on_a_terminal_of_eighty_columns() -> None:
    node = {**step(1)["nodes"][0], "node_id": "i-9sgg5c7136p34uvhy5xc"}
    table = train_progress.worker_table(step(1, nodes=[node]))
    narrow = Console(width=80, file=io.StringIO())
    with narrow.capture() as captured:
        narrow.print(table)
    assert "0 i-9sgg5c7136p34uvhy5xc" in captured.get()


def test_a_title_is_printed_as_it_is(screen: io.StringIO) -> None:
    with train_progress.TrainProgress("run [red]") as following:
        following(step(20))
    assert "  run [red] step 20/40  " in screen.getvalue()


def test_a_script_that_reports_no_loss_is_followed_all_the_same(screen: io.StringIO) -> None:
    worker = {"node_id": "i-1", "share": 48, "samples_per_s": 400.0}
    follow(step(20, total_steps=None, loss=None, eta_s=None, nodes=[worker]))
    assert (
        "train step 20/?  400 samples/s  [i-1: share 48 at 400/s] (imitated accelerator)" in screen.getvalue()
    )


def test_every_twentieth_step_and_the_last_are_printed_once(screen: io.StringIO) -> None:
    follow(*[step(number) for number in range(1, 41)])
    lines = [line.split()[2] for line in screen.getvalue().splitlines()]
    assert lines == ["20/40", "40/40"]
    follow(*[step(number) for number in range(1, 24)])
    assert [line.split()[2] for line in screen.getvalue().splitlines()][2:] == ["20/40", "23/40"]
    assert "0:01:05 left" in screen.getvalue()


def test_checkpoints_and_warnings_are_told_in_a_line_each(screen: io.StringIO) -> None:
    follow(
        {"kind": "resume", "step": 10, "path": "/kept/step-10"},
        {
            "kind": "checkpoint",
            "step": 20,
            "path": "/kept/step-20",
            "num_bytes": 2**21,
            "seconds": 0.31,
            "stall_s": 0.012,
        },
        {"kind": "leave", "step": 21, "node_id": "i-1", "rank": 2},
        {"kind": "warning", "step": 22, "message": "i-2 has become 4.0 times slower"},
        {"kind": "something new"},
    )
    assert [line.strip() for line in screen.getvalue().splitlines()] == [
        "goes on from step 10: /kept/step-10",
        "step 20: checkpoint /kept/step-20, 2.0 MiB in 0.3 s, training held up for 12 ms",
        "step 21: i-1 (rank 2) leaves in order",
        "warning: i-2 has become 4.0 times slower",
    ]


def test_a_job_tells_what_balancing_gained_and_that_it_is_an_estimate(screen: io.StringIO) -> None:
    gain = {"num_steps": 100, "measured_s": 12.0, "equal_s": 27.0, "saved_s": 15.0, "speedup": 2.25}
    worker = {"node_id": "i-1", "private_ip": "10.0.0.1", "rank": 0, "exit_code": 0}
    job_view.show(
        {"id": "job-1", "state": "running", "nodes": [worker], "gain": gain, "last_event": step(30)}
    )
    text = screen.getvalue()
    assert "2.25 times the samples/s of equal shares, by an estimate" in text
    assert "12.0 s instead of 27.0 s over 100 steps (imitated accelerator)" in text
    assert "step 30 of 40, loss 1.500" in text
    assert "200 ms a step of which 50 ms communicating" in text
    assert "0: i-1 (10.0.0.1) exit 0" in text
    assert text.splitlines()[-1].split() == ["0", "i-1", "48", "400", "120", "30"]


def test_a_job_without_a_step_says_nothing_of_gains(screen: io.StringIO) -> None:
    gain = {"num_steps": 0, "measured_s": 0.0, "equal_s": 0.0, "saved_s": 0.0, "speedup": None}
    job_view.show({"id": "job-1", "state": "queued", "nodes": [], "gain": gain, "last_event": None})
    assert "balancing" not in screen.getvalue()
