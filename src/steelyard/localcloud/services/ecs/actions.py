from __future__ import annotations

from typing import Any

from steelyard.localcloud.record import Records
from steelyard.localcloud.services.ecs import errors
from steelyard.localcloud.services.ecs.attribute_actions import AttributeActions
from steelyard.localcloud.services.ecs.launch_template_actions import LaunchTemplateActions
from steelyard.localcloud.services.ecs.offer_actions import OfferActions
from steelyard.localcloud.services.ecs.power_actions import PowerActions
from steelyard.localcloud.services.ecs.price_actions import PriceActions
from steelyard.localcloud.services.ecs.rule_actions import RuleActions
from steelyard.localcloud.services.ecs.security_group_actions import SecurityGroupActions
from steelyard.localcloud.tag_actions import TagActions
from steelyard.localcloud.wire.error import ApiError


class EcsService(
    AttributeActions,
    PowerActions,
    LaunchTemplateActions,
    SecurityGroupActions,
    RuleActions,
    OfferActions,
    PriceActions,
    TagActions,
):
    """Instances, their templates, security groups, the catalogue, prices and tags."""

    def tagged_records(self, resource_type: str) -> Records[Any] | None:
        """Give the records of a resource type that has tags here."""
        records: dict[str, Records[Any]] = {
            "instance": self.instances,
            "securitygroup": self.security_groups,
            "launchtemplate": self.launch_templates.records,
        }
        return records.get(resource_type)

    def unknown_resource_type(self, resource_type: str) -> ApiError:
        """Tell that tags are not kept for a resource type."""
        return errors.unknown_resource_type(resource_type)
