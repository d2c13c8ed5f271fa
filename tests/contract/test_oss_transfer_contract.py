"""How a training job moves data: the vendor's SDK reads data sets and writes checkpoints by its own helpers."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable
from pathlib import Path

import alibabacloud_oss_v2 as oss
import pytest
from alibabacloud_oss_v2 import aio
from contract_storage import Shelf, storage_config

PART = 256 << 10
CONTENT = random.Random(7).randbytes(5 * PART + 1234)


@pytest.fixture(params=["plain", "encrypted"])
def stored(request: pytest.FixtureRequest, shelf: Shelf) -> Shelf:
    """A bucket with a data set, plain and encrypted."""
    if request.param == "encrypted":
        default = oss.ApplyServerSideEncryptionByDefault(sse_algorithm="AES256")
        rule = oss.ServerSideEncryptionRule(apply_server_side_encryption_by_default=default)
        shelf.client.put_bucket_encryption(
            oss.PutBucketEncryptionRequest(bucket=shelf.bucket, server_side_encryption_rule=rule)
        )
    shelf.put("data", CONTENT)
    return shelf


def test_a_data_set_is_read_here_and_there_as_a_file(stored: Shelf):
    with stored.client.open_file(stored.bucket, "data") as file:
        file.seek(3 * PART - 5)
        assert file.read(10) == CONTENT[3 * PART - 5 : 3 * PART + 5]
        file.seek(-7, 2)
        assert file.read() == CONTENT[-7:]


def test_a_data_set_is_read_ahead_in_parallel(stored: Shelf):
    settings = {"enable_prefetch": True, "prefetch_num": 3, "chunk_size": PART, "prefetch_threshold": 0}
    with stored.client.open_file(stored.bucket, "data", **settings) as file:
        assert file.read() == CONTENT


def test_a_journal_grows_by_its_end(stored: Shelf):
    for pieces in ((b"step 1\n", b"step 2\n"), (b"step 3\n",)):
        with stored.client.append_file(stored.bucket, "journal") as file:
            for piece in pieces:
                file.write(piece)
    assert stored.get("journal") == b"step 1\nstep 2\nstep 3\n"


def test_an_object_is_copied_in_parts(stored: Shelf):
    copier = stored.client.copier(
        part_size=PART, multipart_copy_threshold=PART, disable_shallow_copy=True, parallel_num=2
    )
    copier.copy(
        oss.CopyObjectRequest(
            bucket=stored.bucket, key="twin", source_bucket=stored.bucket, source_key="data"
        )
    )
    assert stored.get("twin") == CONTENT
    assert stored.head("twin").hash_crc64 == stored.head("data").hash_crc64


class Interrupted(Exception):
    """The job was killed in the middle of an upload."""


def test_an_upload_that_was_interrupted_goes_on_where_it_was(stored: Shelf, tmp_path: Path):
    """With the record that the SDK keeps in a folder; the upload that was begun is the one that is completed."""
    (tmp_path / "weights").write_bytes(CONTENT)
    uploader = stored.client.uploader(
        part_size=PART, parallel_num=1, enable_checkpoint=True, checkpoint_dir=str(tmp_path)
    )

    def interrupt(increment: int, written: int, total: int) -> None:
        if written >= 3 * PART:
            raise Interrupted

    def upload(progress: Callable[[int, int, int], None] | None = None) -> oss.UploadResult:
        request = oss.PutObjectRequest(bucket=stored.bucket, key="weights", progress_fn=progress)
        return uploader.upload_file(request, str(tmp_path / "weights"))

    def begun() -> list[str]:
        request = oss.ListMultipartUploadsRequest(bucket=stored.bucket)
        return [one.upload_id for one in stored.client.list_multipart_uploads(request).uploads or ()]

    with pytest.raises(Interrupted):
        upload(interrupt)
    (upload_id,) = begun()
    assert upload().upload_id == upload_id
    assert begun() == []
    assert stored.get("weights") == CONTENT


def test_the_asynchronous_client_puts_and_gets(local_cloud, stored: Shelf):
    async def move() -> bytes:
        client = aio.AsyncClient(storage_config(local_cloud))
        try:
            await client.put_object(oss.PutObjectRequest(bucket=stored.bucket, key="aio", body=CONTENT))
            found = await client.get_object(oss.GetObjectRequest(bucket=stored.bucket, key="aio"))
            content: bytes = await found.body.read()
            return content
        finally:
            await client.close()

    assert asyncio.run(move()) == CONTENT
