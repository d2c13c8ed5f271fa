"""Which resources must go when another is deleted before its replacement is made."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from steelyard.deploy.engine import urn
from steelyard.deploy.engine.provider import Rules
from steelyard.deploy.record import Record


def dependents(root: Record, records: Iterable[Record], rules: Callable[[str], Rules]) -> list[Record]:
    """Return the resources that cannot live through the deletion of `root`, without `root` itself.

    A resource is one of them if an input that it cannot change in place comes from a doomed resource: the input
    is about to change, so the resource is about to be replaced (pulumi's `calculateDependentReplacements`). What
    only follows, or can be updated, stays.

    Args:
        root: The resource that is to be deleted and made anew.
        records: All that stands.
        rules: Tells how a type changes.
    """
    doomed = {root.urn}
    found: list[Record] = []
    rest = [record for record in records if record.urn != root.urn and _can_be_doomed(record)]
    grows = True
    while grows:
        grows = False
        for record in list(rest):
            if _is_doomed(record, doomed, rules):
                doomed.add(record.urn)
                found.append(record)
                rest.remove(record)
                grows = True
    return found


def _can_be_doomed(record: Record) -> bool:
    return record.is_custom and not record.is_external and not urn.is_provider(record.type)


def _is_doomed(record: Record, doomed: set[str], rules: Callable[[str], Rules]) -> bool:
    changing = {name for name, urns in record.property_dependencies.items() if not doomed.isdisjoint(urns)}
    return not changing.isdisjoint(rules(record.type).replace_keys)
