"""The local cloud as a target: started for whoever deploys, stopped when nothing stands on it any more."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from steelyard.cluster.home import Home
from steelyard.deploy import AlicloudProvider
from steelyard.deploy.engine.provider import Operation
from steelyard.deploy.provider.api import Api, ApiPool
from steelyard.deploy.provider.connection import Connection
from steelyard.localcloud import daemon

_POLL_S = 0.25
_CALL_TIMEOUT_S = 30.0


@dataclass(frozen=True, kw_only=True)
class LocalTarget:
    """The local cloud of one home."""

    home: Home

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
    def visit(self) -> Iterator[None]:
        """Leave the cloud at the end of the block as it was found, running or not."""
        was_running = daemon.status(self.home.cloud_dir) is not None
        try:
            yield
        finally:
            if not was_running:
                daemon.stop(self.home.cloud_dir)
                if self.home.is_empty:
                    daemon.purge(self.home.cloud_dir)

    @contextmanager
    def occupy(self) -> Iterator[None]:
        """Leave the cloud running at the end of the block, unless it was started for nothing."""
        was_running = daemon.status(self.home.cloud_dir) is not None
        try:
            yield
        finally:
            if not was_running:
                self.leave()

    def leave(self) -> None:
        """Stop the cloud and delete its data if nothing stands on it."""
        if self.home.is_empty:
            daemon.stop(self.home.cloud_dir)
            daemon.purge(self.home.cloud_dir)
