"""OSS through the vendor's unmodified SDK, which checks CRC-64 of what goes up and comes down by itself."""

from __future__ import annotations

import http.client
import uuid
from datetime import UTC, datetime, timedelta
from pathlib import Path

import alibabacloud_oss_v2 as oss
import pytest
from alibabacloud_ram20150501 import models as ram_models
from alibabacloud_ram20150501.client import Client as RamClient
from alibabacloud_sts20150401 import models as sts_models
from alibabacloud_sts20150401.client import Client as StsClient
from contract_sdk import wait_for
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
    connection = http.client.HTTPConnection(cloud.endpoint, timeout=10)
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


def test_appending_goes_on_where_the_object_ends(shelf: Shelf) -> None:
    def append(key: str, position: int, body: bytes) -> oss.AppendObjectResult:
        return shelf.client.append_object(
            oss.AppendObjectRequest(bucket=shelf.bucket, key=key, position=position, body=body)
        )

    assert append("log", 0, b"one ").next_position == 4
    second = append("log", 4, b"two")
    assert shelf.get("log") == b"one two"
    assert (shelf.head("log").object_type, shelf.head("log").hash_crc64) == ("Appendable", second.hash_crc64)
    with storage_refused("PositionNotEqualToLength", 409):
        append("log", 4, b"three")
    shelf.put("whole", b"1")
    with storage_refused("ObjectNotAppendable", 409):
        append("whole", 1, b"2")


def test_parts_make_one_object(shelf: Shelf) -> None:
    first, second = b"a" * MIB, b"b" * 10
    upload_id = shelf.begin("big", content_type="application/x-checkpoint")
    parts = [shelf.upload_part("big", upload_id, 1, first), shelf.upload_part("big", upload_id, 3, second)]
    shelf.upload_part("big", upload_id, 7, b"left out")
    listed = shelf.client.list_parts(
        oss.ListPartsRequest(bucket=shelf.bucket, key="big", upload_id=upload_id, max_parts=2)
    )
    uploads = shelf.client.list_multipart_uploads(
        oss.ListMultipartUploadsRequest(bucket=shelf.bucket)
    ).uploads

    assert [(part.part_number, part.size) for part in listed.parts] == [(1, MIB), (3, 10)]
    assert (listed.is_truncated, listed.next_part_number_marker) == (True, 3)
    assert [(upload.key, upload.upload_id) for upload in uploads] == [("big", upload_id)]
    assert shelf.keys() == []
    done = shelf.complete("big", upload_id, parts)
    assert shelf.get("big") == first + second
    assert shelf.get("big", range_header=f"bytes={MIB - 1}-{MIB}") == b"ab"
    assert done.etag.endswith('-2"')
    assert (shelf.head("big").content_type, shelf.head("big").object_type) == (
        "application/x-checkpoint",
        "Multipart",
    )
    with storage_refused("NoSuchUpload", 404):
        shelf.complete("big", upload_id, parts)


def test_parts_that_do_not_fit_are_refused_and_the_upload_goes_on(shelf: Shelf) -> None:
    upload_id = shelf.begin("big")
    parts = [shelf.upload_part("big", upload_id, number, b"small") for number in (1, 2)]
    with storage_refused("EntityTooSmall", 400):
        shelf.complete("big", upload_id, parts)
    with storage_refused("InvalidPartOrder", 400):
        shelf.complete("big", upload_id, parts[::-1])
    with storage_refused("InvalidPart", 400):
        shelf.complete("big", upload_id, [oss.UploadPart(part_number=9, etag=parts[0].etag)])
    with storage_refused("InvalidArgument", 400):
        shelf.upload_part("big", upload_id, 10_001, b"1")
    shelf.complete("big", upload_id, parts[1:])
    assert shelf.get("big") == b"small"


def test_a_part_is_copied_from_an_object(shelf: Shelf) -> None:
    shelf.put("source", b"x" * MIB + b"tail")
    upload_id = shelf.begin("copy")
    copied = shelf.client.upload_part_copy(
        oss.UploadPartCopyRequest(
            bucket=shelf.bucket,
            key="copy",
            upload_id=upload_id,
            part_number=1,
            source_bucket=shelf.bucket,
            source_key="source",
            source_range=f"bytes={MIB}-{MIB + 3}",
        )
    )
    shelf.complete("copy", upload_id, [oss.UploadPart(part_number=1, etag=copied.etag)])
    assert shelf.get("copy") == b"tail"


def test_the_vendors_uploader_and_downloader_work(
    shelf: Shelf, tmp_path_factory: pytest.TempPathFactory
) -> None:
    folder = tmp_path_factory.mktemp("transfer")
    content = bytes(range(256)) * 4096 * 3
    (folder / "up").write_bytes(content)
    uploader = oss.Uploader(shelf.client, part_size=MIB, parallel_num=2)
    uploader.upload_file(oss.PutObjectRequest(bucket=shelf.bucket, key="file"), str(folder / "up"))
    downloader = oss.Downloader(shelf.client, part_size=MIB, parallel_num=2)
    downloader.download_file(oss.GetObjectRequest(bucket=shelf.bucket, key="file"), str(folder / "down"))
    assert (folder / "down").read_bytes() == content


def test_versions_keep_what_was_overwritten_and_deleted(shelf: Shelf) -> None:
    shelf.put("a", b"before")
    shelf.versioning("Enabled")
    first = shelf.put("a", b"first").version_id
    second = shelf.put("a", b"second").version_id
    marker = shelf.delete("a")

    assert marker.delete_marker
    assert shelf.keys() == []
    with pytest.raises(oss.exceptions.OperationError) as gone:
        shelf.head("a")
    assert gone.value.unwrap().code == "NoSuchKey"
    assert gone.value.unwrap().headers["x-oss-delete-marker"] == "true"
    with storage_refused("MethodNotAllowed", 405):
        shelf.get("a", version_id=marker.version_id)
    with storage_refused("NoSuchVersion", 404):
        shelf.get("a", version_id="CAEQother")
    assert [shelf.get("a", version_id=v) for v in (first, second, "null")] == [
        b"first",
        b"second",
        b"before",
    ]
    page = shelf.client.list_object_versions(oss.ListObjectVersionsRequest(bucket=shelf.bucket))
    assert [entry.version_id for entry in page.version] == [second, first, "null"]
    assert [(entry.version_id, entry.is_latest) for entry in page.delete_marker] == [
        (marker.version_id, True)
    ]
    shelf.delete("a", version_id=marker.version_id)
    assert shelf.get("a") == b"second"
    shelf.versioning("Suspended")
    assert shelf.put("a", b"third").version_id == "null"
    with storage_refused("NoSuchVersion", 404):
        shelf.get("a", version_id="nothing")
    shelf.delete("a", version_id="null")
    assert shelf.get("a") == b"second"


def test_versions_are_listed_in_pages_that_end_anywhere(shelf: Shelf) -> None:
    shelf.versioning("Enabled")
    for key in ("a", "b", "d/1", "d/2"):
        for number in range(3):
            shelf.put(key, str(number).encode())
    shelf.delete("b")

    def listed(size: int, **settings: object) -> list[tuple[str, str]]:
        found: list[tuple[str, str]] = []
        request = oss.ListObjectVersionsRequest(bucket=shelf.bucket, max_keys=size, **settings)
        for page in shelf.client.list_object_versions_paginator().iter_page(request):
            entries = [*(page.version or ()), *(page.delete_marker or ())]
            prefixes = page.common_prefixes or ()
            assert len(entries) + len(prefixes) <= size
            found += [(entry.key, entry.version_id) for entry in entries]
            found += [(entry.prefix, "") for entry in prefixes]
        return found

    whole = listed(100)
    assert len(set(whole)) == 13
    for size in (1, 2, 5):
        assert sorted(listed(size)) == sorted(whole)
    assert [key for key, _ in listed(2, delimiter="/")].count("d/") == 1
    assert {key for key, _ in listed(2, prefix="d/")} == {"d/1", "d/2"}


def test_a_bucket_of_many_versions_is_cleared_page_by_page(shelf: Shelf) -> None:
    shelf.versioning("Enabled")
    for number in range(7):
        shelf.put("weights", str(number).encode())
    request = oss.ListObjectVersionsRequest(bucket=shelf.bucket, max_keys=3)
    for page in shelf.client.list_object_versions_paginator().iter_page(request):
        wanted = [oss.DeleteObject(key=one.key, version_id=one.version_id) for one in page.version]
        shelf.client.delete_multiple_objects(
            oss.DeleteMultipleObjectsRequest(bucket=shelf.bucket, objects=wanted)
        )
    shelf.client.delete_bucket(oss.DeleteBucketRequest(bucket=shelf.bucket))
    shelf.client.put_bucket(oss.PutBucketRequest(bucket=shelf.bucket))


def test_access_control_lets_others_read_until_public_access_is_blocked(
    shelf: Shelf, local_cloud: CloudInfo
) -> None:
    shelf.put("a", b"content")
    url = f"http://{local_cloud.endpoint}/{shelf.bucket}/a"
    assert _fetch(local_cloud, url)[0] == 403
    shelf.client.put_bucket_acl(oss.PutBucketAclRequest(bucket=shelf.bucket, acl="public-read"))
    assert _fetch(local_cloud, url) == (200, b"content")
    assert shelf.client.get_bucket_acl(oss.GetBucketAclRequest(bucket=shelf.bucket)).acl == "public-read"
    shelf.client.put_bucket_public_access_block(
        oss.PutBucketPublicAccessBlockRequest(
            bucket=shelf.bucket,
            public_access_block_configuration=oss.PublicAccessBlockConfiguration(block_public_access=True),
        )
    )
    assert _fetch(local_cloud, url)[0] == 403
    with storage_refused("AccessDenied", 403):
        shelf.client.put_bucket_acl(oss.PutBucketAclRequest(bucket=shelf.bucket, acl="public-read-write"))


def test_encryption_is_told_of_what_is_put_afterwards(shelf: Shelf) -> None:
    bucket = shelf.bucket
    with storage_refused("NoSuchServerSideEncryptionRule", 404):
        shelf.client.get_bucket_encryption(oss.GetBucketEncryptionRequest(bucket=bucket))
    rule = oss.ServerSideEncryptionRule(
        apply_server_side_encryption_by_default=oss.ApplyServerSideEncryptionByDefault(sse_algorithm="AES256")
    )
    shelf.client.put_bucket_encryption(
        oss.PutBucketEncryptionRequest(bucket=bucket, server_side_encryption_rule=rule)
    )
    shelf.put("a", b"1")
    assert shelf.head("a").server_side_encryption == "AES256"
    info = shelf.client.get_bucket_info(oss.GetBucketInfoRequest(bucket=bucket)).bucket_info
    assert info.sse_rule.sse_algorithm == "AES256"
    shelf.client.delete_bucket_encryption(oss.DeleteBucketEncryptionRequest(bucket=bucket))
    shelf.put("a", b"1")
    assert shelf.head("a").server_side_encryption is None


def test_lifecycle_rules_are_checked_and_kept(shelf: Shelf) -> None:
    bucket = shelf.bucket
    with storage_refused("NoSuchLifecycle", 404):
        shelf.client.get_bucket_lifecycle(oss.GetBucketLifecycleRequest(bucket=bucket))

    def put(*rules: oss.LifecycleRule) -> None:
        shelf.client.put_bucket_lifecycle(
            oss.PutBucketLifecycleRequest(
                bucket=bucket, lifecycle_configuration=oss.LifecycleConfiguration(rules=list(rules))
            )
        )

    rule = oss.LifecycleRule(
        id="old",
        prefix="checkpoints/",
        status="Enabled",
        noncurrent_version_expiration=oss.NoncurrentVersionExpiration(noncurrent_days=30),
    )
    put(rule)
    kept = shelf.client.get_bucket_lifecycle(oss.GetBucketLifecycleRequest(bucket=bucket))
    (found,) = kept.lifecycle_configuration.rules
    assert (found.id, found.prefix, found.noncurrent_version_expiration.noncurrent_days) == (
        "old",
        "checkpoints/",
        30,
    )
    with storage_refused("MalformedXML", 400):
        put(oss.LifecycleRule(id="never", prefix="", status="Enabled"))
    with storage_refused("InvalidArgument", 400):
        put(rule, rule)
    shelf.client.delete_bucket_lifecycle(oss.DeleteBucketLifecycleRequest(bucket=bucket))
    with storage_refused("NoSuchLifecycle", 404):
        shelf.client.get_bucket_lifecycle(oss.GetBucketLifecycleRequest(bucket=bucket))


def test_lifecycle_rules_are_carried_out_once_they_are_put(shelf: Shelf) -> None:
    """With the date of tomorrow, before which everything was changed."""
    for key in ("runs/1", "kept"):
        shelf.put(key, b"1")
    tomorrow = datetime.now(UTC).date() + timedelta(days=1)
    rule = oss.LifecycleRule(
        id="tidy",
        prefix="runs/",
        status="Enabled",
        expiration=oss.LifecycleRuleExpiration(created_before_date=f"{tomorrow}T00:00:00.000Z"),
    )
    shelf.client.put_bucket_lifecycle(
        oss.PutBucketLifecycleRequest(
            bucket=shelf.bucket, lifecycle_configuration=oss.LifecycleConfiguration(rules=[rule])
        )
    )
    wait_for(shelf.keys, lambda keys: keys == ["kept"])


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
