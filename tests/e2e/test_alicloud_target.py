"""Target `alicloud`: the key is tried first, the Pulumi CLI is driven, and nothing is spent without a yes.

The local cloud answers for the key, over TLS, found by the variables that `steelyard cloud env` prints. A script stands
in for the Pulumi CLI: these tests are about the seams around it.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from command_line import CommandLine

FAKE = Path(__file__).with_name("fake_pulumi.py")
SPEC = {"name": "demo", "target": "alicloud"}


@dataclass(frozen=True, kw_only=True)
class CloudUser(CommandLine):
    """A command line with a PATH of its own, and variables that point at a cloud."""

    variables: dict[str, str] = field(default_factory=dict)

    @property
    def environment(self) -> dict[str, str]:
        clean = {
            name: value
            for name, value in os.environ.items()
            if not name.startswith(("ALICLOUD_", "ALIBABA", "PULUMI_"))
        }
        return {
            **clean,
            "HOME": str(self.folder),
            "STEELYARD_HOME": str(self.folder / "home"),
            "PATH": f"{self.folder / 'bin'}:/usr/bin:/bin",
            "FAKE_PULUMI_CALLS": str(self.folder / "calls.txt"),
            **self.variables,
        }

    def calls(self) -> list[tuple[list[str], dict[str, str]]]:
        """Return what the Pulumi CLI was called with, and the variables that it was told."""
        file = self.folder / "calls.txt"
        return (
            [(call[0], call[1]) for call in map(json.loads, file.read_text().splitlines())]
            if file.exists()
            else []
        )

    def install_pulumi(self) -> None:
        tool = self.folder / "bin" / "pulumi"
        tool.parent.mkdir()
        tool.write_text(f'#!/bin/sh\nexec {sys.executable} {FAKE} "$@"\n')
        tool.chmod(0o755)


@pytest.fixture(scope="module")
def cloud(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, str]]:
    """The variables of a running local cloud."""
    line = CommandLine(folder=tmp_path_factory.mktemp("cloud"))
    line("cloud", "start")
    yield line.json("cloud", "env")
    line("cloud", "stop")


@pytest.fixture
def user(tmp_path: Path, cloud: dict[str, str]) -> CloudUser:
    (tmp_path / "cluster.yaml").write_text(json.dumps(SPEC))
    return CloudUser(folder=tmp_path, variables=dict(cloud))


def test_no_key_and_a_wrong_key_end_it_before_anything_else(user: CloudUser) -> None:
    user.install_pulumi()
    keys = (
        "ALICLOUD_ACCESS_KEY",
        "ALIBABA_CLOUD_ACCESS_KEY_ID",
        "ALICLOUD_SECRET_KEY",
        "ALIBABA_CLOUD_ACCESS_KEY_SECRET",
    )
    known = {name: user.variables.pop(name) for name in keys}

    said = user("up", "--yes", expect=2).stderr
    assert "there is no access key" in said
    assert "aliyun configure" in said

    user.variables.update({**known, "ALICLOUD_SECRET_KEY": "wrong"})
    said = user("up", "--yes", expect=2).stderr
    assert "is not taken" in said
    assert "SignatureDoesNotMatch" in said
    assert user.calls() == []


@pytest.mark.slow
def test_without_the_pulumi_cli_the_way_to_it_is_named(user: CloudUser) -> None:
    said = user("preview", expect=2).stderr
    assert "install the Pulumi CLI" in said
    assert "say --yes" in said


def test_a_preview_tells_who_calls_and_what_would_be_done(user: CloudUser) -> None:
    user.install_pulumi()
    done = user("preview")
    assert "acs:ram::" in done.stderr
    assert "+ Network demo-vpc" in done.stderr
    assert "2 to create" in done.stderr
    verbs = [words[1] for words, _ in user.calls()]
    assert "up" not in verbs


@pytest.mark.slow
def test_up_takes_a_yes_and_down_too(user: CloudUser) -> None:
    user.install_pulumi()
    said = user("up", "--wait-s", "0", expect=2).stderr
    assert "takes a yes, and there is no terminal" in said
    assert "up" not in [words[1] for words, _ in user.calls()]

    report = user.json("up", "--yes", "--wait-s", "0")
    assert report["changes"] == {"create": 2}
    assert report["outputs"] == {"gateway_token": "[secret]", "vpc_id": "vpc-1"}

    assert user.json("refresh")["same"] == [
        "urn:pulumi:demo::steelyard::alicloud:vpc/network:Network::demo-vpc",
        "urn:pulumi:demo::steelyard::alicloud:ram/role:Role::demo-role",
    ]
    standing = user.json("status", expect=3)
    assert standing["resources"] == {"alicloud:ram/role:Role": 1, "alicloud:vpc/network:Network": 1}

    assert "delete the 2 resources of demo" in user("down", expect=2).stderr
    assert user.json("down", "--yes")["changes"] == {"delete": 2}
    assert not (user.folder / "home" / "stacks" / "demo").exists()


@pytest.mark.slow
def test_the_cli_is_told_the_key_the_state_and_a_passphrase_of_the_stacks_own(user: CloudUser) -> None:
    user.install_pulumi()
    user("up", "--yes", "--wait-s", "0")
    told = user.calls()[-1][1]
    folder = user.folder / "home" / "stacks" / "demo"
    assert told["ALICLOUD_ACCESS_KEY"] == user.variables["ALICLOUD_ACCESS_KEY"]
    assert told["PULUMI_BACKEND_URL"] == (folder / "pulumi-state").as_uri()
    passphrase = Path(told["PULUMI_CONFIG_PASSPHRASE_FILE"])
    assert passphrase.stat().st_mode & 0o777 == 0o600
    assert len(passphrase.read_text().strip()) == 64

    elsewhere = user.folder / "elsewhere"
    elsewhere.mkdir()
    user.variables.update(PULUMI_BACKEND_URL=elsewhere.as_uri(), PULUMI_CONFIG_PASSPHRASE="mine")
    user("up", "--yes", "--wait-s", "0")
    told = user.calls()[-1][1]
    assert told["PULUMI_BACKEND_URL"] == elsewhere.as_uri()
    assert "PULUMI_CONFIG_PASSPHRASE_FILE" not in told


@pytest.mark.slow
def test_a_failed_resource_is_named_with_the_clouds_words(user: CloudUser) -> None:
    user.install_pulumi()
    user.variables["FAKE_PULUMI_FAILS"] = "demo-role"
    said = user("up", "--yes", "--wait-s", "0", expect=1).stderr
    assert "create of demo-role failed: EntityAlreadyExists.Role" in said
    assert user.json("status", expect=3)["is_settled"] is False


@pytest.mark.slow
def test_a_cluster_does_not_move_to_another_target_under_its_name(user: CloudUser) -> None:
    user.install_pulumi()
    user("up", "--yes", "--wait-s", "0")
    (user.folder / "cluster.yaml").write_text(json.dumps({**SPEC, "target": "local"}))
    assert "stands on target alicloud, and the file says local" in user("up", expect=2).stderr
