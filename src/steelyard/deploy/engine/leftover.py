"""What a run leaves for a later one because the cloud has no room for it now."""

from __future__ import annotations

import threading
from collections.abc import Iterable

from steelyard.deploy import urn as urns
from steelyard.deploy.record import Record
from steelyard.errors import PutOffError


class Leftovers:
    """Resources that one run could not make or change for now, and what needs them; from any thread."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._unmade: dict[str, PutOffError] = {}
        self._unchanged: dict[str, PutOffError] = {}
        self._waiting: set[str] = set()
        self._missing: set[str] = set()

    def put_off(self, urn: str, error: PutOffError, *, stands: bool) -> None:
        """Go on without a resource or a change of it, and remember to fail for it at the end.

        Args:
            urn: The resource.
            error: Why.
            stands: Whether it is there, as it was: what needs it goes on with that.
        """
        with self._lock:
            (self._unchanged if stands else self._unmade)[urn] = error
            self._missing |= set() if stands else {urn}

    def leave(self, urn: str, *, stands: bool) -> None:
        """Leave a resource as it is, because it needs one that is missing.

        Args:
            urn: The resource.
            stands: Whether it is there, as it was.
        """
        with self._lock:
            self._waiting.add(urn)
            self._missing |= set() if stands else {urn}

    def missing_among(self, needed: Iterable[str]) -> str | None:
        """Return one of some URNs whose resource is missing; None where all are there."""
        with self._lock:
            return min(self._missing.intersection(needed), default=None)

    def still_needed(self, standing: Iterable[Record], leaving: Iterable[Record]) -> frozenset[str]:
        """Return the URNs that may not be deleted yet: what was left as it was may need them.

        Args:
            standing: All that stands.
            leaving: What would be deleted.
        """
        with self._lock:
            left = {*self._unmade, *self._unchanged, *self._waiting}
        frontier = [record for record in standing if record.urn in left]
        needed: set[str] = set()
        while frontier:
            fresh = set().union(*(record.needs for record in frontier)) - needed
            needed |= fresh
            frontier = [record for record in leaving if record.urn in fresh]
        return frozenset(needed)

    def refuse(self) -> None:
        """Fail where anything was left.

        Raises:
            PutOffError: Naming all that was.
        """
        errors = [error for left in (self._unmade, self._unchanged) for _, error in sorted(left.items())]
        if not errors:
            return
        stand = "stands as it was" if len(self._unchanged) == 1 else "stand as they were"
        told = [
            f"{_names(self._unmade)} could not be made" if self._unmade else "",
            f"{_names(self._unchanged)} {stand}" if self._unchanged else "",
        ]
        first = errors[0]
        joint = ": " if len(errors) == 1 else "; the first: "
        message = " and ".join(filter(None, told)) + joint + first.message
        if self._waiting:
            whom = "it" if len(errors) == 1 else "them"
            message += f"; left for later with {whom}: {_names(self._waiting)}"
        raise PutOffError(message, first.hint, urn=first.urn, code=first.code) from first


def _names(left: Iterable[str]) -> str:
    return ", ".join(sorted(map(urns.name_of, left)))
