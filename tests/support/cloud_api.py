"""Calls of a local cloud as the command line makes them."""

from __future__ import annotations

from steelyard.deploy.engine.provider import Operation
from steelyard.deploy.provider.api import Api, ApiPool
from steelyard.deploy.provider.connection import Connection
from steelyard.localcloud.daemon import CloudInfo


def api_of(info: CloudInfo, *, timeout_s: float = 10.0) -> Api:
    """Give what calls a local cloud.

    Args:
        info: The cloud.
        timeout_s: Seconds after which a waiter gives up.
    """
    connection = Connection(
        endpoint=info.endpoint,
        protocol="http",
        access_key_id=info.access_key_id,
        access_key_secret=info.access_key_secret,
        region_id=info.region_id,
        poll_s=0.1,
        timeout_s=timeout_s,
    )
    return ApiPool(connection).api(Operation(urn=""))
