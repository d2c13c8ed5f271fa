"""A cloud of some services by a clock that a test moves; it is called in process."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from steelyard.localcloud.cloud import Cloud
from steelyard.localcloud.identity import load_identity
from steelyard.localcloud.service import Request, Service
from steelyard.localcloud.store import Store

START = 1_795_000_000.0


class Clock:
    now = START

    def __call__(self) -> float:
        return self.now


@contextmanager
def standing_cloud(data_dir: Path, clock: Clock, *services: type[Service]) -> Iterator[Cloud]:
    store = Store(data_dir / "state.sqlite")
    cloud = Cloud(
        data_dir=data_dir,
        store=store,
        identity=load_identity(store, "cn-hangzhou"),
        endpoint="127.0.0.1:1",
        clock=clock,
        services=services,
    )
    yield cloud
    cloud.stop()


def call(service: Service, method: str, request_id: str = "r", **params: object) -> dict[str, object]:
    """Call an action by its method's name; without an id of the request another service is the caller."""
    request = Request(
        action=method,
        params=params,
        region_id="cn-hangzhou",
        dry_run=False,
        request_id=request_id,
        caller=service.cloud.identity.root_key(),
    )
    with service.cloud.transaction():
        return getattr(service, method)(request)
