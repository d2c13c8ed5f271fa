from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from steelyard.localcloud.service import Request, action
from steelyard.localcloud.services.ess import errors
from steelyard.localcloud.services.ess.core import EssCore
from steelyard.localcloud.services.ess.models import ScalingGroup
from steelyard.localcloud.wire.error import missing_parameter
from steelyard.spec.catalogue import INSTANCE_TYPES

_STRONG, _MEDIUM, _WEAK = "Strong", "Medium", "Weak"
_SCORES: Final = {_STRONG: 1.0, _MEDIUM: 0.5, _WEAK: 0.0}


@dataclass(frozen=True, kw_only=True)
class Pool:
    """An instance type in a zone, and how surely it can be had there."""

    instance_type: str
    zone_id: str
    vswitch_ids: Sequence[str]
    strength: str

    def to_answer(self) -> dict[str, object]:
        """Give the fields of DescribeElasticStrength."""
        is_there = self.strength != _WEAK
        return {
            "InstanceType": self.instance_type,
            "ZoneId": self.zone_id,
            "VSwitchIds": list(self.vswitch_ids),
            "ElasticStrength": self.strength,
            "Strength": _SCORES[self.strength],
            "Status": "Available" if is_there else "Unavailable",
            "Code": "" if is_there else "OperationDenied.NoStock",
            "Msg": "" if is_there else "The requested resource is sold out in the specified zone.",
        }


class StrengthActions(EssCore):
    """How surely a group can grow, by what the zones have in stock.

    A type is strong in a zone that has any number, medium where its stock is limited, and weak where there is none;
    all is strong or weak where each type in each zone is, and medium otherwise. These rules are this cloud's own.
    """

    # The schema calls what one kind of question needs required of all.
    @action("DescribeElasticStrength", optional=("SystemDiskCategories", "VSwitchIds"))
    def describe_elastic_strength(self, request: Request) -> dict[str, object]:
        """Tell it of one group, of several, or of instance types in VSwitches."""
        ids = request.texts("ScalingGroupIds")
        if ids:
            models = [self._model(group_id, request.texts("InstanceTypes")) for group_id in ids]
            return {"ElasticStrengthModels": models}
        types = request.texts("InstanceTypes")
        if request.text("ScalingGroupId"):
            return self._strength(self._pools_of(self.group(request), types))
        vswitch_ids = request.texts("VSwitchIds")
        for name, value in (("InstanceTypes", types), ("VSwitchIds", vswitch_ids)):
            if not value:
                raise missing_parameter(name)
        return self._strength(self._pools(types, vswitch_ids))

    def _model(self, group_id: str, types: Sequence[str]) -> dict[str, object]:
        group = self.groups.get(group_id)
        if group is None:
            raise errors.group_not_found(group_id)
        return {"ScalingGroupId": group_id, **self._strength(self._pools_of(group, types))}

    def _pools_of(self, group: ScalingGroup, types: Sequence[str]) -> list[Pool]:
        return self._pools(types or self._types_of(group), group.vswitch_ids)

    def _types_of(self, group: ScalingGroup) -> Sequence[str]:
        template = self.launcher.template(group)
        if template.instance_types or not template.template_id:
            return template.instance_types
        templates = self.ecs.launch_templates
        kept = templates.find(group.region_id, template.template_id, "")
        version = templates.version(kept, int(template.template_version))
        return [str(version.settings["InstanceType"])]

    def _pools(self, types: Sequence[str], vswitch_ids: Sequence[str]) -> list[Pool]:
        by_zone: dict[str, list[str]] = {}
        for vswitch_id in vswitch_ids:
            vswitch = self.vpc.find_vswitch(vswitch_id)
            if vswitch is None:
                raise errors.vswitch_not_found(vswitch_id)
            by_zone.setdefault(vswitch.zone_id, []).append(vswitch_id)
        return [
            Pool(
                instance_type=name,
                zone_id=zone_id,
                vswitch_ids=own,
                strength=self._strength_of(name, zone_id),
            )
            for zone_id, own in by_zone.items()
            for name in types
        ]

    def _strength_of(self, instance_type: str, zone_id: str) -> str:
        if instance_type not in INSTANCE_TYPES:
            return _WEAK
        left = self.ecs.stock.left(instance_type, zone_id, self.ecs.instances.list())
        return _STRONG if left is None else _MEDIUM if left else _WEAK

    def _strength(self, pools: Sequence[Pool]) -> dict[str, object]:
        strengths = {pool.strength for pool in pools}
        return {
            "ElasticStrength": strengths.pop() if len(strengths) == 1 else _MEDIUM if strengths else _WEAK,
            "TotalStrength": sum(_SCORES[pool.strength] for pool in pools),
            "ResourcePools": [pool.to_answer() for pool in pools],
        }
