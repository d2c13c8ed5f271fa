"""The order of samples: the same on every worker, and the same as before where training is resumed."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from steelyard.errors import UsageError
from steelyard.training.cycle import StepCycle
from steelyard.training.elastic_cycle import ElasticCycle
from steelyard.training.elastic_team import ElasticTeam
from steelyard.training.team import Team

STATE_VERSION = 1
"""Version of what `Balancer.state_dict` returns."""


def agree_on_order(
    team: Team | ElasticTeam, cycle: StepCycle, order: Mapping[str, Any], loader_options: Mapping[str, Any]
) -> None:
    """Check that all workers draw from the same order, and find how far the deepest one draws ahead.

    Args:
        team: The workers.
        cycle: Their steps.
        order: What the order depends on; JSON values.
        loader_options: Options of the worker's `DataLoader`.

    Raises:
        UsageError: If the workers would draw from different orders.
    """
    depth = loader_options.get("num_workers", 0) * (loader_options.get("prefetch_factor") or 2)
    if isinstance(cycle, ElasticCycle):
        cycle.introduce(order=dict(order), depth=depth)  # compared when a quorum forms
        return
    own = {**order, **cycle.cursor.state_dict()}
    answers = team.gather((own, depth))
    orders = [each for each, _ in answers]
    if any(each != own for each in orders):
        raise UsageError(
            f"the workers would draw from different orders of samples: {orders}",
            "give every worker the same dataset, global batch, steps, seed and state",
        )
    cycle.plan.lag = max(each for _, each in answers)


def check_length(before: int | None, num_samples: int) -> None:
    """Check that training goes on with a dataset as long as before.

    Raises:
        UsageError: If not.
    """
    if before not in (None, num_samples):
        raise UsageError(
            f"training began with a dataset of {before} samples, and this one has {num_samples}",
            "go on with the same dataset; load validation data with a plain DataLoader",
        )


def check_state(state: Mapping[str, Any], num_samples: int | None) -> None:
    """Check that a saved state can be gone on from.

    Args:
        state: What `Balancer.state_dict` returned.
        num_samples: Samples of the dataset; None where it is not known yet.

    Raises:
        UsageError: If it is of another version or of a dataset of another length.
    """
    if state.get("version") != STATE_VERSION:
        raise UsageError(
            f"the balancer's state has version {state.get('version')!r}, not {STATE_VERSION}",
            "load a state saved by it",
        )
    saved = state["num_samples"]
    if None not in (saved, num_samples) and saved != num_samples:
        raise UsageError(
            f"the state is of a dataset of {saved} samples, and this one has {num_samples}",
            "resume with the same dataset",
        )
