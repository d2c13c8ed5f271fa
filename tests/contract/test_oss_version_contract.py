"""Versions of objects, and rules that end them, through the vendor's SDK."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import alibabacloud_oss_v2 as oss
import pytest
from contract_sdk import wait_for
from contract_storage import Shelf, storage_refused


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
