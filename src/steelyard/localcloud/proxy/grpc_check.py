"""A health check by a call of gRPC, said to HAProxy as bytes that go and patterns of bytes that come. Pure.

HAProxy's own HTTP checks cannot call: their bodies hold no zero bytes, and gRPC's status comes in trailers, which they
do not look at. The frames are those of HTTP/2 (RFC 9113), the headers in them those of HPACK (RFC 7541).
"""

from __future__ import annotations

from collections.abc import Collection, Sequence

HEALTH_PATH = "/grpc.health.v1.Health/Check"
"""The call of gRPC's health service, here for the whole server."""
_SERVING = "00000000020801"
"""The message `HealthCheckResponse{status: SERVING}` with its five bytes of length, in hexadecimal."""
_OK = 0
_STATUS = "grpc-status"
_EMPTY_MESSAGE = bytes(5)
_GET, _POST = b"\x82", b"\x83"  # Entries 2 and 3 of HPACK's static table.
# Length in bits, first code, and characters whose codes follow each other (RFC 7541, appendix B): those of a status.
_CODES = (
    *((5, 0x00, "012ac"), (5, 0x08, "st"), (6, 0x16, "-")),
    *((6, 0x19, "3456789"), (6, 0x26, "g"), (6, 0x2B, "pru")),
)
_HUFFMAN = {
    char: f"{first + place:0{length}b}" for length, first, chars in _CODES for place, char in enumerate(chars)
}


def grpc_check_lines(path: str, host: str, method: str, codes: Collection[int]) -> list[str]:
    """Give the lines of a pool that is checked by a call with an empty message.

    Args:
        path: The call, `/package.Service/Method`.
        host: Its authority.
        method: GET, or else POST.
        codes: The statuses that are healthy. Where 0 is among them and the health service is called, its answer has to
            be SERVING.
    """
    statuses = _status_pattern(codes)
    if path == HEALTH_PATH and _OK in codes:
        statuses = f"{_SERVING}.*{_status_pattern({_OK})}"
        if others := set(codes) - {_OK}:
            statuses += f"|{_status_pattern(others)}"
    return [
        "option tcp-check",
        "tcp-check connect",
        f"tcp-check send-binary {_call(path, host, method).hex()}",
        # A status has come; then at once whether it is a healthy one.
        f"tcp-check expect rbinary {_status_pattern(range(100))}",
        f"tcp-check expect min-recv 1 error-status L7STS rbinary {statuses}",
    ]


def _status_pattern(codes: Collection[int]) -> str:
    """Give the pattern of the header of a status in hexadecimal.

    A connection's first header of a name is written out, as it is or in Huffman's code, as the server likes.
    """
    values = "|".join(form for code in sorted(codes) for form in _forms(str(code)))
    return f"({'|'.join(_forms(_STATUS))})({values})"


def _forms(text: str) -> list[str]:
    bits = "".join(_HUFFMAN[char] for char in text)
    bits += "1" * (-len(bits) % 8)
    packed = int(bits, 2).to_bytes(len(bits) // 8, "big")
    return [form.hex().upper() for form in (_text(text), bytes([0x80 | len(packed)]) + packed)]


def _call(path: str, host: str, method: str) -> bytes:
    headers = [
        _GET if method == "GET" else _POST,
        b"\x86",  # :scheme http, entry 6.
        b"\x04" + _text(path),
        b"\x01" + _text(host),
        b"\x0f\x10" + _text("application/grpc"),  # Entry 31, content-type.
        b"\x00" + _text("te") + _text("trailers"),
    ]
    if method == "GET":  # Without a body: its headers are the end.
        call = [_frame(1, 5, 1, headers)]
    else:
        call = [_frame(1, 4, 1, headers), _frame(0, 1, 1, [_EMPTY_MESSAGE])]
    return b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + _frame(4, 0, 0, []) + b"".join(call)


def _text(text: str) -> bytes:
    encoded = text.encode()
    assert len(encoded) < 127, text
    return bytes([len(encoded)]) + encoded


def _frame(kind: int, flags: int, stream: int, parts: Sequence[bytes]) -> bytes:
    payload = b"".join(parts)
    return len(payload).to_bytes(3, "big") + bytes([kind, flags]) + stream.to_bytes(4, "big") + payload
