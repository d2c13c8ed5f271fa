"""Metrics over time: what was put or measured, gathered by 15 seconds, and read by periods."""

from __future__ import annotations

import math
import secrets
from collections import OrderedDict, deque
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

from steelyard.localcloud.store import Store

BUCKET_S: Final = 15
"""The finest period that the API has."""

_CHUNK_S: Final = 600
_CHUNK_KIND, _SERIES_KIND = "cms_chunk", "cms_series"
_MAX_CHUNKS, _MAX_SERIES = 20000, 1000
MAX_MEASURED: Final = 200_000
"""Buckets of all measured metrics together, some 30 MiB: six hours of 70 instances, or 25 minutes of a thousand."""
MAX_MEASURED_SERIES: Final = 5000
"""Measured metrics, of which each takes a KiB however short it is; an instance has two."""
_MEASURED_BUCKETS: Final = 4 * 60 * 6

Key = tuple[str, str, str]
"""Namespace, metric and dimensions, written by `dimension.text_of`."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Bucket:
    """What is known of a metric from a moment on for some seconds.

    Attributes:
        start: Unix time of its beginning.
        num: Number of samples.
        last: The newest of them.
    """

    start: float
    num: int
    sum: float
    low: float
    high: float
    last: float

    def merged(self, other: Bucket) -> Bucket:
        """Add what a later bucket knows."""
        return Bucket(
            start=self.start,
            num=self.num + other.num,
            sum=self.sum + other.sum,
            low=min(self.low, other.low),
            high=max(self.high, other.high),
            last=other.last,
        )

    def statistic(self, name: str) -> float:
        """Give one figure.

        Args:
            name: `Average`, `Maximum`, `Minimum`, `Sum`, `SampleCount` or `Value` (the newest sample).
        """
        figures = {
            "Average": self.sum / self.num,
            "Maximum": self.high,
            "Minimum": self.low,
            "Sum": self.sum,
            "SampleCount": float(self.num),
            "Value": self.last,
        }
        return figures[name]


STATISTICS: Final = ("Average", "Maximum", "Minimum", "Sum", "SampleCount", "Value")


def sample(time: float, value: float) -> Bucket:
    """Give what one sample tells."""
    return Bucket(start=time, num=1, sum=value, low=value, high=value, last=value)


def by_periods(buckets: Iterable[Bucket], period_s: int) -> list[Bucket]:
    """Gather buckets by periods that begin at multiples of their length."""
    found: dict[int, Bucket] = {}
    for bucket in buckets:
        number = math.floor(bucket.start / period_s)
        start = float(number * period_s)
        before = found.get(number)
        moved = replace(bucket, start=start)
        found[number] = moved if before is None else before.merged(moved)
    return [found[number] for number in sorted(found)]


class StoredSeries:
    """Metrics that were put: kept in the store before the answer, the oldest ones dropped.

    Ten minutes of one metric are one body, so that a put writes little; 20,000 bodies are kept, and 1,000 metrics.

    Args:
        store: The cloud's state.
    """

    def __init__(self, store: Store) -> None:
        self._store = store

    def put(self, key: Key, bucket: Bucket) -> None:
        """Add to a metric; inside of a transaction."""
        series_id = "|".join(key)
        series = self._store.get(_SERIES_KIND, series_id)
        if series is None:
            # One of this name that was deleted may have left bodies.
            series = {"key": list(key), "epoch": secrets.token_hex(4)}
            self._store.put(_SERIES_KIND, series_id, series)
            self._store.trim(_SERIES_KIND, _MAX_SERIES)
        chunk_id = f"{_chunk_prefix(series_id, series)}{math.floor(bucket.start / _CHUNK_S)}"
        slot = str(math.floor(bucket.start / BUCKET_S))
        body: Mapping[str, Any] = self._store.get(_CHUNK_KIND, chunk_id) or {}
        before = body.get(slot)
        added = [bucket.num, bucket.sum, bucket.low, bucket.high, bucket.last]
        merged = added if before is None else _merged(before, added)
        self._store.put(_CHUNK_KIND, chunk_id, {**body, slot: merged})
        self._store.trim(_CHUNK_KIND, _MAX_CHUNKS)

    def keys(self) -> list[Key]:
        """Give all metrics."""
        keys = []
        for body in self._store.list(_SERIES_KIND):
            key = body["key"]
            assert isinstance(key, list)
            keys.append((str(key[0]), str(key[1]), str(key[2])))
        return keys

    def delete(self, key: Key) -> None:
        """Forget a metric; inside of a transaction. What it had is dropped as the oldest ones are, and read no more."""
        self._store.delete(_SERIES_KIND, "|".join(key))

    def read(self, key: Key, start: float, end: float) -> Iterator[Bucket]:
        """Give what a metric has from a time to another, without the latter."""
        series_id = "|".join(key)
        prefix = _chunk_prefix(series_id, self._store.get(_SERIES_KIND, series_id) or {})
        for number in range(math.floor(start / _CHUNK_S), math.floor(end / _CHUNK_S) + 1):
            body: Mapping[str, Any] = self._store.get(_CHUNK_KIND, f"{prefix}{number}") or {}
            for slot in sorted(body, key=int):
                bucket_start = float(int(slot) * BUCKET_S)
                if start <= bucket_start < end:
                    num, total, low, high, last = body[slot]
                    yield Bucket(start=bucket_start, num=num, sum=total, low=low, high=high, last=last)


def _chunk_prefix(series_id: str, series: Mapping[str, object]) -> str:
    epoch = series.get("epoch")  # a series of an earlier version has none
    return f"{series_id}|{epoch}|" if epoch else f"{series_id}|"


class MeasuredSeries:
    """Metrics that the cloud measures itself: the last six hours in memory, measured anew after a restart.

    There are at most `MAX_MEASURED` buckets and `MAX_MEASURED_SERIES` metrics. Beyond that the metric that was not
    measured for the longest time loses its oldest bucket: first go the metrics of what is gone, then all lose alike.
    One thread puts them, while others read.
    """

    def __init__(self) -> None:
        self._series: OrderedDict[Key, deque[Bucket]] = OrderedDict()
        self._num_buckets = 0

    def put(self, key: Key, bucket: Bucket) -> None:
        """Add to a metric, in the order of time."""
        buckets = self._series.setdefault(key, deque(maxlen=_MEASURED_BUCKETS))
        self._series.move_to_end(key)
        self._num_buckets -= len(buckets)
        start = float(math.floor(bucket.start / BUCKET_S) * BUCKET_S)
        moved = replace(bucket, start=start)
        if buckets and buckets[-1].start == start:
            buckets[-1] = buckets[-1].merged(moved)
        else:
            buckets.append(moved)
        self._num_buckets += len(buckets)
        while self._num_buckets > MAX_MEASURED or len(self._series) > MAX_MEASURED_SERIES:
            self._drop_oldest()

    def _drop_oldest(self) -> None:
        key, buckets = next(iter(self._series.items()))
        buckets.popleft()
        self._num_buckets -= 1
        if not buckets:
            del self._series[key]

    def keys(self) -> list[Key]:
        """Give all metrics."""
        return list(self._series)

    def read(self, key: Key, start: float, end: float) -> Iterator[Bucket]:
        """Give what a metric has from a time to another, without the latter."""
        return (bucket for bucket in list(self._series.get(key, ())) if start <= bucket.start < end)


def _merged(before: Sequence[Any], added: Sequence[Any]) -> list[Any]:
    return [
        before[0] + added[0],
        before[1] + added[1],
        min(before[2], added[2]),
        max(before[3], added[3]),
        added[4],
    ]
