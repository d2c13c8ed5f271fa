"""Whoever submits a job is told what it waits for, and which nodes it has to do without."""

from __future__ import annotations

from typing import Any

import pytest

from steelyard.cli import train


class Queue:
    """A gateway with a job that is queued for some looks, behind others."""

    def __init__(self, num_queued: float, others: dict[str, str]) -> None:
        self._num_queued = num_queued
        self._others = others

    def job(self, job_id: str) -> dict[str, Any]:
        self._num_queued -= 1
        return {"id": job_id, "state": "queued" if self._num_queued >= 0 else "running"}

    def jobs(self) -> list[dict[str, Any]]:
        states = {**self._others, "job-mine": "queued", "job-later": "queued"}
        return [{"id": job_id, "state": state} for job_id, state in states.items()]


@pytest.fixture(autouse=True)
def no_patience(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(train, "START_PATIENCE_S", 0.05)
    monkeypatch.setattr(train, "_LOOK_S", 0.01)


def told(queue: Any, capsys: pytest.CaptureFixture[str]) -> str:
    train._tell_if_queued(queue, "job-mine")
    return " ".join(capsys.readouterr().err.split())


def test_a_queued_job_tells_the_jobs_before_it(capsys: pytest.CaptureFixture[str]) -> None:
    queue = Queue(float("inf"), {"job-old": "succeeded", "job-a": "running", "job-b": "queued"})
    assert told(queue, capsys) == "job-mine is queued: job-a, job-b come first on its nodes"


def test_a_queued_job_with_none_before_it_waits_for_nodes(capsys: pytest.CaptureFixture[str]) -> None:
    assert told(Queue(float("inf"), {}), capsys) == "job-mine is queued until its nodes are there"


def test_a_job_that_starts_at_once_says_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    assert told(Queue(2, {"job-a": "running"}), capsys) == ""


class Nodes:
    """A gateway that knows some nodes, alive or not."""

    def __init__(self, **alive: bool) -> None:
        self._alive = alive

    def nodes(self) -> list[dict[str, Any]]:
        return [{"node_id": node_id, "is_alive": is_alive} for node_id, is_alive in self._alive.items()]


def test_a_job_on_all_nodes_tells_those_that_it_has_to_do_without(capsys: pytest.CaptureFixture[str]) -> None:
    gateway: Any = Nodes(a=True, b=False, scaled_in=False)
    train._tell_lost(gateway, ["a", "b", "c"])
    words = " ".join(capsys.readouterr().err.split())
    assert words == "without b, c, not alive: `steelyard status` tells how they are"

    train._tell_lost(gateway, ["a"])
    assert capsys.readouterr().err == ""
