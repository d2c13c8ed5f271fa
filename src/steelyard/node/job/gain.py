"""What balancing gained so far against the equal split: an estimate from what was measured. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any


@dataclass(frozen=True, kw_only=True)
class Gain:
    """Sums over the steps of a job whose workers were all measured.

    Attributes:
        num_steps: How many steps.
        measured_s: How long they took, in seconds.
        equal_s: How long they would have taken with equal shares; estimated, in seconds.
    """

    num_steps: int = 0
    measured_s: float = 0.0
    equal_s: float = 0.0

    def with_step(self, event: Mapping[str, Any]) -> Gain:
        """Return the sums with one more step event; one without an estimate changes nothing."""
        seconds, equal_s = event.get("seconds"), event.get("equal_s")
        if not isinstance(seconds, int | float) or not isinstance(equal_s, int | float):
            return self
        return replace(
            self,
            num_steps=self.num_steps + 1,
            measured_s=self.measured_s + seconds,
            equal_s=self.equal_s + equal_s,
        )

    @property
    def saved_s(self) -> float:
        """Seconds that the equal split would have taken longer; below zero where it would have been faster."""
        return self.equal_s - self.measured_s

    @property
    def speedup(self) -> float | None:
        """How many times as many samples per second as with equal shares; None before the first step."""
        return self.equal_s / self.measured_s if self.measured_s > 0.0 else None
