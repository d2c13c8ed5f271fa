"""Health of servers, as probes find it."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Callable
from dataclasses import dataclass

from steelyard.localcloud.datagram.namespace import open_socket
from steelyard.localcloud.datagram.plan import Probe, Target

_MAX_ANSWER = 65535
_STATUS_LINE_WORDS = 2


@dataclass(frozen=True, kw_only=True)
class Finding:
    """What one probe found.

    Attributes:
        is_good: Whether the server took it well.
        reason: Why not, by HAProxy's words for the outcomes of checks.
    """

    is_good: bool
    reason: str


GOOD = Finding(is_good=True, reason="L4OK")


async def probe_once(probe: Probe, target: Target) -> Finding:
    """Ask a server once, within the probe's time."""
    ask = {"udp": _ask_udp, "tcp": _ask_tcp, "http": _ask_http}[probe.protocol]
    try:
        async with asyncio.timeout(probe.timeout_s):
            return await ask(probe, target)
    except TimeoutError:
        if probe.protocol == "udp" and not probe.expected:
            # Silence is what most servers answer to a datagram that they do not know.
            return GOOD
        return Finding(is_good=False, reason="L7TOUT" if probe.protocol != "tcp" else "L4TOUT")
    except OSError:
        return Finding(is_good=False, reason="L4CON")


async def _ask_udp(probe: Probe, target: Target) -> Finding:
    loop = asyncio.get_running_loop()
    with open_socket(socket.SOCK_DGRAM, target.namespace) as asking:
        await loop.sock_connect(asking, (target.address, probe.port or target.port))
        await loop.sock_sendall(asking, probe.request.encode())
        answer = await loop.sock_recv(asking, _MAX_ANSWER)
    if probe.expected and answer.decode(errors="replace") != probe.expected:
        return Finding(is_good=False, reason="L7RSP")
    return GOOD


async def _ask_tcp(probe: Probe, target: Target) -> Finding:
    with open_socket(socket.SOCK_STREAM, target.namespace) as asking:
        await asyncio.get_running_loop().sock_connect(asking, (target.address, probe.port or target.port))
    return GOOD


async def _ask_http(probe: Probe, target: Target) -> Finding:
    loop = asyncio.get_running_loop()
    host = f"Host: {probe.domain}\r\n" if probe.domain else ""
    with open_socket(socket.SOCK_STREAM, target.namespace) as asking:
        await loop.sock_connect(asking, (target.address, probe.port or target.port))
        await loop.sock_sendall(asking, f"{probe.method} {probe.path} HTTP/1.0\r\n{host}\r\n".encode())
        head = (await loop.sock_recv(asking, _MAX_ANSWER)).decode(errors="replace")
    words = head.split(maxsplit=_STATUS_LINE_WORDS)
    if len(words) < _STATUS_LINE_WORDS or not head.startswith("HTTP/"):
        return Finding(is_good=False, reason="L7RSP")
    if words[1][:1] not in probe.status_classes:
        return Finding(is_good=False, reason="L7STS")
    return GOOD


class Watch:
    """Probes one server again and again, and knows what came of it.

    Args:
        probe: How.
        target: Whom.
        on_loss: Called when it becomes unhealthy.
        before: Who has probed it in another way until now; what that knows holds until it is found to be otherwise.
    """

    def __init__(
        self, probe: Probe, target: Target, on_loss: Callable[[], None], before: Watch | None = None
    ) -> None:
        self.is_healthy: bool | None = before.is_healthy if before is not None else None
        self.reason: str = before.reason if before is not None else ""
        self._probe, self._target, self._on_loss = probe, target, on_loss
        self._good_in_a_row = self._bad_in_a_row = 0
        self._task = asyncio.create_task(self._run())

    def stop(self) -> None:
        """Probe no more."""
        self._task.cancel()

    def note(self, finding: Finding) -> None:
        """Take in what a probe found."""
        self.reason = finding.reason
        if finding.is_good:
            self._good_in_a_row, self._bad_in_a_row = self._good_in_a_row + 1, 0
            if self._good_in_a_row >= self._probe.healthy_threshold:
                self.is_healthy = True
            return
        self._good_in_a_row, self._bad_in_a_row = 0, self._bad_in_a_row + 1
        if self._bad_in_a_row >= self._probe.unhealthy_threshold and self.is_healthy is not False:
            self.is_healthy = False
            self._on_loss()

    async def _run(self) -> None:
        while True:
            self.note(await probe_once(self._probe, self._target))
            await asyncio.sleep(self._probe.interval_s)
