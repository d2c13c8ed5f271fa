"""Deletes resources so that nothing goes before what depends on it, and as many at once as that allows."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait

from steelyard.deploy import urn, values
from steelyard.deploy.engine import fleet
from steelyard.deploy.engine.fleet import Fleet
from steelyard.deploy.engine.provider import Operation
from steelyard.deploy.engine.run import Run
from steelyard.deploy.record import Record
from steelyard.errors import DeployError


def refuse_protected(records: Iterable[Record]) -> None:
    """Raise before anything is deleted if any of the records may not be.

    Raises:
        DeployError: Naming all that are protected.
    """
    protected = sorted(record.urn for record in records if record.is_protected)
    if protected:
        raise DeployError(
            f"protected resources are to be deleted: {', '.join(protected)}",
            "take `protect` off in the program, or for a cluster's file system say `checkpoints.force_destroy: true`, "
            "and run up first",
        )


class Deletion:
    """Deletes a set of records in the order of the dependencies that they recorded.

    Args:
        run: The run that deletes.
        providers: Where the providers are found.
        records: What is to go; superseded records may share a URN with one that stays.
    """

    def __init__(self, run: Run, providers: Fleet, records: Sequence[Record]) -> None:
        self._run = run
        self._providers = providers
        self._records = list(records)
        self._urns = {record.urn for record in records}
        self._blockers = _blockers(self._records)

    def execute(self) -> None:
        """Delete all; what a failed record still needs stays, the rest goes.

        Raises:
            DeployError: The run is ending, and something was not begun.
            BaseException: The first failure, when everything that could go is gone.
        """
        error: BaseException | None = None
        active: dict[Future[None], int] = {}
        with ThreadPoolExecutor(self._run.parallel, thread_name_prefix="delete") as pool:
            try:
                while True:
                    if not self._run.is_cancelled():
                        active.update(
                            {pool.submit(self._delete, self._records[i]): i for i in self._ready(active)}
                        )
                    if not active:
                        break
                    for future in wait(active, return_when=FIRST_COMPLETED).done:
                        failure = future.exception()
                        error = error or failure
                        self._settle(active.pop(future), is_gone=failure is None)
            except KeyboardInterrupt:
                # Leaving the block waits for what is being deleted, so that the state tells the truth.
                self._run.cancel()
                raise
        if error is not None:
            raise error
        if self._blockers:
            # Who deletes before a replacement is made shall not go on to make it.
            raise _ending()

    def _ready(self, active: dict[Future[None], int]) -> list[int]:
        """Take out and return the records that nothing waits for."""
        ready = [i for i, blockers in self._blockers.items() if not blockers]
        if not ready and not active and self._blockers:
            # Only a cycle leaves records with no way in, and only a replaced resource can make one, since its
            # old and its new self share a URN.
            ready = [next(iter(self._blockers))]
        for i in ready:
            del self._blockers[i]
        return ready

    def _settle(self, index: int, *, is_gone: bool) -> None:
        if is_gone:
            for blockers in self._blockers.values():
                blockers.discard(index)
            return
        lost = {index}
        while lost:
            lost = {i for i, blockers in self._blockers.items() if blockers & lost}
            for i in lost:
                del self._blockers[i]

    def _delete(self, record: Record) -> None:
        if self._run.is_cancelled():
            raise _ending()
        if fleet.is_default(record):
            self._run.journal.drop(record)
            return
        with self._run.reporter.step("delete", record.urn):
            if not self._run.is_preview and self._is_real(record):
                operation = Operation(
                    urn=record.urn, timeout_s=record.delete_timeout_s, is_cancelled=self._run.is_cancelled
                )
                provider = self._providers.find(record.provider)
                provider.delete(record.type, record.id, values.plain(record.inputs), operation)
            self._run.journal.drop(record)

    def _is_real(self, record: Record) -> bool:
        """Whether the cloud must be told."""
        return (
            record.is_custom
            and not urn.is_provider(record.type)
            and not record.is_external
            and not record.is_retained
            and record.deleted_with not in self._urns
        )


def _ending() -> DeployError:
    return DeployError("not begun, because the run is ending")


def _blockers(records: Sequence[Record]) -> dict[int, set[int]]:
    """Return, for each record by its place, the places of the records that must go before it."""
    places: dict[str, list[int]] = {}
    for i, record in enumerate(records):
        places.setdefault(record.urn, []).append(i)
    blockers: dict[int, set[int]] = {i: set() for i in range(len(records))}
    for i, record in enumerate(records):
        for needed in record.needs:
            for place in places.get(needed, ()):
                blockers[place].add(i)
    return blockers
