"""The nodes as the cloud and its load balancer see them."""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from steelyard.cluster.balancer_view import BalancerView
from steelyard.deploy.provider.api import ECS, Api, pages

DELETED = "Deleted"
RUNNING = "Running"
STOPPED = "Stopped"
_NUM_INSTANCES_A_CALL = 50
"""DescribeInstances takes up to 100 ids; its pages hold 50 here."""


@dataclass(frozen=True, kw_only=True)
class NodeStatus:
    """A node as the cloud and its load balancer see it.

    Attributes:
        id: Instance id.
        private_ip: Address in the VPC.
        instance_type: ECS instance type.
        zone_id: Zone that it stands in.
        state: Instance state, such as `Running`; `Deleted` where the cloud knows it no more.
        weight: Share of the requests, 0 to 100.
        health: `normal`, `abnormal` or `unavailable`, as the load balancer's health check finds it.
    """

    id: str
    private_ip: str = ""
    instance_type: str = ""
    zone_id: str = ""
    state: str = DELETED
    weight: int = 0
    health: str = "unavailable"

    @property
    def is_healthy(self) -> bool:
        """Whether it runs and the load balancer sends it requests: that notices only later that a node has died."""
        return self.health == "normal" and self.state == RUNNING

    @property
    def is_deleted(self) -> bool:
        """Whether the cloud does not know it any more, as after a spot instance was taken back."""
        return self.state == DELETED

    def as_dict(self) -> dict[str, Any]:
        """Return it as a JSON object."""
        return {**asdict(self), "is_healthy": self.is_healthy}


def observe(api: Api, node_ids: Sequence[str], views: Sequence[BalancerView]) -> list[NodeStatus]:
    """Ask the cloud for the nodes, in the order given.

    Args:
        api: Sends the calls.
        node_ids: Their instance ids.
        views: What the load balancers say of them.

    Raises:
        ResourceError: The cloud refused a call.
    """
    instances = _instances(api, node_ids)
    weights = {node_id: weight for view in views for node_id, weight in view.weights.items()}
    health = {node_id: state for view in views for node_id, state in view.health.items()}
    return [
        NodeStatus(
            id=node_id,
            weight=weights.get(node_id, 0),
            health=health.get(node_id, "unavailable"),
            **_of_instance(instances[node_id]),
        )
        if node_id in instances
        else NodeStatus(id=node_id)
        for node_id in node_ids
    ]


def console_tail(api: Api, node_id: str, *, num_lines: int = 8) -> str:
    """Return the last lines of a node's console."""
    answer = api.call(ECS, "GetInstanceConsoleOutput", {"InstanceId": node_id})
    text = base64.b64decode(answer.get("ConsoleOutput") or "").decode(errors="replace")
    return "\n".join(text.splitlines()[-num_lines:])


def _instances(api: Api, node_ids: Sequence[str]) -> dict[str, Mapping[str, Any]]:
    found = {}
    for start in range(0, len(node_ids), _NUM_INSTANCES_A_CALL):
        asked = {"InstanceIds": json.dumps(node_ids[start : start + _NUM_INSTANCES_A_CALL])}
        for answer in pages(api, ECS, "DescribeInstances", asked):
            found.update({item["InstanceId"]: item for item in answer["Instances"]["Instance"]})
    return found


def _of_instance(instance: Mapping[str, Any]) -> dict[str, str]:
    addresses = instance["VpcAttributes"]["PrivateIpAddress"]["IpAddress"]
    return {
        "private_ip": addresses[0] if addresses else "",
        "instance_type": instance["InstanceType"],
        "zone_id": instance["ZoneId"],
        "state": instance["Status"],
    }
