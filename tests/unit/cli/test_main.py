from __future__ import annotations

from pathlib import Path

import pytest

from steelyard.cli import cloud
from steelyard.cli.main import _keep_proxies_off_loopback, main
from steelyard.localcloud.daemon import CloudInfo


def test_calls_of_the_local_cloud_pass_no_proxy() -> None:
    environment = {"HTTP_PROXY": "http://proxy.example:3128", "no_proxy": "internal.example"}

    _keep_proxies_off_loopback(environment)

    assert environment["NO_PROXY"] == "127.0.0.0/8,localhost"
    assert environment["no_proxy"] == "internal.example,127.0.0.0/8,localhost"


def refuse(words: list[str], monkeypatch: pytest.MonkeyPatch) -> int:
    monkeypatch.setattr("signal.signal", lambda *args: None)
    for name in ("NO_PROXY", "no_proxy"):  # which `main` adds to
        monkeypatch.setenv(name, "")
    with pytest.raises(SystemExit) as ended:
        main(words)
    return int(str(ended.value.code))


@pytest.mark.parametrize(
    ("words", "verb"),
    [
        (["cloud", "fault", "slow", "i-1", "--share", "much"], "steelyard cloud fault slow"),
        (["cloud", "begin"], "steelyard cloud"),
        (["upp"], "steelyard"),
    ],
)
def test_a_wrong_call_is_sent_to_the_help_of_its_verb(
    words: list[str],
    verb: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert refuse(words, monkeypatch) == 2
    assert f"see `{verb} --help`" in capsys.readouterr().err


def test_an_interrupted_verb_of_the_cloud_is_told_how_to_look_at_it(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def interrupt(*args: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(cloud.daemon, "stop", interrupt)
    assert refuse(["cloud", "stop"], monkeypatch) == 130
    assert "steelyard cloud status" in capsys.readouterr().err


def test_an_interrupted_verb_that_changes_no_cluster_is_sent_nowhere(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def interrupt(*args: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("steelyard.cli.jobs.cluster_named", interrupt)
    assert refuse(["jobs", "logs", "job-1"], monkeypatch) == 130
    assert "hint" not in capsys.readouterr().err


def test_an_interrupt_without_any_verb_is_no_more_than_that(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def interrupt(words: list[str]) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("steelyard.cli.main._load_listed", interrupt)
    assert refuse([], monkeypatch) == 130
    assert capsys.readouterr().err == "error: interrupted\n"


def test_the_cloud_is_told_of_in_words_and_without_what_there_is_nothing_of(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    info = CloudInfo(
        endpoint="127.0.0.1:40123",
        access_key_id="id",
        access_key_secret="hidden",
        region_id="cn-hangzhou",
        account_id="1" * 16,
        pid=1,
        data_dir=str(tmp_path),
        started_at=1795627549.11,
        adopted=("i-1", "i-2"),
    )
    monkeypatch.setattr(cloud, "running_cloud", lambda data: info)
    monkeypatch.setattr(cloud, "read_unserved", lambda endpoint: [])
    assert refuse(["cloud", "status"], monkeypatch) == 0
    told = capsys.readouterr().out
    assert "2026-11-2" in told
    assert "i-1  i-2" in told
    assert "died" not in told
    assert "hidden" not in told
