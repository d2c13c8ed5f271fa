"""Schedules and learning rates follow the steps that were made, not those that were tried."""

from __future__ import annotations

import pytest
import torch

from steelyard.training.kept_states import KeptStates


class Training:
    """An optimizer with a schedule whose every value builds on the one before."""

    def __init__(self) -> None:
        self.optimizer = torch.optim.SGD([torch.nn.Parameter(torch.ones(1))], lr=1.0)
        self.schedule = torch.optim.lr_scheduler.ExponentialLR(self.optimizer, 0.5)
        self.kept = KeptStates()
        self.kept.follow(self.optimizer)
        self.kept.add(schedule=self.schedule)

    def step(self) -> None:
        self.kept.save()
        self.optimizer.step()
        self.schedule.step()

    @property
    def rate(self) -> float:
        rate: float = self.optimizer.param_groups[0]["lr"]
        return rate


def test_a_step_that_is_made_again_counts_once() -> None:
    training = Training()
    training.step()
    training.step()
    assert training.rate == 0.25
    training.kept.restore()
    assert training.rate == 0.5
    training.step()
    assert training.rate == 0.25
    assert training.schedule.last_epoch == 2


def test_a_worker_that_comes_takes_the_schedule_of_its_peer() -> None:
    peer, newcomer = Training(), Training()
    for _ in range(3):
        peer.step()
    newcomer.optimizer.load_state_dict(peer.optimizer.state_dict())
    newcomer.kept.load_state_dict(peer.kept.state_dict())
    for training in (peer, newcomer):
        training.step()
    assert newcomer.rate == peer.rate == 1 / 16
    assert newcomer.schedule.get_last_lr() == peer.schedule.get_last_lr()


def test_what_a_peer_keeps_and_this_worker_does_not_is_left_out() -> None:
    training = Training()
    training.kept.load_state_dict({"other": {"value": 1}})
    assert training.rate == pytest.approx(1.0)
