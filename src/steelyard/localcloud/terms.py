"""How a local cloud treats its callers: how often they may call, and whether quotas hold."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Self

from steelyard.errors import UsageError
from steelyard.localcloud.kept_file import load_kept, stop_hint, write_kept
from steelyard.localcloud.wire.error import ApiError

_FILE_NAME = "terms.json"
_MAX_BUCKETS = 10_000


@dataclass(frozen=True, kw_only=True)
class Terms:
    """What a cloud was started with; it is kept with its state.

    Attributes:
        calls_per_s: How often one key may call one action in a second on average; 0 for as often as it likes. The real
            limits differ by action and account, mostly between 5 and 100.
        has_quotas: Whether the real account's quotas hold, such as ten VPCs in a region.
    """

    calls_per_s: float = 0.0
    has_quotas: bool = True

    def __post_init__(self) -> None:
        if not 0 <= self.calls_per_s < float("inf"):
            raise ValueError(f"calls_per_s is {self.calls_per_s}")

    @classmethod
    def load(cls, data_dir: Path) -> Self:
        """Give those of a cloud's data folder; the default where nothing was said."""
        return load_kept(data_dir / _FILE_NAME, cls)


def agree(data_dir: Path, *, calls_per_s: float | None, has_quotas: bool | None, is_running: bool) -> Terms:
    """Settle the terms of a cloud's next start.

    Args:
        data_dir: The cloud's data folder; made where it is missing.
        calls_per_s: See `Terms`; what holds already where it is None.
        has_quotas: See `Terms`; what holds already where it is None.
        is_running: Whether the cloud runs, so that nothing can be changed.

    Raises:
        UsageError: The rate is below 0, or the cloud runs on other terms.
    """
    before = Terms.load(data_dir)
    if calls_per_s is not None and not 0 <= calls_per_s < float("inf"):
        raise UsageError(f"{calls_per_s} calls per second", hint="give a number from 0, which is no limit")
    wanted = Terms(
        calls_per_s=before.calls_per_s if calls_per_s is None else calls_per_s,
        has_quotas=before.has_quotas if has_quotas is None else has_quotas,
    )
    if wanted == before:
        return before
    if is_running:
        raise UsageError(
            f"the local cloud runs on other terms: {asdict(before)}",
            hint=stop_hint(data_dir),
        )
    write_kept(data_dir / _FILE_NAME, json.dumps(asdict(wanted)))
    return wanted


class Throttle:
    """Lets each key call each action at a rate, with a second's worth at once.

    Args:
        calls_per_s: The rate; 0 for none.
        clock: Gives the Unix time.
    """

    def __init__(self, calls_per_s: float, clock: Callable[[], float]) -> None:
        self._rate = calls_per_s
        self._clock = clock
        # What a key may still call at once, and when that was so.
        self._buckets: dict[tuple[str, str, str], tuple[float, float]] = {}
        self._lock = threading.Lock()

    def admit(self, access_key_id: str, version: str, action: str) -> None:
        """Count one call.

        Raises:
            ApiError: `Throttling.User`: the key calls the action too often.
        """
        if self._rate and not self._takes((access_key_id, version, action)):
            raise ApiError("Throttling.User", "Request was denied due to user flow control.")

    def _takes(self, key: tuple[str, str, str]) -> bool:
        now, most = self._clock(), max(self._rate, 1.0)
        with self._lock:
            left, seen_at = self._buckets.pop(key, (most, now))
            left = min(most, left + max(now - seen_at, 0.0) * self._rate)
            # The dict's order is that of the last calls: the first is the one that was left alone for longest.
            self._buckets[key] = (max(left - 1.0, 0.0) if left >= 1.0 else left, now)
            if len(self._buckets) > _MAX_BUCKETS:
                del self._buckets[next(iter(self._buckets))]
        return left >= 1.0
