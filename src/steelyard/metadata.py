"""The instance metadata service, as an instance asks it."""

from __future__ import annotations

import http.client
import json
from collections.abc import Mapping
from urllib.parse import urlsplit

from steelyard.errors import NodeError

ALIBABA_METADATA_URL = "http://100.100.100.200"
"""The metadata service of Alibaba Cloud, the same in every region."""

_ROLES = "ram/security-credentials/"
_TOKEN_TTL_S = 300
_REQUEST_TIMEOUT_S = 5.0


class MetadataClient:
    """Reads the instance metadata service in its hardened mode: a token first, then the items.

    Source: https://www.alibabacloud.com/help/en/ecs/user-guide/view-instance-metadata

    Args:
        url: Base URL of the service.
    """

    def __init__(self, url: str) -> None:
        parts = urlsplit(url)
        if parts.scheme != "http" or not parts.hostname:
            raise NodeError(f"metadata URL {url!r} is not an http URL", hint="unset STEELYARD_METADATA_URL")
        self._url = url
        self._host = parts.hostname
        self._port = parts.port or 80
        self._prefix = parts.path.rstrip("/")
        self._token: str | None = None

    def item(self, path: str) -> str:
        """Return one item below `latest/meta-data/`.

        Raises:
            NodeError: The service does not know the item, or does not answer.
        """
        text = self.optional_item(path)
        if text is None:
            raise NodeError(
                f"the metadata service {self._url} has no item {path}", hint="is this a cloud instance?"
            )
        return text

    def optional_item(self, path: str) -> str | None:
        """Return one item below `latest/meta-data/`, or None where the service does not know it."""
        is_new = self._token is None
        status, text = self._ask(path)
        if status in (401, 403) and not is_new:
            self._token = None  # it has expired
            status, text = self._ask(path)
        if status == 404:
            return None
        if status != 200:
            raise NodeError(f"the metadata service {self._url} answered {status} for {path}: {text[:200]}")
        return text.strip()

    def role_keys(self) -> Mapping[str, str]:
        """Return the temporary key of the instance's RAM role: `AccessKeyId`, `SecurityToken`, `Expiration` and so on.

        Raises:
            NodeError: The instance has no role, or the service does not answer.
        """
        role = self.item(_ROLES).split("\n")[0]
        keys: Mapping[str, str] = json.loads(self.item(_ROLES + role))
        return keys

    def _ask(self, path: str) -> tuple[int, str]:
        if self._token is None:
            self._token = self._fetch_token()
        return self._request("GET", f"/latest/meta-data/{path}", {"X-aliyun-ecs-metadata-token": self._token})

    def _fetch_token(self) -> str:
        headers = {"X-aliyun-ecs-metadata-token-ttl-seconds": str(_TOKEN_TTL_S)}
        status, text = self._request("PUT", "/latest/api/token", headers)
        if status != 200:
            raise NodeError(f"the metadata service {self._url} gave no token: {status} {text[:200]}")
        return text.strip()

    def _request(self, method: str, path: str, headers: dict[str, str]) -> tuple[int, str]:
        connection = http.client.HTTPConnection(self._host, self._port, timeout=_REQUEST_TIMEOUT_S)
        try:
            connection.request(method, self._prefix + path, headers=headers)
            response = connection.getresponse()
            return response.status, response.read().decode("utf-8", "replace")
        except (OSError, http.client.HTTPException) as error:
            raise NodeError(
                f"the metadata service {self._url} does not answer: {error}",
                hint="steelyard-node runs on an instance of the cloud or of the local cloud",
            ) from error
        finally:
            connection.close()
