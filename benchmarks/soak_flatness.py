"""Whether what was measured again and again has stayed flat. Pure."""

from __future__ import annotations

import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

MIB = 1 << 20

Sample = Mapping[str, float]
"""What was measured at one moment, by name."""


@dataclass(frozen=True, kw_only=True)
class Allowance:
    """How much a figure may grow from the second quarter of the time to the last.

    Attributes:
        part: As a part of what it was.
        slack: Besides that, in the figure's own unit.
    """

    part: float
    slack: float


ALLOWANCES: Mapping[str, Allowance] = {
    "rss": Allowance(part=0.05, slack=2 * MIB),
    "pss_anon": Allowance(part=0.05, slack=2 * MIB),
    "family_pss_anon": Allowance(part=0.05, slack=8 * MIB),
    "threads": Allowance(part=0.0, slack=3),
    "fds": Allowance(part=0.0, slack=8),
    "processes": Allowance(part=0.0, slack=8),
    "sqlite": Allowance(part=0.05, slack=MIB),
    "wal": Allowance(part=0.0, slack=MIB),
    "rest": Allowance(part=0.05, slack=MIB),
}
"""What is held to be flat. The slacks are for what comes and goes: instances that are being booted, an upload."""


@dataclass(frozen=True, kw_only=True)
class Verdict:
    """What became of one figure.

    Attributes:
        before: Its median in the second quarter: the first one is the warm-up.
        after: Its median in the last quarter.
        is_flat: Whether it grew by no more than it may.
    """

    before: float
    after: float
    is_flat: bool

    @property
    def ratio(self) -> float:
        """How many times as large it became."""
        return self.after / self.before if self.before else float(self.after > 0) + 1


def judge(values: Sequence[float], allowance: Allowance) -> Verdict:
    """Compare the medians of the second and the last quarter, which a few high samples do not move.

    Raises:
        ValueError: There are fewer than eight samples.
    """
    if len(values) < 8:
        raise ValueError(f"{len(values)} samples say nothing; there must be 8 at least")
    quarter = len(values) // 4
    before = statistics.median(values[quarter : 2 * quarter])
    after = statistics.median(values[-quarter:])
    return Verdict(
        before=before, after=after, is_flat=after <= before * (1 + allowance.part) + allowance.slack
    )


def judge_all(samples: Sequence[Sample]) -> dict[str, Verdict]:
    """Judge every figure that has an allowance."""
    return {
        name: judge([sample[name] for sample in samples], allowance) for name, allowance in ALLOWANCES.items()
    }
