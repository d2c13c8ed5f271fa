from __future__ import annotations

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from steelyard.localcloud.wire.nonce import UsedNonces

LASTS_S = 100.0


@pytest.fixture
def nonces() -> UsedNonces:
    return UsedNonces(LASTS_S, 1000)


def test_a_nonce_can_be_used_once(nonces: UsedNonces) -> None:
    assert nonces.use("a", 0.0, 0.0)
    assert not nonces.use("a", 0.0, 0.0)
    assert nonces.use("b", 0.0, 0.0)


@given(st.lists(st.tuples(st.integers(0, 5), st.floats(0, 60), st.floats(-LASTS_S, LASTS_S)), max_size=60))
def test_a_nonce_is_refused_for_as_long_as_its_time_stamp_is_good(
    uses: list[tuple[int, float, float]],
) -> None:
    nonces, stamps, now = UsedNonces(LASTS_S, 1000), dict[int, float](), 0.0
    for number, wait_s, skew_s in uses:
        now += wait_s
        is_remembered = number in stamps and now - stamps[number] <= LASTS_S
        is_first = nonces.use(str(number), now, now + skew_s)
        assert not (is_remembered and is_first)
        if is_first:
            stamps[number] = now + skew_s


def test_what_is_older_is_forgotten(nonces: UsedNonces) -> None:
    for number in range(500):
        nonces.use(str(number), number / 100, number / 100)
    nonces.use("later", 5.0 + LASTS_S, 5.0 + LASTS_S)
    assert len(nonces) == 1
    assert nonces.use("0", 5.0 + LASTS_S, 5.0 + LASTS_S)


def test_steady_calls_are_remembered_for_not_much_longer_than_they_have_to(nonces: UsedNonces) -> None:
    for number in range(2000):
        nonces.use(str(number), number / 2, number / 2)
    assert 2 * LASTS_S <= len(nonces) <= 2 * LASTS_S * 1.3


def test_a_flood_does_not_fill_the_memory_and_pushes_the_oldest_out(nonces: UsedNonces) -> None:
    for number in range(5000):
        nonces.use(str(number), 0.0, 0.0)
        assert len(nonces) <= 1000
    assert not nonces.use("4999", 0.0, 0.0)
    assert not nonces.use("4300", 0.0, 0.0)
    assert nonces.use("0", 0.0, 0.0)


def test_a_use_costs_the_same_whether_few_or_many_are_remembered() -> None:
    few, many = UsedNonces(LASTS_S, 100_000), UsedNonces(LASTS_S, 100_000)
    for number in range(100_000):
        many.use(f"before-{number}", 0.0, 0.0)

    def seconds(nonces: UsedNonces) -> float:
        began = time.process_time()
        for number in range(20_000):
            nonces.use(f"now-{number}", 0.0, 0.0)
        return time.process_time() - began

    # A dict whose first entries are deleted one by one took a hundred times as long.
    assert seconds(many) < 10 * seconds(few)
