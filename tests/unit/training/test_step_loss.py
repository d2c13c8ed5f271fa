"""A step's loss comes together from micro-batches, by samples or by tokens, and no weight is above 1."""

from __future__ import annotations

import math

import pytest
import torch

from steelyard.errors import NotExactError, TrainingError
from steelyard.training.step_loss import StepLoss
from steelyard.training.window import Window


class Tokens:
    """Adds what the other workers have."""

    def __init__(self, others: int = 0) -> None:
        self.others = others
        self.started: list[int] = []

    def start(self, num_tokens: int) -> None:
        self.started.append(num_tokens)

    def total(self) -> int:
        return self.started[-1] + self.others


def step_of(
    shares: tuple[int, ...] = (6, 2), tokens: Tokens | None = None, rescaled: list[float] | None = None
) -> StepLoss:
    window = Window(step=0, epoch=0, start=0, shares=shares)
    return StepLoss(window, 0, tokens, None if rescaled is None else rescaled.append)


def value(number: float) -> torch.Tensor:
    return torch.tensor(number, requires_grad=True)


def run(step: StepLoss, loss: float, num_tokens: int | None, *, is_synced: bool) -> float:
    scaled = step.add(value(loss), num_tokens, is_synced=is_synced)
    scaled.backward()
    return float(scaled.detach())


def test_a_whole_share_is_returned_as_it_is_and_weighs_its_samples() -> None:
    step, loss = step_of(), value(2.0)
    assert step.add(loss, None, is_synced=True) is loss
    assert step.weight == 6 / 8
    assert step.mean() == 2.0


def test_micro_batches_count_by_their_part_of_the_share() -> None:
    step = step_of()
    step.begin_micro_batch(4 / 6)
    run(step, 3.0, None, is_synced=False)
    step.begin_micro_batch(2 / 6)
    run(step, 6.0, None, is_synced=True)
    assert step.mean() == pytest.approx(4.0)


def test_by_tokens_a_worker_counts_by_its_tokens_over_all() -> None:
    step = step_of(tokens=(tokens := Tokens(others=90)))
    assert run(step, 2.0, 10, is_synced=True) == 2.0
    assert tokens.started == [10]
    assert step.weight == pytest.approx(0.1)


def test_micro_batches_count_by_their_tokens() -> None:
    step = step_of(tokens=Tokens(others=60))
    parts = [run(step, 1.0, 10, is_synced=False), run(step, 1.0, 30, is_synced=True)]
    assert [part * step.weight for part in parts] == pytest.approx([10 / 100, 30 / 100])
    assert step.weight <= 1.0


def test_the_reported_losses_add_up_to_the_mean_over_all_tokens() -> None:
    step = step_of((6, 2), Tokens(others=90))
    run(step, 2.0, 10, is_synced=True)
    other_mean = 4.0
    whole = (10 * 2.0 + 90 * other_mean) / 100
    assert 6 / 8 * step.mean() + 2 / 8 * (other_mean * (90 / 100) / (2 / 8)) == pytest.approx(whole)


def test_the_tokens_of_a_zero_shares_dummy_are_not_counted() -> None:
    step = step_of((0, 8), tokens := Tokens(others=50))
    run(step, 2.0, 7, is_synced=True)
    assert tokens.started == [0]
    assert step.weight == 0.0


def test_no_valid_token_anywhere_weighs_nothing() -> None:
    step = step_of(tokens=Tokens())
    run(step, float("nan"), 0, is_synced=True)
    assert step.weight == 0.0


def test_a_lone_worker_keeps_its_gradients_a_mean_as_tokens_are_added() -> None:
    step = step_of((8,), Tokens(), rescaled := [])
    parts = [run(step, 1.0, tokens, is_synced=True) for tokens in (10, 0, 30)]
    assert parts == [1.0, 0.0, 0.75]
    assert rescaled == [0.25]
    assert step.weight == 1.0
    assert step.mean() == pytest.approx(1.0)


def test_a_loss_that_was_not_given_is_not_a_number() -> None:
    assert math.isnan(step_of().mean())


def test_tokens_for_some_losses_only_are_refused() -> None:
    step = step_of(tokens=Tokens())
    run(step, 1.0, 3, is_synced=False)
    with pytest.raises(TrainingError, match="others without"):
        step.add(value(1.0), None, is_synced=True)


def test_tokens_that_come_after_the_count_are_refused() -> None:
    step = step_of(tokens=Tokens())
    run(step, 1.0, 3, is_synced=True)
    with pytest.raises(TrainingError, match="after the step's tokens had been summed"):
        step.add(value(1.0), 3, is_synced=True)


def test_a_second_loss_before_the_first_ones_backward_pass_is_refused() -> None:
    step = step_of(tokens=Tokens())
    step.add(value(1.0), 3, is_synced=False)
    with pytest.raises(TrainingError, match="before the backward pass of the first"):
        step.add(value(1.0), 3, is_synced=True)


def test_gradients_that_leave_uncounted_are_refused() -> None:
    step = step_of(tokens=Tokens())
    run(step, 1.0, 3, is_synced=False)
    with pytest.raises(TrainingError, match="before the step's tokens were counted"):
        _ = step.weight


def test_tokens_that_nobody_can_sum_are_refused() -> None:
    with pytest.raises(NotExactError, match="nothing sums the tokens"):
        step_of(tokens=None).add(value(1.0), 3, is_synced=True)
