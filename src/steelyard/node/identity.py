"""Who this node is: asked of the instance metadata service."""

from __future__ import annotations

import http.client
import ipaddress
import time
from collections.abc import Callable
from dataclasses import dataclass
from urllib.parse import urlsplit

from steelyard.errors import NodeError

ALIBABA_METADATA_URL = "http://100.100.100.200"
"""The metadata service of Alibaba Cloud, the same in every region."""

_TOKEN_TTL_S = 300
_REQUEST_TIMEOUT_S = 5.0
_FIRST_PAUSE_S = 0.1
_LONGEST_PAUSE_S = 2.0


@dataclass(frozen=True, kw_only=True)
class Identity:
    """What a node knows of itself.

    Attributes:
        node_id: The instance id, such as `i-bp1...`.
        private_ip: The private IPv4 address.
        instance_type: Such as `ecs.gn7i-c8g1.2xlarge`.
        region_id: Such as `cn-hangzhou`.
        zone_id: Such as `cn-hangzhou-h`.
        imitated_speed: Relative speed to imitate; None on real accelerators, where nothing is imitated.
    """

    node_id: str
    private_ip: str
    instance_type: str
    region_id: str
    zone_id: str
    imitated_speed: float | None = None

    @property
    def shares_machine(self) -> bool:
        """Whether the address is a loopback one: the other nodes then run on this machine too."""
        return ipaddress.ip_address(self.private_ip).is_loopback


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
        if self._token is None:
            self._token = self._fetch_token()
        status, text = self._request(
            "GET", f"/latest/meta-data/{path}", {"X-aliyun-ecs-metadata-token": self._token}
        )
        if status == 404:
            return None
        if status != 200:
            raise NodeError(f"the metadata service {self._url} answered {status} for {path}: {text[:200]}")
        return text.strip()

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


def read_identity(client: MetadataClient) -> Identity:
    """Ask the metadata service who this node is.

    Raises:
        NodeError: An item is missing or the service does not answer.
    """
    speed = client.optional_item("steelyard/imitated-speed")
    return Identity(
        node_id=client.item("instance-id"),
        private_ip=client.item("private-ipv4"),
        instance_type=client.item("instance/instance-type"),
        region_id=client.item("region-id"),
        zone_id=client.item("zone-id"),
        imitated_speed=None if speed is None else float(speed),
    )


def wait_for_identity(
    client: MetadataClient,
    *,
    timeout_s: float = 30.0,
    clock: Callable[[], float] = time.monotonic,
    sleep: Callable[[float], None] = time.sleep,
) -> Identity:
    """Ask until the metadata service answers: it may come up after the instance.

    Raises:
        NodeError: It did not answer within `timeout_s`.
    """
    deadline, pause_s = clock() + timeout_s, _FIRST_PAUSE_S
    while True:
        try:
            return read_identity(client)
        except NodeError:
            if clock() + pause_s > deadline:
                raise
        sleep(pause_s)
        pause_s = min(2 * pause_s, _LONGEST_PAUSE_S)
