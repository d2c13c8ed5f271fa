"""States that follow the steps which were made: what goes back where a step has to be made again."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from typing import Any, Protocol

import torch


class Stateful(Protocol):
    """What has a state: a learning-rate schedule, a gradient scaler."""

    def state_dict(self) -> dict[str, Any]:
        """Return it."""
        ...

    def load_state_dict(self, state_dict: dict[str, Any]) -> Any:
        """Take it over."""
        ...


class KeptStates:
    """What must follow the steps that were made, not those that were tried: schedules, scalers, learning rates.

    The state before a step is kept until the step is made. Where it has to be made again, the state goes back.

    """

    def __init__(self) -> None:
        self._optimizer: torch.optim.Optimizer | None = None
        self._objects: dict[str, Stateful] = {}
        self._saved: dict[str, dict[str, Any]] = {}
        self._options: list[dict[str, Any]] = []

    def follow(self, optimizer: torch.optim.Optimizer) -> None:
        """Keep an optimizer's options, such as the learning rate; its tensors change in made steps only."""
        self._optimizer = optimizer

    def add(self, **objects: Stateful) -> None:
        """Keep the states of objects from now on."""
        self._objects |= objects

    def save(self) -> None:
        """Take note of the state before a step."""
        self._saved = self.state_dict()
        self._options = [
            copy.deepcopy({key: value for key, value in group.items() if key != "params"})
            for group in self._groups()
        ]

    def restore(self) -> None:
        """Go back to the state before the step."""
        self.load_state_dict(self._saved)
        for group, options in zip(self._groups(), self._options, strict=True):
            group.update(copy.deepcopy(options))

    @property
    def saved(self) -> dict[str, dict[str, Any]]:
        """The states before the step under way."""
        return self._saved

    def state_dict(self) -> dict[str, dict[str, Any]]:
        """Return the state of every object, by its name."""
        return {name: copy.deepcopy(kept.state_dict()) for name, kept in self._objects.items()}

    def load_state_dict(self, states: Mapping[str, dict[str, Any]]) -> None:
        """Take over the state of every object that has one there."""
        for name, state in states.items():
            if name in self._objects:
                self._objects[name].load_state_dict(copy.deepcopy(state))

    def _groups(self) -> list[dict[str, Any]]:
        return self._optimizer.param_groups if self._optimizer else []
