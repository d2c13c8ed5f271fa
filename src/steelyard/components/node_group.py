from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import pulumi
from pulumi_alicloud import ecs

from steelyard.components.egress import BANDWIDTH_MBIT_PER_S
from steelyard.components.load_balancer import attach_server
from steelyard.components.tag import node_tags
from steelyard.components.user_data import PackageSource, Role, user_data
from steelyard.spec import DiskSpec


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
        weight: Share of the load balancer's requests, 0 to 100.
        vswitch_ids: VSwitches that the nodes are placed in by turns.
        security_group_id: The nodes' security group.
        server_group_id: Server group of the load balancer.
        balancer_kind: The load balancer's kind.
        gateway_port: Port of the gateway on each node.
        token: The gateways' bearer token.
        head_address: Private address of Ray's head; None where this group's first node is the head.
        role_name: RAM role that the nodes act under; None for no role.
        source: Where a fresh node takes Steelyard from.
        setup: Lines that the boot script runs before the node starts.
        has_public_address: Whether each node has a public address, to reach the Internet by.
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
    boot_after: Sequence[pulumi.Resource] = ()


class NodeGroup(pulumi.ComponentResource):
    """Nodes that are alike, spread over the zones and attached to the load balancer.

    Nothing of a node depends on how many there are: another count creates or deletes the last ones alone.

    Attributes:
        node_ids: Instance ids, in the order of the nodes' numbers.
        private_ips: Private IPv4 addresses, in the same order.
    """

    node_ids: list[pulumi.Output[str]]
    private_ips: list[pulumi.Output[str]]

    def __init__(self, name: str, args: NodeGroupArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("steelyard:index:NodeGroup", name, None, opts)
        head_address = args.head_address
        self.node_ids, self.private_ips = [], []
        for i in range(args.count):
            instance = self._create_instance(name, args, i, head_address)
            self._attach(name, args, i, instance)
            self.node_ids.append(instance.id)
            self.private_ips.append(instance.private_ip)
            if head_address is None:
                head_address = instance.private_ip
        self.register_outputs({"node_ids": self.node_ids, "private_ips": self.private_ips})

    def _create_instance(
        self, name: str, args: NodeGroupArgs, i: int, head_address: pulumi.Input[str] | None
    ) -> ecs.Instance:
        role: Role = "head" if head_address is None else "worker"
        title = f"{args.cluster}-{args.group}-{i}"
        return ecs.Instance(
            f"{name}-node-{i}",
            instance_name=title,
            host_name=title,
            instance_type=args.instance_type,
            instance_charge_type="PostPaid",
            image_id=args.image_id,
            vswitch_id=args.vswitch_ids[i % len(args.vswitch_ids)],
            security_groups=[args.security_group_id],
            internet_max_bandwidth_out=BANDWIDTH_MBIT_PER_S if args.has_public_address else 0,
            internet_charge_type="PayByTraffic" if args.has_public_address else None,
            system_disk_category=args.disk.category,
            system_disk_size=args.disk.size_gib,
            system_disk_encrypted=True,
            http_endpoint="enabled",
            http_tokens="required",
            user_data=user_data(
                cluster=args.cluster,
                role=role,
                token=args.token,
                gateway_port=args.gateway_port,
                head_address=head_address,
                source=args.source,
                setup=args.setup,
            ),
            tags=node_tags(args.cluster, args.group, role),
            opts=pulumi.ResourceOptions(
                parent=self,
                depends_on=list(args.boot_after),
                additional_secret_outputs=["user_data"],
            ),
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
            opts=options,
        )
        if args.role_name is not None:
            ecs.RamRoleAttachment(
                f"{name}-role-{i}",
                instance_id=instance.id,
                ram_role_name=args.role_name,
                opts=options,
            )
