"""The settings of a cluster. Every part is frozen and refuses keys that it does not know."""

from __future__ import annotations

from collections.abc import Mapping
from ipaddress import IPv4Network
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, ValidationInfo, model_validator

from steelyard.spec import check, rule
from steelyard.spec.balancer import ABILITIES
from steelyard.spec.catalogue import REGIONS
from steelyard.spec.mistake import path_text
from steelyard.spec.rule import Flag, Text, WholeNumber
from steelyard.spec.subnet import split

DEFAULT_REGION = "cn-hangzhou"
_NUM_DEFAULT_ZONES = 2

_LATER_KIND = "this version makes classic and network load balancers alone"
_LATER_PROTOCOL = "this version's listeners speak http and tcp alone"
_LATER_SCHEDULER = "this version hashes by the client's address alone, as `sch`"


class Part(BaseModel):
    """Base of a spec and its parts."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class NetworkSpec(Part):
    """The VPC and its VSwitches: new ones, or, where `vpc_id` is given, ones that exist.

    Attributes:
        cidr: The VPC's private range; mask 8 to 28 bits.
        vswitch_cidrs: The VSwitches' ranges in the order of the zones, mask 16 to 29 bits; empty to cut them from
            the VPC's range.
        vpc_id: An existing VPC to stand in; no network is made then, and the ranges above mean nothing.
        vswitch_ids: Its VSwitches, one in each zone, in the zones' order.
        egress: How nodes reach the Internet: `none`, `nat` by a NAT gateway that is made with the network, `public`
            by a public address of each node's own.
    """

    cidr: Annotated[Text, rule.vpc_range] = "10.64.0.0/16"
    vswitch_cidrs: tuple[Annotated[Text, rule.vswitch_range], ...] = ()
    vpc_id: Annotated[Text, rule.matching(r"vpc-[a-z0-9]+", "a VPC's id", "vpc-bp1abcdefgh")] | None = None
    vswitch_ids: tuple[
        Annotated[Text, rule.matching(r"vsw-[a-z0-9]+", "a VSwitch's id", "vsw-bp1abcdefgh")], ...
    ] = ()
    egress: Annotated[Text, rule.one_of("none", "nat", "public")] = "none"


class DiskSpec(Part):
    """A node's system disk, always encrypted.

    Attributes:
        category: The API's disk category.
        size_gib: Size in GiB.
    """

    category: Annotated[
        Text, rule.one_of("cloud_essd", "cloud_auto", "cloud_essd_entry", "cloud_ssd", "cloud_efficiency")
    ] = "cloud_essd"
    size_gib: Annotated[WholeNumber, rule.within(20, 2048, " GiB")] = 100


class NodeGroupSpec(Part):
    """Nodes that are alike.

    Attributes:
        name: Part of its nodes' names: `<cluster>-<group>-<i>`.
        count: Number of nodes, spread over the zones in turn.
        instance_type: ECS instance type.
        image: Image id, or a family such as `ubuntu_24_04`, of which the newest system image is taken.
        disk: The system disk.
        weight: Share of the load balancer's requests, 0 to 100; 0 for none.
    """

    name: Annotated[Text, rule.name_of(20, "workers")]
    count: Annotated[WholeNumber, rule.at_least(1)] = 2
    instance_type: Text = "ecs.gn7i-c8g1.2xlarge"
    image: Annotated[
        Text,
        rule.matching(r"[A-Za-z0-9][A-Za-z0-9_.-]{1,127}", "an image's id or family", "ubuntu_24_04"),
    ] = "ubuntu_24_04"
    disk: DiskSpec = DiskSpec()
    weight: Annotated[WholeNumber, rule.within(0, 100)] = 100


class ListenerSpec(Part):
    """A port that the load balancer listens on.

    Attributes:
        port: Port at the load balancer's address.
        protocol: What is spoken there: `http`, or `tcp` on a network load balancer, which the gateways' HTTP passes.
    """

    port: Annotated[WholeNumber, rule.port()] = 8000
    protocol: Annotated[
        Text, rule.one_of("http", "tcp", unserved=dict.fromkeys(("udp", "https"), _LATER_PROTOCOL))
    ] = "http"


class HealthCheckSpec(Part):
    """How the load balancer sees that a node can take requests. Bounds: CreateLoadBalancerHTTPListener.

    Attributes:
        path: Path that a node answers with a 2xx status while it is healthy.
        interval_s: Seconds between two checks.
        timeout_s: Seconds that an answer may take.
        healthy_threshold: Good checks in a row that bring a node in.
        unhealthy_threshold: Failed checks in a row that take a node out.
    """

    path: Annotated[
        Text,
        rule.matching(
            r"/[A-Za-z0-9/.%?#&=_-]{1,79}", "a path of 2 to 80 characters that begins with /", "/healthz"
        ),
    ] = "/healthz"
    interval_s: Annotated[WholeNumber, rule.within(1, 50, " s")] = 2
    timeout_s: Annotated[WholeNumber, rule.within(1, 300, " s")] = 5
    healthy_threshold: Annotated[WholeNumber, rule.within(2, 10)] = 3
    unhealthy_threshold: Annotated[WholeNumber, rule.within(2, 10)] = 3


def _first_listeners(fields: dict[str, Any]) -> tuple[ListenerSpec, ...]:
    ability = ABILITIES.get(fields.get("kind", ""))
    return (ListenerSpec(protocol=ability.protocols[0]) if ability else ListenerSpec(),)


class LoadBalancerSpec(Part):
    """The load balancer in front of the nodes' gateways.

    Attributes:
        kind: `classic` (CLB), or `network` (NLB), which stands in every zone and balances connections.
        address_type: `intranet` for an address of the VPC, `internet` for a public one.
        scheduler: `wrr` by weight, `rr` in turn; a network one has `wlc` by weight and open connections and `sch` by
            the client's address as well.
        drain_timeout_s: Seconds that the connections to a removed node are given to end; 0 for no such care, which is
            all that a classic one has.
        listeners: Its ports, at least one.
        health_check: How it watches the nodes.
    """

    kind: Annotated[Text, rule.one_of("classic", "network", unserved={"application": _LATER_KIND})] = (
        "classic"
    )
    address_type: Annotated[Text, rule.one_of("intranet", "internet")] = "intranet"
    scheduler: Annotated[
        Text, rule.one_of("wrr", "rr", "wlc", "sch", unserved=dict.fromkeys(("tch", "qch"), _LATER_SCHEDULER))
    ] = "wrr"
    drain_timeout_s: Annotated[WholeNumber, rule.within(0, 900, " s")] = 0
    listeners: tuple[ListenerSpec, ...] = Field(default_factory=_first_listeners)
    health_check: HealthCheckSpec = HealthCheckSpec()


class AccessSpec(Part):
    """Who may reach the nodes from outside the cluster.

    Attributes:
        admin_cidrs: Ranges that may reach SSH and the gateways; none by default.
    """

    admin_cidrs: tuple[Annotated[Text, rule.admin_range], ...] = ()


class NodeRoleSpec(Part):
    """The RAM role of the nodes.

    Attributes:
        enabled: Whether there is one.
    """

    enabled: Flag = True


class NodePackageSpec(Part):
    """Where a fresh node takes Steelyard from; a node that has it installs nothing.

    Attributes:
        version: Version to install; the one that deploys where it is not given.
        index_url: Package index; pip's own where it is not given.
    """

    version: Annotated[Text, rule.matching(r"[0-9][0-9A-Za-z.+!-]*", "a version", "0.1.0")] | None = None
    index_url: (
        Annotated[Text, rule.matching(r"https?://[^\s'\"\\]+", "a URL", "https://pypi.example.com/simple/")]
        | None
    ) = None


def _first_zones(fields: dict[str, Any]) -> tuple[str, ...]:
    return REGIONS.get(fields.get("region", ""), ())[:_NUM_DEFAULT_ZONES]


class ClusterSpec(Part):
    """A cluster, as it is wanted. All but the name has a default.

    Attributes:
        name: Part of every resource's name.
        target: `local` for the local cloud, `alicloud` for Alibaba Cloud.
        region: The API's region id.
        zones: A VSwitch stands in each; the load balancer in the first two. Add new ones at the end.
        network: The VPC.
        node_groups: The nodes; the first node of the first group is Ray's head.
        load_balancer: The load balancer.
        gateway_port: Port of the gateway on each node.
        access: Who may reach the nodes.
        node_role: The nodes' RAM role.
        node_package: Where a fresh node takes Steelyard from.
    """

    name: Annotated[Text, rule.name_of(32, "demo")]
    target: Annotated[Text, rule.one_of("local", "alicloud")] = "local"
    region: Annotated[Text, rule.one_of(*REGIONS)] = DEFAULT_REGION
    zones: tuple[Text, ...] = Field(default_factory=_first_zones)
    network: NetworkSpec = NetworkSpec()
    node_groups: tuple[NodeGroupSpec, ...] = (NodeGroupSpec(name="workers"),)
    load_balancer: LoadBalancerSpec = LoadBalancerSpec()
    gateway_port: Annotated[WholeNumber, rule.port(1024)] = 8000
    access: AccessSpec = AccessSpec()
    node_role: NodeRoleSpec = NodeRoleSpec()
    node_package: NodePackageSpec = NodePackageSpec()

    @model_validator(mode="after")
    def _check_parts_together(self, info: ValidationInfo) -> ClusterSpec:
        if info.context is check.SEPARATELY:
            return self
        findings = check.findings_across(self.model_dump(mode="json"))
        if findings:
            reason = "; ".join(f"{path_text(one.path)}: {one.message} ({one.hint})" for one in findings)
            raise rule.refusal(reason, "")
        return self

    @property
    def num_nodes(self) -> int:
        """Number of nodes of all groups."""
        return sum(group.count for group in self.node_groups)

    @property
    def vswitch_cidrs(self) -> tuple[str, ...]:
        """The range of each zone's VSwitch, in the order of the zones."""
        if self.network.vswitch_cidrs:
            return self.network.vswitch_cidrs
        return tuple(str(part) for part in split(IPv4Network(self.network.cidr), len(self.zones)))

    @classmethod
    def from_config(cls, mapping: Mapping[str, Any]) -> ClusterSpec:
        """Read a spec from a Pulumi stack's config.

        Args:
            mapping: Config keys, with or without `steelyard:` before them, and their values: text as the
                config holds it (JSON where it is structured), or values already read.

        Raises:
            SpecError: If anything is wrong; it holds every mistake, its place the config key.
        """
        from steelyard.spec.config import read_config  # it builds on this module

        return read_config(mapping)
