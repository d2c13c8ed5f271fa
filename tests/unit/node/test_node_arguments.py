from __future__ import annotations

from pathlib import Path

import pytest

from steelyard.errors import NodeError
from steelyard.node.config import ReportConfig, parse_arguments
from steelyard.node.main import read_token

HEAD = ["--cluster", "c", "--role", "head", "--token-file", "t"]


def test_a_node_finds_its_folders_and_its_metadata_service_from_the_environment() -> None:
    config = parse_arguments(HEAD, {"STEELYARD_HOME": "/h", "STEELYARD_METADATA_URL": "http://127.0.0.1:1/m"})
    assert config.data_dir == Path("/h/node/c")
    assert config.metadata_url == "http://127.0.0.1:1/m"
    assert parse_arguments(HEAD, {}).metadata_url == "http://100.100.100.200"


@pytest.mark.parametrize(
    "arguments",
    [[*HEAD, "--head-address", "10.0.0.1"], ["--cluster", "c", "--role", "worker", "--token-file", "t"]],
    ids=["a head with a head", "a worker without one"],
)
def test_a_worker_and_only_a_worker_is_told_its_head(
    arguments: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as caught:
        parse_arguments(arguments, {})
    assert caught.value.code == 2
    assert "--head-address" in capsys.readouterr().err


def test_a_token_file_holds_a_token(tmp_path: Path) -> None:
    (tmp_path / "token").write_text("secret\n")
    assert read_token(tmp_path / "token") == "secret"
    (tmp_path / "token").write_text(" \n")
    with pytest.raises(NodeError, match="is empty"):
        read_token(tmp_path / "token")
    with pytest.raises(NodeError, match="cannot be read"):
        read_token(tmp_path / "none")


def test_a_dedicated_head_takes_no_work(capsys: pytest.CaptureFixture[str]) -> None:
    assert parse_arguments(HEAD, {}).takes_work
    assert not parse_arguments([*HEAD, "--no-work"], {}).takes_work
    worker = ["--cluster", "c", "--role", "worker", "--head-address", "10.0.0.1", "--token-file", "t"]
    with pytest.raises(SystemExit):
        parse_arguments([*worker, "--no-work"], {})
    assert "--no-work is for a head" in capsys.readouterr().err


def test_a_head_and_only_a_head_sets_weights(capsys: pytest.CaptureFixture[str]) -> None:
    assert parse_arguments(HEAD, {}).server_group is None
    named = ["--server-group", "classic:rsp-1"]
    assert parse_arguments([*HEAD, *named], {}).server_group == ("classic", "rsp-1")
    worker = ["--cluster", "c", "--role", "worker", "--head-address", "10.0.0.1", "--token-file", "t"]
    for arguments, reason in (
        ([*worker, *named], "--server-group is for a head"),
        ([*HEAD, "--server-group", "rsp-1"], "'rsp-1' is neither classic:ID nor network:ID"),
    ):
        with pytest.raises(SystemExit):
            parse_arguments(arguments, {})
        assert reason in capsys.readouterr().err


def test_a_node_reports_where_it_is_told_how_often_and_as_whose(capsys: pytest.CaptureFixture[str]) -> None:
    assert parse_arguments(HEAD, {}).report is None
    every, target = ["--report-every", "30"], ["--monitor-group", "77", "--node-group", "workers"]
    report = ReportConfig(every_s=30, monitor_group="77", node_group="workers")
    assert parse_arguments([*HEAD, *every, *target], {}).report == report
    with pytest.raises(SystemExit):
        parse_arguments([*HEAD, *every], {})
    assert "--report-every needs --monitor-group and --node-group" in capsys.readouterr().err
