"""Buckets through the embedded engine and provider, against a real local cloud."""

from __future__ import annotations

import uuid
from collections.abc import Callable

import alibabacloud_oss_v2 as oss
import pulumi
import pulumi_alicloud as alicloud
import pytest
from cloud_api import api_of
from cloud_clients import object_client

from steelyard.deploy import AlicloudProvider, Stack
from steelyard.deploy.provider.oss import holds_anything
from steelyard.errors import ResourceError
from steelyard.localcloud.daemon import CloudInfo

BUCKET = "alicloud:oss/bucket:Bucket"


@pytest.fixture
def client(info: CloudInfo) -> oss.Client:
    return object_client(info)


@pytest.fixture
def name() -> str:
    return f"stack-{uuid.uuid4().hex[:12]}"


def bucket(
    name: str, *, days: int = 30, label: str = "one", destroys: bool = True, status: str = "Enabled"
) -> Callable[[], None]:
    """Return a program with a bucket and its configurations."""

    def program() -> None:
        made = alicloud.oss.Bucket(
            "bucket",
            bucket=name,
            force_destroy=destroys,
            versioning={"status": status},
            server_side_encryption_rule={"sse_algorithm": "AES256"},
            lifecycle_rules=[
                {
                    "id": "old",
                    "prefix": "",
                    "enabled": True,
                    "noncurrent_version_expirations": [{"days": days}],
                    "abort_multipart_uploads": [{"days": 7}],
                }
            ]
            if days
            else [],
            tags={"label": label},
        )
        alicloud.oss.BucketPublicAccessBlock("block", bucket=made.bucket, block_public_access=True)
        alicloud.oss.BucketAcl("acl", bucket=made.bucket, acl="private")
        pulumi.export("endpoint", made.extranet_endpoint)
        pulumi.export("rules", made.lifecycle_rules)

    return program


def test_a_bucket_is_made_as_it_was_declared_and_a_second_run_changes_nothing(
    stack: Stack, provider: AlicloudProvider, client: oss.Client, info: CloudInfo, name: str
) -> None:
    first = stack.up(bucket(name), provider)
    again = stack.up(bucket(name), provider)
    refreshed = stack.refresh(provider)
    found = client.get_bucket_info(oss.GetBucketInfoRequest(bucket=name)).bucket_info
    rules = client.get_bucket_lifecycle(oss.GetBucketLifecycleRequest(bucket=name))

    assert first.outputs["endpoint"].value == info.endpoint
    assert again.num_by_op == {"same": 3}
    assert set(refreshed.num_by_op) == {"same"}
    assert (found.acl, found.versioning, found.block_public_access) == ("private", "Enabled", True)
    assert found.sse_rule.sse_algorithm == "AES256"
    (rule,) = rules.lifecycle_configuration.rules
    assert (rule.noncurrent_version_expiration.noncurrent_days, rule.abort_multipart_upload.days) == (30, 7)


def test_configurations_change_in_place(
    stack: Stack, provider: AlicloudProvider, client: oss.Client, name: str
) -> None:
    stack.up(bucket(name), provider)
    client.put_object(oss.PutObjectRequest(bucket=name, key="kept", body=b"1"))
    changed = stack.up(bucket(name, days=90, label="two", status="Suspended"), provider)
    rules = client.get_bucket_lifecycle(oss.GetBucketLifecycleRequest(bucket=name))
    tags = client.get_bucket_tags(oss.GetBucketTagsRequest(bucket=name)).tagging.tag_set.tags

    assert changed.num_by_op == {"same": 2, "update": 1}
    assert rules.lifecycle_configuration.rules[0].noncurrent_version_expiration.noncurrent_days == 90
    assert [tag.value for tag in tags] == ["two"]
    assert client.get_object(oss.GetObjectRequest(bucket=name, key="kept")).body.content == b"1"
    stack.up(bucket(name, days=0), provider)
    with pytest.raises(oss.exceptions.OperationError) as caught:
        client.get_bucket_lifecycle(oss.GetBucketLifecycleRequest(bucket=name))
    assert caught.value.unwrap().code == "NoSuchLifecycle"


def test_a_bucket_with_objects_is_only_destroyed_where_that_was_asked_for(
    stack: Stack, provider: AlicloudProvider, client: oss.Client, info: CloudInfo, name: str
) -> None:
    stack.up(bucket(name, destroys=False), provider)
    api = api_of(info)
    assert not holds_anything(api, name)
    assert not holds_anything(api, name + "-of-nobody")
    for number in range(3):
        client.put_object(oss.PutObjectRequest(bucket=name, key="a", body=str(number).encode()))
    client.delete_object(oss.DeleteObjectRequest(bucket=name, key="a"))
    assert holds_anything(api, name)
    with pytest.raises(ResourceError) as caught:
        stack.destroy(provider)
    assert caught.value.code == "BucketNotEmpty"
    assert "`checkpoints.force_destroy: true`" in caught.value.hint
    stack.up(bucket(name, destroys=True), provider)
    stack.destroy(provider)
    assert name not in [found.name for found in client.list_buckets(oss.ListBucketsRequest()).buckets or ()]


def test_a_bucket_that_is_there_already_is_not_taken_over(
    stack: Stack, provider: AlicloudProvider, client: oss.Client, name: str
) -> None:
    client.put_bucket(oss.PutBucketRequest(bucket=name))
    with pytest.raises(ResourceError, match="is there already"):
        stack.up(bucket(name), provider)
    client.delete_bucket(oss.DeleteBucketRequest(bucket=name))
