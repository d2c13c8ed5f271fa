"""What each worker can take of a step, and the policy that keeps to it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from steelyard.balance import Policy, policy_by_name
from steelyard.errors import UsageError


@dataclass(frozen=True, kw_only=True)
class ShareBounds:
    """What one worker asks for.

    Attributes:
        micro_batch: Samples of a micro-batch; every share is a multiple of it. None for shares of any size.
        minimum: Samples of a step that it gets at least.
        maximum: Samples of a step that it can take; None where it can take all.
    """

    micro_batch: int | None = None
    minimum: int = 1
    maximum: int | None = None

    @property
    def is_free(self) -> bool:
        """Whether the share may be any but zero."""
        return self.minimum == 1 and self.maximum is None

    def check(self, global_batch: int, policy: Policy | None = None) -> None:
        """Check that a share can keep to them.

        Args:
            global_batch: Samples of a step over all workers.
            policy: A policy of the script's own, which does not know of them.

        Raises:
            UsageError: If not; says which and why.
        """
        if policy is not None and not self.is_free:
            raise UsageError(
                f"min_share and max_share say nothing to the policy given, a {type(policy).__name__}",
                "give the bounds to the policy, or leave the policy out",
            )
        unit = 1 if self.micro_batch is None else self.micro_batch
        if unit < 1 or global_batch % unit:
            raise UsageError(
                f"the global batch of {global_batch} samples is no multiple of the micro-batch, which is {unit}",
                "choose a micro-batch that divides the global batch",
            )
        maximum = global_batch if self.maximum is None else self.maximum
        if not 0 <= self.minimum <= maximum or maximum < unit:
            raise UsageError(
                f"no share is from min_share, which is {self.minimum}, to max_share, which is {maximum}, in"
                f" micro-batches of {unit}",
                "let min_share be 0 or more, and max_share neither below it nor below a micro-batch",
            )


def policy_within(name: str, global_batch: int, bounds: Sequence[ShareBounds]) -> Policy:
    """Return the policy that `name` calls, held to what the workers can take.

    Args:
        name: ``speed`` or ``equal``.
        global_batch: Samples of a step over all workers.
        bounds: What each worker asks for, in rank order.

    Raises:
        UsageError: If there is no such policy, or the workers together cannot take the global batch.
    """
    if len({each.micro_batch for each in bounds}) > 1:
        raise UsageError(
            f"the workers have different micro-batches: {[each.micro_batch for each in bounds]}",
            "give every worker the same micro_batch",
        )
    unit = bounds[0].micro_batch or 1
    minimums = [each.minimum for each in bounds]
    is_capped = any(each.maximum is not None for each in bounds)
    maximums = [global_batch if each.maximum is None else each.maximum for each in bounds]
    if sum(high // unit for high in maximums) * unit < global_batch:
        raise UsageError(
            f"the workers can take {[high // unit * unit for high in maximums]} samples, together less than the global"
            f" batch of {global_batch}",
            "lower the global batch, raise max_share, or train on more workers",
        )
    if any(low != 1 for low in minimums) and sum(-(-low // unit) for low in minimums) * unit > global_batch:
        raise UsageError(
            f"the workers ask for {minimums} samples at least, together more than the global batch of {global_batch}",
            "raise the global batch or lower min_share",
        )
    minimum = minimums if len(set(minimums)) > 1 else minimums[0]
    try:
        return policy_by_name(name, unit=unit, minimum=minimum, maximums=maximums if is_capped else None)
    except ValueError as err:
        raise UsageError(
            str(err), "set STEELYARD_BALANCE, or --balance of `steelyard train`, to one of them"
        ) from err
