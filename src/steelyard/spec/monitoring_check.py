"""What rules over reported figures need."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from steelyard.spec.mistake import Finding, Path


def monitoring_findings(raw: Mapping[str, Any]) -> Iterator[Finding]:
    """Give what stands against reports and the rules over them, each with its mend.

    Args:
        raw: The spec's values as YAML or JSON gives them, with every key there.
    """
    is_silent = _mapping(raw.get("monitoring")).get("report_every_s") == 0
    groups = raw.get("node_groups")
    for i, group in enumerate(groups if isinstance(groups, list | tuple) else ()):
        scaling = _mapping(_mapping(group).get("scaling"))
        rules = scaling.get("reported")
        place: Path = ("node_groups", i, "scaling", "reported")
        if not isinstance(rules, list | tuple) or not rules:
            continue
        if is_silent:
            message = "nodes report nothing with `monitoring.report_every_s: 0`"
            yield Finding(path=place, message=message, hint="set it, such as to 30, or remove the rules")
        for k, one in enumerate(rules):
            yield from _rule_findings((*place, k), _mapping(one))
    if not is_silent and _mapping(raw.get("node_role")).get("enabled") is False:
        message = "nodes report under their role, and there is none"
        hint = "take 0, or `node_role.enabled: true`"
        yield Finding(path=("monitoring", "report_every_s"), message=message, hint=hint)


def _rule_findings(place: Path, one: Mapping[str, Any]) -> Iterator[Finding]:
    if not {"above", "below"} <= one.keys():
        return  # it could not be read as a whole, which is told elsewhere
    if (one["above"] is None) == (one["below"] is None):
        message = "one bound is given, `above` or `below`"
        hint = "remove one of the two" if one["above"] is not None else "give one of the two"
        yield Finding(path=place, message=message, hint=hint)
    if one.get("change") == 0:
        message = "0 changes nothing"
        hint = "the nearest is 1; nodes go with -1"
        yield Finding(path=(*place, "change"), message=message, hint=hint)


def _mapping(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}
