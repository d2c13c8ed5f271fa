"""Lists of a bucket in pages: prefix, delimiter and marker, in the order of the keys' UTF-8 bytes."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Generic, TypeVar
from urllib.parse import quote

from steelyard.localcloud.record import Record
from steelyard.localcloud.services.oss import errors
from steelyard.localcloud.services.oss.request import StorageRequest
from steelyard.localcloud.services.oss.state import StorageState

R = TypeVar("R", bound=Record)
MAX_KEYS = 1000
_BATCH = 500
_LAST_CODE_POINT = 0x10FFFF


@dataclass(frozen=True, kw_only=True)
class Page(Generic[R]):
    """A page of a list.

    Attributes:
        records: What is listed by itself.
        prefixes: What stands for all keys that begin with it.
        last: The last of either, after which the next page begins.
        is_truncated: Whether there is a next page.
    """

    records: tuple[R, ...]
    prefixes: tuple[str, ...]
    last: str
    is_truncated: bool


@dataclass(frozen=True, kw_only=True)
class Selection:
    """What a list is asked for.

    Attributes:
        bucket: Name of the bucket.
        prefix: What the keys begin with.
        delimiter: What ends a common prefix; empty for none.
        after: The last key or common prefix that was listed already.
        max_keys: How many to list at most.
    """

    bucket: str
    prefix: str
    delimiter: str
    after: str
    max_keys: int

    @classmethod
    def of(cls, request: StorageRequest, after: str, size_name: str = "max-keys") -> Selection:
        """Read the parameters of a call.

        Raises:
            StorageError: `InvalidArgument`.
        """
        return cls(
            bucket=request.bucket,
            prefix=request.query.get("prefix", ""),
            delimiter=request.query.get("delimiter", ""),
            after=after,
            max_keys=request.number(size_name, 100 if size_name == "max-keys" else MAX_KEYS, 1, MAX_KEYS),
        )


def list_page(
    state: StorageState,
    record_type: type[R],
    wanted: Selection,
    is_listed: Callable[[R], bool] = lambda record: True,
) -> Page[R]:
    """Give a page of a bucket's records, whose ids are `<bucket>/<key>` and perhaps a zero byte and more."""
    records: list[R] = []
    prefixes: list[str] = []
    last = ""
    for entry in entries(state, record_type, wanted, is_listed):
        if len(records) + len(prefixes) == wanted.max_keys:
            return Page(records=tuple(records), prefixes=tuple(prefixes), last=last, is_truncated=True)
        if isinstance(entry, str):
            prefixes.append(entry)
            last = entry
        else:
            records.append(entry)
            last = entry.id.partition("/")[2]
    return Page(records=tuple(records), prefixes=tuple(prefixes), last=last, is_truncated=False)


def entries(
    state: StorageState, record_type: type[R], wanted: Selection, is_listed: Callable[[R], bool]
) -> Iterator[R | str]:
    """Give records and common prefixes in order; a common prefix is passed over in one step of the index."""
    is_inclusive = wanted.after < wanted.prefix
    start = wanted.prefix if is_inclusive else wanted.after
    root = f"{wanted.bucket}/"
    while batch := state.scan(record_type, root + start, limit=_BATCH, is_inclusive=is_inclusive):
        for record in batch:
            if not record.id.startswith(root + wanted.prefix):
                return
            start, is_inclusive = record.id.removeprefix(root), False
            if not is_listed(record):
                continue
            common = _common_prefix(start.partition("\0")[0], wanted)
            if common is None:
                yield record
                continue
            if common > wanted.after:
                yield common
            start, is_inclusive = _successor(common), True
            break


def _common_prefix(key: str, wanted: Selection) -> str | None:
    if not wanted.delimiter:
        return None
    place = key.find(wanted.delimiter, len(wanted.prefix))
    return None if place < 0 else key[: place + len(wanted.delimiter)]


def _successor(prefix: str) -> str:
    """Give the least text that is greater than all that begin with `prefix`."""
    head = prefix.rstrip(chr(_LAST_CODE_POINT))
    following = ord(head[-1]) + 1
    # Surrogates stand in no UTF-8 text.
    return head[:-1] + chr(0xE000 if following == 0xD800 else following)


def make_token(last: str) -> str:
    """Make a `NextContinuationToken`, which a client does not look into."""
    return base64.urlsafe_b64encode(last.encode()).decode()


def read_token(token: str) -> str:
    """Give what a token was made of.

    Raises:
        StorageError: `InvalidArgument`: no page gave it.
    """
    try:
        return base64.b64decode(token, altchars=b"-_", validate=True).decode()
    except (binascii.Error, ValueError) as err:
        raise errors.invalid_argument("continuation-token", token, "a token of an earlier page") from err


def encoder(request: StorageRequest) -> tuple[str | None, Callable[[str], str]]:
    """Give the answer's `EncodingType`, and what keys are written with.

    Raises:
        StorageError: `InvalidArgument` for an encoding that is not `url`.
    """
    kind = request.query.get("encoding-type", "")
    if not kind:
        return None, lambda key: key
    if kind != "url":
        raise errors.invalid_argument("encoding-type", kind, "url")
    return kind, lambda key: quote(key, safe="/")
