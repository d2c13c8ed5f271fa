"""The settings of a cluster. Every part is frozen and refuses keys that it does not know."""

from __future__ import annotations

from ipaddress import IPv4Network
from typing import Annotated, Any

from pydantic import Field, ValidationInfo, model_validator

from steelyard.spec import check, rule
from steelyard.spec.budget import BudgetSpec
from steelyard.spec.catalogue import REGIONS
from steelyard.spec.checkpoints import CheckpointsSpec
from steelyard.spec.load_balancer import LoadBalancerSpec
from steelyard.spec.mistake import path_text
from steelyard.spec.monitoring import MonitoringSpec
from steelyard.spec.network import AccessSpec, NetworkSpec
from steelyard.spec.node_group import NodeGroupSpec, NodePackageSpec, NodeRoleSpec
from steelyard.spec.part import Part
from steelyard.spec.rule import Text, WholeNumber
from steelyard.spec.subnet import split

DEFAULT_REGION = "cn-hangzhou"
_NUM_DEFAULT_ZONES = 2


def _first_zones(fields: dict[str, Any]) -> tuple[str, ...]:
    return REGIONS.get(fields.get("region", ""), ())[:_NUM_DEFAULT_ZONES]


class ClusterSpec(Part):
    """A cluster, as it is wanted. All but the name has a default.

    Attributes:
        name: Part of every resource's name.
        target: `local` for the local cloud, `alicloud` for Alibaba Cloud.
        region: The API's region id.
        zones: A VSwitch stands in each; the load balancer in the first two. Add new ones at the end. Where none are
            named, `up` takes two that have all instance types in stock, and keeps them.
        network: The VPC.
        node_groups: The nodes; the first node of the first group is Ray's head.
        load_balancer: The load balancer.
        gateway_port: Port of the gateway on each node.
        access: Who may reach the nodes.
        node_role: The nodes' RAM role.
        node_package: Where a fresh node takes Steelyard from.
        checkpoints: Where jobs keep their checkpoints.
        monitoring: What the nodes report.
        budget: What it may cost.
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
    checkpoints: CheckpointsSpec = CheckpointsSpec()
    monitoring: MonitoringSpec = MonitoringSpec()
    budget: BudgetSpec = BudgetSpec()

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
