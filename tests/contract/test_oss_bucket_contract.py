"""What a bucket is given, through the vendor's unmodified SDK: each configuration is put, read back and taken away."""

from __future__ import annotations

import json
import uuid

import alibabacloud_oss_v2 as oss
import httpx
from contract_storage import Shelf, storage_refused

from steelyard.localcloud.daemon import CloudInfo


def test_rules_for_other_sites_are_kept_until_they_are_deleted(shelf: Shelf) -> None:
    client, bucket = shelf.client, shelf.bucket
    with storage_refused("NoSuchCORSConfiguration", 404):
        client.get_bucket_cors(oss.GetBucketCorsRequest(bucket=bucket))
    rule = oss.CORSRule(allowed_origins=["https://a.test", "*"], allowed_methods=["GET"], max_age_seconds=60)
    client.put_bucket_cors(
        oss.PutBucketCorsRequest(bucket=bucket, cors_configuration=oss.CORSConfiguration(cors_rules=[rule]))
    )
    found = client.get_bucket_cors(oss.GetBucketCorsRequest(bucket=bucket)).cors_configuration
    (kept,) = found.cors_rules
    assert (kept.allowed_origins, kept.allowed_methods, kept.max_age_seconds) == (
        ["https://a.test", "*"],
        ["GET"],
        60,
    )
    client.delete_bucket_cors(oss.DeleteBucketCorsRequest(bucket=bucket))
    with storage_refused("NoSuchCORSConfiguration", 404):
        client.get_bucket_cors(oss.GetBucketCorsRequest(bucket=bucket))


def test_a_website_is_kept_until_it_is_deleted(shelf: Shelf) -> None:
    client, bucket = shelf.client, shelf.bucket
    with storage_refused("NoSuchWebsiteConfiguration", 404):
        client.get_bucket_website(oss.GetBucketWebsiteRequest(bucket=bucket))
    website = oss.WebsiteConfiguration(index_document=oss.IndexDocument(suffix="index.html"))
    client.put_bucket_website(oss.PutBucketWebsiteRequest(bucket=bucket, website_configuration=website))
    found = client.get_bucket_website(oss.GetBucketWebsiteRequest(bucket=bucket)).website_configuration
    assert found.index_document.suffix == "index.html"
    client.delete_bucket_website(oss.DeleteBucketWebsiteRequest(bucket=bucket))
    with storage_refused("NoSuchWebsiteConfiguration", 404):
        client.get_bucket_website(oss.GetBucketWebsiteRequest(bucket=bucket))


def test_logging_is_off_until_a_bucket_is_named_and_again_when_it_is_deleted(shelf: Shelf) -> None:
    client, bucket = shelf.client, shelf.bucket

    def read() -> oss.LoggingEnabled | None:
        found = client.get_bucket_logging(oss.GetBucketLoggingRequest(bucket=bucket))
        return found.bucket_logging_status.logging_enabled

    assert read() is None
    wanted = oss.LoggingEnabled(target_bucket=bucket, target_prefix="log/")
    client.put_bucket_logging(
        oss.PutBucketLoggingRequest(
            bucket=bucket, bucket_logging_status=oss.BucketLoggingStatus(logging_enabled=wanted)
        )
    )
    assert (read().target_bucket, read().target_prefix) == (bucket, "log/")
    client.delete_bucket_logging(oss.DeleteBucketLoggingRequest(bucket=bucket))
    assert read() is None


def test_referers_are_all_let_in_until_some_are_named(shelf: Shelf) -> None:
    client, bucket = shelf.client, shelf.bucket

    def read() -> oss.RefererConfiguration:
        return client.get_bucket_referer(oss.GetBucketRefererRequest(bucket=bucket)).referer_configuration

    assert read().allow_empty_referer is True
    wanted = oss.RefererConfiguration(
        allow_empty_referer=False, referer_list=oss.RefererList(referers=["https://a.test"])
    )
    client.put_bucket_referer(oss.PutBucketRefererRequest(bucket=bucket, referer_configuration=wanted))
    assert (read().allow_empty_referer, read().referer_list.referers) == (False, ["https://a.test"])
    with storage_refused("MalformedXML", 400):
        wanted = oss.RefererConfiguration(referer_list=oss.RefererList(referers=["https://a.test"]))
        client.put_bucket_referer(oss.PutBucketRefererRequest(bucket=bucket, referer_configuration=wanted))


def test_a_page_that_may_not_lead_here_is_refused_to_who_signs_a_url_or_nothing(shelf: Shelf) -> None:
    shelf.put("picture", b"seen")
    wanted = oss.RefererConfiguration(
        allow_empty_referer=False, referer_list=oss.RefererList(referers=["https://a.test"])
    )
    shelf.client.put_bucket_referer(
        oss.PutBucketRefererRequest(bucket=shelf.bucket, referer_configuration=wanted)
    )
    signed = shelf.client.presign(oss.GetObjectRequest(bucket=shelf.bucket, key="picture")).url

    assert httpx.get(signed, headers={"Referer": "https://a.test/page?x=1"}).content == b"seen"
    for headers in ({}, {"Referer": "https://b.test/"}):
        answer = httpx.get(signed, headers=headers)
        assert answer.status_code == 403
        assert "<Code>AccessDenied</Code>" in answer.text
        assert "You are denied by bucket referer policy." in answer.text
    assert shelf.get("picture") == b"seen"  # Signed in a header, it comes from a program and not from a page.


def test_a_policy_is_json_and_is_kept_until_it_is_deleted(shelf: Shelf) -> None:
    client, bucket = shelf.client, shelf.bucket
    with storage_refused("NoSuchBucketPolicy", 404):
        client.get_bucket_policy(oss.GetBucketPolicyRequest(bucket=bucket))
    statement = {"Effect": "Allow", "Action": ["oss:GetObject"], "Principal": ["1234"], "Resource": ["*"]}
    policy = {"Version": "1", "Statement": [statement]}
    client.put_bucket_policy(oss.PutBucketPolicyRequest(bucket=bucket, body=json.dumps(policy)))
    assert json.loads(client.get_bucket_policy(oss.GetBucketPolicyRequest(bucket=bucket)).body) == policy
    with storage_refused("InvalidPolicyDocument", 400):
        client.put_bucket_policy(oss.PutBucketPolicyRequest(bucket=bucket, body="{"))
    client.delete_bucket_policy(oss.DeleteBucketPolicyRequest(bucket=bucket))
    with storage_refused("NoSuchBucketPolicy", 404):
        client.get_bucket_policy(oss.GetBucketPolicyRequest(bucket=bucket))


def test_access_is_not_monitored_until_that_is_asked_for(shelf: Shelf) -> None:
    client, bucket = shelf.client, shelf.bucket

    def read() -> str:
        found = client.get_bucket_access_monitor(oss.GetBucketAccessMonitorRequest(bucket=bucket))
        return found.access_monitor_configuration.status

    assert read() == "Disabled"
    client.put_bucket_access_monitor(
        oss.PutBucketAccessMonitorRequest(
            bucket=bucket, access_monitor_configuration=oss.AccessMonitorConfiguration(status="Enabled")
        )
    )
    assert read() == "Enabled"


def test_acceleration_is_asked_for_before_it_can_be_read(shelf: Shelf) -> None:
    client, bucket = shelf.client, shelf.bucket
    read = oss.GetBucketTransferAccelerationRequest(bucket=bucket)
    with storage_refused("NoSuchTransferAccelerationConfiguration", 404):
        client.get_bucket_transfer_acceleration(read)
    client.put_bucket_transfer_acceleration(
        oss.PutBucketTransferAccelerationRequest(
            bucket=bucket,
            transfer_acceleration_configuration=oss.TransferAccelerationConfiguration(enabled=True),
        )
    )
    found = client.get_bucket_transfer_acceleration(read).transfer_acceleration_configuration
    assert found.enabled is True


def test_a_bucket_is_in_the_default_resource_group_until_it_is_moved(shelf: Shelf) -> None:
    client, bucket = shelf.client, shelf.bucket

    def read() -> str:
        found = client.get_bucket_resource_group(oss.GetBucketResourceGroupRequest(bucket=bucket))
        return found.bucket_resource_group_configuration.resource_group_id

    assert read() == "rg-default"
    wanted = oss.BucketResourceGroupConfiguration(resource_group_id="rg-other")
    client.put_bucket_resource_group(
        oss.PutBucketResourceGroupRequest(bucket=bucket, bucket_resource_group_configuration=wanted)
    )
    assert read() == "rg-other"


def test_the_owner_pays_until_the_requester_shall(shelf: Shelf) -> None:
    client, bucket = shelf.client, shelf.bucket

    def read() -> str:
        found = client.get_bucket_request_payment(oss.GetBucketRequestPaymentRequest(bucket=bucket))
        return found.request_payment_configuration.payer

    assert read() == "BucketOwner"
    wanted = oss.RequestPaymentConfiguration(payer="Requester")
    client.put_bucket_request_payment(
        oss.PutBucketRequestPaymentRequest(bucket=bucket, request_payment_configuration=wanted)
    )
    assert read() == "Requester"


def test_a_block_of_public_access_is_read_and_lifted(shelf: Shelf) -> None:
    client, bucket = shelf.client, shelf.bucket
    read = oss.GetBucketPublicAccessBlockRequest(bucket=bucket)
    with storage_refused("NoSuchPublicAccessBlockConfiguration", 404):
        client.get_bucket_public_access_block(read)
    wanted = oss.PublicAccessBlockConfiguration(block_public_access=True)
    client.put_bucket_public_access_block(
        oss.PutBucketPublicAccessBlockRequest(bucket=bucket, public_access_block_configuration=wanted)
    )
    found = client.get_bucket_public_access_block(read).public_access_block_configuration
    assert found.block_public_access is True
    client.delete_bucket_public_access_block(oss.DeleteBucketPublicAccessBlockRequest(bucket=bucket))
    client.put_bucket_acl(oss.PutBucketAclRequest(bucket=bucket, acl="public-read"))
    assert client.get_bucket_acl(oss.GetBucketAclRequest(bucket=bucket)).acl == "public-read"


def test_versioning_has_no_status_until_it_is_switched_on(shelf: Shelf) -> None:
    def read() -> str | None:
        found = shelf.client.get_bucket_versioning(oss.GetBucketVersioningRequest(bucket=shelf.bucket))
        return found.version_status

    assert read() is None
    shelf.versioning("Enabled")
    assert read() == "Enabled"
    shelf.versioning("Suspended")
    assert read() == "Suspended"


def test_tags_of_a_bucket_and_of_an_object_are_taken_away(shelf: Shelf) -> None:
    client, bucket = shelf.client, shelf.bucket
    tagging = oss.Tagging(tag_set=oss.TagSet(tags=[oss.Tag(key="team", value="vision")]))
    client.put_bucket_tags(oss.PutBucketTagsRequest(bucket=bucket, tagging=tagging))
    client.delete_bucket_tags(oss.DeleteBucketTagsRequest(bucket=bucket))
    assert not client.get_bucket_tags(oss.GetBucketTagsRequest(bucket=bucket)).tagging.tag_set.tags
    shelf.put("a", b"1", tagging="step=12")
    client.delete_object_tagging(oss.DeleteObjectTaggingRequest(bucket=bucket, key="a"))
    found = client.get_object_tagging(oss.GetObjectTaggingRequest(bucket=bucket, key="a"))
    assert not found.tag_set.tags


def test_what_a_bucket_holds_is_counted(shelf: Shelf) -> None:
    shelf.put("a", b"123")
    shelf.put("b", b"45")
    shelf.begin("c")
    found = shelf.client.get_bucket_stat(oss.GetBucketStatRequest(bucket=shelf.bucket))
    assert (found.object_count, found.storage, found.multi_part_upload_count) == (2, 5, 1)


def test_what_a_bucket_holds_is_counted_by_storage_class(shelf: Shelf) -> None:
    shelf.put("hot", b"123")
    shelf.put("cool", b"45", storage_class="IA")
    shelf.put("cold", b"6", storage_class="ColdArchive")
    found = shelf.client.get_bucket_stat(oss.GetBucketStatRequest(bucket=shelf.bucket))
    assert (found.standard_storage, found.standard_object_count) == (3, 1)
    assert (found.infrequent_access_storage, found.infrequent_access_object_count) == (2, 1)
    assert (found.cold_archive_storage, found.archive_storage) == (1, 0)


def test_what_is_told_of_a_bucket_is_what_it_was_given(shelf: Shelf) -> None:
    client, bucket = shelf.client, shelf.bucket

    def info() -> oss.BucketInfo:
        return client.get_bucket_info(oss.GetBucketInfoRequest(bucket=bucket)).bucket_info

    before = info()
    assert (before.transfer_acceleration, before.access_monitor) == ("Disabled", "Disabled")
    assert (before.sse_rule.sse_algorithm, before.block_public_access) == ("None", False)
    client.put_bucket_transfer_acceleration(
        oss.PutBucketTransferAccelerationRequest(
            bucket=bucket,
            transfer_acceleration_configuration=oss.TransferAccelerationConfiguration(enabled=True),
        )
    )
    client.put_bucket_access_monitor(
        oss.PutBucketAccessMonitorRequest(
            bucket=bucket, access_monitor_configuration=oss.AccessMonitorConfiguration(status="Enabled")
        )
    )
    target = oss.LoggingEnabled(target_bucket=bucket, target_prefix="log/")
    client.put_bucket_logging(
        oss.PutBucketLoggingRequest(
            bucket=bucket, bucket_logging_status=oss.BucketLoggingStatus(logging_enabled=target)
        )
    )
    client.put_bucket_resource_group(
        oss.PutBucketResourceGroupRequest(
            bucket=bucket,
            bucket_resource_group_configuration=oss.BucketResourceGroupConfiguration(
                resource_group_id="rg-other"
            ),
        )
    )
    after = info()
    assert (after.transfer_acceleration, after.access_monitor) == ("Enabled", "Enabled")
    assert (after.bucket_policy.log_bucket, after.bucket_policy.log_prefix) == (bucket, "log/")
    assert after.resource_group_id == "rg-other"


def test_a_bucket_is_made_in_the_group_that_is_asked_for(shelf: Shelf) -> None:
    name = f"grouped-{uuid.uuid4().hex[:12]}"
    shelf.client.put_bucket(oss.PutBucketRequest(bucket=name, resource_group_id="rg-mine"))
    found = shelf.client.get_bucket_resource_group(oss.GetBucketResourceGroupRequest(bucket=name))
    shelf.client.delete_bucket(oss.DeleteBucketRequest(bucket=name))
    assert found.bucket_resource_group_configuration.resource_group_id == "rg-mine"


def test_the_account_blocks_public_access_of_all_its_buckets(shelf: Shelf, local_cloud: CloudInfo) -> None:
    client = shelf.client

    def look() -> int:
        return httpx.get(f"http://{local_cloud.endpoint}/{shelf.bucket}/open").status_code

    def block(is_on: bool) -> None:
        configuration = oss.PublicAccessBlockConfiguration(block_public_access=is_on)
        client.put_public_access_block(
            oss.PutPublicAccessBlockRequest(public_access_block_configuration=configuration)
        )

    client.put_bucket_acl(oss.PutBucketAclRequest(bucket=shelf.bucket, acl="public-read"))
    shelf.put("open", b"1")
    with storage_refused("NoSuchPublicAccessBlockConfiguration", 404):
        client.get_public_access_block(oss.GetPublicAccessBlockRequest())
    assert look() == 200
    try:
        block(True)
        told = client.get_public_access_block(oss.GetPublicAccessBlockRequest())
        assert told.public_access_block_configuration.block_public_access is True
        assert look() == 403
        with storage_refused("AccessDenied", 403):
            client.put_bucket_acl(oss.PutBucketAclRequest(bucket=shelf.bucket, acl="public-read-write"))
        block(False)
        assert look() == 200
    finally:
        client.delete_public_access_block(oss.DeletePublicAccessBlockRequest())
    assert look() == 200


def test_an_object_has_an_access_control_of_its_own(shelf: Shelf, local_cloud: CloudInfo) -> None:
    client, bucket = shelf.client, shelf.bucket
    shelf.put("a", b"1")
    read = oss.GetObjectAclRequest(bucket=bucket, key="a")
    assert client.get_object_acl(read).acl == "default"
    client.put_object_acl(oss.PutObjectAclRequest(bucket=bucket, key="a", acl="public-read"))
    assert client.get_object_acl(read).acl == "public-read"
    assert client.get_object_acl(read).owner.id == local_cloud.account_id
    with storage_refused("NoSuchKey", 404):
        client.get_object_acl(oss.GetObjectAclRequest(bucket=bucket, key="b"))
    with storage_refused("NoSuchKey", 404):
        client.put_object_acl(oss.PutObjectAclRequest(bucket=bucket, key="b", acl="private"))


def test_the_short_head_of_an_object_has_its_size_and_its_tag(shelf: Shelf) -> None:
    etag = shelf.put("a", b"123").etag
    found = shelf.client.get_object_meta(oss.GetObjectMetaRequest(bucket=shelf.bucket, key="a"))
    assert (found.content_length, found.etag) == (3, etag)
    with storage_refused("NoSuchKey", 404):
        shelf.client.get_object_meta(oss.GetObjectMetaRequest(bucket=shelf.bucket, key="b"))


def test_the_older_list_goes_on_after_its_marker(shelf: Shelf) -> None:
    for key in ("a", "b", "c"):
        shelf.put(key)
    first = shelf.client.list_objects(oss.ListObjectsRequest(bucket=shelf.bucket, max_keys=2))
    assert ([entry.key for entry in first.contents], first.is_truncated) == (["a", "b"], True)
    rest = shelf.client.list_objects(
        oss.ListObjectsRequest(bucket=shelf.bucket, max_keys=2, marker=first.next_marker)
    )
    assert ([entry.key for entry in rest.contents], rest.is_truncated) == (["c"], False)
