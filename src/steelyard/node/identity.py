"""Who this node is: asked of the instance metadata service."""

from __future__ import annotations

import ipaddress
import time
from collections.abc import Callable
from dataclasses import dataclass

from steelyard.errors import NodeError
from steelyard.metadata import MetadataClient

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
