"""Objects of the archive classes, which are restored before they are read, by the vendor's SDK of OSS."""

from __future__ import annotations

import time
from email.utils import parsedate_to_datetime

import alibabacloud_oss_v2 as oss
import pytest
from contract_sdk import wait_for
from contract_storage import Shelf, storage_refused

ARCHIVES = ("Archive", "ColdArchive", "DeepColdArchive")
DAY_S = 24 * 3600
RESTORE_S = 1.0


def restore(shelf: Shelf, key: str, days: int | None = None, **settings: object) -> oss.RestoreObjectResult:
    wanted = None if days is None else oss.RestoreRequest(days=days)
    return shelf.client.restore_object(
        oss.RestoreObjectRequest(bucket=shelf.bucket, key=key, restore_request=wanted, **settings)
    )


def wait_until_readable(shelf: Shelf, key: str) -> str:
    return wait_for(
        lambda: shelf.head(key).restore, lambda told: str(told).startswith('ongoing-request="false')
    )


@pytest.mark.parametrize("storage_class", ARCHIVES)
def test_an_archived_object_is_read_once_it_is_restored(shelf: Shelf, storage_class: str) -> None:
    shelf.put("weights", b"old", storage_class=storage_class)
    with storage_refused("InvalidObjectState", 403):
        shelf.get("weights")
    before = shelf.head("weights")
    assert (before.content_length, before.storage_class, before.restore) == (3, storage_class, None)
    assert restore(shelf, "weights", days=2).status_code == 202
    told = wait_until_readable(shelf, "weights")
    expires = parsedate_to_datetime(told.partition('expiry-date="')[2].rstrip('"')).timestamp()
    assert abs(expires - time.time() - 2 * DAY_S) < 600
    assert shelf.get("weights") == b"old"
    assert restore(shelf, "weights", days=5).status_code == 200, "it is readable for longer"
    assert shelf.head("weights").restore != told


def test_a_restore_that_is_under_way_is_not_begun_again(shelf: Shelf) -> None:
    shelf.put("weights", b"old", storage_class="Archive")
    began, refusal = time.time(), ("", 0)
    restore(shelf, "weights")
    try:
        restore(shelf, "weights")
    except oss.exceptions.OperationError as err:
        refusal = (err.unwrap().code, err.unwrap().status_code)
    is_over = time.time() - began >= RESTORE_S
    assert refusal == ("RestoreAlreadyInProgress", 409) or (is_over and refusal == ("", 0))
    wait_until_readable(shelf, "weights")


def test_what_is_not_archived_or_not_there_is_not_restored(shelf: Shelf) -> None:
    for storage_class in ("Standard", "IA"):
        shelf.put("warm", b"new", storage_class=storage_class)
        assert shelf.get("warm") == b"new"
        with storage_refused("OperationNotSupported", 400):
            restore(shelf, "warm")
    with storage_refused("NoSuchKey", 404):
        restore(shelf, "nothing")
    shelf.put("weights", b"old", storage_class="Archive")
    for days in (0, 8):
        with storage_refused("MalformedXML", 400):
            restore(shelf, "weights", days=days)


def test_an_archived_object_is_the_source_of_no_other_until_it_is_restored(shelf: Shelf) -> None:
    shelf.put("weights", b"old", storage_class="Archive")
    copied = oss.CopyObjectRequest(bucket=shelf.bucket, key="copy", source_key="weights")
    upload_id = shelf.begin("parts")
    part = oss.UploadPartCopyRequest(
        bucket=shelf.bucket, key="parts", upload_id=upload_id, part_number=1, source_key="weights"
    )
    with storage_refused("InvalidObjectState", 403):
        shelf.client.copy_object(copied)
    with storage_refused("InvalidObjectState", 403):
        shelf.client.upload_part_copy(part)
    restore(shelf, "weights")
    wait_until_readable(shelf, "weights")
    shelf.client.copy_object(copied)
    shelf.client.upload_part_copy(part)
    told = shelf.head("copy")
    assert (told.storage_class, told.restore) == ("Standard", None)
    assert shelf.get("copy") == b"old"
    copied.storage_class = "Archive"
    shelf.client.copy_object(copied)
    with storage_refused("InvalidObjectState", 403):
        shelf.get("copy")


def test_a_link_leads_to_an_archived_object_once_that_is_restored(shelf: Shelf) -> None:
    shelf.put("weights", b"old", storage_class="Archive")
    shelf.client.put_symlink(
        oss.PutSymlinkRequest(bucket=shelf.bucket, key="newest", symlink_target="weights")
    )
    with storage_refused("InvalidObjectState", 403):
        shelf.get("newest")
    restore(shelf, "weights")
    wait_until_readable(shelf, "weights")
    assert shelf.get("newest") == b"old"
