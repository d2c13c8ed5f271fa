"""Finding the Pulumi CLI. A script stands in for it: the real one is not needed to see what is asked of it."""

from __future__ import annotations

import urllib.error
from importlib import metadata
from pathlib import Path

import pytest
from pulumi.automation import PulumiCommand

from steelyard.deploy.automation import find_command
from steelyard.errors import DeployError


def write_cli(folder: Path, text: str) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    file = folder / "pulumi"
    file.write_text(f"#!/bin/sh\n{text}\n")
    file.chmod(0o755)


def no(question: str) -> bool:
    return False


@pytest.fixture
def on_path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder that is all of PATH but the system's own."""
    monkeypatch.setenv("PATH", f"{tmp_path / 'bin'}:/usr/bin:/bin")
    monkeypatch.delenv("PULUMI_AUTOMATION_API_SKIP_VERSION_CHECK", raising=False)
    return tmp_path / "bin"


def test_the_one_on_path_is_taken(on_path: Path, tmp_path: Path) -> None:
    write_cli(on_path, "echo v3.220.0")

    assert str(find_command(may_install=no, home=tmp_path).version) == "3.220.0"


def test_the_one_that_the_installer_left_is_found(on_path: Path, tmp_path: Path) -> None:
    version = metadata.version("pulumi")
    root = tmp_path / ".pulumi" / "versions" / version
    write_cli(root / "bin", f"echo v{version}")

    assert find_command(may_install=no, home=tmp_path).command == str(root / "bin" / "pulumi")


def test_an_old_one_is_refused_with_both_versions(on_path: Path, tmp_path: Path) -> None:
    write_cli(on_path, "echo v3.100.0")

    with pytest.raises(DeployError, match=r"3\.181\.0.*3\.100\.0"):
        find_command(may_install=no, home=tmp_path)


def test_one_that_does_not_run_is_told(on_path: Path, tmp_path: Path) -> None:
    write_cli(on_path, "exit 3")

    with pytest.raises(DeployError, match="does not run"):
        find_command(may_install=no, home=tmp_path)


def test_none_is_installed_only_after_a_yes(
    on_path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    questions: list[str] = []
    installed: list[str | None] = []

    def refuse(question: str) -> bool:
        questions.append(question)
        return False

    with pytest.raises(DeployError, match="needs the Pulumi CLI") as none:
        find_command(may_install=refuse, home=tmp_path)
    assert "pulumi.com/docs/install" in none.value.hint
    assert len(questions) == 1
    assert str(tmp_path) in questions[0]

    def install(root: str | None = None) -> PulumiCommand:
        installed.append(root)
        raise urllib.error.URLError("no route to the installer")

    monkeypatch.setattr(PulumiCommand, "install", install)
    with pytest.raises(DeployError, match=r"could not be fetched: .*no route"):
        find_command(may_install=lambda question: True, home=tmp_path)
    assert installed == [str(tmp_path / ".pulumi" / "versions" / metadata.version("pulumi"))]
