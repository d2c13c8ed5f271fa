"""`steelyard cloud fault`, as it is typed."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator

import pytest

from steelyard.cli.main import main
from steelyard.localcloud.daemon import CloudInfo
from steelyard.localcloud.faults.client import FaultClient

Run = Callable[..., tuple[int, str, str]]


@pytest.fixture
def run(
    info: CloudInfo, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Iterator[Run]:
    """Type a call of `steelyard cloud fault`; gives the exit code and what was printed."""
    monkeypatch.setattr("signal.signal", lambda *args: None)
    for name in ("NO_PROXY", "no_proxy"):  # which `main` adds to
        monkeypatch.setenv(name, "")

    def call(*words: str) -> tuple[int, str, str]:
        with pytest.raises(SystemExit) as ended:
            main(["cloud", "fault", *words, "--data", info.data_dir])
        printed = capsys.readouterr()
        return int(str(ended.value.code)), printed.out, printed.err

    yield call
    FaultClient(info).clear()


def test_a_fault_is_made_listed_and_cleared(run: Run) -> None:
    code, _, told = run("throttle", "Describe*", "--times", "3", "--for", "60")
    assert code == 0
    assert "throttle Describe* (code Throttling.User" in told
    assert "steelyard cloud fault clear fault-" in told

    (listed,) = json.loads(run("list", "--output", "json")[1])
    assert (listed["kind"], listed["target"], listed["settings"]["times"]) == ("throttle", "Describe*", 3)
    assert 0 < listed["until"] - listed["since"] <= 60
    assert "Describe*" in run("list")[1]

    assert "ended: throttle Describe*" in run("clear", listed["id"])[2]
    assert "there was no fault" in run("clear")[2]


def test_each_verb_hands_its_settings_on(run: Run) -> None:
    made = json.loads(run("fail", "RunInstances", "--code", "Sold.Out", "--status", "403", "-o", "json")[1])
    assert made["settings"] == {
        "code": "Sold.Out",
        "status": 403,
        "message": made["settings"]["message"],
        "times": 0,
        "num_failed": 0,
    }
    made = json.loads(
        run("stock", "ecs.gn7i-c8g1.2xlarge", "--zone", "cn-hangzhou-h", "--left", "2", "-o", "json")[1]
    )
    assert made["settings"] == {"zones": ["cn-hangzhou-h"], "left": 2}
    assert json.loads(run("zone", "cn-hangzhou-b", "-o", "json")[1])["settings"] == {"struck": []}


@pytest.mark.parametrize(
    "words",
    [("kill",), ("hang",), ("slow", "--share", "0.3"), ("cut",), ("reclaim", "--after", "5")],
    ids=lambda words: words[0],
)
def test_an_instance_that_is_not_there_is_told_with_exit_code_2(run: Run, words: tuple[str, ...]) -> None:
    code, _, told = run(words[0], "i-none", *words[1:])
    assert code == 2
    assert "i-none" in told or "InvalidInstanceId.NotFound" in told


def test_a_wrong_share_is_refused_with_its_bounds(run: Run) -> None:
    code, _, told = run("slow", "i-none", "--share", "3")
    assert code == 2
    assert "must be a number from 0.01 to 0.99" in told
