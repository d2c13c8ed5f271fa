from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from dataclasses import replace

from steelyard.localcloud.services.oss import errors, metadata
from steelyard.localcloud.services.oss.blob import Segment
from steelyard.localcloud.services.oss.condition import check_conditions
from steelyard.localcloud.services.oss.document import answer_document
from steelyard.localcloud.services.oss.models import StorageObject
from steelyard.localcloud.services.oss.request import Level, StorageAnswer, StorageRequest, operation
from steelyard.localcloud.services.oss.restore_actions import check_readable
from steelyard.localcloud.services.oss.state import StorageState
from steelyard.localcloud.services.oss.text import milli_text, plain_path


class CopyActions:
    """Objects that are made of others.

    Args:
        state: What OSS keeps.
        transaction: Opens a transaction of the cloud.
    """

    def __init__(self, state: StorageState, transaction: Callable[[], AbstractContextManager[None]]) -> None:
        self._state = state
        self._transaction = transaction

    @operation(
        "CopyObject", "PUT", Level.OBJECT, header="x-oss-copy-source", action="PutObject", is_open=True
    )
    def copy_object(self, request: StorageRequest) -> StorageAnswer:
        """Put the bytes of another object, or other headers to the same one.

        No byte is moved, unless the copy is encrypted otherwise: then the cloud goes on answering meanwhile.
        """
        blobs = self._state.blobs
        with self._transaction():
            bucket = self._state.writable(request)
            source = find_source(self._state, request)
            encryption = metadata.read_encryption(request, bucket)
            if blobs.are_encrypted(source.segments, encryption):
                return self._put(request, source, encryption, lambda: blobs.twins(source.segments))
            held = blobs.hold(source.segments)
        try:
            blob = blobs.copy(source.segments, 0, source.size, encryption)
        finally:
            blobs.release(held)
        try:
            with self._transaction():
                return self._put(request, source, encryption, lambda: [(blob.name, blob.size)])
        except BaseException:
            blobs.remove([blob.name])
            raise

    def _put(
        self,
        request: StorageRequest,
        source: StorageObject,
        encryption: str,
        segments: Callable[[], Sequence[Segment]],
    ) -> StorageAnswer:
        bucket = self._state.writable(request)
        replaces_headers = request.choice("x-oss-metadata-directive", "COPY", "COPY", "REPLACE") == "REPLACE"
        replaces_tags = request.choice("x-oss-tagging-directive", "Copy", "Copy", "Replace") == "Replace"
        choices = metadata.read_choices(request, bucket)
        new = replace(
            source,
            id=f"{bucket.id}/{request.key}",
            created_at=self._state.clock(),
            object_type="Normal" if source.object_type == "Appendable" else source.object_type,
            tags=metadata.read_tagging(request) if replaces_tags else source.tags,
            headers=metadata.read_headers(request) if replaces_headers else source.headers,
            encryption=encryption,
            readable_from=0.0,
            readable_until=0.0,
            # Last: the bytes of a copy that is refused would be nobody's.
            segments=tuple(segments()),
            **choices,
        )
        new = self._state.put(bucket, new)
        body = {"LastModified": milli_text(new.created_at), "ETag": f'"{new.etag}"'}
        return answer_document("CopyObjectResult", body, **metadata.stored_headers(bucket, new))


def find_source(state: StorageState, request: StorageRequest) -> StorageObject:
    """Give the object that `x-oss-copy-source` names, if its conditions hold.

    Raises:
        StorageError: It names none, a condition does not hold, or it is archived and not restored.
    """
    value = request.header("x-oss-copy-source")
    path, _, query = value.partition("?")
    bucket_name, _, key = plain_path(path).removeprefix("/").partition("/")
    name, _, version_id = query.partition("=")
    if not key or name not in ("", "versionId"):
        raise errors.invalid_argument("x-oss-copy-source", value, "/<bucket>/<key>, perhaps with ?versionId=")
    bucket = state.bucket(bucket_name)
    found = state.read(bucket, key, version_id)
    check_conditions(request, found, "x-oss-copy-source-")
    check_readable(state, bucket, found)
    return found
