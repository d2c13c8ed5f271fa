"""The journal names a worker that has slowed, once until it recovers."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from steelyard.balance import Straggler
from steelyard.training.cycle import StepOutcome
from steelyard.training.event import EventLog
from steelyard.training.exchange import StepReport
from steelyard.training.journal import StepJournal
from steelyard.training.window import Window


def straggler(rank: int, reason: Any = "slowed") -> Straggler:
    return Straggler(rank=rank, reason=reason, cost_s=0.04, usual_cost_s=0.01, num_steps=3, lost_s=0.125)


def outcome(step: int) -> StepOutcome:
    report = StepReport(step=step, start=0, num_samples=4, compute_s=0.1, loss=1.0, is_pace_held=True)
    window = Window(step=step, epoch=0, start=0, shares=(4, 4))
    return StepOutcome(window=window, reports=[report] * 2, seconds=0.1, ended_at_s=1000.0)


def warnings(path: Path, found: list[list[Straggler]]) -> list[dict[str, Any]]:
    log, current = EventLog(path), iter(found)
    journal = StepJournal(
        log,
        node_ids=["i-0", "i-1"],
        policy_name="speed",
        is_imitated=False,
        stragglers=lambda: next(current),
    )
    for step in range(len(found)):
        journal.record(outcome(step))
    log.close()
    events = [json.loads(line) for line in path.read_text().splitlines()]
    return [event for event in events if event["kind"] == "warning"]


def test_a_worker_that_has_slowed_is_named_with_what_it_costs(tmp_path: Path) -> None:
    (event,) = warnings(tmp_path / "events", [[], [straggler(1)], [straggler(1)]])
    assert (event["name"], event["step"], event["rank"], event["node_id"]) == ("straggler", 2, 1, "i-1")
    assert event["message"] == (
        "i-1 (rank 1) has become 4.0 times slower than it was: each step takes 125 ms longer"
    )
    assert event["lost_s"] == 0.125


def test_one_that_recovered_and_slowed_again_is_named_again(tmp_path: Path) -> None:
    assert len(warnings(tmp_path / "events", [[straggler(1)], [], [straggler(1)]])) == 2


def test_one_that_was_always_slow_is_no_warning(tmp_path: Path) -> None:
    assert warnings(tmp_path / "events", [[straggler(1, "slow")]]) == []
