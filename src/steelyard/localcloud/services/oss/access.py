"""Who may do what: the account everything, its roles what their policies say, others what access control says."""

from __future__ import annotations

from steelyard.localcloud.services.oss import errors
from steelyard.localcloud.services.oss.document import read_document
from steelyard.localcloud.services.oss.request import Level, Operation, StorageRequest
from steelyard.localcloud.services.oss.setting import is_public_blocked
from steelyard.localcloud.services.oss.state import StorageState
from steelyard.localcloud.services.oss.text import plain_path

_PUBLIC_READS = frozenset({"GetObject", "HeadObject", "GetObjectMeta", "ListObjects", "ListObjectsV2"})
_PUBLIC_WRITES = frozenset({"PutObject", "AppendObject", "DeleteObject"})


def check_public(state: StorageState, operation: Operation, request: StorageRequest) -> None:
    """Check a call against the access control of bucket and object: whether anybody may make it.

    Raises:
        StorageError: `AccessDenied`, or `NoSuchBucket`.
    """
    denied = errors.access_denied("Anonymous access is forbidden for this operation.")
    if request.level is Level.SERVICE or operation.name not in _PUBLIC_READS | _PUBLIC_WRITES:
        raise denied
    bucket = state.bucket(request.bucket)
    acl = bucket.acl
    if request.key and operation.name in _PUBLIC_READS:
        found = state.find(bucket, request.key)
        if found is not None and found.acl != "default":
            acl = found.acl
    wanted = (
        {"public-read-write"} if operation.name in _PUBLIC_WRITES else {"public-read", "public-read-write"}
    )
    if acl not in wanted or is_public_blocked(bucket):
        raise denied


def wanted_rights(operation: Operation, request: StorageRequest) -> list[tuple[str, str]]:
    """Give the RAM actions that a call needs, each with what it is done to: `*`, a bucket, or a bucket and a key.

    Raises:
        StorageError: `MalformedXML`: the objects to delete cannot be read.
    """
    place = f"{request.bucket}/{request.key}" if request.key else request.bucket or "*"
    if operation.name == "DeleteMultipleObjects":
        root = read_document(request.document, "Delete")
        keys = [entry.findtext("Key") or "" for entry in root.iterfind("Object")]
        return [(f"oss:{operation.action}", f"{request.bucket}/{key}") for key in keys]
    rights = [(f"oss:{operation.action}", place)]
    source = request.header("x-oss-copy-source").partition("?")[0]
    if source:
        rights.append(("oss:GetObject", plain_path(source).removeprefix("/")))
    return rights


def context_of(request: StorageRequest) -> dict[str, set[str]]:
    """Give the values of condition keys by lower-case name; a list always has a prefix, if an empty one."""
    context = {"acs:sourceip": {request.source_address}} if request.source_address else {}
    if request.key or not request.bucket:
        return context
    names = {"oss:prefix": "prefix", "oss:delimiter": "delimiter"}
    return {**context, **{key: {request.query.get(name, "")} for key, name in names.items()}}
