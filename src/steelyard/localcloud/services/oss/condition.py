"""Conditions of a request (RFC 9110, section 13, as OSS has them) and ranges of bytes."""

from __future__ import annotations

import re

from steelyard.localcloud.services.oss import errors
from steelyard.localcloud.services.oss.models import StorageObject
from steelyard.localcloud.services.oss.request import StorageRequest

_RANGE = re.compile(r"bytes=(\d{0,19})-(\d{0,19})")


def check_conditions(request: StorageRequest, found: StorageObject, prefix: str = "") -> None:
    """Check the conditions of a read, or with the prefix `x-oss-copy-source-` those of a copy.

    Raises:
        StorageError: `PreconditionFailed`, or `NotModified` where the client has this state already.
    """
    wanted = request.header(f"{prefix}if-match")
    if wanted and not _names(wanted, found.etag):
        raise errors.precondition_failed("If-Match")
    changed_at = int(found.created_at)
    limit = request.time(f"{prefix}if-unmodified-since")
    if not wanted and limit is not None and changed_at > limit:
        raise errors.precondition_failed("If-Unmodified-Since")
    known = request.header(f"{prefix}if-none-match")
    if known and _names(known, found.etag):
        raise errors.not_modified()
    since = request.time(f"{prefix}if-modified-since")
    if not known and since is not None and changed_at <= since:
        raise errors.not_modified()


def _names(header: str, etag: str) -> bool:
    tags = [tag.strip().removeprefix("W/").strip('"').upper() for tag in header.split(",")]
    return "*" in tags or etag.upper() in tags


def read_range(value: str, size: int, *, is_standard: bool) -> tuple[int, int] | None:
    """Read a `Range` header.

    OSS gives the whole object where a range is malformed or goes past its end, unless `x-oss-range-behavior: standard`
    asks for what HTTP says (help page of GetObject, from memory).

    Args:
        value: The header.
        size: Length of the object.
        is_standard: Whether HTTP's rules hold.

    Returns:
        First byte and the byte after the last; None for the whole object.

    Raises:
        StorageError: `InvalidRange`: by HTTP's rules there is no such byte.
    """
    match = _RANGE.fullmatch(value.replace(" ", ""))
    if match is None or match.groups() == ("", ""):
        return None
    first, last = match.groups()
    if not first:
        start, end = max(size - int(last), 0), size
        is_good = 0 < int(last) <= size
    else:
        start, end = int(first), int(last) + 1 if last else size
        if end <= start and last:
            return None
        is_good = start < size and end <= size
    if is_good:
        return start, end
    if not is_standard:
        return None
    if start >= size or (not first and int(last) == 0):
        raise errors.invalid_range(value)
    return start, min(end, size)
