"""The local cloud as a target: started for whoever deploys, stopped when nothing stands on it any more."""

from __future__ import annotations

import fcntl
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager

from steelyard.cluster.home import Home
from steelyard.deploy import AlicloudProvider
from steelyard.deploy.engine.provider import Operation
from steelyard.deploy.provider.api import Api, ApiPool
from steelyard.deploy.provider.connection import Connection
from steelyard.localcloud import daemon

_POLL_S = 0.25
_CALL_TIMEOUT_S = 30.0
_LOCK_POLL_S = 0.05
_LEAVE_PATIENCE_S = 30.0


class LocalTarget:
    """The local cloud of one home.

    Commands that use it share a lock on the home's folder; whoever stops it holds that lock alone, and so does a visit
    that starts it only to stop it again. Nobody so stops what another command uses.

    Args:
        home: The home.
    """

    def __init__(self, *, home: Home) -> None:
        self.home = home
        self._is_visiting = False

    def provider(self, region_id: str) -> AlicloudProvider:
        """Return the provider of a region, starting the cloud where it does not run."""
        info = daemon.start(self.home.cloud_dir)
        return AlicloudProvider(
            endpoint=info.endpoint,
            access_key_id=info.access_key_id,
            access_key_secret=info.access_key_secret,
            region_id=region_id,
        )

    def api(self, region_id: str, *, urn: str) -> Api:
        """Return what calls the cloud, starting it where it does not run.

        Args:
            region_id: The region that calls go to.
            urn: For whom it calls, for errors.
        """
        info = daemon.start(self.home.cloud_dir)
        connection = Connection(
            endpoint=info.endpoint,
            protocol="http",
            access_key_id=info.access_key_id,
            access_key_secret=info.access_key_secret,
            region_id=region_id,
            poll_s=_POLL_S,
            timeout_s=_CALL_TIMEOUT_S,
        )
        return ApiPool(connection).api(Operation(urn=urn))

    @contextmanager
    def use(self) -> Iterator[None]:
        """Keep other commands from stopping the cloud before the end of the block."""
        lock = self._lock(fcntl.LOCK_SH)
        try:
            yield
        finally:
            os.close(lock)

    @contextmanager
    def visit(self) -> Iterator[None]:
        """Leave the cloud at the end of the block as it was found, running or not."""
        if self._is_visiting:
            yield
            return
        lock, was_running = self._enter()
        self._is_visiting = True
        try:
            yield
        finally:
            self._is_visiting = False
            try:
                if not was_running:
                    self._stop()
            finally:
                os.close(lock)

    @contextmanager
    def occupy(self) -> Iterator[None]:
        """Leave the cloud running at the end of the block, unless it was started for nothing."""
        was_running = daemon.status(self.home.cloud_dir) is not None
        try:
            with self.use():
                yield
        finally:
            if not was_running:
                self.leave()

    def leave(self) -> None:
        """Stop the cloud and delete its data if nothing stands on it, once no other command uses it."""
        deadline = time.monotonic() + _LEAVE_PATIENCE_S
        while self.home.is_empty and time.monotonic() < deadline:
            if (lock := self._try_alone()) is not None:
                try:
                    if self.home.is_empty:
                        self._stop()
                finally:
                    os.close(lock)
                return
            time.sleep(_LOCK_POLL_S)

    def _stop(self) -> None:
        daemon.stop(self.home.cloud_dir)
        if self.home.is_empty:
            daemon.purge(self.home.cloud_dir)

    def _enter(self) -> tuple[int, bool]:
        """Share the cloud where it runs; where it does not, hold it alone, so that others wait for its end.

        Returns:
            The lock, and whether the cloud runs.
        """
        while True:
            shared = self._lock(fcntl.LOCK_SH)
            if daemon.status(self.home.cloud_dir) is not None:
                return shared, True
            os.close(shared)
            if (alone := self._try_alone()) is not None:
                if daemon.status(self.home.cloud_dir) is None:
                    return alone, False
                os.close(alone)
            time.sleep(_LOCK_POLL_S)

    def _try_alone(self) -> int | None:
        try:
            return self._lock(fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return None

    def _lock(self, how: int) -> int:
        """Lock the home's folder, which stays where it is; the lock ends when what is returned is closed."""
        self.home.root.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(self.home.root, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            fcntl.flock(descriptor, how)
        except BaseException:
            os.close(descriptor)
            raise
        return descriptor
