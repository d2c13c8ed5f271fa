"""Server-side encryption of OSS through the vendor's SDK, beside the bytes that stand on the disk."""

from __future__ import annotations

from pathlib import Path

import alibabacloud_oss_v2 as oss
import pytest
from contract_storage import Shelf, storage_client, storage_refused

from steelyard.localcloud import daemon
from steelyard.localcloud.daemon import CloudInfo

PLAIN = b"the weights of a model that nobody else may read" * 4096


@pytest.fixture
def on_disk(local_cloud: CloudInfo):
    """Tell whether a piece of plain text stands anywhere in the cloud's blobs."""
    folder = Path(local_cloud.data_dir) / "oss"
    before = set(folder.iterdir())

    def stands(text: bytes) -> bool:
        return any(text in path.read_bytes() for path in set(folder.iterdir()) - before)

    return stands


def encrypt_by_default(shelf: Shelf, algorithm: str, **settings: object) -> None:
    default = oss.ApplyServerSideEncryptionByDefault(sse_algorithm=algorithm, **settings)
    shelf.client.put_bucket_encryption(
        oss.PutBucketEncryptionRequest(
            bucket=shelf.bucket,
            server_side_encryption_rule=oss.ServerSideEncryptionRule(
                apply_server_side_encryption_by_default=default
            ),
        )
    )


def copy(shelf: Shelf, source: str, key: str, **settings: object) -> oss.CopyObjectResult:
    return shelf.client.copy_object(
        oss.CopyObjectRequest(
            bucket=shelf.bucket, key=key, source_bucket=shelf.bucket, source_key=source, **settings
        )
    )


@pytest.mark.parametrize("algorithm", ["AES256", "SM4"])
def test_an_object_is_encrypted_on_the_disk_and_plain_to_who_may_read_it(shelf: Shelf, on_disk, algorithm):
    put = shelf.put("weights", PLAIN, server_side_encryption=algorithm)
    assert put.headers["x-oss-server-side-encryption"] == algorithm
    assert not on_disk(PLAIN[:64])
    assert shelf.get("weights") == PLAIN
    assert shelf.head("weights").server_side_encryption == algorithm


def test_a_range_is_read_from_the_middle_of_what_is_encrypted(shelf: Shelf):
    shelf.put("weights", PLAIN, server_side_encryption="AES256")
    for start, end in ((0, 0), (1, 15), (15, 17), (16, 31), (4099, 70_000), (len(PLAIN) - 3, len(PLAIN) - 1)):
        assert shelf.get("weights", range_header=f"bytes={start}-{end}") == PLAIN[start : end + 1]


def test_a_buckets_default_holds_for_what_is_put_afterwards(shelf: Shelf, on_disk):
    shelf.put("before", PLAIN)
    assert on_disk(PLAIN[:64])
    shelf.delete("before")
    encrypt_by_default(shelf, "AES256")
    shelf.put("after", PLAIN)
    shelf.put("other", PLAIN, server_side_encryption="SM4")
    assert [shelf.head(key).server_side_encryption for key in ("after", "other")] == ["AES256", "SM4"]
    assert not on_disk(PLAIN[:64])


def test_parts_are_encrypted_as_their_upload_was_begun(shelf: Shelf, on_disk):
    upload_id = shelf.begin("weights", server_side_encryption="AES256")
    shelf.put("source", PLAIN, server_side_encryption="SM4")
    part = shelf.upload_part("weights", upload_id, 1, PLAIN)
    copied = shelf.client.upload_part_copy(
        oss.UploadPartCopyRequest(
            bucket=shelf.bucket,
            key="weights",
            upload_id=upload_id,
            part_number=2,
            source_bucket=shelf.bucket,
            source_key="source",
            source_range="bytes=7-99",
        )
    )
    shelf.complete("weights", upload_id, [part, oss.UploadPart(part_number=2, etag=copied.etag)])
    assert shelf.head("weights").server_side_encryption == "AES256"
    assert shelf.get("weights") == PLAIN + PLAIN[7:100]
    assert not on_disk(PLAIN[:64])


def test_appended_bytes_are_encrypted_too(shelf: Shelf, on_disk):
    encrypt_by_default(shelf, "AES256")
    for position, piece in ((0, PLAIN[:1000]), (1000, PLAIN[1000:3000])):
        shelf.client.append_object(
            oss.AppendObjectRequest(bucket=shelf.bucket, key="log", position=position, body=piece)
        )
    assert shelf.get("log") == PLAIN[:3000]
    assert not on_disk(PLAIN[:64])


def test_a_copy_is_encrypted_as_its_own_place_wants_it(shelf: Shelf, on_disk):
    shelf.put("plain", PLAIN)
    assert copy(shelf, "plain", "secret", server_side_encryption="AES256").server_side_encryption == "AES256"
    shelf.delete("plain")
    assert not on_disk(PLAIN[:64])
    assert copy(shelf, "secret", "twin", server_side_encryption="AES256").server_side_encryption == "AES256"
    assert shelf.get("twin") == shelf.get("secret") == PLAIN
    assert shelf.head("secret").hash_crc64 == shelf.head("twin").hash_crc64
    assert copy(shelf, "secret", "plain").server_side_encryption is None
    assert on_disk(PLAIN[:64])


def test_a_key_of_kms_is_refused_by_its_name(shelf: Shelf):
    for settings in (
        {"server_side_encryption": "KMS"},
        {"server_side_encryption": "KMS", "server_side_encryption_key_id": "key-1"},
    ):
        with storage_refused("KmsServiceNotEnabled", 403):
            shelf.put("never", PLAIN, **settings)
        with storage_refused("KmsServiceNotEnabled", 403):
            shelf.begin("never", **settings)
    with storage_refused("KmsServiceNotEnabled", 403):
        encrypt_by_default(shelf, "KMS")
    with storage_refused("InvalidEncryptionAlgorithmError", 400):
        shelf.put("never", PLAIN, server_side_encryption="DES")
    with storage_refused("InvalidEncryptionAlgorithmError", 400):
        encrypt_by_default(shelf, "DES")
    assert shelf.keys() == []


def test_the_key_outlives_a_restart_and_is_nobody_elses_to_read(tmp_path: Path):
    info = daemon.start(tmp_path)
    shelf = Shelf(storage_client(info), "kept")
    shelf.client.put_bucket(oss.PutBucketRequest(bucket=shelf.bucket))
    shelf.put("weights", PLAIN, server_side_encryption="AES256")
    daemon.stop(tmp_path)
    key_file = tmp_path / "oss.key"
    assert (key_file.stat().st_mode & 0o777, key_file.stat().st_size) == (0o600, 32)
    try:
        again = Shelf(storage_client(daemon.start(tmp_path)), "kept")
        assert again.get("weights") == PLAIN
    finally:
        daemon.stop(tmp_path)
        daemon.purge(tmp_path)
    assert not key_file.exists()


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
