"""Settings of what a cluster may cost."""

from __future__ import annotations

from typing import Annotated

from steelyard.spec import rule
from steelyard.spec.part import Part
from steelyard.spec.rule import Number


class BudgetSpec(Part):
    """What the cluster may cost.

    Attributes:
        max_hourly_cost: What all of it may cost by the hour, in the currency of the cloud's price API (CNY for a China
            account); `up` refuses more and creates nothing.
    """

    max_hourly_cost: Annotated[Number, rule.above(0)] | None = None
