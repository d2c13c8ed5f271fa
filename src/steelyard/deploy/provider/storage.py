"""Calls of OSS with the vendor's client for it, which signs them; OSS is no RPC product like the others.

Apart from `oss` because the client takes 0.3 s to import, which only a run with buckets pays for.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

import alibabacloud_oss_v2 as oss

from steelyard.deploy.provider.connection import Connection
from steelyard.errors import ResourceError

T = TypeVar("T")

_READ_TIMEOUT_S = 30
_CONNECT_TIMEOUT_S = 5


class StorageSender:
    """Keeps the vendor's client of OSS; may be used from several threads.

    Args:
        connection: Where the cloud is and who asks.
    """

    def __init__(self, connection: Connection) -> None:
        self._endpoint = connection.endpoints.get("oss") or connection.endpoint
        config = oss.config.load_default()
        config.credentials_provider = oss.credentials.StaticCredentialsProvider(
            connection.access_key_id, connection.access_key_secret, connection.security_token or None
        )
        config.region = connection.region_id
        # The client puts the bucket into the path where the endpoint is an address, as the vendor's provider does.
        has_scheme = "://" in self._endpoint
        config.endpoint = self._endpoint if has_scheme else f"{connection.protocol}://{self._endpoint}"
        config.connect_timeout = _CONNECT_TIMEOUT_S
        config.readwrite_timeout = _READ_TIMEOUT_S
        self._client = oss.Client(config)

    def send(self, what: str, call: Callable[[Any], T], urn: str) -> T:
        """Make a call with the client and give what it gives.

        Args:
            what: The operation's name, for errors.
            call: Takes the client.
            urn: URN of the resource that it is made for.

        Raises:
            ResourceError: If the cloud refuses or does not answer.
        """
        try:
            return call(self._client)
        except oss.exceptions.OperationError as err:
            error = err.unwrap()
            if not isinstance(error, oss.exceptions.ServiceError):
                text = f"{what}: no answer from {self._endpoint} ({error})"
                raise ResourceError(text, "look whether the cloud runs and can be reached", urn=urn) from err
            raise ResourceError(
                f"{what} was refused: {error.message} ({error.code}, request {error.request_id})",
                urn=urn,
                code=error.code or "Unknown",
                request_id=error.request_id or "",
                status=error.status_code,
            ) from err
