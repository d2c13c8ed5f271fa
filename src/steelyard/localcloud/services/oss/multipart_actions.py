from __future__ import annotations

import hashlib
import itertools
import secrets
from collections.abc import Callable
from contextlib import AbstractContextManager

from steelyard.localcloud.services.oss import errors, metadata
from steelyard.localcloud.services.oss.blob import Blob
from steelyard.localcloud.services.oss.checksum import join_crc64
from steelyard.localcloud.services.oss.condition import read_range
from steelyard.localcloud.services.oss.copy_actions import find_source
from steelyard.localcloud.services.oss.document import answer_document, child_text, read_document
from steelyard.localcloud.services.oss.listing import Selection, encoder, list_page
from steelyard.localcloud.services.oss.models import Part, StorageObject, Upload
from steelyard.localcloud.services.oss.request import Body, Level, StorageAnswer, StorageRequest, operation
from steelyard.localcloud.services.oss.state import StorageState
from steelyard.localcloud.services.oss.text import milli_text
from steelyard.localcloud.text import whole_number

_MAX_PARTS = 10_000
_MIN_PART_BYTES = 100 * 1024


class MultipartActions:
    """Objects that are uploaded in parts; completing one moves no byte.

    Args:
        state: What OSS keeps.
        transaction: Opens a transaction of the cloud.
        owner_id: The account.
    """

    def __init__(
        self,
        state: StorageState,
        transaction: Callable[[], AbstractContextManager[None]],
        owner_id: str,
    ) -> None:
        self._state = state
        self._transaction = transaction
        self._owner = {"ID": owner_id, "DisplayName": owner_id}

    @operation("InitiateMultipartUpload", "POST", Level.OBJECT, "uploads", action="PutObject")
    def initiate_multipart_upload(self, request: StorageRequest) -> StorageAnswer:
        """Begin an upload."""
        encoding, encode = encoder(request)
        bucket = self._state.bucket(request.bucket)
        metadata.check_key(request.key)
        upload_id = secrets.token_hex(16).upper()
        upload = Upload(
            id=f"{bucket.id}/{request.key}\0{upload_id}",
            created_at=self._state.clock(),
            tags=metadata.read_tagging(request),
            headers=metadata.read_headers(request),
            encryption=metadata.read_encryption(request, bucket),
            **metadata.read_choices(request, bucket),
        )
        self._state.uploads.put(upload)
        body = {
            "EncodingType": encoding,
            "Bucket": bucket.id,
            "Key": encode(request.key),
            "UploadId": upload_id,
        }
        return answer_document("InitiateMultipartUploadResult", body)

    @operation(
        "UploadPart", "PUT", Level.OBJECT, "partNumber", "uploadId", body=Body.OBJECT, action="PutObject"
    )
    def upload_part(self, request: StorageRequest) -> StorageAnswer:
        """Put a part in place of the one of this number, if any."""
        upload = self.upload(request)
        metadata.check_digest(request, request.body)
        part = self._put_part(request, upload, request.body)
        headers = {"ETag": f'"{part.etag}"', "x-oss-hash-crc64ecma": part.crc64}
        return StorageAnswer(headers={**headers, **metadata.encryption_headers(upload.encryption)})

    @operation(
        "UploadPartCopy",
        "PUT",
        Level.OBJECT,
        "partNumber",
        "uploadId",
        header="x-oss-copy-source",
        action="PutObject",
        is_open=True,
    )
    def upload_part_copy(self, request: StorageRequest) -> StorageAnswer:
        """Put bytes of another object as a part; they are copied while the cloud goes on answering."""
        with self._transaction():
            upload = self.upload(request)
            source = find_source(self._state, request)
            names = self._state.blobs.hold(source.segments)
        try:
            blob = self._copy(source, request.header("x-oss-copy-source-range"), upload.encryption)
        finally:
            self._state.blobs.release(names)
        try:
            with self._transaction():
                part = self._put_part(request, self.upload(request), blob)
        except BaseException:
            self._state.blobs.remove([blob.name])
            raise
        body = {"LastModified": milli_text(part.created_at), "ETag": f'"{part.etag}"'}
        return answer_document("CopyPartResult", body, **{"x-oss-hash-crc64ecma": part.crc64})

    def _copy(self, source: StorageObject, wanted: str, encryption: str) -> Blob:
        start, end = 0, source.size
        if wanted:
            part = read_range(wanted, source.size, is_standard=True)
            if part is None:
                raise errors.invalid_range(wanted)
            start, end = part
        return self._state.blobs.copy(source.segments, start, end, encryption)

    def _put_part(self, request: StorageRequest, upload: Upload, blob: Blob) -> Part:
        number = request.number("partNumber", 0, 1, _MAX_PARTS)
        part = Part(
            id=f"{upload.id}/{number:05d}",
            created_at=self._state.clock(),
            number=number,
            size=blob.size,
            etag=blob.md5,
            crc64=str(blob.crc64),
            blob=blob.name,
        )
        known = self._state.parts.get(part.id)
        if known is not None:
            self._state.remove_blobs([known.blob])
        self._state.parts.put(part)
        return part

    @operation(
        "CompleteMultipartUpload", "POST", Level.OBJECT, "uploadId", body=Body.DOCUMENT, action="PutObject"
    )
    def complete_multipart_upload(self, request: StorageRequest) -> StorageAnswer:
        """Make the parts that are named one object; other parts of the upload are removed."""
        encoding, encode = encoder(request)
        upload = self.upload(request)
        bucket = self._state.writable(request)
        parts = self._named_parts(request, upload)
        new = self._state.put(bucket, self._joined(upload, parts, f"{bucket.id}/{request.key}"))
        self._state.forget_upload(upload, kept={part.blob for part in parts})
        body = {
            "EncodingType": encoding,
            "Location": f"/{bucket.id}/{encode(request.key)}",
            "Bucket": bucket.id,
            "Key": encode(request.key),
            "ETag": f'"{new.etag}"',
        }
        return answer_document("CompleteMultipartUploadResult", body, **metadata.stored_headers(bucket, new))

    def _named_parts(self, request: StorageRequest, upload: Upload) -> list[Part]:
        known = {part.number: part for part in self._state.walk(Part, f"{upload.id}/")}
        if request.header("x-oss-complete-all") == "yes":
            parts = list(known.values())
        else:
            root = read_document(request.document, "CompleteMultipartUpload")
            parts = []
            for entry in root.iterfind("Part"):
                text, etag = child_text(entry, "PartNumber"), child_text(entry, "ETag").strip('"').upper()
                number = whole_number(text)
                if number is None:
                    raise errors.malformed_xml(f"the part number {text!r} is no number")
                part = known.get(number)
                if part is None or part.etag != etag:
                    raise errors.invalid_part(number, etag)
                parts.append(part)
        if not parts:
            raise errors.malformed_xml("no part is named")
        if any(second.number <= first.number for first, second in itertools.pairwise(parts)):
            raise errors.invalid_part_order()
        for part in parts[:-1]:
            if part.size < _MIN_PART_BYTES:
                raise errors.entity_too_small(part.number, part.size, _MIN_PART_BYTES)
        return parts

    def _joined(self, upload: Upload, parts: list[Part], object_id: str) -> StorageObject:
        crc64 = 0
        digest = hashlib.md5(usedforsecurity=False)
        for part in parts:
            crc64 = join_crc64(crc64, int(part.crc64), part.size)
            digest.update(bytes.fromhex(part.etag))
        return StorageObject(
            id=object_id,
            created_at=self._state.clock(),
            tags=upload.tags,
            object_type="Multipart",
            size=sum(part.size for part in parts),
            etag=f"{digest.hexdigest().upper()}-{len(parts)}",
            crc64=str(crc64),
            segments=tuple((part.blob, part.size) for part in parts),
            headers=upload.headers,
            storage_class=upload.storage_class,
            acl=upload.acl,
            encryption=upload.encryption,
        )

    @operation("AbortMultipartUpload", "DELETE", Level.OBJECT, "uploadId")
    def abort_multipart_upload(self, request: StorageRequest) -> StorageAnswer:
        """Give an upload up, and remove its parts."""
        self._state.forget_upload(self.upload(request))
        return StorageAnswer(status=204)

    @operation("ListParts", "GET", Level.OBJECT, "uploadId")
    def list_parts(self, request: StorageRequest) -> StorageAnswer:
        """List the parts of an upload by number."""
        encoding, encode = encoder(request)
        upload = self.upload(request)
        size = request.number("max-parts", 1000, 1, 1000)
        marker = request.number("part-number-marker", 0, 0, _MAX_PARTS)
        parts = [part for part in self._state.walk(Part, f"{upload.id}/") if part.number > marker]
        page = parts[:size]
        body = {
            "EncodingType": encoding,
            "Bucket": request.bucket,
            "Key": encode(request.key),
            "UploadId": upload.upload_id,
            "PartNumberMarker": marker,
            "NextPartNumberMarker": page[-1].number if page else 0,
            "MaxParts": size,
            "IsTruncated": len(parts) > size,
            "StorageClass": upload.storage_class,
            "Part": [
                {
                    "PartNumber": part.number,
                    "LastModified": milli_text(part.created_at),
                    "ETag": f'"{part.etag}"',
                    "HashCrc64ecma": part.crc64,
                    "Size": part.size,
                }
                for part in page
            ],
        }
        return answer_document("ListPartsResult", body)

    @operation("ListMultipartUploads", "GET", Level.BUCKET, "uploads")
    def list_multipart_uploads(self, request: StorageRequest) -> StorageAnswer:
        """List the uploads of a bucket that are under way, by key."""
        encoding, encode = encoder(request)
        self._state.bucket(request.bucket)
        key_marker = request.query.get("key-marker", "")
        id_marker = request.query.get("upload-id-marker", "")
        # Without the second marker all uploads of the marker's key are listed already.
        after = f"{key_marker}\0{id_marker}" if id_marker else f"{key_marker}\0~" if key_marker else ""
        wanted = Selection.of(request, after, "max-uploads")
        page = list_page(self._state, Upload, wanted)
        last_key, _, last_id = page.last.partition("\0")
        body = {
            "Bucket": request.bucket,
            "EncodingType": encoding,
            "KeyMarker": encode(key_marker),
            "UploadIdMarker": id_marker,
            "NextKeyMarker": encode(last_key) if page.is_truncated else "",
            "NextUploadIdMarker": last_id if page.is_truncated else "",
            "Delimiter": encode(wanted.delimiter),
            "Prefix": encode(wanted.prefix),
            "MaxUploads": wanted.max_keys,
            "IsTruncated": page.is_truncated,
            "Upload": [
                {
                    "Key": encode(upload.key),
                    "UploadId": upload.upload_id,
                    "StorageClass": upload.storage_class,
                    "Initiated": milli_text(upload.created_at),
                    "Owner": self._owner,
                }
                for upload in page.records
            ],
            "CommonPrefixes": [{"Prefix": encode(prefix)} for prefix in page.prefixes],
        }
        return answer_document("ListMultipartUploadsResult", body)

    def upload(self, request: StorageRequest) -> Upload:
        """Give the upload that a call names.

        Raises:
            StorageError: `NoSuchBucket` or `NoSuchUpload`.
        """
        self._state.bucket(request.bucket)
        upload_id = request.query.get("uploadId", "")
        upload = self._state.uploads.get(f"{request.bucket}/{request.key}\0{upload_id}")
        if upload is None:
            raise errors.upload_not_found(upload_id)
        return upload
