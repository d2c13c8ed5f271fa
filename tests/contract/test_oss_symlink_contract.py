"""Links of OSS through the vendor's SDK, e.g. `latest` to the newest of a run's checkpoints."""

from __future__ import annotations

from urllib.parse import unquote

import alibabacloud_oss_v2 as oss
from contract_storage import Shelf, storage_refused


def link(shelf: Shelf, key: str, target: str, **settings: object) -> oss.PutSymlinkResult:
    return shelf.client.put_symlink(
        oss.PutSymlinkRequest(bucket=shelf.bucket, key=key, symlink_target=target, **settings)
    )


def target_of(shelf: Shelf, key: str) -> oss.GetSymlinkResult:
    return shelf.client.get_symlink(oss.GetSymlinkRequest(bucket=shelf.bucket, key=key))


def test_a_link_gives_the_bytes_of_its_target_also_when_it_is_put_anew(shelf: Shelf):
    shelf.put("runs/step 10", b"ten", content_type="application/x-weights")
    shelf.put("runs/step 20", b"twenty")
    link(shelf, "latest", "runs/step 10", metadata={"by": "rank-0"})
    assert shelf.get("latest") == b"ten"
    head = shelf.head("latest")
    assert (head.object_type, head.content_length) == ("Symlink", 3)
    assert head.etag == shelf.head("runs/step 10").etag
    assert head.content_type == "application/x-weights"
    assert (
        unquote(target_of(shelf, "latest").target) == "runs/step 10"
    )  # The header is encoded; this SDK leaves it so.
    assert target_of(shelf, "latest").metadata == {"by": "rank-0"}
    link(shelf, "latest", "runs/step 20")
    assert shelf.get("latest", range_header="bytes=0-2") == b"twe"
    shelf.put("runs/step 20", b"twenty again")
    assert shelf.get("latest") == b"twenty again"


def test_a_target_need_not_be_there_but_to_be_read(shelf: Shelf):
    link(shelf, "latest", "nowhere")
    with storage_refused("SymlinkTargetNotExist", 404):
        shelf.get("latest")
    link(shelf, "further", "latest")
    with storage_refused("InvalidTargetType", 400):
        shelf.head("further")


def test_what_is_no_link_has_no_target(shelf: Shelf):
    shelf.put("plain", b"1")
    with storage_refused("NotSymlink", 400):
        target_of(shelf, "plain")
    with storage_refused("NoSuchKey", 404):
        target_of(shelf, "nowhere")


def test_a_link_is_listed_copied_and_deleted_by_itself(shelf: Shelf):
    shelf.put("weights", b"12345")
    link(shelf, "latest", "weights")
    listed = shelf.client.list_objects_v2(oss.ListObjectsV2Request(bucket=shelf.bucket)).contents
    assert [(entry.key, entry.object_type) for entry in listed] == [
        ("latest", "Symlink"),
        ("weights", "Normal"),
    ]
    shelf.client.copy_object(
        oss.CopyObjectRequest(
            bucket=shelf.bucket, key="twin", source_bucket=shelf.bucket, source_key="latest"
        )
    )
    assert target_of(shelf, "twin").target == "weights"
    shelf.delete("latest")
    assert shelf.get("weights") == shelf.get("twin") == b"12345"


def test_a_link_does_not_overwrite_where_that_is_forbidden(shelf: Shelf):
    shelf.put("latest", b"1")
    with storage_refused("FileAlreadyExists", 409):
        link(shelf, "latest", "weights", forbid_overwrite=True)
    assert shelf.get("latest") == b"1"


def test_a_link_has_versions(shelf: Shelf):
    shelf.versioning("Enabled")
    shelf.put("weights", b"1")
    first = link(shelf, "latest", "weights").version_id
    link(shelf, "latest", "nowhere")
    assert shelf.get("latest", version_id=first) == b"1"
