"""What CloudMonitor keeps of metrics that it measures itself."""

from __future__ import annotations

import tracemalloc

import pytest

from steelyard.localcloud.services.cms import series
from steelyard.localcloud.services.cms.series import BUCKET_S, Key, MeasuredSeries, sample


def key(name: str) -> Key:
    return ("acs_ecs_dashboard", "CPUUtilization", name)


def lengths(measured: MeasuredSeries) -> dict[str, int]:
    return {one[2]: len(list(measured.read(one, 0, 1e12))) for one in measured.keys()}  # noqa: SIM118 - no mapping


@pytest.fixture
def six_buckets(monkeypatch: pytest.MonkeyPatch) -> MeasuredSeries:
    """Series that hold six buckets in all."""
    monkeypatch.setattr(series, "MAX_MEASURED", 6)
    return MeasuredSeries()


def test_what_is_gone_is_forgotten_before_what_is_still_measured(six_buckets: MeasuredSeries) -> None:
    for number in range(3):
        six_buckets.put(key("gone"), sample(number * BUCKET_S, 1.0))
    for number in range(3, 9):
        six_buckets.put(key("here"), sample(number * BUCKET_S, 1.0))
    assert lengths(six_buckets) == {"here": 6}


def test_metrics_that_are_all_measured_lose_their_oldest_buckets_alike(six_buckets: MeasuredSeries) -> None:
    for number in range(20):
        for name in ("a", "b", "c"):
            six_buckets.put(key(name), sample(number * BUCKET_S, float(number)))
    assert lengths(six_buckets) == {"a": 2, "b": 2, "c": 2}
    (_, newest) = six_buckets.read(key("a"), 0, 1e12)
    assert newest.last == 19.0


def test_instances_that_live_for_a_moment_do_not_fill_the_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(series, "MAX_MEASURED_SERIES", 3)
    measured = MeasuredSeries()
    for number in range(10):
        measured.put(key(f"i-{number}"), sample(number * BUCKET_S, 1.0))
        measured.put(key("here"), sample(number * BUCKET_S, 1.0))
    assert lengths(measured) == {"i-8": 1, "i-9": 1, "here": 10}


def test_two_samples_of_one_bucket_count_as_one(six_buckets: MeasuredSeries) -> None:
    for number in range(100):
        six_buckets.put(key("a"), sample(number / 100, float(number)))
    (bucket,) = six_buckets.read(key("a"), 0, 1e12)
    assert (bucket.num, bucket.high) == (100, 99.0)


def test_a_metric_is_kept_for_six_hours() -> None:
    measured = MeasuredSeries()
    for number in range(2000):
        measured.put(key("a"), sample(float(number * BUCKET_S), 1.0))
    assert lengths(measured) == {"a": 6 * 3600 // BUCKET_S}


def test_a_full_memory_of_metrics_takes_some_tens_of_megabytes(monkeypatch: pytest.MonkeyPatch) -> None:
    num_instances, num_buckets = 100, 40
    monkeypatch.setattr(series, "MAX_MEASURED", num_instances * num_buckets)
    measured = MeasuredSeries()
    tracemalloc.start()
    try:
        for number in range(num_buckets + 10):
            for instance in range(num_instances):
                measured.put(key(f"i-{instance}"), sample(number * BUCKET_S, number + instance / 7))
        held, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    kept = sum(lengths(measured).values())
    assert kept == num_instances * num_buckets
    assert held / kept * 200_000 < 50 << 20
