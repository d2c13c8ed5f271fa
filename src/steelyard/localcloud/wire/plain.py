"""Plain HTTP requests to `/`, as the clients of the API write them, read in one go.

What is not known here for certain is not plain: chunked bodies, repeated headers, upgrades, HTTP/1.0 and the like.
"""

from __future__ import annotations

import re

from steelyard.localcloud.wire.message import WireRequest

# RFC 9112, sections 3 and 5, without what is obsolete; the query as RFC 3986, section 3.4, has it.
_HEAD = re.compile(
    r"(GET|POST) /(?:\?([!\"$-~]*))? HTTP/1\.1\r\n"
    r"((?:[!#$%&'*+\-.^_`|~0-9A-Za-z]+:[\t -~\x80-\xff]*\r\n)+)\r\n"
)
_LENGTH = re.compile("[0-9]{1,8}")
_SPECIAL = frozenset({"expect", "transfer-encoding", "upgrade"})


def read_plain(data: bytes, client: str, *, is_secure: bool = False) -> tuple[WireRequest, int] | None:
    """Read what a client has sent since its last request.

    Args:
        data: All of it.
        client: The client's address.
        is_secure: Whether it came over TLS.

    Returns:
        The request, and how many bytes of its body have still to come, which is negative where something follows it;
        None where it is not plain.
    """
    head = _HEAD.match(data.decode("latin-1"))
    if head is None:
        return None
    method, query, fields = head.groups()
    lines = fields.split("\r\n")[:-1]
    headers: dict[str, str] = {}
    for line in lines:
        name, _, value = line.partition(":")
        headers[name.lower()] = value.strip(" \t")
    length = headers.get("content-length", "0")
    if (
        len(headers) < len(lines)
        or not _SPECIAL.isdisjoint(headers)
        or headers.get("connection", "keep-alive").lower() != "keep-alive"
        or not _LENGTH.fullmatch(length)
    ):
        return None
    request = WireRequest(
        method=method,
        path="/",
        query_string=query or "",
        headers=headers,
        body=data[head.end() :],
        client=client,
        is_secure=is_secure,
    )
    return request, head.end() + int(length) - len(data)
