from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import pulumi
import pulumi_alicloud as alicloud
from pulumi_alicloud import cms, ecs, vpc

from steelyard.components.auto_scaling import AutoScaling, AutoScalingArgs
from steelyard.components.balancer_args import BalancerServer, LoadBalancerArgs
from steelyard.components.certificate import CertificateArgs
from steelyard.components.checkpoint_store import (
    BucketArgs,
    CheckpointStore,
    CheckpointStoreArgs,
    FileSystemArgs,
    bucket_name,
)
from steelyard.components.firewall import Firewall, FirewallArgs
from steelyard.components.image import find_image
from steelyard.components.load_balancer import LoadBalancer
from steelyard.components.mount import mount_script
from steelyard.components.network import Network, NetworkArgs
from steelyard.components.node_group import NodeGroup, NodeGroupArgs, ReportArgs
from steelyard.components.node_role import NodeRole, NodeRoleArgs
from steelyard.components.tag import cluster_tags
from steelyard.components.user_data import PackageSource
from steelyard.components.zone import with_zones
from steelyard.spec import ClusterSpec, NodeGroupSpec
from steelyard.spec.balancer import ABILITIES, SECURE_PROTOCOLS, Ability


@dataclass(frozen=True, kw_only=True)
class TrainingClusterArgs:
    """What a `TrainingCluster` is made from.

    Attributes:
        spec: What is wanted.
        token: The gateways' bearer token; kept as a secret.
    """

    spec: ClusterSpec
    token: pulumi.Input[str]


class TrainingCluster(pulumi.ComponentResource):
    """A load-balanced cluster for distributed training: network, firewall, load balancer, role and nodes.

    Attributes:
        network: The VPC and its VSwitches.
        firewall: The nodes' security group.
        load_balancer: What stands in front of the nodes' gateways.
        checkpoint_store: Where jobs keep their checkpoints; None where the spec asks for nothing.
        node_role: The nodes' RAM role; None where the spec asks for none.
        node_groups: The nodes; the first node of the first group is Ray's head. A head of its own comes first.
        auto_scaling: The nodes that come and go, of the groups that have such.
        gateway_url: URL of the gateways, through the first listener.
        token: The bearer token, a secret.
    """

    network: Network
    firewall: Firewall
    load_balancer: LoadBalancer
    checkpoint_store: CheckpointStore | None
    node_role: NodeRole | None
    node_groups: list[NodeGroup]
    auto_scaling: list[AutoScaling]
    gateway_url: pulumi.Output[str]
    token: pulumi.Output[str]

    def __init__(
        self, name: str, args: TrainingClusterArgs, opts: pulumi.ResourceOptions | None = None
    ) -> None:
        super().__init__("steelyard:index:TrainingCluster", name, None, opts)
        spec = with_zones(args.spec, self)
        self._name, self._spec = name, spec
        # Read before anything is made: a file that is not there must leave nothing behind.
        self._certificate = CertificateArgs.read(spec.load_balancer.tls)
        self.token = pulumi.Output.secret(args.token)
        self.network = self._create_network()
        self.firewall = self._create_firewall()
        # One that lists its servers itself comes after the nodes.
        is_balancer_last = self._ability.lists_servers
        if not is_balancer_last:
            self.load_balancer = self._create_load_balancer(())
        self.checkpoint_store = self._create_checkpoint_store() if spec.checkpoints.kind != "none" else None
        self.node_role = self._create_node_role() if spec.node_role.enabled else None
        self._key_pair = self._create_key_pair()
        self._report = self._create_report()
        self.node_groups = []
        # The others are told where the head is: a head of its own comes first, wherever it stands.
        groups = sorted(spec.node_groups, key=lambda group: not group.head)
        for group in groups:
            self.node_groups.append(self._create_node_group(group))
        if is_balancer_last:
            self._create_load_balancer_last()
        self.auto_scaling = [
            self._create_auto_scaling(group, fixed)
            for group, fixed in zip(groups, self.node_groups, strict=True)
            if group.scaling.max
        ]
        first = spec.load_balancer.listeners[0]
        scheme = "https" if first.protocol in SECURE_PROTOCOLS else "http"
        address = self.load_balancer.address
        self.gateway_url = pulumi.Output.concat(f"{scheme}://", address, ":", str(first.port))
        self.register_outputs({"gateway_url": self.gateway_url})

    @property
    def node_ids(self) -> list[pulumi.Output[str]]:
        """Instance ids of all nodes, group by group; the head is the first."""
        return [node_id for group in self.node_groups for node_id in group.node_ids]

    @property
    def node_private_ips(self) -> list[pulumi.Output[str]]:
        """Private IPv4 addresses of all nodes, in the order of `node_ids`."""
        return [address for group in self.node_groups for address in group.private_ips]

    @property
    def _ability(self) -> Ability:
        return ABILITIES[self._spec.load_balancer.kind]

    def _create_network(self) -> Network:
        spec, wanted = self._spec, self._spec.network
        is_adopted = wanted.vpc_id is not None
        return Network(
            f"{self._name}-network",
            NetworkArgs(
                cluster=spec.name,
                zones=spec.zones,
                cidr=None if is_adopted else wanted.cidr,
                vswitch_cidrs=() if is_adopted else spec.vswitch_cidrs,
                has_nat=wanted.egress == "nat",
                vpc_id=wanted.vpc_id,
                vswitch_ids=wanted.vswitch_ids,
            ),
            pulumi.ResourceOptions(parent=self),
        )

    def _create_firewall(self) -> Firewall:
        return Firewall(
            f"{self._name}-firewall",
            FirewallArgs(
                cluster=self._spec.name,
                vpc_id=self.network.vpc_id,
                gateway_port=self._spec.gateway_port,
                balancer_cidrs=self._spec.vswitch_cidrs if self._ability.calls_from_zones else (),
                further_ports=sorted({rule.port for rule in self._spec.load_balancer.rules}),
                admin_cidrs=self._spec.access.admin_cidrs,
                egress_cidrs=self._spec.access.egress_cidrs,
                member_cidrs=self._find_member_cidrs() if self._spec.access.egress_cidrs else (),
            ),
            pulumi.ResourceOptions(parent=self),
        )

    def _find_member_cidrs(self) -> Sequence[str]:
        """Give the ranges of the nodes' VSwitches; those of an existing network are looked up."""
        wanted = self._spec.network
        if wanted.vpc_id is None:
            return self._spec.vswitch_cidrs
        options = pulumi.InvokeOptions(parent=self)
        found = vpc.get_switches(vpc_id=wanted.vpc_id, ids=list(wanted.vswitch_ids), opts=options)
        return [vswitch.cidr_block for vswitch in found.vswitches]

    def _create_load_balancer_last(self) -> None:
        servers = [server for group in self.node_groups for server in group.servers]
        self.load_balancer = self._create_load_balancer(servers)
        if self.node_role is not None:
            self.node_role.grant(self.load_balancer.load_balancer_id, self.load_balancer.server_group_id)

    def _create_load_balancer(self, servers: Sequence[BalancerServer]) -> LoadBalancer:
        wanted = self._spec.load_balancer
        return LoadBalancer(
            f"{self._name}-balancer",
            LoadBalancerArgs(
                cluster=self._spec.name,
                kind=wanted.kind,
                vpc_id=self.network.vpc_id,
                vswitch_ids=self.network.vswitch_ids,
                zones=self._spec.zones,
                listeners=wanted.listeners,
                health_check=wanted.health_check,
                address_type=wanted.address_type,
                scheduler=wanted.scheduler,
                drain_timeout_s=wanted.drain_timeout_s,
                slow_start_s=wanted.slow_start_s,
                sticky_session_s=wanted.sticky_session_s,
                access_cidrs=wanted.access_cidrs,
                is_protected=wanted.deletion_protection,
                certificate=self._certificate,
                rules=wanted.rules,
                servers=servers,
            ),
            pulumi.ResourceOptions(parent=self),
        )

    def _create_checkpoint_store(self) -> CheckpointStore:
        spec, wanted = self._spec, self._spec.checkpoints
        bucket, file_system = None, None
        if wanted.kind == "oss":
            name = wanted.bucket
            if name is None:
                account = alicloud.get_caller_identity(opts=pulumi.InvokeOptions(parent=self))
                name = bucket_name(spec.name, spec.region, account.account_id)
            bucket = BucketArgs(
                bucket=name,
                prefix=wanted.prefix,
                keep_deleted_days=wanted.keep_deleted_days,
                force_destroy=wanted.force_destroy,
            )
        else:
            file_system = FileSystemArgs(
                vpc_id=self.network.vpc_id,
                vpc_cidr=spec.network.cidr,
                vswitch_ids=self.network.vswitch_ids,
                storage_type=wanted.nas_storage,
                # Nodes of the local cloud share the machine's files: only their homes are their own.
                folder="~/checkpoints" if spec.target == "local" else None,
                force_destroy=wanted.force_destroy,
            )
        return CheckpointStore(
            f"{self._name}-checkpoints",
            CheckpointStoreArgs(cluster=spec.name, bucket=bucket, file_system=file_system),
            pulumi.ResourceOptions(parent=self),
        )

    def _create_node_role(self) -> NodeRole:
        account = alicloud.get_caller_identity(opts=pulumi.InvokeOptions(parent=self))
        store, is_late = self.checkpoint_store, self._ability.lists_servers
        return NodeRole(
            f"{self._name}-role",
            NodeRoleArgs(
                cluster=self._spec.name,
                region=self._spec.region,
                account_id=account.account_id,
                balancer_kind=self._spec.load_balancer.kind,
                load_balancer_id=None if is_late else self.load_balancer.load_balancer_id,
                server_group_id=None if is_late else self.load_balancer.server_group_id,
                sets_weights=self._spec.load_balancer.weights == "measured",
                reports=self._spec.monitoring.report_every_s > 0,
                bucket=store.bucket_name if store else None,
                prefix=(store.prefix if store else None) or "",
            ),
            pulumi.ResourceOptions(parent=self),
        )

    def _create_key_pair(self) -> pulumi.Input[str] | None:
        """Return the name of the key pair that may log in, made from a public key where there is one."""
        wanted, name = self._spec.access, self._spec.name
        if wanted.public_key is None:
            return wanted.key_pair
        made = ecs.EcsKeyPair(
            f"{self._name}-key",
            key_pair_name=f"{name}-nodes",
            public_key=wanted.public_key,
            tags=cluster_tags(name),
            opts=pulumi.ResourceOptions(parent=self, delete_before_replace=True),
        )
        return made.key_pair_name

    def _create_report(self) -> ReportArgs | None:
        """Return where nodes report their figures, an application group of CloudMonitor; None where they do not."""
        every_s = self._spec.monitoring.report_every_s
        if not every_s:
            return None
        group = cms.MonitorGroup(
            f"{self._name}-metrics",
            monitor_group_name=self._spec.name,
            opts=pulumi.ResourceOptions(parent=self),
        )
        return ReportArgs(monitor_group_id=group.id, every_s=every_s)

    def _create_node_group(self, group: NodeGroupSpec) -> NodeGroup:
        options = pulumi.ResourceOptions(parent=self)
        return NodeGroup(f"{self._name}-{group.name}", self._node_group_args(group), options)

    def _create_auto_scaling(self, group: NodeGroupSpec, fixed: NodeGroup) -> AutoScaling:
        account = alicloud.get_caller_identity(opts=pulumi.InvokeOptions(parent=self))
        return AutoScaling(
            f"{self._name}-{group.name}-scaling",
            AutoScalingArgs(
                nodes=self._node_group_args(group),
                scaling=group.scaling,
                load_balancer_id=self.load_balancer.load_balancer_id,
                region=self._spec.region,
                account_id=account.account_id,
                watched_ids=fixed.node_ids,
            ),
            pulumi.ResourceOptions(parent=self),
        )

    def _node_group_args(self, group: NodeGroupSpec) -> NodeGroupArgs:
        package = self._spec.node_package
        return NodeGroupArgs(
            cluster=self._spec.name,
            group=group.name,
            count=group.count,
            instance_type=group.instance_type,
            image_id=find_image(group.image, group.instance_type, self),
            disk=group.disk,
            data_disks=group.data_disks,
            spot=group.spot,
            placement=group.placement,
            has_rdma=group.rdma,
            key_pair=self._key_pair,
            takes_work=not group.head,
            follows_speed=self._spec.load_balancer.weights == "measured",
            weight=group.weight,
            vswitch_ids=self.network.vswitch_ids,
            security_group_id=self.firewall.security_group_id,
            server_group_id="" if self._ability.lists_servers else self.load_balancer.server_group_id,
            balancer_kind=self._spec.load_balancer.kind,
            gateway_port=self._spec.gateway_port,
            token=self.token,
            head_address=self.node_groups[0].private_ips[0] if self.node_groups else None,
            role_name=self.node_role.role_name if self.node_role else None,
            source=PackageSource(version=package.version, index_url=package.index_url),
            setup=self._setup(),
            has_public_address=self._spec.network.egress == "public",
            report=self._report,
            # A node fetches its packages and joins the others while it boots: the ways there must be open.
            boot_after=[*self.firewall.rules, *self.network.ways_out],
        )

    def _setup(self) -> pulumi.Input[str]:
        """Give the lines that a node's boot script runs before the node starts."""
        store = self.checkpoint_store
        if store is None or store.mount_domain is None:
            return ""
        folder = str(store.folder)
        return store.mount_domain.apply(lambda domain: mount_script(domain, folder))
