"""OSS through the vendor's unmodified SDK, which checks CRC-64 of what goes up and comes down by itself."""

from __future__ import annotations

import http.client
import uuid
from datetime import timedelta
from pathlib import Path

import alibabacloud_oss_v2 as oss
import pytest
from alibabacloud_ram20150501 import models as ram_models
from alibabacloud_ram20150501.client import Client as RamClient
from alibabacloud_sts20150401 import models as sts_models
from alibabacloud_sts20150401.client import Client as StsClient
from contract_storage import Shelf, storage_client, storage_refused

from steelyard.localcloud.daemon import CloudInfo

MIB = 1 << 20


@pytest.fixture
def client(local_cloud: CloudInfo) -> oss.Client:
    return storage_client(local_cloud)


def test_a_bucket_is_made_described_listed_and_deleted(client: oss.Client, local_cloud: CloudInfo) -> None:
    name = f"made-{uuid.uuid4().hex[:12]}"
    configuration = oss.CreateBucketConfiguration(storage_class="IA", data_redundancy_type="ZRS")
    made = client.put_bucket(
        oss.PutBucketRequest(bucket=name, acl="public-read", create_bucket_configuration=configuration)
    )
    info = client.get_bucket_info(oss.GetBucketInfoRequest(bucket=name)).bucket_info
    listed = client.list_buckets(oss.ListBucketsRequest(prefix="made-")).buckets
    location = client.get_bucket_location(oss.GetBucketLocationRequest(bucket=name)).location

    assert made.status_code == 200
    assert (info.name, info.acl, info.storage_class, info.data_redundancy_type) == (
        name,
        "public-read",
        "IA",
        "ZRS",
    )
    assert info.extranet_endpoint == local_cloud.endpoint  # what is answered can be reached
    assert info.owner.id == local_cloud.account_id
    assert name in [bucket.name for bucket in listed]
    assert location == f"oss-{local_cloud.region_id}"
    client.put_bucket(oss.PutBucketRequest(bucket=name, create_bucket_configuration=configuration))
    with storage_refused("BucketAlreadyExists", 409):
        client.put_bucket(oss.PutBucketRequest(bucket=name))
    client.delete_bucket(oss.DeleteBucketRequest(bucket=name))
    with storage_refused("NoSuchBucket", 404):
        client.get_bucket_info(oss.GetBucketInfoRequest(bucket=name))
    with storage_refused("NoSuchBucket", 404):
        client.delete_bucket(oss.DeleteBucketRequest(bucket=name))


def test_a_bucket_with_anything_in_it_is_not_deleted(shelf: Shelf) -> None:
    delete = oss.DeleteBucketRequest(bucket=shelf.bucket)
    shelf.put("a", b"1")
    with storage_refused("BucketNotEmpty", 409):
        shelf.client.delete_bucket(delete)
    shelf.delete("a")
    upload_id = shelf.begin("b")
    with storage_refused("BucketNotEmpty", 409):
        shelf.client.delete_bucket(delete)
    shelf.client.abort_multipart_upload(
        oss.AbortMultipartUploadRequest(bucket=shelf.bucket, key="b", upload_id=upload_id)
    )
    shelf.versioning("Enabled")
    shelf.delete("never there")  # leaves a delete marker
    with storage_refused("BucketNotEmpty", 409):
        shelf.client.delete_bucket(delete)


def test_names_that_cannot_be_are_refused(shelf: Shelf, local_cloud: CloudInfo) -> None:
    with storage_refused("InvalidObjectName", 400):
        shelf.put("k" * 1020 + "long")
    with storage_refused("InvalidObjectName", 400):
        shelf.put("/absolute")
    # The SDK refuses a bad bucket name itself, so it is asked for by hand, unsigned: the name comes second.
    with storage_refused("InvalidArgument", 400):
        shelf.client.put_bucket(oss.PutBucketRequest(bucket=shelf.bucket, acl="everybody"))


@pytest.mark.parametrize("version", ["v1", "v4"])
def test_an_object_comes_back_as_it_was_put_under_both_signatures(
    local_cloud: CloudInfo, shelf: Shelf, version: str
) -> None:
    shelf = Shelf(storage_client(local_cloud, version=version), shelf.bucket)
    key = "ein Ordner/ä+b&c=d %41~*'(1)"
    put = shelf.put(
        key, b"content", content_type="text/plain", cache_control="no-store", metadata={"step": "12"}
    )
    head = shelf.head(key)

    assert put.etag == '"9A0364B9E99BB480DD25E1F0284C8555"'
    assert shelf.get(key) == b"content"
    assert (head.content_length, head.etag, head.object_type) == (7, put.etag, "Normal")
    assert (head.content_type, head.cache_control, head.metadata["step"]) == ("text/plain", "no-store", "12")
    assert head.hash_crc64 == put.hash_crc64
    assert shelf.keys() == [key]
    with storage_refused("NoSuchKey", 404):
        shelf.get(f"{key}.gone")
    with storage_refused("NoSuchKey", 404):
        shelf.head(f"{key}.gone")


def test_signed_urls_work_without_a_key_until_they_expire(local_cloud: CloudInfo, shelf: Shelf) -> None:
    shelf.put("a", b"content")
    for version in ("v1", "v4"):
        signer = storage_client(local_cloud, version=version)
        request = oss.GetObjectRequest(bucket=shelf.bucket, key="a")
        good = signer.presign(request, expires=timedelta(minutes=1)).url
        assert _fetch(local_cloud, good) == (200, b"content")
        status, body = _fetch(local_cloud, good.replace("/a?", "/b?"))
        assert (status, b"<Code>SignatureDoesNotMatch</Code>" in body) == (403, True)
    past = storage_client(local_cloud, version="v1").presign(request, expires=timedelta(seconds=-5)).url
    status, body = _fetch(local_cloud, past)
    assert (status, b"<Code>AccessDenied</Code>" in body) == (403, True), body


def _fetch(cloud: CloudInfo, url: str) -> tuple[int, bytes]:
    connection = http.client.HTTPConnection(cloud.endpoint, timeout=30)
    connection.request("GET", url.partition(cloud.endpoint)[2])
    answer = connection.getresponse()
    body = answer.read()
    connection.close()
    return answer.status, body


def test_a_wrong_key_and_a_wrong_secret_are_refused(local_cloud: CloudInfo, shelf: Shelf) -> None:
    for version in ("v1", "v4"):
        wrong = Shelf(storage_client(local_cloud, secret="wrong", version=version), shelf.bucket)
        with storage_refused("SignatureDoesNotMatch", 403):
            wrong.put("a", b"1" * MIB)  # an error that comes after a long body is still read
        unknown = Shelf(storage_client(local_cloud, key_id="LTAInobody", version=version), shelf.bucket)
        with storage_refused("InvalidAccessKeyId", 403):
            unknown.put("a", b"1")
    assert shelf.keys() == []


def test_temporary_keys_need_their_token_and_their_roles_rights(
    local_cloud: CloudInfo, shelf: Shelf, ram_client: RamClient, sts_client: StsClient
) -> None:
    trust = (
        '{"Version":"1","Statement":[{"Effect":"Allow","Action":"sts:AssumeRole",'
        f'"Principal":{{"RAM":["acs:ram::{local_cloud.account_id}:root"]}}}}]}}'
    )
    policy = (
        '{"Version":"1","Statement":[{"Effect":"Allow","Action":"oss:ListObjects",'
        f'"Resource":"acs:oss:*:*:{shelf.bucket}","Condition":{{"StringLike":{{"oss:Prefix":"runs/*"}}}}}},'
        '{"Effect":"Allow","Action":"oss:*",'
        f'"Resource":["acs:oss:*:*:{shelf.bucket}/runs/*"]}}]}}'
    )
    shelf.put("secret", b"1")
    name = f"reader-{uuid.uuid4().hex[:8]}"
    arn = ram_client.create_role(
        ram_models.CreateRoleRequest(role_name=name, assume_role_policy_document=trust)
    ).body.role.arn
    ram_client.create_policy(ram_models.CreatePolicyRequest(policy_name=name, policy_document=policy))
    ram_client.attach_policy_to_role(
        ram_models.AttachPolicyToRoleRequest(policy_type="Custom", policy_name=name, role_name=name)
    )
    try:
        keys = sts_client.assume_role(
            sts_models.AssumeRoleRequest(role_arn=arn, role_session_name="test")
        ).body.credentials
        for version in ("v1", "v4"):
            client = storage_client(
                local_cloud,
                key_id=keys.access_key_id,
                secret=keys.access_key_secret,
                token=keys.security_token,
                version=version,
            )
            own = Shelf(client, shelf.bucket)
            own.put(f"runs/{version}", b"1")
            assert own.get(f"runs/{version}") == b"1"
            assert f"runs/{version}" in own.keys(prefix="runs/")
            with storage_refused("AccessDenied", 403):
                own.keys()
            with storage_refused("AccessDenied", 403):
                own.put(f"others/{version}", b"1")
            with storage_refused("AccessDenied", 403):
                own.get("secret")
            with storage_refused("AccessDenied", 403):
                client.copy_object(
                    oss.CopyObjectRequest(
                        bucket=shelf.bucket, key="runs/copy", source_bucket=shelf.bucket, source_key="secret"
                    )
                )
            with storage_refused("AccessDenied", 403):
                objects = [oss.DeleteObject(key="runs/x"), oss.DeleteObject(key="secret")]
                client.delete_multiple_objects(
                    oss.DeleteMultipleObjectsRequest(bucket=shelf.bucket, objects=objects)
                )
        bare = storage_client(local_cloud, key_id=keys.access_key_id, secret=keys.access_key_secret)
        with storage_refused("InvalidAccessKeyId", 403):
            Shelf(bare, shelf.bucket).put("c", b"1")
    finally:
        ram_client.detach_policy_from_role(
            ram_models.DetachPolicyFromRoleRequest(policy_type="Custom", policy_name=name, role_name=name)
        )
        ram_client.delete_policy(ram_models.DeletePolicyRequest(policy_name=name))
        ram_client.delete_role(ram_models.DeleteRoleRequest(role_name=name))
    assert shelf.keys() == ["runs/v1", "runs/v4", "secret"]


def test_ranges_give_the_bytes_that_are_asked_for(shelf: Shelf) -> None:
    shelf.put("a", b"0123456789")
    assert shelf.get("a", range_header="bytes=2-4") == b"234"
    assert shelf.get("a", range_header="bytes=7-") == b"789"
    assert shelf.get("a", range_header="bytes=-2") == b"89"
    assert shelf.get("a", range_header="bytes=8-20") == b"0123456789"  # OSS's own rule
    assert shelf.get("a", range_header="bytes=8-20", range_behavior="standard") == b"89"
    with storage_refused("InvalidRange", 416):
        shelf.get("a", range_header="bytes=10-", range_behavior="standard")


def test_conditions_hold_or_the_request_does_nothing(shelf: Shelf) -> None:
    etag = shelf.put("a", b"1").etag
    assert shelf.get("a", if_match=etag) == b"1"
    with storage_refused("PreconditionFailed", 412):
        shelf.get("a", if_match='"OTHER"')
    with storage_refused("PreconditionFailed", 412):
        shelf.get("a", if_unmodified_since="Fri, 13 Nov 2015 14:47:53 GMT")
    with pytest.raises(oss.exceptions.OperationError) as caught:
        shelf.head("a", if_none_match=etag)
    assert caught.value.unwrap().status_code == 304
    with storage_refused("FileAlreadyExists", 409):
        shelf.put("a", b"2", forbid_overwrite=True)
    with storage_refused("InvalidDigest", 400):
        shelf.put("a", b"3", content_md5="XUFAKrxLKna5cZ2REBfFkg==")
    assert shelf.get("a") == b"1"


def test_lists_come_in_pages_in_the_order_of_the_keys_bytes(shelf: Shelf) -> None:
    keys = ["Z", "a", "a/1", "a/2", "a/b/3", "b", "é/x", "\uff5e", "\U0001f600"]
    for key in reversed(keys):
        shelf.put(key, b"1")
    assert shelf.keys(max_keys=2) == keys
    assert shelf.keys(prefix="a/") == ["a/1", "a/2", "a/b/3"]
    assert shelf.keys(start_after="a/2") == keys[4:]

    contents, prefixes = [], []
    request = oss.ListObjectsRequest(bucket=shelf.bucket, delimiter="/", max_keys=1)
    for page in shelf.client.list_objects_paginator().iter_page(request):
        contents += [entry.key for entry in page.contents or ()]
        prefixes += [entry.prefix for entry in page.common_prefixes or ()]
    assert contents == ["Z", "a", "b", "\uff5e", "\U0001f600"]
    assert prefixes == ["a/", "é/"]
    with storage_refused("InvalidArgument", 400):
        shelf.keys(max_keys=1001)
    with storage_refused("InvalidArgument", 400):
        shelf.client.list_objects_v2(
            oss.ListObjectsV2Request(bucket=shelf.bucket, continuation_token="no token")
        )


def test_many_objects_go_at_once(shelf: Shelf) -> None:
    for key in ("a", "b & c", "d"):
        shelf.put(key, b"1")
    result = shelf.client.delete_multiple_objects(
        oss.DeleteMultipleObjectsRequest(
            bucket=shelf.bucket, objects=[oss.DeleteObject(key=key) for key in ("a", "b & c", "gone")]
        )
    )
    assert [entry.key for entry in result.deleted_objects] == ["a", "b & c", "gone"]
    assert shelf.keys() == ["d"]
    quiet = oss.DeleteMultipleObjectsRequest(
        bucket=shelf.bucket, objects=[oss.DeleteObject(key="d")], quiet=True
    )
    assert shelf.client.delete_multiple_objects(quiet).deleted_objects is None
    assert shelf.keys() == []


def test_a_copy_has_its_own_life(shelf: Shelf) -> None:
    shelf.put("a", b"first", content_type="text/plain", metadata={"step": "1"})
    copy = oss.CopyObjectRequest(bucket=shelf.bucket, key="b", source_bucket=shelf.bucket, source_key="a")
    copied = shelf.client.copy_object(copy)
    shelf.delete("a")
    assert shelf.get("b") == b"first"
    assert (copied.etag, shelf.head("b").metadata["step"]) == (shelf.head("b").etag, "1")
    replaced = oss.CopyObjectRequest(
        bucket=shelf.bucket,
        key="b",
        source_bucket=shelf.bucket,
        source_key="b",
        metadata_directive="REPLACE",
        metadata={"step": "2"},
    )
    shelf.client.copy_object(replaced)
    assert (shelf.get("b"), shelf.head("b").metadata["step"]) == (b"first", "2")
    with storage_refused("NoSuchKey", 404):
        shelf.client.copy_object(copy)


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"storage_class": "Gold"}, "InvalidArgument"),
        ({"storage_class": "Gold", "server_side_encryption": "AES256"}, "InvalidArgument"),
        ({"server_side_encryption": "ROT13"}, "InvalidEncryptionAlgorithmError"),
    ],
)
def test_a_copy_that_is_refused_leaves_no_bytes(local_cloud: CloudInfo, shelf: Shelf, changes, code) -> None:
    shelf.put("a", b"first")
    blobs = Path(local_cloud.data_dir) / "oss"
    before = set(blobs.iterdir())
    copy = oss.CopyObjectRequest(
        bucket=shelf.bucket, key="b", source_bucket=shelf.bucket, source_key="a", **changes
    )
    with storage_refused(code, 400):
        shelf.client.copy_object(copy)
    assert set(blobs.iterdir()) == before


def test_tags_of_buckets_and_objects(shelf: Shelf) -> None:
    tagging = oss.Tagging(tag_set=oss.TagSet(tags=[oss.Tag(key="team", value="vision & sound")]))
    shelf.client.put_bucket_tags(oss.PutBucketTagsRequest(bucket=shelf.bucket, tagging=tagging))
    read = shelf.client.get_bucket_tags(oss.GetBucketTagsRequest(bucket=shelf.bucket)).tagging
    assert [(tag.key, tag.value) for tag in read.tag_set.tags] == [("team", "vision & sound")]
    shelf.put("a", b"1", tagging="step=12")
    assert shelf.head("a").tagging_count == 1
    shelf.client.put_object_tagging(
        oss.PutObjectTaggingRequest(bucket=shelf.bucket, key="a", tagging=tagging)
    )
    read = shelf.client.get_object_tagging(oss.GetObjectTaggingRequest(bucket=shelf.bucket, key="a"))
    assert [(tag.key, tag.value) for tag in read.tag_set.tags] == [("team", "vision & sound")]
    many = oss.Tagging(tag_set=oss.TagSet(tags=[oss.Tag(key=str(n), value="") for n in range(21)]))
    with storage_refused("InvalidTag", 400):
        shelf.client.put_bucket_tags(oss.PutBucketTagsRequest(bucket=shelf.bucket, tagging=many))


def test_a_region_is_reached_where_the_cloud_is(client: oss.Client, local_cloud: CloudInfo) -> None:
    for version in ("v1", "v4"):
        told = storage_client(local_cloud, version=version).describe_regions(oss.DescribeRegionsRequest())
        (region,) = told.region_info
        assert (region.region, region.internet_endpoint) == (
            f"oss-{local_cloud.region_id}",
            local_cloud.endpoint,
        )
    with storage_refused("InvalidArgument", 400):
        client.describe_regions(oss.DescribeRegionsRequest(regions="oss-nowhere"))


def test_what_is_not_served_is_refused_by_name(shelf: Shelf) -> None:
    with storage_refused("NotImplemented", 501):
        shelf.client.get_bucket_replication(oss.GetBucketReplicationRequest(bucket=shelf.bucket))


def test_documents_that_are_none_are_refused(shelf: Shelf) -> None:
    def put(document: bytes) -> None:
        shelf.client.invoke_operation(
            oss.OperationInput(
                op_name="PutBucketVersioning",
                method="PUT",
                parameters={"versioning": ""},
                body=document,
                bucket=shelf.bucket,
            )
        )

    for document in (
        b"",
        b"<VersioningConfiguration>",
        b"<Other><Status>Enabled</Status></Other>",
        b"<VersioningConfiguration><Status>On</Status></VersioningConfiguration>",
        b'<!DOCTYPE a [<!ENTITY b "c">]><VersioningConfiguration><Status>&b;</Status></VersioningConfiguration>',
    ):
        with storage_refused("MalformedXML", 400):
            put(document)
