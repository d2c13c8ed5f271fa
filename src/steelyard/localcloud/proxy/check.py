"""Health checks, and how they are said to HAProxy. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

_GRPC_PATH = "/grpc.health.v1.Health/Check"
_SERVING = "00000000020801"
"""The message `HealthCheckResponse{status: SERVING}` with its five bytes of length, in hexadecimal."""


@dataclass(frozen=True, kw_only=True)
class HealthCheck:
    """How a load balancer finds out which servers can take traffic.

    Attributes:
        protocol: `http` asks for a page, `tcp` only connects, `grpc` calls gRPC's health service.
        port: The port that is checked; the server's own where it is None.
        is_tls: Whether the check speaks TLS, without a look at the server's certificate.
        path: Path and query of the page.
        domain: Host header; none is sent where it is empty.
        version: Version of HTTP. 1.1 needs a domain; without one HAProxy would have to know each server's own, and the
            check is of 1.0.
        method: HEAD or GET.
        status_classes: First digits of the answers that are healthy, e.g. `23` for 2xx and 3xx.
        interval_s: Seconds between two checks.
        timeout_s: Seconds after which an answer comes too late.
        healthy_threshold: Successes in a row that make a server healthy.
        unhealthy_threshold: Failures in a row that make it unhealthy.
    """

    protocol: Literal["http", "tcp", "grpc"]
    port: int | None = None
    is_tls: bool = False
    path: str = "/"
    domain: str = ""
    version: Literal["1.0", "1.1"] = "1.0"
    method: str = "HEAD"
    status_classes: str = "2"
    interval_s: int = 2
    timeout_s: int = 5
    healthy_threshold: int = 3
    unhealthy_threshold: int = 3


def check_arguments(check: HealthCheck) -> list[str]:
    """Give what a `server` line says of its check."""
    times = f"inter {check.interval_s}s fall {check.unhealthy_threshold} rise {check.healthy_threshold}"
    parts = [f"check {times}"]
    if check.port is not None:
        parts.append(f"port {check.port}")
    if check.is_tls:
        parts.append("check-ssl verify none")
    return parts


def check_lines(check: HealthCheck) -> list[str]:
    """Give the lines of a pool about its check."""
    lines = [f"timeout check {check.timeout_s}s"]
    if check.protocol == "http":
        host = f" hdr Host {check.domain}" if check.domain else ""
        version = check.version if check.domain else "1.0"
        lines += [
            "option httpchk",
            f"http-check send meth {check.method} uri {check.path} ver HTTP/{version}{host}",
            f"http-check expect rstatus ^[{check.status_classes}]",
        ]
    if check.protocol == "grpc":
        lines += [
            "option tcp-check",
            "tcp-check connect",
            f"tcp-check send-binary {_grpc_call(check.domain or 'localhost').hex()}",
            f"tcp-check expect binary {_SERVING}",
        ]
    return lines


def _grpc_call(host: str) -> bytes:
    """Write a call of `grpc.health.v1.Health/Check` for the whole server, as HTTP/2 (RFC 9113) has it.

    HAProxy's own HTTP checks cannot: their bodies hold no zero bytes, and the answer's status comes in trailers, which
    they do not look at.
    """
    headers = [
        b"\x83\x86",  # :method POST and :scheme http, entries 3 and 6 of HPACK's static table (RFC 7541).
        b"\x04" + _text(_GRPC_PATH),
        b"\x01" + _text(host),
        b"\x0f\x10" + _text("application/grpc"),  # Entry 31, content-type.
        b"\x00" + _text("te") + _text("trailers"),
    ]
    empty_message = bytes(5)
    frames = [_frame(4, 0, 0, []), _frame(1, 4, 1, headers), _frame(0, 1, 1, [empty_message])]
    return b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + b"".join(frames)


def _text(text: str) -> bytes:
    encoded = text.encode()
    assert len(encoded) < 127, text
    return bytes([len(encoded)]) + encoded


def _frame(kind: int, flags: int, stream: int, parts: Sequence[bytes]) -> bytes:
    payload = b"".join(parts)
    return len(payload).to_bytes(3, "big") + bytes([kind, flags]) + stream.to_bytes(4, "big") + payload
