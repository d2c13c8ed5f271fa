from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import pulumi
from pulumi_alicloud import ecs

from steelyard.components.balancer_args import BalancerServer
from steelyard.components.driver import GPU_DRIVER, RDMA_DRIVER
from steelyard.components.egress import BANDWIDTH_MBIT_PER_S
from steelyard.components.load_balancer import attach_server
from steelyard.components.tag import node_tags
from steelyard.components.user_data import PackageSource, Role, user_data
from steelyard.errors import UsageError
from steelyard.spec import DataDiskSpec, DiskSpec, SpotSpec
from steelyard.spec.balancer import ABILITIES
from steelyard.spec.family import has_gpu

_STRATEGIES: Mapping[str, str] = {"availability": "Availability", "low_latency": "LowLatency"}


@dataclass(frozen=True, kw_only=True)
class ReportArgs:
    """Where and how often nodes report their figures to CloudMonitor; `node.metric_reporter` says which.

    Attributes:
        monitor_group_id: The application group that the metrics belong to.
        every_s: Seconds from one report to the next.
    """

    monitor_group_id: pulumi.Output[str]
    every_s: int


@dataclass(frozen=True, kw_only=True)
class NodeGroupArgs:
    """What a `NodeGroup` is made from.

    Attributes:
        cluster: The cluster's name.
        group: The group's name.
        count: Number of nodes.
        instance_type: ECS instance type.
        image_id: Image that the nodes boot.
        disk: The system disk; it is always encrypted.
        data_disks: Further disks of each node, encrypted and gone with it.
        spot: Whether the nodes are spot instances.
        placement: `availability` or `low_latency`, for which the group has a deployment set, or `none`.
        has_rdma: Whether each node has an elastic RDMA interface.
        key_pair: Name of the key pair that may log in; None for nobody.
        takes_work: Whether jobs may have workers on these nodes; only a head can do without.
        weight: Share of the load balancer's requests, 0 to 100.
        follows_speed: Whether the weights follow the speed that training measures. The head then sets them in the
            server group, which has to stand before the nodes, and `weight` is the first one alone: a change of it, here
            or in the server group, is left as it is (`ignore_changes`), so that no later `up` takes back what was
            measured. A node whose first weight is 0 keeps it.
        vswitch_ids: VSwitches that the nodes are placed in by turns.
        security_group_id: The nodes' security group.
        server_group_id: Server group of the load balancer; of no meaning where that lists its servers itself.
        balancer_kind: The load balancer's kind.
        gateway_port: Port of the gateway on each node.
        token: The gateways' bearer token.
        head_address: Private address of Ray's head; None where this group's first node is the head.
        role_name: RAM role that the nodes act under; None for no role.
        source: Where a fresh node takes Steelyard from.
        setup: Lines that the boot script runs before the node starts.
        has_public_address: Whether each node has a public address, to reach the Internet by.
        report: Where the nodes report their figures; None where they report none.
        boot_after: What must stand before a node boots, such as the firewall's rules.
    """

    cluster: str
    group: str
    count: int
    instance_type: str
    image_id: pulumi.Input[str]
    disk: DiskSpec
    weight: int
    vswitch_ids: Sequence[pulumi.Input[str]]
    security_group_id: pulumi.Input[str]
    server_group_id: pulumi.Input[str]
    gateway_port: int
    token: pulumi.Input[str]
    head_address: pulumi.Input[str] | None = None
    role_name: pulumi.Input[str] | None = None
    balancer_kind: str = "classic"
    source: PackageSource = field(default_factory=PackageSource)
    setup: pulumi.Input[str] = ""
    has_public_address: bool = False
    data_disks: Sequence[DataDiskSpec] = ()
    spot: SpotSpec = field(default_factory=SpotSpec)
    placement: str = "none"
    has_rdma: bool = False
    key_pair: pulumi.Input[str] | None = None
    takes_work: bool = True
    follows_speed: bool = False
    report: ReportArgs | None = None
    boot_after: Sequence[pulumi.Resource] = ()

    @property
    def own_vswitch_ids(self) -> Sequence[pulumi.Input[str]]:
        """The VSwitches that its nodes stand in: those of all zones, or where they are to be near, of one."""
        return self.vswitch_ids[:1] if self.placement == "low_latency" else self.vswitch_ids


class NodeGroup(pulumi.ComponentResource):
    """Nodes that are alike, spread over the zones and attached to the load balancer.

    Nothing of a node depends on how many there are: another count creates or deletes the last ones alone.

    Attributes:
        node_ids: Instance ids, in the order of the nodes' numbers.
        private_ips: Private IPv4 addresses, in the same order.
        servers: The nodes as a load balancer lists them, in the same order.

    Raises:
        UsageError: The weights are to follow the speed, and the load balancer's kind does not let them.
    """

    node_ids: list[pulumi.Output[str]]
    private_ips: list[pulumi.Output[str]]
    servers: list[BalancerServer]

    def __init__(self, name: str, args: NodeGroupArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        _check(args)
        super().__init__("steelyard:index:NodeGroup", name, None, opts)
        head_address = args.head_address
        self.node_ids, self.private_ips = [], []
        self._deployment_set = self._create_deployment_set(name, args)
        for i in range(args.count):
            instance = self._create_instance(name, args, i, head_address)
            self._attach(name, args, i, instance)
            self.node_ids.append(instance.id)
            self.private_ips.append(instance.private_ip)
            if head_address is None:
                head_address = instance.private_ip
        self.servers = [
            BalancerServer(server_id=node_id, port=args.gateway_port, weight=args.weight)
            for node_id in self.node_ids
        ]
        self.register_outputs({"node_ids": self.node_ids, "private_ips": self.private_ips})

    def _create_instance(
        self, name: str, args: NodeGroupArgs, i: int, head_address: pulumi.Input[str] | None
    ) -> ecs.Instance:
        role: Role = "head" if head_address is None else "worker"
        title = f"{args.cluster}-{args.group}-{i}"
        vswitch_ids = args.own_vswitch_ids
        return ecs.Instance(
            f"{name}-node-{i}",
            instance_name=title,
            host_name=title,
            instance_type=args.instance_type,
            instance_charge_type="PostPaid",
            image_id=args.image_id,
            vswitch_id=vswitch_ids[i % len(vswitch_ids)],
            security_groups=[args.security_group_id],
            internet_max_bandwidth_out=BANDWIDTH_MBIT_PER_S if args.has_public_address else 0,
            internet_charge_type="PayByTraffic" if args.has_public_address else None,
            system_disk_category=args.disk.category,
            system_disk_size=args.disk.size_gib,
            system_disk_encrypted=True,
            data_disks=[_data_disk(disk) for disk in args.data_disks] or None,
            key_name=args.key_pair,
            deployment_set_id=self._deployment_set.id if self._deployment_set else None,
            network_interface_traffic_mode="HighPerformance" if args.has_rdma else None,
            **_spot_arguments(args.spot),
            http_endpoint="enabled",
            http_tokens="required",
            user_data=node_script(args, role=role, head_address=head_address),
            # Said, though it is the default, so that a refresh sees that one has died and the next `up` starts it.
            status="Running",
            tags=node_tags(args.cluster, args.group, role),
            opts=pulumi.ResourceOptions(
                parent=self,
                depends_on=list(args.boot_after),
                additional_secret_outputs=["user_data"],
            ),
        )

    def _create_deployment_set(self, name: str, args: NodeGroupArgs) -> ecs.EcsDeploymentSet | None:
        if args.placement == "none":
            return None
        return ecs.EcsDeploymentSet(
            f"{name}-set",
            deployment_set_name=f"{args.cluster}-{args.group}",
            description=f"Nodes of the Steelyard cluster {args.cluster}",
            strategy=_STRATEGIES[args.placement],
            opts=pulumi.ResourceOptions(parent=self),
        )

    def _attach(self, name: str, args: NodeGroupArgs, i: int, instance: ecs.Instance) -> None:
        # An attachment's id is what it joins, so a new one must not be taken away as the old one.
        options = pulumi.ResourceOptions(parent=self, delete_before_replace=True)
        attach_server(
            args.balancer_kind,
            f"{name}-server-{i}",
            server_group_id=args.server_group_id,
            server_id=instance.id,
            port=args.gateway_port,
            weight=args.weight,
            opts=pulumi.ResourceOptions.merge(
                options, pulumi.ResourceOptions(ignore_changes=["weight"] if args.follows_speed else None)
            ),
        )
        if args.role_name is not None:
            ecs.RamRoleAttachment(
                f"{name}-role-{i}",
                instance_id=instance.id,
                ram_role_name=args.role_name,
                opts=options,
            )


def _check(args: NodeGroupArgs) -> None:
    if args.follows_speed and ABILITIES[args.balancer_kind].lists_servers:
        raise UsageError(
            f"the server group of a load balancer of kind `{args.balancer_kind}` is made after the nodes, which cannot "
            "know it",
            "take `classic` or `network` where weights are to follow the speed",
        )


def _data_disk(disk: DataDiskSpec) -> ecs.InstanceDataDiskArgs:
    return ecs.InstanceDataDiskArgs(
        category=disk.category, size=disk.size_gib, encrypted=True, delete_with_instance=True
    )


def spot_strategy(spot: SpotSpec) -> str:
    """Return the cloud's word for how the price of a spot instance is bounded."""
    return "SpotAsPriceGo" if spot.max_price is None else "SpotWithPriceLimit"


def _spot_arguments(spot: SpotSpec) -> dict[str, Any]:
    """Return the arguments of an instance that make it a spot instance; none for one that is not."""
    if not spot.enabled:
        return {}
    arguments: dict[str, Any] = {
        "spot_strategy": spot_strategy(spot),
        "spot_interruption_behavior": spot.interruption.capitalize(),
    }
    return arguments if spot.max_price is None else {**arguments, "spot_price_limit": spot.max_price}


def node_script(
    args: NodeGroupArgs, *, role: Role, head_address: pulumi.Input[str] | None, is_elastic: bool = False
) -> pulumi.Output[str]:
    """Return the boot script of a group's node, as a secret; its own lines and the drivers' run before the node starts.

    Args:
        args: The group.
        role: `head` or `worker`.
        head_address: The head's private address; None for the head itself.
        is_elastic: Whether a scaling group may take the node away.
    """
    server_group = None
    if args.follows_speed and role == "head":
        server_group = pulumi.Output.concat(args.balancer_kind, ":", args.server_group_id)
    drivers = (GPU_DRIVER if has_gpu(args.instance_type) else "") + (RDMA_DRIVER if args.has_rdma else "")
    return user_data(
        cluster=args.cluster,
        role=role,
        token=args.token,
        gateway_port=args.gateway_port,
        head_address=head_address,
        source=args.source,
        setup=pulumi.Output.concat(args.setup, drivers),
        takes_work=args.takes_work,
        is_elastic=is_elastic,
        server_group=server_group,
        report=_report_options(args),
    )


def _report_options(args: NodeGroupArgs) -> pulumi.Output[list[str]] | None:
    if args.report is None:
        return None
    every_s, group = str(args.report.every_s), args.group
    return args.report.monitor_group_id.apply(
        lambda group_id: ["--report-every", every_s, "--monitor-group", group_id, "--node-group", group]
    )
