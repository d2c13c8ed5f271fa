"""A fault as it is asked for, kept and told."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Self

from steelyard.localcloud.service import ApiError

PATH = "/steelyard/faults"
"""Where faults are asked for, on the cloud's one port; the real cloud has nothing there."""

MAX_FOR_S = 86_400 * 365
"""Longest time after which a fault ends by itself, in seconds; what is to last stays until it is cleared."""


@dataclass(frozen=True, kw_only=True)
class Order:
    """A fault that is asked for.

    Attributes:
        kind: Which one.
        target: What it strikes: an instance, a zone, an action, an instance type.
        for_s: Seconds after which it ends by itself; 0 where it stays until it is cleared.
        settings: What else the kind takes, by name.
    """

    kind: str
    target: str
    for_s: float = 0.0
    settings: Mapping[str, object] = field(default_factory=dict)

    @classmethod
    def from_json(cls, tree: object) -> Self:
        """Read an order from a request's body.

        Raises:
            ApiError: `InvalidFault`, if it is none.
        """
        if not isinstance(tree, dict):
            raise invalid_fault("an order is an object with `kind` and `target`")
        kind, target, for_s = tree.get("kind"), tree.get("target"), tree.get("for_s", 0)
        settings = tree.get("settings", {})
        if not isinstance(kind, str) or not isinstance(target, str) or not isinstance(settings, dict):
            raise invalid_fault("`kind` and `target` are texts, and `settings` is an object")
        if not isinstance(for_s, int | float) or isinstance(for_s, bool) or not 0 <= for_s <= MAX_FOR_S:
            raise invalid_fault(f"`for_s` is {for_s!r}, and must be a number of seconds, up to {MAX_FOR_S}")
        unknown = tree.keys() - {"kind", "target", "for_s", "settings"}
        if unknown:
            raise invalid_fault(f"an order has no {sorted(unknown)[0]!r}")
        return cls(kind=kind, target=target, for_s=float(for_s), settings=settings)

    def number(self, name: str, default: float, low: float, high: float) -> float:
        """Give a setting that is a number of a range.

        Raises:
            ApiError: `InvalidFault`, if it is none.
        """
        value = self.settings.get(name, default)
        if isinstance(value, bool) or not isinstance(value, int | float) or not low <= value <= high:
            raise invalid_fault(
                f"`{name}` of {self.kind} is {value!r}, and must be a number from {low:g} to {high:g}"
            )
        return float(value)

    def text(self, name: str, default: str) -> str:
        """Give a setting that is a text.

        Raises:
            ApiError: `InvalidFault`, if it is none.
        """
        value = self.settings.get(name, default)
        if not isinstance(value, str) or not value:
            raise invalid_fault(f"`{name}` of {self.kind} is {value!r}, and must be a text")
        return value


@dataclass(frozen=True, kw_only=True)
class Fault:
    """A fault that was made.

    Attributes:
        id: Its id.
        kind: Which one.
        target: What it strikes.
        settings: How.
        since: Unix time from which it is in force.
        until: Unix time at which it ends by itself; 0 where it stays until it is cleared.
        lasts: Whether there is something to clear; what happened at once, such as a kill, is told and not kept.
    """

    id: str
    kind: str
    target: str
    settings: Mapping[str, object] = field(default_factory=dict)
    since: float
    until: float = 0.0
    lasts: bool = True

    def to_body(self) -> dict[str, object]:
        """Return it as a JSON object."""
        return asdict(self)

    @classmethod
    def from_body(cls, body: Mapping[str, object]) -> Self:
        """Read what `to_body` wrote."""
        return cls(**body)  # type: ignore[arg-type]


def invalid_fault(reason: str) -> ApiError:
    """Tell that an order cannot be carried out as it stands."""
    return ApiError("InvalidFault", reason, 400)


def fault_not_found(fault_id: str) -> ApiError:
    """Tell that there is no such fault."""
    return ApiError("FaultNotFound", f"there is no fault {fault_id!r}; it may have ended by itself", 404)


def fault_refused(reason: str) -> ApiError:
    """Tell that this cloud cannot do it, as it is or where it runs."""
    return ApiError("FaultRefused", reason, 409)
