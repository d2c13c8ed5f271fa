"""What `make soak` calls flat."""

from __future__ import annotations

import random
import runpy
from collections.abc import Callable
from pathlib import Path

import pytest

_FLATNESS = runpy.run_path(str(Path(__file__).parents[3] / "benchmarks" / "soak_flatness.py"))
judge, judge_all = _FLATNESS["judge"], _FLATNESS["judge_all"]
MEMORY = _FLATNESS["ALLOWANCES"]["rss"]
MIB = 1 << 20
NUM_SAMPLES = 720


def memory(grow: Callable[[float], float], noise_mib: float = 2.0) -> list[float]:
    """Give an hour's samples of a memory that grows by some MiB, as a function of the part of the time."""
    seed = random.Random(7)
    return [
        (100 + grow(number / NUM_SAMPLES) + seed.uniform(0, noise_mib)) * MIB for number in range(NUM_SAMPLES)
    ]


def test_what_stays_as_it_is_but_for_noise_is_flat() -> None:
    verdict = judge(memory(lambda part: 0, noise_mib=20), MEMORY)
    assert verdict.is_flat
    assert verdict.ratio == pytest.approx(1, abs=0.03)


def test_what_grows_all_the_time_is_not_flat() -> None:
    verdict = judge(memory(lambda part: 30 * part), MEMORY)
    assert not verdict.is_flat
    assert verdict.after - verdict.before == pytest.approx(15 * MIB, rel=0.1)


def test_what_fills_while_the_cloud_warms_up_is_flat() -> None:
    assert judge(memory(lambda part: min(part, 0.25) * 400), MEMORY).is_flat


def test_what_begins_to_grow_late_is_not_flat() -> None:
    assert not judge(memory(lambda part: 0 if part < 0.7 else 20), MEMORY).is_flat


def test_a_few_samples_far_off_change_nothing() -> None:
    values = memory(lambda part: 0)
    for number in range(0, NUM_SAMPLES, 10):
        values[number] *= 5
    assert judge(values, MEMORY).is_flat


def test_what_falls_is_flat() -> None:
    assert judge(memory(lambda part: -40 * part), MEMORY).is_flat


def test_a_figure_that_was_zero_and_is_not_has_grown() -> None:
    threads = _FLATNESS["ALLOWANCES"]["threads"]
    verdict = judge([0.0] * 15 + [9.0] * 5, threads)
    assert (verdict.is_flat, verdict.ratio) == (False, 2.0)


def test_each_figure_is_judged_by_itself() -> None:
    names = _FLATNESS["ALLOWANCES"]
    samples = [dict.fromkeys(names, 1000.0) | {"threads": 10.0 + number} for number in range(40)]
    verdicts = judge_all(samples)
    assert [name for name, verdict in verdicts.items() if not verdict.is_flat] == ["threads"]


def test_a_handful_of_samples_says_nothing() -> None:
    with pytest.raises(ValueError, match="7 samples say nothing"):
        judge([1.0] * 7, MEMORY)
