"""What a caller says of an object beside its bytes, and how it comes back."""

from __future__ import annotations

import base64
from collections.abc import Mapping
from typing import TypedDict
from urllib.parse import parse_qsl

from steelyard.localcloud.services.oss import errors
from steelyard.localcloud.services.oss.blob import Blob
from steelyard.localcloud.services.oss.cipher import ALGORITHMS
from steelyard.localcloud.services.oss.document import child_text, kept_text, read_document
from steelyard.localcloud.services.oss.models import STORAGE_CLASSES, Bucket, StorageObject
from steelyard.localcloud.services.oss.request import StorageRequest
from steelyard.localcloud.services.oss.text import http_text

OBJECT_ACLS = ("default", "private", "public-read", "public-read-write")
_KEPT = (
    "content-type",
    "cache-control",
    "content-disposition",
    "content-encoding",
    "content-language",
    "expires",
)
_META = "x-oss-meta-"
_MAX_META_BYTES = 8 * 1024
_MAX_KEY_BYTES = 1023
_MAX_TAGS = 10
_ENCRYPTION = "x-oss-server-side-encryption"


class Choices(TypedDict):
    """What the writer of an object chooses; see `StorageObject`."""

    storage_class: str
    acl: str


def check_key(key: str) -> None:
    """Check an object's key.

    Raises:
        StorageError: `InvalidObjectName`: too long, with a slash or backslash in front, or no text.
    """
    is_bad = key.startswith(("/", "\\")) or any(character in key for character in "\0\ufffd\U0010ffff")
    if is_bad or len(key.encode()) > _MAX_KEY_BYTES:
        raise errors.invalid_object_name(key)


def read_headers(request: StorageRequest) -> dict[str, str]:
    """Give the headers that are kept with an object.

    Raises:
        StorageError: `InvalidArgument` where there is too much metadata.
    """
    meta = {name: value for name, value in request.headers.items() if name.startswith(_META)}
    if sum(len(name) + len(value) for name, value in meta.items()) > _MAX_META_BYTES:
        raise errors.invalid_argument(
            _META, f"{len(meta)} headers", f"at most {_MAX_META_BYTES} bytes in all"
        )
    kept = {name: request.headers[name] for name in _KEPT if request.header(name)}
    return {"content-type": "application/octet-stream", **kept, **meta}


def read_choices(request: StorageRequest, bucket: Bucket) -> Choices:
    """Give storage class and access control that an object is put with."""
    return {
        "storage_class": request.choice("x-oss-storage-class", bucket.storage_class, *STORAGE_CLASSES),
        "acl": request.choice("x-oss-object-acl", "default", *OBJECT_ACLS),
    }


def read_encryption(request: StorageRequest, bucket: Bucket) -> str:
    """Give the encryption that an object is put with: the call's, or the bucket's; empty where there is none.

    Raises:
        StorageError: See `check_encryption`.
    """
    wanted = request.header(_ENCRYPTION)
    # A key's id is one of KMS's.
    check_encryption("KMS" if request.header(f"{_ENCRYPTION}-key-id") else wanted)
    return wanted or default_encryption(bucket)


def check_encryption(algorithm: str) -> None:
    """Check an encryption that is asked for; empty is none.

    Raises:
        StorageError: `KmsServiceNotEnabled`, since there is no KMS here, or `InvalidEncryptionAlgorithmError`.
    """
    if algorithm == "KMS":
        raise errors.kms_not_enabled()
    if algorithm and algorithm not in ALGORITHMS:
        raise errors.unknown_encryption(algorithm)


def encryption_headers(encryption: str) -> dict[str, str]:
    """Give the header that tells how something is encrypted."""
    return {_ENCRYPTION: encryption} if encryption else {}


def default_encryption(bucket: Bucket) -> str:
    """Give the encryption that a bucket's rule asks for, empty where it has none."""
    return kept_text(bucket.settings.get("encryption", ""), "ApplyServerSideEncryptionByDefault/SSEAlgorithm")


def read_tagging(request: StorageRequest) -> dict[str, str]:
    """Give the tags of the header `x-oss-tagging`."""
    return check_tags(dict(parse_qsl(request.header("x-oss-tagging"), keep_blank_values=True)), _MAX_TAGS)


def read_tags(document: bytes, max_tags: int = _MAX_TAGS) -> dict[str, str]:
    """Give the tags of a `Tagging` document.

    Raises:
        StorageError: `MalformedXML`, or `InvalidTag` for too many or too long ones.
    """
    root = read_document(document, "Tagging")
    tags = [(child_text(tag, "Key"), child_text(tag, "Value")) for tag in root.iterfind("TagSet/Tag")]
    if len(dict(tags)) != len(tags):
        raise errors.StorageError("InvalidTag", "A tag's key is there twice.")
    return check_tags(dict(tags), max_tags)


def check_tags(tags: dict[str, str], max_tags: int) -> dict[str, str]:
    """Check tags: keys of 1 to 128 characters, values of at most 256.

    Raises:
        StorageError: `InvalidTag`.
    """
    if len(tags) > max_tags or any(not 1 <= len(key) <= 128 or len(tags[key]) > 256 for key in tags):
        text = f"The tags are more than {max_tags}, or a key or value is too long or empty."
        raise errors.StorageError("InvalidTag", text)
    return tags


def tagging_body(tags: Mapping[str, str]) -> dict[str, object]:
    """Give what a `Tagging` document holds."""
    return {"TagSet": {"Tag": [{"Key": key, "Value": value} for key, value in tags.items()]}}


def check_digest(request: StorageRequest, blob: Blob) -> None:
    """Compare the body with `Content-MD5`, where that was sent.

    Raises:
        StorageError: `InvalidDigest`.
    """
    given = request.header("content-md5")
    if given and given != _base64_md5(blob.md5):
        raise errors.invalid_digest()


def _base64_md5(hexadecimal: str) -> str:
    return base64.b64encode(bytes.fromhex(hexadecimal)).decode()


def version_headers(bucket: Bucket, found: StorageObject) -> dict[str, str]:
    """Give the header that names a version, where a bucket keeps any."""
    return {"x-oss-version-id": found.version_id} if bucket.versioning else {}


def stored_headers(bucket: Bucket, found: StorageObject) -> dict[str, str]:
    """Give the headers that a write of an object answers with."""
    return {
        "ETag": f'"{found.etag}"',
        "x-oss-hash-crc64ecma": found.crc64,
        **encryption_headers(found.encryption),
        **version_headers(bucket, found),
    }


def object_headers(bucket: Bucket, found: StorageObject) -> dict[str, str]:
    """Give the headers that a read of an object answers with."""
    headers = {
        **stored_headers(bucket, found),
        **{name: value for name, value in found.headers.items() if name != "content-type"},
        "Last-Modified": http_text(found.created_at),
        "Accept-Ranges": "bytes",
        "x-oss-object-type": found.object_type,
        "x-oss-storage-class": found.storage_class,
    }
    if found.object_type == "Normal":
        headers["Content-MD5"] = _base64_md5(found.etag)
    if found.object_type == "Appendable":
        headers["x-oss-next-append-position"] = str(found.size)
    if found.tags:
        headers["x-oss-tagging-count"] = str(len(found.tags))
    return headers
