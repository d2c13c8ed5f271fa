"""One call of OSS, and what an operation answers."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from email.utils import parsedate_to_datetime
from enum import Enum
from typing import TypeVar

from steelyard.localcloud.services.oss import errors
from steelyard.localcloud.services.oss.blob import Blob, Segment
from steelyard.localcloud.text import whole_number
from steelyard.localcloud.wire.signature import AccessKey


class Level(Enum):
    """What a call is about."""

    SERVICE = "service"
    BUCKET = "bucket"
    OBJECT = "object"


class Body(Enum):
    """What an operation's body is."""

    NONE = "none"
    DOCUMENT = "document"
    OBJECT = "object"


@dataclass(frozen=True, kw_only=True)
class StorageRequest:
    """A call whose signature was checked.

    Attributes:
        method: HTTP method.
        bucket: Bucket; empty where the call is about all.
        key: Object's key; empty where the call is about the bucket.
        query: Parameters by name, decoded.
        headers: Headers by lower-case name.
        request_id: Id that the answer carries.
        caller: Who signed; None where nobody did.
        source_address: Address that the call came from.
        is_secure: Whether it came over TLS.
        root: Path of the bucket, by the way that the call came: `/` where the bucket is in the host's name.
        document: The body of an operation that takes a document.
        blob: The body of an operation that takes an object, as it stands on the disk.
    """

    method: str
    bucket: str
    key: str
    query: Mapping[str, str]
    headers: Mapping[str, str]
    request_id: str
    caller: AccessKey | None
    source_address: str = ""
    is_secure: bool = False
    root: str = "/"
    document: bytes = b""
    blob: Blob | None = None

    @property
    def level(self) -> Level:
        """What the call is about."""
        return Level.OBJECT if self.key else Level.BUCKET if self.bucket else Level.SERVICE

    @property
    def body(self) -> Blob:
        """The blob, of an operation that takes one."""
        assert self.blob is not None
        return self.blob

    def header(self, name: str, default: str = "") -> str:
        """Give a header's value."""
        return self.headers.get(name, default)

    def number(self, name: str, default: int, low: int, high: int) -> int:
        """Give an integer parameter.

        Raises:
            StorageError: `InvalidArgument` where it is none, or out of its range.
        """
        text = self.query.get(name, "")
        if not text:
            return default
        number = whole_number(text)
        if number is None or not low <= number <= high:
            raise errors.invalid_argument(name, text, f"a number from {low} to {high}")
        return number

    def choice(self, name: str, default: str, *choices: str) -> str:
        """Give a header that is one of some words.

        Raises:
            StorageError: `InvalidArgument` where it is another.
        """
        value = self.header(name) or default
        if value not in choices:
            raise errors.invalid_argument(name, value, f"one of {', '.join(choices)}")
        return value

    def time(self, name: str) -> float | None:
        """Give a header that is a date as Unix time; None where it is missing or no date, as HTTP has it."""
        try:
            return parsedate_to_datetime(self.headers[name]).timestamp()
        except (KeyError, ValueError, TypeError, OverflowError):
            return None


@dataclass(frozen=True, kw_only=True)
class StorageAnswer:
    """What an operation answers.

    Attributes:
        status: HTTP status.
        headers: Headers beside those that every answer has.
        content: The body; empty where `segments` is it.
        content_type: The body's type.
        segments: Blobs whose bytes from `start` to `end` are the body.
        start: First byte of it.
        end: Byte after the last of it.
    """

    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict)
    content: bytes = b""
    content_type: str = "application/xml"
    segments: tuple[Segment, ...] = ()
    start: int = 0
    end: int = 0


@dataclass(frozen=True, kw_only=True)
class Operation:
    """How a method serves a call.

    Attributes:
        name: OSS's name of the operation, e.g. `PutObject`.
        method: HTTP method.
        level: What it is about.
        marks: Parameters that tell it from others of its method.
        header: Header that tells it from others; empty where none does.
        body: What its body is.
        action: The RAM action that it needs, without `oss:`; its name where it is empty.
        is_open: Whether it runs outside of a transaction and makes its own, because it copies much.
        is_public: Whether anybody may call it, with a signature or without.
    """

    name: str
    method: str
    level: Level
    marks: tuple[str, ...] = ()
    header: str = ""
    body: Body = Body.NONE
    action: str = ""
    is_open: bool = False
    is_public: bool = False

    def fits(self, request: StorageRequest) -> bool:
        """Tell whether a call asks for this operation, or for a more special one."""
        return (
            request.method == self.method
            and request.level is self.level
            and all(mark in request.query for mark in self.marks)
            and (not self.header or self.header in request.headers)
        )

    @property
    def rank(self) -> int:
        """How special it is; of the operations that fit, the most special is meant."""
        return len(self.marks) + bool(self.header)


Handler = TypeVar("Handler", bound=Callable[..., StorageAnswer])

_OPERATION = "__storage_operation__"


def operation(
    name: str,
    method: str,
    level: Level,
    *marks: str,
    header: str = "",
    body: Body = Body.NONE,
    action: str = "",
    is_open: bool = False,
    is_public: bool = False,
) -> Callable[[Handler], Handler]:
    """Mark a method as the server of an operation; it takes a `StorageRequest` and gives a `StorageAnswer`."""

    def mark(handler: Handler) -> Handler:
        spec = Operation(
            name=name,
            method=method,
            level=level,
            marks=marks,
            header=header,
            body=body,
            action=action or name,
            is_open=is_open,
            is_public=is_public,
        )
        setattr(handler, _OPERATION, spec)
        return handler

    return mark


def operations_of(owner: type) -> list[tuple[Operation, str]]:
    """Give the operations that a class serves, each with the name of its method."""
    found: list[tuple[Operation, str]] = []
    for attribute in dir(owner):
        spec = getattr(getattr(owner, attribute), _OPERATION, None)
        if isinstance(spec, Operation):
            found.append((spec, attribute))
    return found
