"""Calls of the cloud's API from a node, with the key of its RAM role."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol

from steelyard.errors import NodeError
from steelyard.metadata import MetadataClient
from steelyard.product import Product, call_form

_TIMEOUT_MS = 10_000
_HOSTS: Mapping[str, str] = {"cms": "metrics"}
"""Products whose endpoint is a public one (the vendor's SDK of CloudMonitor), by code: how its name begins."""


class Api(Protocol):
    """Calls the cloud; see `CloudApi`."""

    def call(self, product: Product, action: str, params: Mapping[str, str]) -> Mapping[str, Any]:
        """Call an action and return its answer."""


class CloudApi:
    """Calls actions as the node's role; may be used from any thread, one at a time.

    Args:
        metadata: Gives the role's key, which is asked for anew at each call.
        region_id: The node's region.
        endpoint: `HOST:PORT` that answers for every product over HTTP; the region's own endpoints, as a VPC reaches
            them, where it is empty: `<product>-vpc.<region>.aliyuncs.com`, whose form is from memory for Auto Scaling;
            CloudMonitor's is public, and needs a way out of the VPC.
    """

    def __init__(self, metadata: MetadataClient, *, region_id: str, endpoint: str = "") -> None:
        self._metadata = metadata
        self._region_id = region_id
        self._endpoint = endpoint

    def call(self, product: Product, action: str, params: Mapping[str, str]) -> Mapping[str, Any]:
        """Call an action and return its answer.

        Args:
            product: The product that has it.
            action: Its name.
            params: Its parameters, as the wire has them.

        Raises:
            NodeError: The node has no role, or the cloud refuses or does not answer.
        """
        # Imported here: the vendor's client takes half a second, which a node that calls nothing does without.
        from alibabacloud_tea_openapi.client import Client
        from alibabacloud_tea_openapi.models import Config, OpenApiRequest
        from darabonba.exceptions import DaraException
        from darabonba.runtime import RuntimeOptions

        keys = self._metadata.role_keys()
        config = Config(
            access_key_id=keys["AccessKeyId"],
            access_key_secret=keys["AccessKeySecret"],
            security_token=keys["SecurityToken"],
            endpoint=self._endpoint
            or f"{_HOSTS.get(product.code, f'{product.code}-vpc')}.{self._region_id}.aliyuncs.com",
            protocol="http" if self._endpoint else "https",
            region_id=self._region_id,
        )
        query = OpenApiRequest(query={"RegionId": self._region_id, **params})
        runtime = RuntimeOptions(read_timeout=_TIMEOUT_MS, connect_timeout=_TIMEOUT_MS)
        try:
            answer: Mapping[str, Any] = Client(config).call_api(call_form(product, action), query, runtime)[
                "body"
            ]
        except (DaraException, OSError) as error:
            raise NodeError(f"{product.code}:{action} was refused or not answered: {error}") from error
        return answer
