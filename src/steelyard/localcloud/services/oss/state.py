"""OSS's records in the store, and the rules of versions by which they take each other's place."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Collection, Iterable, Iterator
from dataclasses import replace
from typing import TypeVar

from steelyard.localcloud.record import Record, Records
from steelyard.localcloud.services.oss import errors
from steelyard.localcloud.services.oss.blob import BlobStore, Segment
from steelyard.localcloud.services.oss.document import kept_text
from steelyard.localcloud.services.oss.metadata import check_key
from steelyard.localcloud.services.oss.models import (
    UNVERSIONED,
    Bucket,
    OldVersion,
    Part,
    StorageAccount,
    StorageObject,
    Upload,
)
from steelyard.localcloud.services.oss.request import StorageRequest
from steelyard.localcloud.store import Store

_BATCH = 500
_LATEST_US = 10**18

R = TypeVar("R", bound=Record)


class StorageState:
    """Buckets, objects and uploads. Its methods are called inside of the cloud's transactions.

    Args:
        store: The cloud's state.
        blobs: The objects' bytes.
        after_commit: Runs a call once the open transaction is kept.
        clock: Gives the Unix time.
        has_quotas: Whether the account's quotas hold.
    """

    def __init__(
        self,
        store: Store,
        blobs: BlobStore,
        after_commit: Callable[[Callable[[], None]], None],
        clock: Callable[[], float],
        has_quotas: bool = True,
    ) -> None:
        self._store = store
        self.blobs = blobs
        self.after_commit = after_commit
        self.clock = clock
        self.has_quotas = has_quotas
        self.accounts = Records(store, StorageAccount)
        self.buckets = Records(store, Bucket)
        self.objects = Records(store, StorageObject)
        self.uploads = Records(store, Upload)
        self.parts = Records(store, Part)

    def bucket(self, name: str) -> Bucket:
        """Give a bucket.

        Raises:
            StorageError: `NoSuchBucket`.
        """
        bucket = self.buckets.get(name)
        if bucket is None:
            raise errors.bucket_not_found(name)
        return bucket

    def scan(
        self, record_type: type[R], start: str, *, limit: int = _BATCH, is_inclusive: bool = True
    ) -> list[R]:
        """Give records in the order of their ids, from `start` on."""
        found = self._store.scan(record_type.kind, start, limit=limit, is_inclusive=is_inclusive)
        return [record_type.from_body(body) for _, body in found]

    def walk(self, record_type: type[R], prefix: str) -> Iterator[R]:
        """Give all records whose ids begin with `prefix`, in order."""
        start, is_inclusive = prefix, True
        while batch := self.scan(record_type, start, is_inclusive=is_inclusive):
            for record in batch:
                if not record.id.startswith(prefix):
                    return
                yield record
            start, is_inclusive = batch[-1].id, False

    def is_empty(self, bucket: Bucket) -> bool:
        """Tell whether a bucket holds no object, version, delete marker or upload."""
        prefix = f"{bucket.id}/"
        kinds: tuple[type[Record], ...] = (StorageObject, OldVersion, Upload)
        return not any(
            record.id.startswith(prefix) for kind in kinds for record in self.scan(kind, prefix, limit=1)
        )

    def find(self, bucket: Bucket, key: str, version_id: str = "") -> StorageObject | None:
        """Give an object's newest version, which may be a delete marker, or the one that is named."""
        newest = self.objects.get(f"{bucket.id}/{key}")
        if newest is None or version_id in ("", newest.version_id):
            return newest
        return next((old for old in self.old_versions(newest.id) if old.version_id == version_id), None)

    def read(self, bucket: Bucket, key: str, version_id: str = "") -> StorageObject:
        """Give an object's version to read.

        Raises:
            StorageError: `NoSuchKey`, `NoSuchVersion`, or `MethodNotAllowed` where a delete marker was named.
        """
        found = self.find(bucket, key, version_id)
        if found is None:
            raise errors.version_not_found(key, version_id) if version_id else errors.object_not_found(key)
        if found.is_delete_marker:
            if version_id:
                raise errors.delete_marker(key, version_id)
            raise errors.object_not_found(key, marker=found.version_id)
        return found

    def is_public_blocked(self, bucket: Bucket) -> bool:
        """Tell whether a bucket, or the account, refuses strangers, whatever access control and policy say."""
        account = self.accounts.get(StorageAccount.ID)
        documents = (account.public_block if account else "", bucket.settings.get("publicAccessBlock", ""))
        return any(kept_text(document, "BlockPublicAccess") == "true" for document in documents)

    def writable(self, request: StorageRequest) -> Bucket:
        """Give the bucket of a call that may put an object there.

        Raises:
            StorageError: `NoSuchBucket`, `InvalidObjectName`, or `FileAlreadyExists` where nothing may be overwritten.
        """
        bucket = self.bucket(request.bucket)
        check_key(request.key)
        if request.header("x-oss-forbid-overwrite") == "true":
            known = self.find(bucket, request.key)
            if known is not None and not known.is_delete_marker:
                raise errors.object_exists(request.key)
        return bucket

    def old_versions(self, object_id: str) -> Iterator[StorageObject]:
        """Give an object's versions but the newest, newer ones first."""
        for old in self.walk(OldVersion, f"{object_id}\0"):
            yield StorageObject(**{**vars(old), "id": object_id})

    def put(self, bucket: Bucket, new: StorageObject) -> StorageObject:
        """Make an object's newest version, and keep or remove the one before it as the bucket's versioning has it."""
        is_kept = bucket.versioning == "Enabled"
        new = replace(new, version_id=f"CAEQ{secrets.token_hex(26)}" if is_kept else UNVERSIONED)
        newest = self.objects.get(new.id)
        if newest is not None:
            self._supersede(bucket, newest, new)
        self.objects.put(new)
        return new

    def _supersede(self, bucket: Bucket, newest: StorageObject, new: StorageObject) -> None:
        if newest.version_id == new.version_id:
            self.remove_blobs(newest.blob_names, kept=new.blob_names)
            return
        if bucket.versioning == "Suspended":
            for old in self.old_versions(newest.id):
                if old.version_id == UNVERSIONED:
                    self._forget(old)
        self._keep_old(newest)

    def _keep_old(self, version: StorageObject) -> None:
        kept = OldVersion(**{**vars(version), "id": _old_id(version)})
        self._store.put(OldVersion.kind, kept.id, kept.to_body())

    def delete(self, bucket: Bucket, key: str, version_id: str = "") -> StorageObject | None:
        """Delete an object, or one version of it.

        Returns:
            The delete marker that was made or removed, or the version that was removed; None where there was nothing.
        """
        object_id = f"{bucket.id}/{key}"
        newest = self.objects.get(object_id)
        if version_id:
            return self._delete_version(bucket, key, version_id)
        if bucket.versioning:
            marker = StorageObject(id=object_id, created_at=self.clock(), is_delete_marker=True)
            return self.put(bucket, marker)
        if newest is not None:
            self.objects.delete(object_id)
            self.remove_blobs(newest.blob_names)
        return None

    def _delete_version(self, bucket: Bucket, key: str, version_id: str) -> StorageObject | None:
        found = self.find(bucket, key, version_id)
        if found is None:
            return None
        newest = self.objects.get(found.id)
        if newest is None or newest.version_id != version_id:
            self._forget(found)
            return found
        self.objects.delete(found.id)
        self.remove_blobs(found.blob_names)
        heir = next(self.old_versions(found.id), None)
        if heir is not None:
            self._store.delete(OldVersion.kind, _old_id(heir))
            self.objects.put(heir)
        return found

    def change(self, version: StorageObject) -> None:
        """Write a version that stands already, the newest or an old one, with other values."""
        newest = self.objects.get(version.id)
        if newest is not None and newest.version_id == version.version_id:
            self.objects.put(version)
        else:
            self._keep_old(version)

    def _forget(self, old: StorageObject) -> None:
        self._store.delete(OldVersion.kind, _old_id(old))
        self.remove_blobs(old.blob_names)

    def forget_upload(self, upload: Upload, kept: Collection[str] = ()) -> None:
        """Remove an upload with its parts, of whose blobs some may be kept."""
        parts = list(self.walk(Part, f"{upload.id}/"))
        for part in parts:
            self.parts.delete(part.id)
        self.remove_blobs([part.blob for part in parts], kept=kept)
        self.uploads.delete(upload.id)

    def remove_blobs(self, names: Iterable[str], kept: Iterable[str] = ()) -> None:
        """Remove blobs once the transaction is kept."""
        gone = set(names) - set(kept)
        if gone:
            self.after_commit(lambda: self.blobs.remove(gone))

    def used_blobs(self) -> set[str]:
        """Name every blob that a record refers to."""
        segments: set[Segment] = set()
        for kind in (StorageObject, OldVersion):
            for record in self.walk(kind, ""):
                segments.update((name, size) for name, size in record.segments)
        return {name for name, _ in segments} | {part.blob for part in self.walk(Part, "")}


def _old_id(version: StorageObject) -> str:
    # Newer ones come first; two of one microsecond are told apart by their version ids.
    return f"{version.id}\0{_LATEST_US - int(version.created_at * 1e6):018d}{version.version_id}"
