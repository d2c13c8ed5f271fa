"""A user's own Pulumi project: what its files say, and what is refused."""

from __future__ import annotations

import base64
import hashlib
import json
import os
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from steelyard.deploy import Secret
from steelyard.deploy.project import load_config, load_project, stack_names
from steelyard.deploy.project.passphrase import PassphraseOpener
from steelyard.errors import UsageError

PULUMIS_SALT = "v1:fozI5u6B030=:v1:F+6ZduKKd8G0/V7L:PGMFeIzwobWRKmEAzUdaQHqC5mMRIQ=="
"""A salt of pulumi's own tests (pkg/secrets/passphrase/manager_test.go); its passphrase is `password`."""


def sealed(text: str) -> str:
    """Seal a text under the passphrase `password`, as Pulumi does."""
    key = hashlib.pbkdf2_hmac("sha256", b"password", base64.b64decode("fozI5u6B030="), 1_000_000, 32)
    nonce = os.urandom(12)
    parts = (nonce, AESGCM(key).encrypt(nonce, text.encode(), None))
    return ":".join(["v1", *(base64.b64encode(part).decode() for part in parts)])


def write_project(folder: Path, *, stacks: dict[str, object] | None = None, **keys: object) -> Path:
    """Write a project whose stack files hold the values given."""
    tree = {"name": "shop", "runtime": "python", **keys}
    (folder / "Pulumi.yaml").write_text(json.dumps(tree))
    (folder / "__main__.py").touch()
    for name, stack in (stacks or {}).items():
        (folder / f"Pulumi.{name}.yaml").write_text(json.dumps(stack))
    return folder


def config_of(folder: Path, passphrase: str | None = None) -> dict[str, str | Secret]:
    return load_config(load_project(folder), "dev", lambda: passphrase)


def test_a_stacks_values_are_what_pulumi_hands_to_the_program(tmp_path: Path) -> None:
    settings = {
        "size": {"type": "integer", "default": 3},
        "zone": {"type": "string", "value": "a"},
        "alicloud:region": "cn-hangzhou",
        "labels": {"owner": "me"},
    }
    own = {"shop:size": 5, "shop:is_open": True, "shop:ports": [80, 443], "alicloud:region": "cn-beijing"}
    write_project(tmp_path, config=settings, stacks={"dev": {"config": own}, "prod": {}})
    assert stack_names(load_project(tmp_path)) == ["dev", "prod"]
    assert config_of(tmp_path) == {
        "shop:size": "5",
        "shop:zone": "a",
        "shop:is_open": "true",
        "shop:ports": "[80, 443]",
        "shop:labels": '{"owner": "me"}',
        "alicloud:region": "cn-beijing",
    }


def test_the_passphrase_opens_secrets_alone_and_within_structured_values(tmp_path: Path) -> None:
    stack = {
        "encryptionsalt": PULUMIS_SALT,
        "config": {
            "shop:key": {"secure": sealed("s3cret")},
            "shop:users": [{"name": "me", "password": {"secure": sealed("pässword")}}],
        },
    }
    write_project(tmp_path, stacks={"dev": stack})
    config = config_of(tmp_path, "password")
    assert config["shop:key"] == Secret("s3cret")
    users = config["shop:users"]
    assert isinstance(users, Secret)
    assert json.loads(users.value) == [{"name": "me", "password": "pässword"}]


def test_a_wrong_passphrase_is_told_from_the_salt() -> None:
    with pytest.raises(UsageError, match="not the one"):
        PassphraseOpener(PULUMIS_SALT, "password123")


@pytest.mark.parametrize(
    ("stack", "names"),
    [
        ({"encryptionsalt": PULUMIS_SALT}, "a passphrase opens"),
        ({}, "Pulumi Cloud keeps their key"),
        ({"secretsprovider": "awskms://alias/x", "encryptedkey": "abc"}, "awskms://alias/x"),
    ],
)
def test_secrets_that_cannot_be_opened_are_refused_with_what_sealed_them(
    tmp_path: Path, stack: dict[str, object], names: str
) -> None:
    write_project(tmp_path, stacks={"dev": {**stack, "config": {"shop:key": {"secure": "v1:AAAA:AAAA"}}}})
    with pytest.raises(UsageError, match=names):
        config_of(tmp_path)


def test_a_setting_without_a_value_is_named(tmp_path: Path) -> None:
    write_project(tmp_path, config={"size": {"type": "integer"}})
    with pytest.raises(UsageError, match="shop:size is missing") as caught:
        config_of(tmp_path)
    assert "Pulumi.dev.yaml" in caught.value.hint


@pytest.mark.parametrize(
    ("keys", "names"),
    [
        ({"runtime": "nodejs"}, "nodejs"),
        ({"runtime": {"name": "python", "options": {"virtualenv": "venv"}}}, "venv"),
        ({"runtime": {"name": "python", "options": {"toolchain": "poetry"}}}, "poetry"),
        ({"main": "elsewhere"}, "elsewhere"),
        ({"name": "../shop"}, "../shop"),
    ],
)
def test_a_project_that_cannot_run_here_is_refused_by_name(
    tmp_path: Path, keys: dict[str, object], names: str
) -> None:
    write_project(tmp_path, **keys)
    with pytest.raises(UsageError, match=names):
        load_project(tmp_path)


def test_a_folder_without_a_project_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"no Pulumi\.yaml"):
        load_project(tmp_path)
