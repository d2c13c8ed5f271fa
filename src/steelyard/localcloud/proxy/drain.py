"""The time that connections to a removed server are given to end by themselves."""

from __future__ import annotations

import threading
from collections.abc import Callable

from steelyard.localcloud.proxy.config import ProxyConfig, server_names


class Drains:
    """Waits for connections to removed servers, and has them cut when their time is over.

    Args:
        cut: Called in a thread of its own with the pool's and the server's name.
    """

    def __init__(self, cut: Callable[[str, str], None]) -> None:
        self._cut = cut
        self._timers: dict[tuple[str, str], threading.Timer] = {}
        self._lock = threading.Lock()

    def begin(self, old: ProxyConfig | None, new: ProxyConfig) -> None:
        """Give the servers that a change removes their time; one that comes back is left alone.

        Args:
            old: What was in force before the change.
            new: What is in force now; its pools say how long their servers are given.
        """
        names = server_names(new)
        for key in names:
            self._forget(key)
        timeouts = {pool.name: pool.drain_timeout_s for pool in new.pools}
        for pool, server in (server_names(old) if old is not None else set()) - names:
            timeout_s = timeouts.get(pool)
            if timeout_s is not None:
                self._start((pool, server), timeout_s)

    def cancel(self) -> None:
        """Cut nothing any more."""
        with self._lock:
            keys = list(self._timers)
        for key in keys:
            self._forget(key)

    def _start(self, key: tuple[str, str], timeout_s: float) -> None:
        def end() -> None:
            self._forget(key)
            self._cut(*key)

        timer = threading.Timer(timeout_s, end)
        timer.daemon = True
        timer.name = f"drain-{key[1]}"
        with self._lock:
            self._timers[key] = timer
        timer.start()

    def _forget(self, key: tuple[str, str]) -> None:
        with self._lock:
            timer = self._timers.pop(key, None)
        if timer is not None:
            timer.cancel()
