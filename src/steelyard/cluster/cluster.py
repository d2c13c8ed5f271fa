from __future__ import annotations

import base64
import time
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from typing import Any

from steelyard.cluster.home import Home
from steelyard.cluster.record import ClusterRecord
from steelyard.components.program import declare
from steelyard.deploy import AlicloudProvider, OnStep, Result, Stack
from steelyard.errors import UnhealthyError, UsageError
from steelyard.localcloud import daemon
from steelyard.node.client import GatewayClient
from steelyard.spec import ClusterSpec

PROJECT = "steelyard"
"""Name of the Pulumi project, as in `Pulumi.yaml`."""

_POLL_S = 0.25


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
        health: `normal`, `abnormal` or `unavailable`, as DescribeHealthStatus says it.
    """

    id: str
    private_ip: str
    instance_type: str
    zone_id: str
    state: str
    weight: int
    health: str

    @property
    def is_healthy(self) -> bool:
        """Whether the load balancer sends it requests."""
        return self.health == "normal"

    def as_dict(self) -> dict[str, Any]:
        """Return it as a JSON object."""
        return {**asdict(self), "is_healthy": self.is_healthy}


class Cluster:
    """One cluster: what was asked for, what stands, and the way to its gateways.

    Args:
        home: Where its state lies.
        spec: What is wanted.
    """

    def __init__(self, home: Home, spec: ClusterSpec) -> None:
        self.home = home
        self.spec = spec
        self._stack = Stack(home.stack_dir(spec.name), project=PROJECT, name=spec.name)
        self._record_path = home.record_path(spec.name)

    @classmethod
    def open(cls, home: Home, name: str) -> Cluster:
        """Return a cluster that was brought up.

        Raises:
            UsageError: None of this name stands.
        """
        record = ClusterRecord.load(home.record_path(name))
        if record is None:
            standing = ", ".join(home.clusters()) or "none"
            raise UsageError(
                f"no cluster named {name} stands; standing: {standing}", "`steelyard up` brings one up"
            )
        return cls(home, record.spec)

    @property
    def name(self) -> str:
        """The cluster's name."""
        return self.spec.name

    @property
    def target_description(self) -> str:
        """Where the cluster stands, in words."""
        if self.spec.target == "local":
            return f"the local cloud ({self.spec.region}, on loopback addresses)"
        return f"Alibaba Cloud ({self.spec.region})"

    def preview(self, on_step: OnStep) -> Result:
        """Tell what `up` would do, and change nothing.

        Raises:
            DeployError: The program cannot be applied.
        """
        self._require_local()
        was_running = daemon.status(self.home.cloud_dir) is not None
        record = self._record() or ClusterRecord.new(self.spec)
        try:
            return self._stack.preview(self._program(record), self._provider(), on_step=on_step)
        finally:
            if not was_running:
                daemon.stop(self.home.cloud_dir)
                if not self.home.clusters():
                    daemon.purge(self.home.cloud_dir)

    def up(self, on_step: OnStep) -> Result:
        """Bring the cluster up, or change it to match its spec.

        Raises:
            ResourceError: The cloud refused a resource; what stands is remembered.
            DeployError: The program cannot be applied.
        """
        self._require_local()
        known = self._record()
        record = ClusterRecord(spec=self.spec, token=known.token) if known else ClusterRecord.new(self.spec)
        record.save(self._record_path)
        return self._stack.up(self._program(record), self._provider(), on_step=on_step)

    def down(self, on_step: OnStep) -> Result:
        """Delete all that stands, and stop the local cloud when this was its last cluster.

        Raises:
            ResourceError: The cloud refused a deletion; what is left is remembered.
        """
        self._require_local()
        result = self._stack.destroy(self._provider(), on_step=on_step)
        self._stack.remove()
        ClusterRecord.remove(self._record_path)
        self.home.stack_dir(self.name).rmdir()
        if not self.home.clusters():
            daemon.stop(self.home.cloud_dir)
            daemon.purge(self.home.cloud_dir)
        return result

    def outputs(self) -> Mapping[str, Any]:
        """Return the program's exports, secrets hidden."""
        return {name: output.value for name, output in self._stack.outputs().items()}

    def resource_counts(self) -> Mapping[str, int]:
        """Return how many resources stand, by Pulumi type; components and the stack are not resources."""
        return dict(sorted(Counter(item.type for item in self._stack.resources() if item.id).items()))

    def nodes(self) -> list[NodeStatus]:
        """Return the nodes in the program's order, with their health as the load balancer sees it."""
        outputs = self.outputs()
        node_ids = outputs.get("node_ids") or []
        if not node_ids:
            return []
        cloud = self._provider().client
        region = {"RegionId": self.spec.region}
        instances = {
            item["InstanceId"]: item
            for item in cloud.call_paged("ecs", "DescribeInstances", {**region, "InstanceIds": node_ids})
        }
        group = cloud.call(
            "slb", "DescribeVServerGroupAttribute", {**region, "VServerGroupId": outputs["server_group_id"]}
        )
        weights = {item["ServerId"]: item["Weight"] for item in group["BackendServers"]["BackendServer"]}
        checks = cloud.call("slb", "DescribeHealthStatus", {**region, "LoadBalancerId": outputs["slb_id"]})
        health = {
            item["ServerId"]: item["ServerHealthStatus"] for item in checks["BackendServers"]["BackendServer"]
        }
        return [
            _status(
                node_id, instances.get(node_id), weights.get(node_id, 0), health.get(node_id, "unavailable")
            )
            for node_id in node_ids
        ]

    def wait_until_healthy(self, *, timeout_s: float) -> None:
        """Wait until the load balancer finds every node healthy.

        Raises:
            UnhealthyError: A node was not healthy in time.
        """
        deadline = time.monotonic() + timeout_s
        while True:
            nodes = self.nodes()
            ill = [node for node in nodes if not node.is_healthy]
            if not ill:
                return
            if time.monotonic() > deadline:
                names = ", ".join(f"{node.id} ({node.state}, {node.health})" for node in ill)
                raise UnhealthyError(
                    f"{len(ill)} of {len(nodes)} nodes are not healthy after {timeout_s:.0f} s: {names}",
                    hint=f"the console of {ill[0].id} ends with:\n{self._console(ill[0].id)}",
                )
            time.sleep(_POLL_S)

    @contextmanager
    def gateway(self) -> Iterator[GatewayClient]:
        """Give a client that reaches the gateways through the load balancer.

        Raises:
            UsageError: The cluster was not brought up to its end.
        """
        record, url = self._record(), self.outputs().get("gateway_url")
        if record is None or not url:
            raise UsageError(
                f"cluster {self.name} has no gateway yet", "`steelyard up` brings it up to its end"
            )
        with GatewayClient(str(url), record.token) as client:
            yield client

    def _console(self, node_id: str) -> str:
        answer = self._provider().client.call(
            "ecs", "GetInstanceConsoleOutput", {"RegionId": self.spec.region, "InstanceId": node_id}
        )
        text = base64.b64decode(answer.get("ConsoleOutput", "")).decode(errors="replace")
        return "\n".join(text.splitlines()[-8:])

    def _program(self, record: ClusterRecord) -> Any:
        def program() -> None:
            declare(self.spec, record.token)

        return program

    def _record(self) -> ClusterRecord | None:
        return ClusterRecord.load(self._record_path)

    def _provider(self) -> AlicloudProvider:
        info = daemon.start(self.home.cloud_dir)
        return AlicloudProvider(
            endpoint=info.endpoint,
            protocol="http",
            access_key_id=info.access_key_id,
            access_key_secret=info.access_key_secret,
            region_id=self.spec.region,
        )

    def _require_local(self) -> None:
        if self.spec.target != "local":
            raise UsageError(
                "this version brings target alicloud up with Pulumi's own command line",
                hint="run `pulumi up` in a checkout: its Pulumi.yaml takes the same settings by `pulumi config`",
            )


def _status(node_id: str, instance: Mapping[str, Any] | None, weight: int, health: str) -> NodeStatus:
    if instance is None:
        return NodeStatus(
            id=node_id,
            private_ip="",
            instance_type="",
            zone_id="",
            state="Deleted",
            weight=int(weight),
            health="unavailable",
        )
    addresses = instance["VpcAttributes"]["PrivateIpAddress"]["IpAddress"]
    return NodeStatus(
        id=node_id,
        private_ip=addresses[0] if addresses else "",
        instance_type=instance["InstanceType"],
        zone_id=instance["ZoneId"],
        state=instance["Status"],
        weight=int(weight),
        health=health,
    )
