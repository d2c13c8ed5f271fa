"""How objects grow and are put together, through the vendor's SDK: appended, in parts, by its uploader."""

from __future__ import annotations

import alibabacloud_oss_v2 as oss
import pytest
from contract_storage import Shelf, storage_refused

MIB = 1 << 20


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
