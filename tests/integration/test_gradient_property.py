"""Whatever the model, the shares and the micro-batches: the gradient is that of one process on the whole batch.

The workers are real and are started once; each example is a case that all of them run.
"""

from __future__ import annotations

from typing import Any

import pytest
from gradient_service import GradientService
from hypothesis import given, settings
from hypothesis import strategies as st

NUM_WORKERS = 3
PLAIN = {
    "widths": [4, 6],
    "seed": 0,
    "num_left": 5,
    "by_tokens": False,
    "is_sharded": False,
    "micro_batch": None,
}


def exactness(gradient_service: GradientService, **case: Any) -> float:
    return max(gradient_service.ask("exactness", **{**PLAIN, **case}))


@st.composite
def problems(draw: st.DrawFn) -> dict[str, Any]:
    """Draw a model, shares (zeros included), micro-batches and a short last window."""
    shares = draw(st.lists(st.integers(0, 12), min_size=NUM_WORKERS, max_size=NUM_WORKERS).filter(any))
    batch = sum(shares)
    divisors = [size for size in range(1, batch + 1) if batch % size == 0]
    return {
        "widths": draw(st.lists(st.integers(1, 9), min_size=1, max_size=3)),
        "seed": draw(st.integers(0, 10_000)),
        "shares": shares,
        "num_left": draw(st.integers(0, batch - 1)),
        "by_tokens": draw(st.booleans()),
        "micro_batch": draw(st.one_of(st.none(), st.sampled_from(divisors))),
        "clip": draw(st.one_of(st.none(), st.floats(1e-3, 1.0))),
    }


@given(case=problems())
@settings(max_examples=40, deadline=None)
def test_replicas_apply_the_gradient_of_the_global_batch(
    gradient_service: GradientService, case: dict[str, Any]
) -> None:
    assert exactness(gradient_service, **case, is_sharded=False) <= 1e-12


@given(case=problems())
@settings(max_examples=25, deadline=None)
def test_shards_apply_the_gradient_of_the_global_batch(
    gradient_service: GradientService, case: dict[str, Any]
) -> None:
    assert exactness(gradient_service, **case, is_sharded=True) <= 1e-12


@pytest.mark.parametrize("is_sharded", [False, True])
def test_counting_samples_where_tokens_count_would_be_wrong(
    gradient_service: GradientService, is_sharded: bool
) -> None:
    case = {"by_tokens": True, "shares": [9, 2, 1], "is_sharded": is_sharded}
    assert exactness(gradient_service, **case, count_tokens=False) > 1e-3
    assert exactness(gradient_service, **case) <= 1e-12


def test_an_inner_hook_that_loses_nothing_changes_nothing(gradient_service: GradientService) -> None:
    assert exactness(gradient_service, shares=[9, 2, 1], hook="allreduce_hook") <= 1e-12


def test_a_compressing_inner_hook_loses_what_its_format_loses(gradient_service: GradientService) -> None:
    assert 1e-12 < exactness(gradient_service, shares=[9, 2, 1], hook="fp16_compress_hook") < 1e-3


@pytest.mark.parametrize("is_sharded", [False, True])
def test_workers_agree_to_skip_an_update_that_overflowed_on_one(
    gradient_service: GradientService, is_sharded: bool
) -> None:
    answers = gradient_service.ask("scaling", is_sharded=is_sharded, shares=[7, 4, 1], overflowing_rank=2)
    for answer in answers:
        assert answer["scales"] == [1024.0, 512.0, 512.0, 512.0]
        assert answer["parameters"] == answers[0]["parameters"]
    assert answers[0]["num_reported"] == 4
    if not is_sharded:
        assert [answer["moves"] for answer in answers] == [[True, False, True, True]] * NUM_WORKERS


@pytest.mark.parametrize("is_sharded", [False, True])
def test_a_zero_shares_overflow_is_nobodys_business(
    gradient_service: GradientService, is_sharded: bool
) -> None:
    for answer in gradient_service.ask(
        "scaling", is_sharded=is_sharded, shares=[7, 0, 5], overflowing_rank=1
    ):
        assert answer["scales"] == [1024.0] * 4


def test_shares_of_a_sharded_model_follow_the_speeds(gradient_service: GradientService) -> None:
    answers = gradient_service.ask("shares_of_sharded", costs_s=[0.004, 0.004, 0.012], num_steps=8)
    assert answers[0] == answers[1] == answers[2]
    fast, other, slow = answers[0]
    assert fast + other + slow == 48
    assert fast >= 17
    assert other >= 17
    assert slow <= 10


def test_the_demos_model_learns_alike_step_by_step_whatever_the_shares(
    gradient_service: GradientService,
) -> None:
    equal, *_ = gradient_service.ask("losses", sequence=[[4, 4, 4]], num_steps=10)
    changing = [[6, 5, 1], [0, 11, 1], [10, 1, 1], [4, 4, 4]]
    balanced, *_ = gradient_service.ask("losses", sequence=changing, num_steps=10)
    assert len(equal) == 10
    assert equal[-1] < equal[0]
    assert balanced == pytest.approx(equal, rel=1e-9)
