from __future__ import annotations

import random
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from steelyard.localcloud.services.oss.blob import BlobStore
from steelyard.localcloud.services.oss.checksum import extend_crc64, join_crc64
from steelyard.localcloud.services.oss.listing import Selection, list_page, make_token, read_token
from steelyard.localcloud.services.oss.models import Bucket, StorageObject
from steelyard.localcloud.services.oss.state import StorageState
from steelyard.localcloud.store import Store

KEYS = st.text(alphabet="ab/é\ud7ff\ue000\U0001f600", min_size=1, max_size=6)


def _state(folder: Path) -> StorageState:
    store = Store(folder / "state.sqlite")
    return StorageState(store, BlobStore(folder / "blobs"), lambda call: call(), lambda: 1_800_000_000.0)


@settings(max_examples=60)
@given(keys=st.sets(KEYS, max_size=25), prefix=st.text(alphabet="ab/", max_size=2), size=st.integers(1, 4))
def test_pages_together_list_each_key_or_its_common_prefix_once_and_in_order(
    tmp_path_factory: pytest.TempPathFactory, keys: set[str], prefix: str, size: int
) -> None:
    state = _state(tmp_path_factory.mktemp("listing"))
    for bucket in ("b", "b0", "a"):  # neighbours that must not be seen
        for key in keys:
            state.objects.put(StorageObject(id=f"{bucket}/{key}", created_at=1.0))

    for delimiter in ("", "/"):
        wanted = set()
        for key in keys:
            if key.startswith(prefix):
                end = key.find(delimiter, len(prefix)) if delimiter else -1
                wanted.add(key if end < 0 else key[: end + 1])
        listed: list[str] = []
        after, is_truncated = "", True
        while is_truncated:
            selection = Selection(bucket="b", prefix=prefix, delimiter=delimiter, after=after, max_keys=size)
            page = list_page(state, StorageObject, selection)
            entries = sorted([*(record.key for record in page.records), *page.prefixes], key=str.encode)
            assert len(entries) <= size
            listed += entries
            after, is_truncated = read_token(make_token(page.last)), page.is_truncated
        assert listed == sorted(wanted, key=str.encode)


@given(first=st.binary(max_size=200), second=st.binary(max_size=200))
def test_the_checksum_of_two_texts_is_made_of_those_of_each(first: bytes, second: bytes) -> None:
    whole = extend_crc64(0, first + second)
    assert extend_crc64(extend_crc64(0, first), second) == whole
    assert join_crc64(extend_crc64(0, first), extend_crc64(0, second), len(second)) == whole


def test_the_checksum_is_the_one_that_its_standard_gives() -> None:
    assert extend_crc64(0, b"123456789") == 0x995DC9BBDF1939FA


def test_versions_of_a_key_are_kept_in_any_order_of_puts_and_deletes(tmp_path: Path) -> None:
    now = 1_800_000_000.0

    def clock() -> float:
        nonlocal now
        now += 0.001
        return now

    store = Store(tmp_path / "state.sqlite")
    state = StorageState(store, BlobStore(tmp_path / "blobs"), lambda call: call(), clock)
    draw = random.Random(7)
    bucket = Bucket(id="b", created_at=0.0, region_id="cn-hangzhou", versioning="Enabled")
    alive: list[str] = []  # oldest first
    for _ in range(200):
        choice = draw.random()
        if choice < 0.5:
            alive.append(state.put(bucket, StorageObject(id="b/k", created_at=clock())).version_id)
        elif choice < 0.7:
            marker = state.delete(bucket, "k")
            assert marker is not None
            alive.append(marker.version_id)
        elif alive:
            gone = alive.pop(draw.randrange(len(alive)))
            assert state.delete(bucket, "k", gone) is not None
        newest = state.find(bucket, "k")
        found = [] if newest is None else [newest, *state.old_versions("b/k")]
        assert [version.version_id for version in found] == alive[::-1]
    for version_id in list(alive):
        state.delete(bucket, "k", version_id)
    assert state.is_empty(bucket)


def test_a_blob_that_is_read_outlives_its_removal(tmp_path: Path) -> None:
    blobs = BlobStore(tmp_path)
    writer = blobs.writer()
    writer.write(b"content")
    blob = writer.close()
    segments = [(blob.name, blob.size)]
    with blobs.held(segments):
        blobs.remove([blob.name])
        assert b"".join(blobs.read(segments, 0, 7)) == b"content"
    assert list(tmp_path.iterdir()) == []


def _encrypted(blobs: BlobStore) -> list[tuple[str, int]]:
    writer = blobs.writer("AES256")
    writer.write(b"content")
    blob = writer.close()
    return [(blob.name, blob.size)]


def test_a_blob_whose_key_is_gone_is_not_given_as_something_else(tmp_path: Path) -> None:
    key_file = tmp_path / "blobs.key"
    segments = _encrypted(BlobStore(tmp_path / "blobs"))
    assert b"".join(BlobStore(tmp_path / "blobs").read(segments, 0, 7)) == b"content"
    key_file.write_bytes(b"short")
    with pytest.raises(OSError, match="is no key"):
        b"".join(BlobStore(tmp_path / "blobs").read(segments, 0, 7))
    key_file.unlink()
    with pytest.raises(FileNotFoundError):
        b"".join(BlobStore(tmp_path / "blobs").read(segments, 0, 7))
    assert not key_file.exists(), "reading makes no other key"


def test_threads_that_encrypt_for_the_first_time_agree_on_the_key(tmp_path: Path) -> None:
    blobs = BlobStore(tmp_path / "blobs")
    with ThreadPoolExecutor(8) as threads:
        made = list(threads.map(lambda _: _encrypted(blobs), range(32)))
    again = BlobStore(tmp_path / "blobs")
    assert {b"".join(again.read(segments, 0, 7)) for segments in made} == {b"content"}
    assert {path.name for path in tmp_path.iterdir()} == {"blobs", "blobs.key"}


def test_a_start_removes_what_no_record_refers_to(tmp_path: Path) -> None:
    blobs = BlobStore(tmp_path)
    kept, left = blobs.writer(), blobs.writer()
    kept_name, _ = kept.close().name, left.close()
    assert blobs.sweep({kept_name}) == 1
    assert [path.name for path in tmp_path.iterdir()] == [kept_name]
