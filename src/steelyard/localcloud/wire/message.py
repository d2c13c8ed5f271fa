from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property
from urllib.parse import parse_qsl

FORM = "application/x-www-form-urlencoded"


@dataclass(frozen=True, kw_only=True)
class WireRequest:
    """One HTTP request as it came in.

    Attributes:
        method: HTTP method in capitals.
        path: Path without the query, percent-decoded.
        query_string: Query as sent, without the question mark.
        headers: Header values by lower-case name; repeated headers are joined with a comma.
        body: Body as sent.
        client: Address that it came from.
        is_secure: Whether it came over TLS.
    """

    method: str
    path: str
    query_string: str
    headers: Mapping[str, str]
    body: bytes = b""
    client: str = ""
    is_secure: bool = False

    @cached_property
    def query(self) -> tuple[tuple[str, str], ...]:
        """Decoded pairs of the query, in order."""
        return tuple(parse_qsl(self.query_string, keep_blank_values=True))

    @property
    def form(self) -> tuple[tuple[str, str], ...]:
        """Decoded pairs of a form body; none where the body is something else."""
        if not self.body or not self.headers.get("content-type", FORM).startswith(FORM):
            return ()
        return tuple(parse_qsl(self.body.decode("utf-8", "replace"), keep_blank_values=True))

    @cached_property
    def parameters(self) -> dict[str, str]:
        """Query and form together; the clients put an action's parameters in either."""
        return dict(self.query + self.form)

    @property
    def action(self) -> str:
        """Name of the action asked for: a header with the new signature, a parameter with the old one."""
        return self.headers.get("x-acs-action") or self.parameters.get("Action", "")

    @property
    def version(self) -> str:
        """Version of the product's API, which names the product as well."""
        return self.headers.get("x-acs-version") or self.parameters.get("Version", "")


@dataclass(frozen=True, kw_only=True)
class WireAnswer:
    """One answer: an HTTP status and a JSON body."""

    status: int
    body: Mapping[str, object]


@dataclass(frozen=True, kw_only=True)
class HttpReply:
    """What an HTTP request is answered with."""

    status: int
    content_type: str
    content: bytes


def read_headers(raw: Iterable[tuple[bytes, bytes]]) -> dict[str, str]:
    """Give headers as a `WireRequest` has them.

    Args:
        raw: Names in lower case, and values.
    """
    headers: dict[str, str] = {}
    for raw_name, raw_value in raw:
        name, value = raw_name.decode("latin-1"), raw_value.decode("latin-1")
        headers[name] = f"{headers[name]},{value}" if name in headers else value
    return headers
