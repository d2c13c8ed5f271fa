"""Reads what the state records back from the cloud, so that a preview shows what was changed behind its back."""

from __future__ import annotations

import json
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import Any

from steelyard.deploy import urn, values
from steelyard.deploy.engine.fleet import Fleet
from steelyard.deploy.engine.provider import Operation
from steelyard.deploy.engine.run import Run
from steelyard.deploy.record import Record
from steelyard.errors import ResourceError


class Refresh:
    """Brings a stack's records to what the cloud says of its resources.

    A resource that is gone is dropped: the next `up` makes it again. An input of which the cloud now says something
    else than after the last operation is set down as the cloud has it: the next `up` changes it back.

    Args:
        run: The run that refreshes.
        providers: Where the providers are found.
    """

    def __init__(self, run: Run, providers: Fleet) -> None:
        self._run = run
        self._providers = providers

    def execute(self) -> None:
        """Read every resource that the stack made and that has come to stand.

        Raises:
            ResourceError: The cloud refused to tell of one; what it told of the others is kept.
        """
        records = [record for record in self._run.journal.state.resources.values() if _is_readable(record)]
        with ThreadPoolExecutor(self._run.parallel, thread_name_prefix="refresh") as pool:
            try:
                failures = [future.exception() for future in [pool.submit(self._refresh, r) for r in records]]
            except KeyboardInterrupt:
                self._run.cancel()
                raise
        for failure in failures:
            if failure is not None:
                raise failure

    def _refresh(self, record: Record) -> None:
        if self._run.is_cancelled():
            return
        operation = Operation(urn=record.urn, is_cancelled=self._run.is_cancelled)
        try:
            found = self._providers.find(record.provider).read(record.type, record.id, operation)
        except ResourceError as err:
            self._run.reporter.failed("read", record.urn, str(err))
            raise
        if found is None:
            self._run.journal.drop(record)
            self._run.reporter.done("delete", record.urn)
            return
        seen = json.loads(json.dumps(found))
        drifted = drifted_inputs(record, seen)
        self._run.journal.put(_as_found(record, seen, drifted))
        self._run.reporter.done("update" if drifted else "same", record.urn, drifted)


def drifted_inputs(record: Record, found: Mapping[str, Any]) -> tuple[str, ...]:
    """Return the inputs of which the cloud says something else than when the record was made.

    What it said then is the measure, not what it was asked for: an answer may spell a value in its own way.

    Args:
        record: The resource as it was.
        found: Its properties as they are now.
    """
    known = values.plain(record.outputs)
    return tuple(
        name
        for name in sorted(record.inputs)
        if name in found and name in known and not _is_same(known[name], found[name])
    )


def _is_same(before: Any, now: Any) -> bool:
    """Compare two values of an answer, in which the order of a list says nothing."""
    if isinstance(before, list) and isinstance(now, list):
        return sorted(map(json.dumps, before)) == sorted(map(json.dumps, now))
    return bool(before == now)


def _as_found(record: Record, found: Mapping[str, Any], drifted: tuple[str, ...]) -> Record:
    known = {**values.plain(record.outputs), **found}
    changed = {
        name: values.secret(found[name]) if values.has_secret(record.inputs[name]) else found[name]
        for name in drifted
    }
    secret_outputs = [name for name, value in record.outputs.items() if values.has_secret(value)]
    return replace(
        record,
        inputs={**record.inputs, **changed},
        outputs=values.annotate(known, record.inputs, secret_outputs),
    )


def _is_readable(record: Record) -> bool:
    return (
        record.is_custom
        and bool(record.id)
        and not urn.is_provider(record.type)
        and not record.is_external
        and not record.is_half_made
    )
