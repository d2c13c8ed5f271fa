from __future__ import annotations

import io

import pytest
from rich.console import Console

from steelyard.cli import progress
from steelyard.deploy.report import Step


def step(number: int, **more: object) -> Step:
    facts = {"op": "create", "urn": f"urn-{number}", "type": "alicloud:ecs/instance:Instance", **more}
    return Step(name=f"node-{number}", **{"status": "started", "elapsed_s": 0.0, **facts})  # type: ignore[arg-type]


@pytest.fixture
def shown(monkeypatch: pytest.MonkeyPatch) -> io.StringIO:
    """What is printed on a terminal of 40 columns."""
    file = io.StringIO()
    console = Console(file=file, force_terminal=True, width=40, highlight=False)
    monkeypatch.setattr(progress, "stderr", lambda: console)
    return file


def test_what_is_under_way_takes_one_line_however_much_it_is(shown: io.StringIO) -> None:
    with progress.DeployProgress() as told:
        for number in range(30):
            told(step(number))
    assert "30 under way: node-0, node-1" in shown.getvalue()
    assert shown.getvalue().count("\n") == 1, "but for the one at its end"


def test_nothing_is_said_to_be_under_way_where_nothing_is(shown: io.StringIO) -> None:
    with progress.DeployProgress() as told:
        told(step(1))
        told(step(1, status="done"))
    assert "Instance" in shown.getvalue()
    assert "0 under way" not in shown.getvalue()


def test_a_file_gets_each_step_on_a_line_of_its_own(capsys: pytest.CaptureFixture[str]) -> None:
    with progress.DeployProgress() as told:
        told(step(1))
        told(step(1, status="failed", error="it was refused, " * 12))
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith("  + Instance node-1 failed: it was refused")
