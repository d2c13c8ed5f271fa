"""An imitated step ends when it should, and says so where it cannot."""

from __future__ import annotations

import time

import pytest

from steelyard.training.imitation import ImitatedAccelerator


class FakeTime:
    """A clock that only moves when it is slept on or read."""

    def __init__(self) -> None:
        self.now_s = 100.0
        self.slept_s = 0.0

    def clock(self) -> float:
        self.now_s += 1e-5
        return self.now_s

    def sleep(self, seconds: float) -> None:
        assert seconds >= 0.0
        self.slept_s += seconds
        self.now_s += seconds


def test_a_step_ends_in_proportion_to_its_samples() -> None:
    fake = FakeTime()
    accelerator = ImitatedAccelerator(0.006, clock=fake.clock, sleep=fake.sleep)
    began_s = fake.clock()
    fake.now_s += 0.04  # the real computing is absorbed
    assert accelerator.hold(began_s, 21)
    assert fake.now_s - began_s == pytest.approx(0.126, abs=1e-4)


def test_nearly_all_of_the_wait_is_slept_so_that_others_can_compute() -> None:
    fake = FakeTime()
    ImitatedAccelerator(0.006, clock=fake.clock, sleep=fake.sleep).hold(fake.now_s, 20)
    assert fake.slept_s == pytest.approx(0.120, abs=0.0005)


def test_computing_that_takes_longer_than_the_pace_is_told() -> None:
    fake = FakeTime()
    accelerator = ImitatedAccelerator(0.006, clock=fake.clock, sleep=fake.sleep)
    assert not accelerator.hold(fake.now_s - 0.2, 20)
    assert fake.slept_s == 0.0


def test_a_delay_within_two_percent_counts_as_held() -> None:
    fake = FakeTime()
    accelerator = ImitatedAccelerator(0.006, clock=fake.clock, sleep=fake.sleep)
    assert accelerator.hold(fake.now_s - 0.121, 20)


def test_the_real_clock_is_held_to_a_millisecond_or_two() -> None:
    began_s = time.perf_counter()
    ImitatedAccelerator(0.01).hold(began_s, 3)
    assert time.perf_counter() - began_s >= 0.03
