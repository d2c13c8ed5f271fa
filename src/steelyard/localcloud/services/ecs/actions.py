from __future__ import annotations

from typing import Any

from steelyard.localcloud.record import Records
from steelyard.localcloud.services.ecs import errors
from steelyard.localcloud.services.ecs.attribute_actions import AttributeActions
from steelyard.localcloud.services.ecs.batch_power_actions import BatchPowerActions
from steelyard.localcloud.services.ecs.charge_actions import ChargeActions
from steelyard.localcloud.services.ecs.command_actions import CommandActions
from steelyard.localcloud.services.ecs.deployment_set_actions import DeploymentSetActions
from steelyard.localcloud.services.ecs.disk_actions import DiskActions
from steelyard.localcloud.services.ecs.group_membership_actions import GroupMembershipActions
from steelyard.localcloud.services.ecs.image_actions import ImageActions
from steelyard.localcloud.services.ecs.invocation_actions import InvocationActions
from steelyard.localcloud.services.ecs.key_pair_actions import KeyPairActions
from steelyard.localcloud.services.ecs.launch_template_actions import LaunchTemplateActions
from steelyard.localcloud.services.ecs.monitor_actions import MonitorActions
from steelyard.localcloud.services.ecs.move_actions import MoveActions
from steelyard.localcloud.services.ecs.network_directory import NetworkDirectory
from steelyard.localcloud.services.ecs.network_interface_actions import NetworkInterfaceActions
from steelyard.localcloud.services.ecs.offer_actions import OfferActions
from steelyard.localcloud.services.ecs.older_tag_actions import OlderTagActions
from steelyard.localcloud.services.ecs.prefix_list_actions import PrefixListActions
from steelyard.localcloud.services.ecs.price_actions import PriceActions
from steelyard.localcloud.services.ecs.private_address_actions import PrivateAddressActions
from steelyard.localcloud.services.ecs.resource_group_actions import ResourceGroupActions
from steelyard.localcloud.services.ecs.rule_actions import RuleActions
from steelyard.localcloud.services.ecs.security_group_actions import SecurityGroupActions
from steelyard.localcloud.services.ecs.spec_actions import SpecActions
from steelyard.localcloud.services.ecs.spot_actions import SpotActions
from steelyard.localcloud.services.ecs.system_disk_actions import SystemDiskActions
from steelyard.localcloud.services.ecs.upkeep_actions import UpkeepActions
from steelyard.localcloud.wire.error import ApiError


class EcsService(
    AttributeActions,
    SpotActions,
    BatchPowerActions,
    SpecActions,
    ChargeActions,
    UpkeepActions,
    MonitorActions,
    CommandActions,
    InvocationActions,
    LaunchTemplateActions,
    KeyPairActions,
    DeploymentSetActions,
    DiskActions,
    ImageActions,
    SystemDiskActions,
    NetworkInterfaceActions,
    PrivateAddressActions,
    MoveActions,
    SecurityGroupActions,
    GroupMembershipActions,
    RuleActions,
    PrefixListActions,
    OfferActions,
    PriceActions,
    NetworkDirectory,
    ResourceGroupActions,
    OlderTagActions,
):
    """Instances, their templates, security groups, the catalogue, prices and tags."""

    def tagged_records(self, resource_type: str) -> Records[Any] | None:
        """Give the records of a resource type that has tags here."""
        records: dict[str, Records[Any]] = {
            "instance": self.instances,
            "securitygroup": self.security_groups,
            "launchtemplate": self.launch_templates.records,
            "deploymentset": self.deployment_sets,
            "disk": self.disks,
            "snapshot": self.snapshots,
            "prefixlist": self.prefix_lists,
            "image": self.images,
            "eni": self.interfaces,
            "command": self.commands,
            "invocation": self.invocations,
        }
        return records.get(resource_type)

    def tagged_records_in(self, region_id: str, resource_type: str) -> Records[Any] | None:
        """Give the records of a resource type: key pairs have the same names in several regions."""
        return self.key_pairs(region_id) if resource_type == "keypair" else self.tagged_records(resource_type)

    def unknown_resource_type(self, resource_type: str) -> ApiError:
        """Tell that tags are not kept for a resource type."""
        return errors.unknown_resource_type(resource_type)
