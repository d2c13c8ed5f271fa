"""The local cloud: what all of its services stand on."""

from __future__ import annotations

import logging
import sqlite3
import threading
from collections.abc import Callable, Collection, Sequence
from contextlib import AbstractContextManager, ExitStack
from pathlib import Path
from typing import ClassVar, Protocol, TypeVar

from steelyard.localcloud.fresh_id import new_resource_id
from steelyard.localcloud.identity import TEMPORARY_KEY_KIND, Identity
from steelyard.localcloud.request import Request
from steelyard.localcloud.store import Store
from steelyard.localcloud.terms import Terms
from steelyard.localcloud.unserved import UnservedActions
from steelyard.localcloud.wire.signature import AccessKey, KeyRing


class Product(Protocol):
    """What the cloud asks of a service; `service.Service` is the base of all."""

    code: ClassVar[str]

    @classmethod
    def call_names(cls) -> Collection[str]:
        """Name everything that it can be called for."""

    def start(self) -> None:
        """Take up what was running when the cloud was stopped."""

    def stop(self) -> None:
        """End every process and thread of the service."""


P = TypeVar("P", bound=Product)
T = TypeVar("T")

_RETRY_S = 1.0

_log = logging.getLogger(__name__)


def _pass(product: str, request: Request) -> None:
    """Let a call pass."""


class _Transaction(AbstractContextManager[None]):
    """Begins and ends a cloud's transactions; it has no state of its own, so that one serves all."""

    def __init__(self, cloud: Cloud) -> None:
        self._cloud, self._store = cloud, cloud.store

    def __enter__(self) -> None:
        self._store.begin()
        if not self._store.is_nested:
            self._cloud._after_commit, self._cloud._on_undo = [], []

    def __exit__(self, kind: type[BaseException] | None, *rest: object) -> None:
        if self._store.is_nested:
            self._store.end(is_kept=kind is None)
            return
        calls, undoings = self._cloud._after_commit, self._cloud._on_undo
        is_kept = False
        # Nobody else may come between the writes and what else is undone with them.
        self._store.take_if_free()
        try:
            self._store.end(is_kept=kind is None)
            is_kept = kind is None
        finally:
            if not is_kept:
                for call in reversed(undoings):
                    call()
            self._store.give_back()
        if is_kept:
            for call in calls:
                call()


class Cloud:
    """The local cloud: its state and its services; `dispatch.Dispatcher` has them answer.

    Args:
        data_dir: Folder of everything that the cloud keeps.
        store: Its state.
        identity: Its account, access key and region.
        endpoint: Host and port that it answers on.
        clock: Gives the Unix time.
        services: The products to offer.
        terms: How it treats its callers.
    """

    def __init__(
        self,
        *,
        data_dir: Path,
        store: Store,
        identity: Identity,
        endpoint: str,
        clock: Callable[[], float],
        services: Sequence[Callable[[Cloud], Product]],
        terms: Terms | None = None,
    ) -> None:
        self.data_dir = data_dir
        self.store = store
        self._transaction = _Transaction(self)
        self._after_commit: list[Callable[[], None]] = []
        self._on_undo: list[Callable[[], None]] = []
        self.identity = identity
        self.endpoint = endpoint
        self.clock = clock
        self.terms = terms or Terms()
        made = [service(self) for service in services]
        self.services: dict[str, Product] = {service.code: service for service in made}
        self._root_key = identity.root_key()
        self.unserved = UnservedActions(store)
        self._key_rings = [one for one in self.services.values() if isinstance(one, KeyRing)]
        self.before_call: Callable[[str, Request], None] = _pass
        """Told of each call before it is served, with its product's code; it may raise an `ApiError` in its place."""

    def service(self, kind: type[P]) -> P:
        """Give the service of a product, by what it is.

        Raises:
            KeyError: The cloud does not offer the product.
        """
        service = self.services[kind.code]
        assert isinstance(service, kind)
        return service

    def start(self) -> None:
        """Let every service take up what was running."""
        for service in self.services.values():
            service.start()

    def stop(self) -> None:
        """Let every service end what is running, last one first, then close the store; one's fault stops no other."""
        with ExitStack() as stack:
            stack.callback(self.store.close)
            for service in self.services.values():
                stack.callback(service.stop)

    def new_id(self, prefix: str) -> str:
        """Give a fresh resource id, e.g. `vpc-` and 20 letters and digits."""
        return new_resource_id(prefix)

    def metadata_url(self, instance_id: str) -> str:
        """Give the base of an instance's metadata service, as `http://100.100.100.200` is on the real cloud."""
        return f"http://{self.endpoint}/metadata/{instance_id}"

    def access_key(self, access_key_id: str) -> AccessKey | None:
        """Give the cloud's own key, a temporary one, or one that a service has given out."""
        if access_key_id == self.identity.access_key_id:
            return self._root_key
        body = self.store.get(TEMPORARY_KEY_KIND, access_key_id)
        if body:
            return AccessKey(**body)  # type: ignore[arg-type]
        found = (ring.access_key(access_key_id) for ring in self._key_rings)
        return next((key for key in found if key is not None), None)

    def transaction(self) -> AbstractContextManager[None]:
        """Hold the cloud's lock and make all writes one; threads of services use it for each change of state.

        Calls given to `after_commit` inside of it run once the outermost transaction is kept and the lock is free,
        those given to `on_undo` where it is not kept.
        """
        return self._transaction

    def after_commit(self, call: Callable[[], None]) -> None:
        """Run a call when the transaction that is open is kept; never where it is undone.

        Raises:
            RuntimeError: No transaction is open.
        """
        if not self.store.is_open:
            raise RuntimeError("after_commit was called outside of a transaction")
        self._after_commit.append(call)

    def on_undo(self, call: Callable[[], None]) -> None:
        """Run a call where the transaction that is open is undone, last one first and before the lock is free.

        It is for what a change does besides its writes. An error of a call is undone with it, and so is a change that
        could not be committed because the disk is full.

        Raises:
            RuntimeError: No transaction is open.
        """
        if not self.store.is_open:
            raise RuntimeError("on_undo was called outside of a transaction")
        self._on_undo.append(call)

    def insist(self, change: Callable[[], T], give_up: threading.Event) -> T | None:
        """Write what has happened already, in a transaction; while the disk is full it is tried again and again.

        Args:
            change: Makes the change; it may run several times, of which the last one is kept.
            give_up: Ends the tries; what is not written then, the next start has to find out.

        Returns:
            What the change gives, None where it was given up.
        """
        is_told = False
        while True:
            try:
                with self.transaction():
                    return change()
            except sqlite3.OperationalError as err:
                if not is_told:
                    _log.error("the state cannot be written, which is tried again: %s", err)
                is_told = True
                if give_up.wait(_RETRY_S):
                    return None
