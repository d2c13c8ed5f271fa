"""Where the access key for Alibaba Cloud is found, and what is said where it is not."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from steelyard.cluster.credentials import Credentials
from steelyard.errors import CredentialError


@pytest.fixture
def no_profile(tmp_path: Path) -> Path:
    return tmp_path / "none.json"


@pytest.mark.parametrize(
    ("key_name", "secret_name", "token_name"),
    [
        ("ALICLOUD_ACCESS_KEY", "ALICLOUD_SECRET_KEY", "ALICLOUD_SECURITY_TOKEN"),
        ("ALIBABA_CLOUD_ACCESS_KEY_ID", "ALIBABA_CLOUD_ACCESS_KEY_SECRET", "ALIBABA_CLOUD_SECURITY_TOKEN"),
        ("ALIBABACLOUD_ACCESS_KEY_ID", "ALIBABACLOUD_ACCESS_KEY_SECRET", "ALIBABACLOUD_SECURITY_TOKEN"),
    ],
)
def test_every_spelling_of_the_variables_is_read_and_handed_to_the_provider(
    key_name: str, secret_name: str, token_name: str, no_profile: Path
) -> None:
    found = Credentials.find(
        {key_name: "id", secret_name: "secret", token_name: "token"}, profile_file=no_profile
    )

    assert (found.access_key_id, found.source) == ("id", key_name)
    assert found.environment == {
        "ALICLOUD_ACCESS_KEY": "id",
        "ALICLOUD_SECRET_KEY": "secret",
        "ALICLOUD_SECURITY_TOKEN": "token",
    }
    assert "secret" not in repr(found).replace("access_key_secret", "")


def test_the_profile_of_the_command_line_is_the_second_place(tmp_path: Path) -> None:
    file = tmp_path / "config.json"
    profiles = [
        {"name": "default", "mode": "AK", "access_key_id": "id-1", "access_key_secret": "secret-1"},
        {
            "name": "work",
            "mode": "StsToken",
            "access_key_id": "id-2",
            "access_key_secret": "secret-2",
            "sts_token": "token-2",
        },
    ]
    file.write_text(json.dumps({"current": "default", "profiles": profiles}))

    assert Credentials.find({}, profile_file=file).access_key_id == "id-1"
    other = Credentials.find({"ALIBABA_CLOUD_PROFILE": "work"}, profile_file=file)
    assert (other.access_key_id, other.security_token) == ("id-2", "token-2")
    with pytest.raises(CredentialError, match="profile home"):
        Credentials.find({"ALICLOUD_PROFILE": "home"}, profile_file=file)


def test_no_key_and_half_a_key_are_told_apart(no_profile: Path) -> None:
    with pytest.raises(CredentialError, match="there is no access key") as nothing:
        Credentials.find({}, profile_file=no_profile)
    assert nothing.value.exit_code == 2
    assert "aliyun configure" in nothing.value.hint
    with pytest.raises(CredentialError, match="ALICLOUD_ACCESS_KEY is set and ALICLOUD_SECRET_KEY is not"):
        Credentials.find({"ALICLOUD_ACCESS_KEY": "id"}, profile_file=no_profile)
