from __future__ import annotations

import hashlib
from dataclasses import replace
from urllib.parse import quote

from steelyard.localcloud.services.oss import errors, metadata
from steelyard.localcloud.services.oss.checksum import join_crc64
from steelyard.localcloud.services.oss.condition import check_conditions, read_range
from steelyard.localcloud.services.oss.document import answer_document, child_text, read_document
from steelyard.localcloud.services.oss.models import Bucket, StorageObject
from steelyard.localcloud.services.oss.request import Body, Level, StorageAnswer, StorageRequest, operation
from steelyard.localcloud.services.oss.restore_actions import check_readable, restore_headers
from steelyard.localcloud.services.oss.state import StorageState
from steelyard.localcloud.services.oss.symlink_actions import follow
from steelyard.localcloud.services.oss.text import http_text

_MAX_APPENDS = 10_000
_OVERRIDES = (
    "content-type",
    "content-language",
    "expires",
    "cache-control",
    "content-disposition",
    "content-encoding",
)


class ObjectActions:
    """Objects one by one.

    Args:
        state: What OSS keeps.
        owner_id: The account.
    """

    def __init__(self, state: StorageState, owner_id: str) -> None:
        self._state = state
        self._owner = {"ID": owner_id, "DisplayName": owner_id}

    @operation("PutObject", "PUT", Level.OBJECT, body=Body.OBJECT)
    def put_object(self, request: StorageRequest) -> StorageAnswer:
        """Put an object in place of the one of this key, if any."""
        bucket = self._state.writable(request)
        metadata.check_digest(request, request.body)
        blob = request.body
        new = StorageObject(
            id=f"{bucket.id}/{request.key}",
            created_at=self._state.clock(),
            tags=metadata.read_tagging(request),
            size=blob.size,
            etag=blob.md5,
            crc64=str(blob.crc64),
            segments=((blob.name, blob.size),),
            headers=metadata.read_headers(request),
            encryption=blob.encryption,
            **metadata.read_choices(request, bucket),
        )
        new = self._state.put(bucket, new)
        headers = metadata.stored_headers(bucket, new)
        return StorageAnswer(
            headers={**headers, "Content-MD5": metadata.object_headers(bucket, new)["Content-MD5"]}
        )

    @operation("GetObject", "GET", Level.OBJECT)
    def get_object(self, request: StorageRequest) -> StorageAnswer:
        """Give an object's bytes, or a range of them."""
        bucket = self._state.bucket(request.bucket)
        stored = self._state.read(bucket, request.key, request.query.get("versionId", ""))
        answer = self._answer(request, bucket, stored)
        check_readable(self._state, bucket, stored)
        return answer

    def _answer(self, request: StorageRequest, bucket: Bucket, stored: StorageObject) -> StorageAnswer:
        found = follow(self._state, bucket, stored)
        check_conditions(request, found)
        headers = {
            **metadata.object_headers(bucket, found),
            **restore_headers(stored, self._state.clock()),
        }
        overrides = {
            name: request.query[f"response-{name}"]
            for name in _OVERRIDES
            if f"response-{name}" in request.query
        }
        content_type = overrides.pop("content-type", found.headers.get("content-type", ""))
        headers.update(overrides)
        wanted = request.header("range")
        is_standard = request.header("x-oss-range-behavior") == "standard"
        part = read_range(wanted, found.size, is_standard=is_standard) if wanted else None
        status, start, end = 200, 0, found.size
        if part is not None:
            status, (start, end) = 206, part
            headers["Content-Range"] = f"bytes {start}-{end - 1}/{found.size}"
        return StorageAnswer(
            status=status,
            headers=headers,
            content_type=content_type,
            segments=found.segments,
            start=start,
            end=end,
        )

    @operation("HeadObject", "HEAD", Level.OBJECT, action="GetObject")
    def head_object(self, request: StorageRequest) -> StorageAnswer:
        """Tell everything about an object but its bytes."""
        bucket = self._state.bucket(request.bucket)
        stored = self._state.read(bucket, request.key, request.query.get("versionId", ""))
        return replace(self._answer(request, bucket, stored), status=200)

    @operation("GetObjectMeta", "HEAD", Level.OBJECT, "objectMeta", action="GetObject")
    def get_object_meta(self, request: StorageRequest) -> StorageAnswer:
        """Tell length, tag and last change of an object."""
        bucket, found = self._readable(request)
        headers = {**metadata.stored_headers(bucket, found), "Last-Modified": http_text(found.created_at)}
        return StorageAnswer(headers=headers, segments=found.segments, end=found.size)

    @operation("DeleteObject", "DELETE", Level.OBJECT)
    def delete_object(self, request: StorageRequest) -> StorageAnswer:
        """Delete an object; one that is not there is fine."""
        bucket = self._state.bucket(request.bucket)
        version_id = request.query.get("versionId", "")
        gone = self._state.delete(bucket, request.key, version_id)
        if gone is None or not bucket.versioning:
            return StorageAnswer(status=204)
        headers = {"x-oss-version-id": gone.version_id}
        if gone.is_delete_marker:
            headers["x-oss-delete-marker"] = "true"
        return StorageAnswer(status=204, headers=headers)

    @operation(
        "DeleteMultipleObjects", "POST", Level.BUCKET, "delete", body=Body.DOCUMENT, action="DeleteObject"
    )
    def delete_multiple_objects(self, request: StorageRequest) -> StorageAnswer:
        """Delete up to 1000 objects at once."""
        bucket = self._state.bucket(request.bucket)
        root = read_document(request.document, "Delete")
        wanted = [
            (entry.findtext("Key") or "", child_text(entry, "VersionId")) for entry in root.iterfind("Object")
        ]
        if not 1 <= len(wanted) <= 1000:
            raise errors.malformed_xml(f"{len(wanted)} objects are named, want 1 to 1000")
        is_url = request.query.get("encoding-type") == "url"
        deleted: list[dict[str, object]] = []
        for key, version_id in wanted:
            metadata.check_key(key)
            gone = self._state.delete(bucket, key, version_id)
            is_marker = gone is not None and gone.is_delete_marker
            deleted.append(
                {
                    "Key": quote(key, safe="/") if is_url else key,
                    "VersionId": version_id or None,
                    "DeleteMarker": True if is_marker else None,
                    "DeleteMarkerVersionId": gone.version_id if gone is not None and is_marker else None,
                }
            )
        if child_text(root, "Quiet") == "true":
            return StorageAnswer()
        return answer_document(
            "DeleteResult", {"EncodingType": "url" if is_url else None, "Deleted": deleted}
        )

    @operation(
        "AppendObject", "POST", Level.OBJECT, "append", "position", body=Body.OBJECT, action="PutObject"
    )
    def append_object(self, request: StorageRequest) -> StorageAnswer:
        """Append bytes to an object, which is made where it is not there."""
        bucket = self._state.bucket(request.bucket)
        metadata.check_key(request.key)
        metadata.check_digest(request, request.body)
        position = request.number("position", 0, 0, 1 << 62)
        known = self._state.find(bucket, request.key)
        if known is not None and known.is_delete_marker:
            known = None
        if known is not None and known.object_type != "Appendable":
            raise errors.not_appendable(request.key)
        size = known.size if known else 0
        if position != size:
            raise errors.wrong_position(size)
        if bucket.versioning == "Enabled" and known is None:
            raise errors.access_denied("Objects cannot be appended to in a bucket that keeps versions.")
        if known is not None and len(known.segments) >= _MAX_APPENDS:
            raise errors.invalid_argument(
                "position", position, f"at most {_MAX_APPENDS} appends to one object"
            )
        new = self._appended(request, bucket, known)
        if known is None:
            new = self._state.put(bucket, new)
        else:
            self._state.objects.put(new)
        headers = {**metadata.stored_headers(bucket, new), "x-oss-next-append-position": str(new.size)}
        return StorageAnswer(headers=headers)

    def _appended(
        self, request: StorageRequest, bucket: Bucket, known: StorageObject | None
    ) -> StorageObject:
        blob = request.body
        if known is None:
            known = StorageObject(
                id=f"{bucket.id}/{request.key}",
                created_at=0.0,
                object_type="Appendable",
                headers=metadata.read_headers(request),
                tags=metadata.read_tagging(request),
                encryption=blob.encryption,
                **metadata.read_choices(request, bucket),
            )
        # The real tag is not the MD5 either; all that is promised is that it changes.
        tag = hashlib.md5(f"{known.etag}{blob.md5}".encode(), usedforsecurity=False).hexdigest().upper()
        return replace(
            known,
            created_at=self._state.clock(),
            size=known.size + blob.size,
            etag=tag,
            crc64=str(join_crc64(int(known.crc64), blob.crc64, blob.size)),
            segments=(*known.segments, (blob.name, blob.size)),
        )

    @operation("PutObjectAcl", "PUT", Level.OBJECT, "acl", body=Body.DOCUMENT)
    def put_object_acl(self, request: StorageRequest) -> StorageAnswer:
        """Say who else may use an object."""
        bucket, found = self._readable(request)
        self._change(found, acl=request.choice("x-oss-object-acl", "", *metadata.OBJECT_ACLS))
        return StorageAnswer(headers=metadata.version_headers(bucket, found))

    @operation("GetObjectAcl", "GET", Level.OBJECT, "acl")
    def get_object_acl(self, request: StorageRequest) -> StorageAnswer:
        """Tell who else may use an object."""
        bucket, found = self._readable(request)
        body = {"Owner": self._owner, "AccessControlList": {"Grant": found.acl}}
        return answer_document("AccessControlPolicy", body, **metadata.version_headers(bucket, found))

    @operation("PutObjectTagging", "PUT", Level.OBJECT, "tagging", body=Body.DOCUMENT)
    def put_object_tagging(self, request: StorageRequest) -> StorageAnswer:
        """Give an object other tags."""
        bucket, found = self._readable(request)
        self._change(found, tags=metadata.read_tags(request.document))
        return StorageAnswer(headers=metadata.version_headers(bucket, found))

    @operation("GetObjectTagging", "GET", Level.OBJECT, "tagging")
    def get_object_tagging(self, request: StorageRequest) -> StorageAnswer:
        """Tell an object's tags."""
        bucket, found = self._readable(request)
        return answer_document(
            "Tagging", metadata.tagging_body(found.tags), **metadata.version_headers(bucket, found)
        )

    @operation("DeleteObjectTagging", "DELETE", Level.OBJECT, "tagging")
    def delete_object_tagging(self, request: StorageRequest) -> StorageAnswer:
        """Take an object's tags away."""
        bucket, found = self._readable(request)
        self._change(found, tags={})
        return StorageAnswer(status=204, headers=metadata.version_headers(bucket, found))

    def _readable(self, request: StorageRequest) -> tuple[Bucket, StorageObject]:
        bucket = self._state.bucket(request.bucket)
        found = self._state.read(bucket, request.key, request.query.get("versionId", ""))
        check_conditions(request, found)
        return bucket, found

    def _change(self, found: StorageObject, **changes: object) -> None:
        self._state.change(replace(found, **changes))  # type: ignore[arg-type]
