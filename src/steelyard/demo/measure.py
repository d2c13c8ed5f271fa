"""Figures from a job's training events."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

Event = Mapping[str, Any]

NUM_WARM_UP_STEPS = 10
"""Steps left out of a rate: the first ones warm caches up and settle the shares."""


@dataclass(frozen=True, kw_only=True)
class Training:
    """What one training job did, from its events."""

    events: Sequence[Event]

    @property
    def steps(self) -> Sequence[Event]:
        """The step events, in order."""
        return [event for event in self.events if event["kind"] == "step"]

    @property
    def num_steps(self) -> int:
        """Number of steps made."""
        return len(self.steps)

    @property
    def shares(self) -> Sequence[int]:
        """Shares of the last step, by rank."""
        return [node["share"] for node in self.steps[-1]["nodes"]] if self.steps else []

    @property
    def samples_per_s(self) -> float:
        """Samples per second after the warm-up, by the wall clock of the events; 0 for too short a run."""
        steady = self.steps[NUM_WARM_UP_STEPS - 1 :]
        if len(steady) < 2:
            return 0.0
        seconds = steady[-1]["time"] - steady[0]["time"]
        return sum(step["global_batch"] for step in steady[1:]) / seconds

    @property
    def step_s(self) -> float:
        """Mean seconds of a step after the warm-up; 0 for too short a run."""
        steady = self.steps[NUM_WARM_UP_STEPS - 1 :]
        if len(steady) < 2:
            return 0.0
        return (steady[-1]["time"] - steady[0]["time"]) / (len(steady) - 1)

    @property
    def is_imitated(self) -> bool:
        """Whether a node's accelerator was imitated."""
        return any(step.get("is_imitated") for step in self.steps)

    def metric(self, name: str) -> Sequence[float]:
        """Return the values of a metric, in order."""
        return [
            event["value"] for event in self.events if event["kind"] == "metric" and event["name"] == name
        ]
