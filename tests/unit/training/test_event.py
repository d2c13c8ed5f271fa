"""Events are lines of strict JSON, or nothing where nobody reads them."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from steelyard.errors import TrainingError
from steelyard.training.event import EventLog


def test_each_event_is_a_line_that_can_be_read_at_once(tmp_path: Path) -> None:
    path = tmp_path / "events.jsonl"
    log = EventLog(path, clock=lambda: 12.5)
    log.write("metric", step=0, name="bits_per_char", value=6.8)
    log.write("step", at_s=13.0, step=1, nodes=[{"rank": 0, "share": 16}])
    events = [json.loads(line) for line in path.read_text().splitlines()]
    log.close()
    assert events == [
        {"kind": "metric", "time": 12.5, "step": 0, "name": "bits_per_char", "value": 6.8},
        {"kind": "step", "time": 13.0, "step": 1, "nodes": [{"rank": 0, "share": 16}]},
    ]


def test_a_number_that_is_not_finite_becomes_null(tmp_path: Path) -> None:
    path = tmp_path / "events.jsonl"
    log = EventLog(path)
    log.write("step", loss=float("nan"), nodes=[{"samples_per_s": float("inf")}])
    log.close()
    event = json.loads(path.read_text())
    assert event["loss"] is None
    assert event["nodes"] == [{"samples_per_s": None}]


def test_without_a_path_nothing_is_written() -> None:
    log = EventLog(None)
    log.write("step", step=1)
    log.close()


def test_after_closing_events_are_dropped(tmp_path: Path) -> None:
    log = EventLog(tmp_path / "events.jsonl")
    log.close()
    log.write("step", step=1)
    assert (tmp_path / "events.jsonl").read_text() == ""


def test_a_path_that_cannot_be_opened_is_named(tmp_path: Path) -> None:
    with pytest.raises(TrainingError, match="missing"):
        EventLog(tmp_path / "missing" / "events.jsonl")
