from __future__ import annotations

import subprocess
from pathlib import Path

import pytest
from command_line import CommandLine

pytestmark = pytest.mark.timeout(300)  # each call of the command line is a process of its own


def test_a_shell_is_pointed_at_the_cloud_by_what_cloud_env_prints(steelyard: CommandLine) -> None:
    assert "no local cloud runs" in steelyard("cloud", "env", expect=1).stderr
    info = steelyard.json("cloud", "start")

    exports = steelyard("cloud", "env").stdout
    script = f'{exports}\necho "$ALIBABA_CLOUD_ENDPOINT_VPC $ALICLOUD_SECRET_KEY $SSL_CERT_FILE"'
    shell = subprocess.run(["/bin/sh", "-c", script], capture_output=True, text=True, timeout=30)

    endpoint, secret, bundle = shell.stdout.split()
    assert (endpoint, secret) == (info["endpoint"], info["access_key_secret"])
    assert "BEGIN CERTIFICATE" in Path(bundle).read_text()
    assert steelyard.json("cloud", "env")["ALICLOUD_REGION"] == info["region_id"]
    assert steelyard.json("cloud", "status")["unserved_actions"] == {}


def test_a_cloud_in_a_folder_of_its_own_is_apart_from_the_one_that_clusters_use(
    steelyard: CommandLine,
) -> None:
    own = ("--data", "my cloud")
    info = steelyard.json("cloud", "start", *own)
    try:
        assert info["data_dir"] == str(steelyard.folder / "my cloud")
        assert steelyard.json("cloud", "env", *own)["ALIBABA_CLOUD_ENDPOINT"] == info["endpoint"]
        assert steelyard.json("cloud", "fault", "throttle", "DescribeVpcs", *own)["kind"] == "throttle"
        assert [fault["target"] for fault in steelyard.json("cloud", "fault", "list", *own)] == [
            "DescribeVpcs"
        ]
        steelyard("cloud", "status", expect=1)
    finally:
        assert steelyard.json("cloud", "stop", *own)["left"] == []
    steelyard("cloud", "status", *own, expect=1)
