from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pulumi
import pytest
from recording_monitor import ACCOUNT_ID, Recording, record

from steelyard.components import BucketArgs, CheckpointStore, CheckpointStoreArgs
from steelyard.components.checkpoint_store import bucket_name
from steelyard.components.mount import mount_script
from steelyard.components.program import declare
from steelyard.spec import ClusterSpec, SpecError
from steelyard.spec.config import read_config

BUCKET = bucket_name("demo", "cn-hangzhou", ACCOUNT_ID)


def test_a_cluster_has_no_store_unless_it_asks_for_one(demo: Recording) -> None:
    assert demo.of_type(":CheckpointStore") == demo.of_type("oss/bucket:Bucket") == []
    assert "checkpoint_url" not in demo.exports


def test_a_bucket_is_encrypted_versioned_and_kept(with_bucket: Recording) -> None:
    assert with_bucket.the("oss/bucket:Bucket").inputs == {
        "bucket": BUCKET,
        "forceDestroy": False,
        "serverSideEncryptionRule": {"sseAlgorithm": "AES256"},
        "versioning": {"status": "Enabled"},
        "lifecycleRules": [
            {
                "id": "old",
                "prefix": "",
                "enabled": True,
                "noncurrentVersionExpirations": [{"days": 30}],
                "abortMultipartUploads": [{"days": 7}],
            }
        ],
        "tags": {"steelyard:cluster": "demo"},
    }


def test_a_bucket_cannot_be_made_public_and_is_told_once_it_cannot(with_bucket: Recording) -> None:
    bucket, block = with_bucket.the("oss/bucket:Bucket"), with_bucket.the(":BucketPublicAccessBlock")
    assert block.inputs == {"bucket": BUCKET, "blockPublicAccess": True}
    assert bucket.urn in block.dependencies
    assert bucket.parent == block.parent == with_bucket.the(":CheckpointStore").urn
    assert with_bucket.exports["checkpoint_url"] == f"oss://{BUCKET}/checkpoints"


def test_the_settings_of_a_bucket_reach_it() -> None:
    spec = ClusterSpec(
        name="demo",
        checkpoints={
            "kind": "oss",
            "bucket": "runs-of-mine",
            "prefix": "a/b",
            "keep_deleted_days": 90,
            "force_destroy": True,
        },
    )
    recording = record(lambda: declare(spec, "f" * 64))
    inputs = recording.the("oss/bucket:Bucket").inputs
    assert (inputs["bucket"], inputs["forceDestroy"]) == ("runs-of-mine", True)
    assert inputs["lifecycleRules"][0]["noncurrentVersionExpirations"] == [{"days": 90}]
    assert recording.exports["checkpoint_url"] == "oss://runs-of-mine/a/b"


def test_the_name_of_a_bucket_is_its_clusters_alone() -> None:
    names = {
        bucket_name(cluster, region, account)
        for cluster in ("demo", "a" * 32)
        for region in ("cn-hangzhou", "cn-beijing")
        for account in ("1", "2")
    }
    assert len(names) == 8
    assert all(3 <= len(name) <= 63 for name in names)


def test_a_file_system_lets_the_nodes_in_and_nobody_else(with_files: Recording) -> None:
    files, rule = with_files.the("nas/fileSystem:FileSystem"), with_files.the(":AccessRule")
    targets = with_files.of_type(":MountTarget")
    assert (files.inputs["protocolType"], files.inputs["encryptType"]) == ("NFS", 1)
    assert "vpcId" not in files.inputs  # of a general-purpose one it would differ in every run
    assert rule.inputs["sourceCidrIp"] == "10.64.0.0/16"
    assert [target.inputs["vswitchId"] for target in targets] == [
        f"demo-network-vswitch-{zone}-id" for zone in ("cn-hangzhou-h", "cn-hangzhou-i")
    ]
    assert all(rule.urn in target.dependencies for target in targets)
    assert with_files.exports["checkpoint_url"] == "/mnt/demo-checkpoints"


def test_a_file_system_is_protected_until_the_file_says_otherwise(with_files: Recording) -> None:
    assert with_files.the("nas/fileSystem:FileSystem").is_protected
    spec = ClusterSpec(name="demo", checkpoints={"kind": "nas", "force_destroy": True})
    assert not record(lambda: declare(spec, "f" * 64)).the("nas/fileSystem:FileSystem").is_protected


def test_nodes_mount_the_file_system_before_they_start(with_files: Recording, demo: Recording) -> None:
    target = with_files.of_type(":MountTarget")[0]
    for node in with_files.of_type("ecs/instance:Instance"):
        script = node.inputs["userData"]
        assert target.urn in node.dependencies
        assert "folder=/mnt/demo-checkpoints\n" in script
        assert script.index(f'{target.name}.example.com:/ "$folder" nfs') < script.index("exec ")
    for node in demo.of_type("ecs/instance:Instance"):
        assert "mount" not in node.inputs["userData"]


def test_nodes_of_the_local_cloud_mount_in_their_homes() -> None:
    spec = ClusterSpec(name="demo", checkpoints={"kind": "nas"})
    recording = record(lambda: declare(spec, "f" * 64))
    assert recording.exports["checkpoint_url"] == "~/checkpoints"
    for node in recording.of_type("ecs/instance:Instance"):
        assert 'folder="$HOME"/checkpoints\n' in node.inputs["userData"]


def test_a_file_system_is_described_in_characters_that_nas_takes(with_files: Recording) -> None:
    files = with_files.the("nas/fileSystem:FileSystem")
    assert re.fullmatch(r"[A-Za-z][A-Za-z0-9:_-]{1,127}", files.inputs["description"])


@pytest.mark.parametrize("folder", ["/mnt/demo-checkpoints", "~/checkpoints", "~/it's mine"])
def test_the_lines_that_mount_are_a_script_that_bash_reads(folder: str) -> None:
    script = mount_script("0-x.cn-hangzhou.nas.aliyuncs.com", folder)
    subprocess.run(["/bin/bash", "-n", "-c", script], check=True, timeout=30)


def test_a_node_of_the_cloud_mounts_by_a_line_that_stays_in_its_table_once(tmp_path: Path) -> None:
    table, calls = tmp_path / "fstab", tmp_path / "calls"
    table.touch()
    for name in ("mount", "mount.nfs", "mountpoint"):
        program = tmp_path / name
        program.write_text(f'#!/bin/sh\necho {name} "$@" >> {calls}\n[ {name} != mountpoint ]\n')
        program.chmod(0o755)
    script = mount_script("0-x.nas.aliyuncs.com", "~/kept").replace("/etc/fstab", str(table))
    environment = {"HOME": str(tmp_path), "PATH": f"{tmp_path}:/usr/bin:/bin"}
    for _ in range(2):
        subprocess.run(["/bin/bash", "-euc", script], check=True, timeout=30, env=environment)
    (line,) = table.read_text().splitlines()
    assert line.startswith(f"0-x.nas.aliyuncs.com:/ {tmp_path}/kept nfs vers=3,nolock,")
    assert line.endswith(",_netdev 0 0")
    assert calls.read_text().splitlines().count(f"mount {tmp_path}/kept") == 2


def test_a_file_system_is_refused_where_nobody_knows_whom_to_let_in() -> None:
    network = {"vpc_id": "vpc-1", "vswitch_ids": ["vsw-1"]}
    with pytest.raises(SpecError) as caught:
        read_config(
            {
                "name": "demo",
                "checkpoints": {"kind": "nas"},
                "target": "alicloud",
                "zones": ["cn-hangzhou-h"],
                "network": network,
            }
        )
    (mistake,) = caught.value.mistakes
    assert "lets in its VPC's range alone" in mistake.message


def test_a_store_is_one_of_the_two() -> None:
    def program() -> None:
        CheckpointStore("store", CheckpointStoreArgs(cluster="demo"))

    with pytest.raises(ValueError, match="one of the two"):
        record(program)


def test_a_store_stands_in_a_program_of_its_own() -> None:
    def program() -> None:
        store = CheckpointStore(
            "store", CheckpointStoreArgs(cluster="demo", bucket=BucketArgs(bucket="my-bucket", prefix="p"))
        )
        pulumi.export("url", store.url)

    assert record(program).exports["url"] == "oss://my-bucket/p"
