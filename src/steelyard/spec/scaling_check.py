"""Checks between the settings of nodes that come and go."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from steelyard.spec.mistake import Finding, Path

_OBSTACLES: Mapping[str, str] = {
    "rdma": "scaled nodes are made by a launch template, which gives no RDMA interface",
    "head": "a head of its own stands alone and works at no job",
}


@dataclass(frozen=True, kw_only=True)
class DraftScaling:
    """A group's scaling settings of which some may be wrong: these are None, or left out of their list.

    Attributes:
        schedules: Index and number of nodes.
        steps: Index and load.
        has_triggers: Names of the settings that let nodes come or go.
    """

    min: int | None
    max: int | None
    schedules: tuple[tuple[int, int], ...]
    steps: tuple[tuple[int, int], ...]
    has_triggers: tuple[str, ...]


def read_scaling(raw: Mapping[str, Any]) -> DraftScaling:
    """Read what can be read of a group's scaling settings."""

    def number(part: Any, key: str) -> int | None:
        value = part.get(key) if isinstance(part, Mapping) else None
        return value if isinstance(value, int) and not isinstance(value, bool) else None

    def numbers(name: str, key: str) -> tuple[tuple[int, int], ...]:
        rows = raw.get(name)
        listed = rows if isinstance(rows, list | tuple) else ()
        found = ((i, number(row, key)) for i, row in enumerate(listed))
        return tuple((i, value) for i, value in found if value is not None)

    triggers = ("min", "target_cpu_percent", "steps", "reported", "schedules", "alarm_mails")
    return DraftScaling(
        min=number(raw, "min"),
        max=number(raw, "max"),
        schedules=numbers("schedules", "nodes"),
        steps=numbers("steps", "cpu_above_percent"),
        has_triggers=tuple(name for name in triggers if raw.get(name) not in (None, 0, [], ())),
    )


def scaling_findings(
    groups: Iterable[tuple[int, DraftScaling, str]], *, balancer_kind: str | None
) -> Iterator[Finding]:
    """Find the mistakes between the scaling settings of each group.

    Args:
        groups: Each group's index, its settings, and another setting of its that lets it not be scaled: `rdma`, `head`
            or empty.
        balancer_kind: The load balancer's kind, None where it is not known.
    """
    for index, scaling, obstacle in groups:
        place: Path = ("node_groups", index, "scaling")
        if scaling.max is None:
            continue
        if scaling.max == 0:
            for name in scaling.has_triggers:
                message = f"`{name}` is set, and with `max: 0` nothing is scaled"
                yield Finding(path=(*place, name), message=message, hint="give `max`, or remove it")
            continue
        yield from _bound_findings(place, scaling, scaling.max)
        yield from _step_findings(place, scaling)
        if obstacle:
            yield Finding(
                path=("node_groups", index, obstacle),
                message=_OBSTACLES[obstacle],
                hint=f"scale a group without `{obstacle}`",
            )
        if balancer_kind == "application":
            yield Finding(
                path=place,
                message="an application load balancer's server group lists its nodes, and would lose scaled ones",
                hint="take `kind: network`, which attaches nodes one by one",
            )


def _bound_findings(place: Path, scaling: DraftScaling, most: int) -> Iterator[Finding]:
    least = scaling.min or 0
    if least > most:
        message = f"{least} is above `max`, {most}"
        yield Finding(path=(*place, "min"), message=message, hint=f"the nearest is {most}")
        return
    for i, nodes in scaling.schedules:
        if not least <= nodes <= most:
            message = f"{nodes} is outside `min` to `max`, {least} to {most}"
            hint = f"the nearest is {max(least, min(most, nodes))}"
            yield Finding(path=(*place, "schedules", i, "nodes"), message=message, hint=hint)


def _step_findings(place: Path, scaling: DraftScaling) -> Iterator[Finding]:
    seen: dict[int, int] = {}
    for i, load in scaling.steps:
        if load in seen:
            message = f"{load} % stands twice; it is steps[{seen[load]}] already"
            hint = "give each step a load of its own"
            yield Finding(path=(*place, "steps", i, "cpu_above_percent"), message=message, hint=hint)
        seen.setdefault(load, i)
