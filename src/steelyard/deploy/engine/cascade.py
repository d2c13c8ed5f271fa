"""Which resources must go when another is deleted before its replacement is made."""

from __future__ import annotations

import threading
from collections.abc import Callable, Collection, Iterable

from steelyard.deploy import urn
from steelyard.deploy.engine.deletion import Deletion, refuse_protected
from steelyard.deploy.engine.fleet import Fleet
from steelyard.deploy.engine.provider import Rules
from steelyard.deploy.engine.run import Run
from steelyard.deploy.record import Record

_LOOK_S = 0.05


class Cascade:
    """Deletes resources before their replacements are made, with all that cannot outlive them.

    Args:
        run: The run at hand.
        providers: Where the providers are found.
        lock: Held while it is decided who deletes what; whoever claims a resource holds it too.
    """

    def __init__(self, run: Run, providers: Fleet, lock: threading.Lock) -> None:
        self._run = run
        self._providers = providers
        self._lock = lock
        self._taken: dict[str, tuple[Record, threading.Event]] = {}

    def taken(self, name: str) -> Record | None:
        """Return the record of a resource that is deleted with another one; the lock is held."""
        return self._taken[name][0] if name in self._taken else None

    def await_end(self, name: str) -> bool:
        """Wait until a resource that was taken is gone; the lock is not held.

        Returns:
            Whether it is: False where the deletion that it was taken for ended without it.
        """
        with self._lock:
            record, done = self._taken[name]
        while self._run.journal.find(name) is record:
            if done.is_set():
                return self._run.journal.find(name) is not record
            done.wait(_LOOK_S)
        return True

    def delete(self, root: Record, claimed: Collection[str]) -> None:
        """Delete a resource and its dependents, those that were not registered in this run.

        Args:
            root: The resource.
            claimed: URNs registered so far.

        Raises:
            DeployError: If one of them is protected.
            ResourceError: If the cloud refuses.
        """
        done = threading.Event()
        with self._lock:
            records = self._run.journal.state.resources.values()
            found = [] if root.is_half_made else dependents(root, records, self._providers.rules)
            free = [record for record in found if record.urn not in claimed]
            mine = [record for record in free if record.urn not in self._taken]
            refuse_protected([*mine, root])
            # Another replacement may be deleting some of them at this moment. It decided earlier, so that it
            # never waits for this one.
            others = [self._taken[record.urn][1] for record in free if record.urn in self._taken]
            self._taken.update((record.urn, (record, done)) for record in mine)
        for other in others:
            other.wait()
        try:
            Deletion(self._run, self._providers, [*mine, root]).execute()
        finally:
            done.set()


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
