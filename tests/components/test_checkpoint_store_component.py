from __future__ import annotations

import subprocess

import pulumi
import pytest
from recording_monitor import ACCOUNT_ID, Recording, record

from steelyard.components import BucketArgs, CheckpointStore, CheckpointStoreArgs
from steelyard.components.checkpoint_store import bucket_name
from steelyard.components.mount import mount_script
from steelyard.components.program import declare
from steelyard.spec import ClusterSpec, SpecError

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


def test_nodes_mount_the_file_system_before_they_start(with_files: Recording, demo: Recording) -> None:
    target = with_files.of_type(":MountTarget")[0]
    for node in with_files.of_type("ecs/instance:Instance"):
        script = node.inputs["userData"]
        assert target.urn in node.dependencies
        assert script.index(f"{target.name}.example.com:/ /mnt/demo-checkpoints nfs") < script.index("exec ")
    for node in demo.of_type("ecs/instance:Instance"):
        assert "mount" not in node.inputs["userData"]


def test_the_lines_that_mount_are_a_script_that_bash_reads() -> None:
    script = mount_script("0-x.cn-hangzhou.nas.aliyuncs.com", "/mnt/demo-checkpoints")
    subprocess.run(["/bin/bash", "-n", "-c", script], check=True, timeout=10)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"target": "local"}, "the local cloud has no file systems"),
        (
            {
                "target": "alicloud",
                "zones": ["cn-hangzhou-h"],
                "network": {"vpc_id": "vpc-1", "vswitch_ids": ["vsw-1"]},
            },
            "lets in its VPC's range alone",
        ),
    ],
)
def test_a_file_system_is_refused_where_there_is_none(settings: dict[str, object], message: str) -> None:
    with pytest.raises(SpecError) as caught:
        ClusterSpec.from_config({"name": "demo", "checkpoints": {"kind": "nas"}, **settings})
    (mistake,) = caught.value.mistakes
    assert message in mistake.message


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
