"""Sends calls with the vendor's generic client, which signs them, and turns its exceptions into errors.

Apart from `api` because the client and what it needs take 0.4 s to import, which only a run pays for.
"""

from __future__ import annotations

import threading
from collections.abc import Mapping
from typing import Any

from alibabacloud_tea_openapi.client import Client
from alibabacloud_tea_openapi.exceptions import AlibabaCloudException
from alibabacloud_tea_openapi.models import Config, OpenApiRequest
from alibabacloud_tea_openapi.utils import Utils
from darabonba.exceptions import UnretryableException
from darabonba.runtime import RuntimeOptions

from steelyard.deploy.provider.connection import Answer, Connection
from steelyard.errors import ResourceError
from steelyard.product import Product, call_form

_READ_TIMEOUT_MS = 30_000
_CONNECT_TIMEOUT_MS = 5_000
_MAX_IDLE_CONNECTIONS = 64


class Sender:
    """Keeps a client of the vendor for each endpoint; may be used from several threads.

    Args:
        connection: Where the cloud is and who asks.
    """

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._clients: dict[str, Client] = {}
        self._lock = threading.Lock()

    def send(self, product: Product, action: str, params: Mapping[str, Any], urn: str) -> Answer:
        """Send one call and return its answer.

        Raises:
            ResourceError: If the cloud refuses or does not answer.
        """
        endpoint = self._connection.endpoints.get(product.code) or self._connection.endpoint
        request = OpenApiRequest(query=Utils.query(_wire(params)))
        runtime = RuntimeOptions(
            read_timeout=_READ_TIMEOUT_MS,
            connect_timeout=_CONNECT_TIMEOUT_MS,
            max_idle_conns=_MAX_IDLE_CONNECTIONS,
        )
        try:
            answer = self._client(endpoint).call_api(call_form(product, action), request, runtime)
        except AlibabaCloudException as err:
            raise _refusal(action, err, urn) from err
        except UnretryableException as err:
            # Without its cause: the client's text holds the whole request, user data and its secrets included.
            raise ResourceError(
                f"{action}: no answer from {endpoint} ({_reason(err)})",
                "look whether the cloud runs and can be reached",
                urn=urn,
            ) from None
        body: Answer = answer["body"]
        return body

    def _client(self, endpoint: str) -> Client:
        """Return the client of an endpoint, which keeps its connections."""
        with self._lock:
            if endpoint not in self._clients:
                self._clients[endpoint] = Client(
                    Config(
                        access_key_id=self._connection.access_key_id,
                        access_key_secret=self._connection.access_key_secret,
                        security_token=self._connection.security_token or None,
                        endpoint=endpoint,
                        protocol=self._connection.protocol,
                        region_id=self._connection.region_id,
                    )
                )
            return self._clients[endpoint]


def _wire(value: Any) -> Any:
    """Put a value as the cloud's other clients do: booleans as `true`, nothing for None."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, Mapping):
        return {key: _wire(item) for key, item in value.items() if item is not None}
    return [_wire(item) for item in value] if isinstance(value, list | tuple) else value


def _reason(error: UnretryableException) -> str:
    text = str(error).lower()
    for words in ("connection refused", "timed out", "name or service not known", "connection reset"):
        if words in text:
            return words
    return type(error.inner_exception).__name__


def _refusal(action: str, error: AlibabaCloudException, urn: str) -> ResourceError:
    data = error.data or {}
    text = data.get("Message") or error.message or str(error)
    request_id = error.request_id or data.get("RequestId") or ""
    return ResourceError(
        f"{action} was refused: {text} ({error.code}, request {request_id or 'without id'})",
        data.get("Recommend") or "",
        urn=urn,
        code=error.code or "Unknown",
        request_id=request_id,
        status=error.status_code or 0,
    )
