import subprocess
import sys
from pathlib import Path

import pytest

VERBS = [
    ["up"],
    ["preview"],
    ["status"],
    ["down"],
    ["train"],
    ["jobs", "list"],
    ["jobs", "show"],
    ["jobs", "logs"],
    ["jobs", "cancel"],
    ["cloud", "start"],
    ["cloud", "stop"],
    ["cloud", "status"],
    ["cloud", "env"],
    ["demo"],
]


def run(home: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "steelyard.cli", *arguments],
        cwd=home,
        env={"STEELYARD_HOME": str(home / "home"), "PATH": "/usr/bin:/bin", "COLUMNS": "100"},
        capture_output=True,
        text=True,
        timeout=110,
    )


@pytest.mark.parametrize("verb", VERBS, ids=" ".join)
def test_every_verb_explains_itself_with_an_example(tmp_path: Path, verb: list[str]) -> None:
    done = run(tmp_path, *verb, "--help")

    assert done.returncode == 0, done.stderr
    assert f"steelyard {' '.join(verb)}" in done.stdout.split("Example", 1)[1]


@pytest.mark.parametrize(
    "arguments", [["upp"], ["up", "--colour"], ["jobs", "show"], ["train"]], ids=" ".join
)
def test_a_wrong_call_exits_with_2_and_says_what_is_wrong(tmp_path: Path, arguments: list[str]) -> None:
    done = run(tmp_path, *arguments)

    assert done.returncode == 2
    assert done.stderr.startswith("error: ")
    assert "Traceback" not in done.stderr


def test_a_verb_that_needs_a_cluster_says_that_none_stands(tmp_path: Path) -> None:
    done = run(tmp_path, "status")

    assert done.returncode == 2
    assert "no cluster stands" in done.stderr
    assert "hint: `steelyard up` brings one up" in done.stderr


def test_every_mistake_of_a_cluster_file_is_told_at_once_and_nothing_is_created(tmp_path: Path) -> None:
    (tmp_path / "cluster.yaml").write_text(
        "name: demo\nregion: cn-hangzhu\nnode_groups:\n"
        "  - name: a\n    count: 0\n    wieght: 5\nnetwork:\n  cidr: 10.0.0.0/30\n"
    )

    done = run(tmp_path, "up")

    assert done.returncode == 2
    for expected in (
        "line 2,",
        "cn-hangzhou",
        "line 5,",
        "line 6,",
        "weight",
        "line 8,",
    ):
        assert expected in done.stderr
    assert not (tmp_path / "home").exists()


def test_a_script_that_is_not_there_is_named(tmp_path: Path) -> None:
    done = run(tmp_path, "train", "missing.py")

    assert done.returncode == 2
    assert "missing.py is not a file" in done.stderr


@pytest.mark.parametrize(
    ("group", "words"),
    [
        ([], "Bring the cluster of a cluster file up"),
        (["jobs"], "List the cluster's jobs"),
        (["cloud"], "Start the local cloud"),
        (["cloud", "fault"], "Let an instance hang"),
    ],
)
def test_a_list_of_verbs_says_what_each_does(tmp_path: Path, group: list[str], words: str) -> None:
    assert words in run(tmp_path, *group).stdout
    assert words in run(tmp_path, *group, "--help").stdout


def test_a_local_cloud_that_does_not_run_is_named_by_its_folder(tmp_path: Path) -> None:
    for verb in (["status"], ["env"], ["fault", "list"]):
        done = run(tmp_path, "cloud", *verb, "--data", "my cloud")

        assert done.returncode == 1
        assert f"no local cloud runs on {tmp_path / 'my cloud'}" in done.stderr.replace("\n", "")
        assert "`steelyard cloud start --data 'my cloud'` starts it" in done.stderr


def test_a_folder_of_the_home_that_is_none_is_named_without_a_word_of_python(tmp_path: Path) -> None:
    (tmp_path / "home").mkdir()
    (tmp_path / "home" / "stacks").write_text("")
    (tmp_path / "cluster.yaml").write_text("name: demo\n")

    done = run(tmp_path, "up")

    assert done.returncode == 1
    assert f"error: {tmp_path / 'home' / 'stacks' / 'demo'}: Not a directory" in done.stderr
    assert "hint: see that its folder is there" in done.stderr


def test_the_help_tells_how_to_see_more_of_an_error(tmp_path: Path) -> None:
    assert "--debug" in run(tmp_path, "--help").stdout


def test_a_certificate_that_is_not_there_is_named_before_anything_starts(tmp_path: Path) -> None:
    (tmp_path / "cluster.yaml").write_text(
        "name: demo\nload_balancer:\n  listeners: [{port: 443, protocol: https}]\n"
        "  tls: {certificate_file: gateway.pem, key_file: gateway.key}\n"
    )

    for verb in ("preview", "up"):
        done = run(tmp_path, verb)

        assert done.returncode == 2
        assert f"load_balancer.tls.certificate_file: {tmp_path / 'gateway.pem'} cannot be read" in done.stderr
        assert not (tmp_path / "home").exists()
