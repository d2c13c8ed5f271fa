"""Symbolic links: objects that stand for others of their bucket."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from urllib.parse import quote, unquote

from steelyard.localcloud.services.oss import errors, metadata
from steelyard.localcloud.services.oss.models import Bucket, StorageObject
from steelyard.localcloud.services.oss.request import Level, StorageAnswer, StorageRequest, operation
from steelyard.localcloud.services.oss.state import StorageState
from steelyard.localcloud.services.oss.text import http_text

SYMLINK = "Symlink"
_TARGET = "x-oss-symlink-target"


class SymlinkActions:
    """Makes links and tells where they lead.

    Args:
        state: What OSS keeps.
    """

    def __init__(self, state: StorageState) -> None:
        self._state = state

    @operation("PutSymlink", "PUT", Level.OBJECT, "symlink", action="PutObject")
    def put_symlink(self, request: StorageRequest) -> StorageAnswer:
        """Make a link to an object, which need not be there."""
        bucket = self._state.writable(request)
        target = unquote(request.header(_TARGET))
        if not target:
            raise errors.invalid_argument(_TARGET, target, "the key of an object")
        metadata.check_key(target)
        link = StorageObject(
            id=f"{bucket.id}/{request.key}",
            created_at=self._state.clock(),
            object_type=SYMLINK,
            target=target,
            etag=hashlib.md5(target.encode(), usedforsecurity=False).hexdigest().upper(),
            headers=metadata.read_headers(request),
            **metadata.read_choices(request, bucket),
        )
        link = self._state.put(bucket, link)
        return StorageAnswer(headers={"ETag": f'"{link.etag}"', **metadata.version_headers(bucket, link)})

    @operation("GetSymlink", "GET", Level.OBJECT, "symlink", action="GetObject")
    def get_symlink(self, request: StorageRequest) -> StorageAnswer:
        """Tell where a link leads."""
        bucket = self._state.bucket(request.bucket)
        link = self._state.read(bucket, request.key, request.query.get("versionId", ""))
        if link.object_type != SYMLINK:
            raise errors.not_a_symlink(request.key)
        meta = {name: value for name, value in link.headers.items() if name.startswith("x-oss-meta-")}
        headers = {
            _TARGET: quote(link.target, safe="/"),
            "ETag": f'"{link.etag}"',
            "Last-Modified": http_text(link.created_at),
            **meta,
            **metadata.version_headers(bucket, link),
        }
        return StorageAnswer(headers=headers)


def follow(state: StorageState, bucket: Bucket, found: StorageObject) -> StorageObject:
    """Give what a reader gets of an object: of a link the bytes of its target, under the link's own metadata.

    Raises:
        StorageError: `SymlinkTargetNotExist`, or `InvalidTargetType` where the target is a link, too.
    """
    if found.object_type != SYMLINK:
        return found
    target = state.find(bucket, found.target)
    if target is None or target.is_delete_marker:
        raise errors.symlink_target_not_found(found.target)
    if target.object_type == SYMLINK:
        raise errors.symlink_of_symlink(found.target)
    content_type = {"content-type": target.headers.get("content-type", "")}
    return replace(
        found,
        created_at=max(found.created_at, target.created_at),
        size=target.size,
        etag=target.etag,
        crc64=target.crc64,
        segments=target.segments,
        encryption=target.encryption,
        headers={**found.headers, **content_type},
    )
