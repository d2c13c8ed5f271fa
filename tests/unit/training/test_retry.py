"""A job tells why a worker ended, and tries again accordingly."""

from __future__ import annotations

import pytest

from steelyard.training.retry import ALONE_EXIT_CODE, Cause, RetryBudget, cause_of


@pytest.mark.parametrize(
    ("exit_code", "is_released", "cause"),
    [
        (0, False, Cause.DONE),
        (1, False, Cause.USER),
        (-9, False, Cause.INFRASTRUCTURE),
        (None, False, Cause.INFRASTRUCTURE),
        (-15, False, Cause.RECLAIM),
        (143, False, Cause.RECLAIM),
        (ALONE_EXIT_CODE, False, Cause.INFRASTRUCTURE),
        (None, True, Cause.RECLAIM),
        (1, True, Cause.RECLAIM),
        (0, True, Cause.DONE),
    ],
)
def test_the_cause_follows_from_the_exit_code_and_the_node(
    exit_code: int | None, is_released: bool, cause: Cause
) -> None:
    assert cause_of(exit_code, is_released=is_released) is cause


def test_a_reclaimed_node_costs_nothing_of_the_budget() -> None:
    budget = RetryBudget(max_user_errors=0, max_infrastructure_errors=0)
    assert all(budget.allows(Cause.RECLAIM) for _ in range(100))


def test_errors_of_the_script_and_of_the_infrastructure_are_counted_apart() -> None:
    budget = RetryBudget(max_user_errors=1, max_infrastructure_errors=2)
    assert [budget.allows(Cause.USER) for _ in range(3)] == [True, False, False]
    assert [budget.allows(Cause.INFRASTRUCTURE) for _ in range(3)] == [True, True, False]
