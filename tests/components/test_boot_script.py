from __future__ import annotations

import shlex
import subprocess
from pathlib import Path

import pytest

from steelyard.components.user_data import PackageSource, boot_script


def script(**changes: object) -> str:
    wanted = {
        "cluster": "demo",
        "role": "worker",
        "token": "t0ken",
        "gateway_port": 8000,
        "head_address": "127.64.0.10",
        "source": PackageSource(version="9.9.9"),
    }
    return boot_script(**{**wanted, **changes})


@pytest.fixture
def boot(tmp_path: Path):
    """Run a script as the local cloud does, with a `steelyard-node` that writes down how it was called."""
    bin_dir, home = tmp_path / "bin", tmp_path / "home"
    bin_dir.mkdir()
    home.mkdir()
    node = bin_dir / "steelyard-node"
    node.write_text('#!/bin/bash\nprintf "%s\\n" "$$" "$@" > "$HOME/called"\n')
    node.chmod(0o755)

    def run(text: str) -> tuple[list[str], Path, int]:
        path = tmp_path / "user-data"
        path.write_text(text)
        path.chmod(0o755)
        env = {
            "PATH": f"{bin_dir}:/usr/bin:/bin",
            "HOME": str(home),
            "STEELYARD_METADATA_URL": "http://127.0.0.1:1/",
        }
        process = subprocess.Popen([str(path)], env=env, cwd=home)
        assert process.wait(timeout=60) == 0
        pid, *arguments = (home / "called").read_text().splitlines()
        return arguments, home, int(pid) - process.pid

    return run


def test_it_hands_over_to_the_node_in_the_same_process(boot) -> None:
    arguments, home, pid_distance = boot(script())
    token_file = home / ".steelyard" / "demo" / "token"
    assert arguments == [
        "--cluster",
        "demo",
        "--role",
        "worker",
        "--gateway-port",
        "8000",
        "--head-address",
        "127.64.0.10",
        "--token-file",
        str(token_file),
    ]
    assert pid_distance == 0


def test_the_token_lies_in_a_file_that_its_owner_alone_reads(boot) -> None:
    _, home, _ = boot(script(token="a b'$HOME"))
    token_file = home / ".steelyard" / "demo" / "token"
    assert token_file.read_text() == "a b'$HOME"
    assert token_file.stat().st_mode & 0o777 == 0o600
    assert token_file.parent.stat().st_mode & 0o777 == 0o700


def test_it_may_run_again_with_another_token(boot) -> None:
    boot(script(token="a much longer token than the second"))
    _, home, _ = boot(script(token="second"))
    assert (home / ".steelyard" / "demo" / "token").read_text() == "second"


def test_the_head_looks_for_no_head(boot) -> None:
    arguments, _, _ = boot(script(role="head", head_address=None))
    assert "--head-address" not in arguments
    assert arguments[3] == "head"


def test_a_node_without_steelyard_installs_the_version_that_is_asked_for() -> None:
    text = script(source=PackageSource(version="1.2.3", index_url="https://pypi.example.com/simple/"))
    (install,) = (line for line in text.splitlines() if " -m pip install " in line)
    assert shlex.split(install)[-3:] == [
        "--index-url",
        "https://pypi.example.com/simple/",
        "steelyard==1.2.3",
    ]


def test_it_installs_the_version_that_deploys_by_default() -> None:
    from importlib.metadata import version

    assert f"steelyard=={version('steelyard')}" in script(source=PackageSource())


def test_it_is_sound_bash_and_fits_into_user_data(tmp_path: Path) -> None:
    path = tmp_path / "user-data"
    path.write_text(script())
    assert path.read_text().startswith("#!")
    assert subprocess.run(["bash", "-n", str(path)], check=False, timeout=60).returncode == 0
    assert len(script().encode()) < 16 * 1024  # RunInstances takes so much before base64
