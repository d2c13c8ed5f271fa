"""Health checks, and how they are said to HAProxy. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from steelyard.localcloud.proxy.grpc_check import grpc_check_lines
from steelyard.localcloud.proxy.route import literal, word


@dataclass(frozen=True, kw_only=True)
class HealthCheck:
    """How a load balancer finds out which servers can take traffic.

    Attributes:
        protocol: `http` asks for a page, `tcp` only connects, `grpc` calls a method.
        port: The port that is checked; the server's own where it is None.
        is_tls: Whether the check speaks TLS, without a look at the server's certificate.
        path: Path and query of the page, or the method that is called.
        domain: Host header; none is sent where it is empty.
        version: Version of HTTP. 1.1 needs a domain; without one HAProxy would have to know each server's own, and the
            check is of 1.0.
        method: HEAD, GET or POST.
        status_classes: First digits of the answers that are healthy, e.g. `23` for 2xx and 3xx.
        grpc_codes: Statuses of calls that are healthy.
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
    grpc_codes: tuple[int, ...] = (0,)
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
        host = f" hdr Host {literal(check.domain)}" if check.domain else ""
        version = check.version if check.domain else "1.0"
        lines += [
            "option httpchk",
            f"http-check send meth {check.method} uri {word(check.path)} ver HTTP/{version}{host}",
            f"http-check expect rstatus ^[{check.status_classes}]",
        ]
    if check.protocol == "grpc":
        host = check.domain or "localhost"
        lines += grpc_check_lines(check.path, host, check.method, check.grpc_codes)
    return lines
