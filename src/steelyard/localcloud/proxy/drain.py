"""The time that connections to a server that is removed or unhealthy are given to end by themselves."""

from __future__ import annotations

import threading
from collections.abc import Callable
from contextlib import AbstractContextManager

from steelyard.localcloud.proxy.config import ProxyConfig, server_names


class Drains:
    """Waits for connections to removed servers, and has them cut when their time is over.

    Args:
        cut: Called in a thread of its own, which holds the lock, with the pool's and the server's name.
        lock: Held by whoever calls, so that no time that has run out just then counts any more.
    """

    def __init__(self, cut: Callable[[str, str], None], lock: AbstractContextManager[object]) -> None:
        self._cut = cut
        self._timers: dict[tuple[str, str], threading.Timer] = {}
        self._lock = lock

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
        for key in list(self._timers):
            self._forget(key)

    def _start(self, key: tuple[str, str], timeout_s: float) -> None:
        def end() -> None:
            with self._lock:
                if self._timers.get(key) is timer:
                    del self._timers[key]
                    self._cut(*key)

        timer = threading.Timer(timeout_s, end)
        timer.daemon = True
        timer.name = f"drain-{key[1]}"
        self._timers[key] = timer
        timer.start()

    def _forget(self, key: tuple[str, str]) -> None:
        timer = self._timers.pop(key, None)
        if timer is not None:
            timer.cancel()


class Watch:
    """Looks again and again, in a thread of its own, while it is wanted.

    Args:
        look: What is done each time.
    """

    def __init__(self, look: Callable[[], None]) -> None:
        self._look = look
        self._period_s: float | None = None
        self._is_over = threading.Event()

    def keep(self, period_s: float | None) -> None:
        """Look from now on in this period.

        Args:
            period_s: Seconds between two looks; None looks no more.
        """
        if period_s == self._period_s:
            return
        self._is_over.set()
        self._period_s = period_s
        if period_s is not None:
            self._is_over = threading.Event()
            arguments = (self._is_over, period_s)
            threading.Thread(target=self._run, args=arguments, name="watch-drain", daemon=True).start()

    def _run(self, is_over: threading.Event, period_s: float) -> None:
        while not is_over.wait(period_s):
            self._look()
