"""Load balancer weights follow the speeds."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from steelyard.balance import MAX_WEIGHT, load_balancer_weights


def test_the_fastest_gets_a_hundred_and_the_rest_their_part() -> None:
    assert load_balancer_weights([166.0, 166.0, 55.3]) == (100, 100, 33)


def test_a_slow_server_keeps_a_weight_and_a_stopped_one_none() -> None:
    assert load_balancer_weights([1000.0, 0.1, 0.0]) == (100, 1, 0)


def test_nothing_that_works_means_no_weight_at_all() -> None:
    assert load_balancer_weights([0.0, 0.0]) == (0, 0)
    assert load_balancer_weights([]) == ()


def test_a_negative_speed_is_refused() -> None:
    with pytest.raises(ValueError, match="0 or above"):
        load_balancer_weights([1.0, -1.0])


@given(st.lists(st.floats(min_value=0.0, max_value=1e6), max_size=20))
def test_weights_are_ordered_as_the_speeds_and_within_the_clouds_bounds(speeds: list[float]) -> None:
    weights = load_balancer_weights(speeds)
    assert all(0 <= weight <= MAX_WEIGHT for weight in weights)
    ordered = sorted(zip(speeds, weights, strict=True))
    assert [weight for _, weight in ordered] == sorted(weights)
