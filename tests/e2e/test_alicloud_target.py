"""Target `alicloud`: the key is tried first, the Pulumi CLI is driven, and nothing is spent without a yes.

The local cloud answers, over TLS, found by the variables that `steelyard cloud env` prints. A stand-in takes the place
of the Pulumi CLI (`pulumi_stand_in.py`): it is called by Pulumi's own Automation API, and runs the same program.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from alibabacloud_ram20150501 import models as ram
from alibabacloud_ram20150501.client import Client as RamClient
from alibabacloud_tea_openapi.utils_models import Config
from command_line import CommandLine

pytestmark = pytest.mark.timeout(420)  # each call of the stand-in is a process of its own

STAND_IN = Path(__file__).with_name("pulumi_stand_in.py")
SPEC = {"name": "demo", "target": "alicloud", "node_groups": [{"name": "workers", "count": 1}]}


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
            "STAND_IN_CALLS": str(self.folder / "calls.txt"),
            "STAND_IN_RELAY": str(self.folder / "bin" / "relay"),
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
        folder = self.folder / "bin"
        folder.mkdir()
        for name, words in (("pulumi", '"$@"'), ("relay", "--relay")):
            (folder / name).write_text(f"#!/bin/sh\nexec {sys.executable} {STAND_IN} {words}\n")
            (folder / name).chmod(0o755)


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


@pytest.mark.slow
def test_a_preview_tells_who_calls_and_what_would_be_done(user: CloudUser) -> None:
    user.install_pulumi()
    done = user("preview")
    assert "acs:ram::" in done.stderr
    assert "+ Network demo-network-vpc" in done.stderr
    assert "to create" in done.stderr
    assert "Price by the hour, CNY" in done.stdout
    assert "workers" in done.stdout
    verbs = [words[1] for words, _ in user.calls()]
    assert "up" not in verbs


@pytest.mark.slow
def test_a_cluster_lives_its_life_through_the_cli_and_takes_a_yes_where_it_spends(user: CloudUser) -> None:
    user.install_pulumi()
    said = user("up", "--wait-s", "0", expect=2).stderr
    assert "takes a yes, and there is no terminal" in said
    assert "up" not in [words[1] for words, _ in user.calls()]

    report = user.json("up", "--yes", "--wait-s", "120")
    assert set(report["changes"]) == {"create"}
    assert report["outputs"]["gateway_token"] == "[secret]"
    assert [node["health"] for node in report["nodes"]] == ["normal"]
    foreseen = user.json("preview")
    assert set(foreseen["changes"]) == {"same"}
    assert foreseen["price"]["lines"][0]["name"] == "workers"
    told(user)

    (node_id,) = report["outputs"]["node_ids"]
    found = user.json("refresh")
    assert (found["gone"], found["changed"]) == ([], [])
    standing = user.json("status")
    assert standing["resources"]["alicloud:ecs/instance:Instance"] == 1
    assert [node["id"] for node in standing["nodes"]] == [node_id]

    assert "delete the" in user("down", expect=2).stderr
    assert set(user.json("down", "--yes")["changes"]) == {"delete"}
    assert not (user.folder / "home" / "stacks" / "demo").exists()


def told(user: CloudUser) -> None:
    """Check what the CLI was told: the key, where its state lies, and a passphrase of the stack's own."""
    variables = user.calls()[-1][1]
    folder = user.folder / "home" / "stacks" / "demo"
    assert variables["ALICLOUD_ACCESS_KEY"] == user.variables["ALICLOUD_ACCESS_KEY"]
    assert variables["PULUMI_BACKEND_URL"] == (folder / "pulumi-state").as_uri()
    passphrase = Path(variables["PULUMI_CONFIG_PASSPHRASE_FILE"])
    assert passphrase.stat().st_mode & 0o777 == 0o600
    assert len(passphrase.read_text().strip()) == 64


@pytest.mark.slow
def test_a_backend_and_a_passphrase_of_ones_own_are_taken(user: CloudUser) -> None:
    user.install_pulumi()
    elsewhere = user.folder / "elsewhere"
    elsewhere.mkdir()
    user.variables.update(PULUMI_BACKEND_URL=elsewhere.as_uri(), PULUMI_CONFIG_PASSPHRASE="mine")
    user("preview")
    variables = user.calls()[-1][1]
    assert variables["PULUMI_BACKEND_URL"] == elsewhere.as_uri()
    assert "PULUMI_CONFIG_PASSPHRASE_FILE" not in variables


@pytest.mark.slow
def test_a_failed_resource_is_named_with_the_clouds_words_and_up_goes_on_from_there(user: CloudUser) -> None:
    user.install_pulumi()
    client = RamClient(
        Config(
            access_key_id=user.variables["ALICLOUD_ACCESS_KEY"],
            access_key_secret=user.variables["ALICLOUD_SECRET_KEY"],
            endpoint=user.variables["ALIBABA_CLOUD_ENDPOINT_RAM"],
            protocol="http",
        )
    )
    principal = {
        "Action": "sts:AssumeRole",
        "Effect": "Allow",
        "Principal": {"Service": ["ecs.aliyuncs.com"]},
    }
    trust = json.dumps({"Version": "1", "Statement": [principal]})
    client.create_role(
        ram.CreateRoleRequest(role_name="demo-cn-hangzhou-node", assume_role_policy_document=trust)
    )
    said = user("up", "--yes", "--wait-s", "0", expect=1).stderr
    assert "create of demo-role-role failed" in said
    assert "EntityAlreadyExists.Role" in said
    assert user.json("status", expect=3)["is_settled"] is False

    client.delete_role(ram.DeleteRoleRequest(role_name="demo-cn-hangzhou-node"))
    assert user.json("up", "--yes", "--wait-s", "0")["changes"]["create"] > 0
    user("down", "--yes")


@pytest.mark.slow
def test_a_cluster_does_not_move_to_another_target_under_its_name(user: CloudUser) -> None:
    user.install_pulumi()
    user("up", "--yes", "--wait-s", "0")
    (user.folder / "cluster.yaml").write_text(json.dumps({**SPEC, "target": "local"}))
    assert "stands on target alicloud, and the file says local" in user("up", expect=2).stderr
    user("down", "--yes")
