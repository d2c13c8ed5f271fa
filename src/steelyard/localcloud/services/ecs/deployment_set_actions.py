from __future__ import annotations

from dataclasses import replace

from steelyard.localcloud.page import number_page
from steelyard.localcloud.service import Request, action
from steelyard.localcloud.services.ecs import check, errors
from steelyard.localcloud.services.ecs.deployment_set import MAX_GROUPS, MAX_SETS, STRATEGIES, DeploymentSet
from steelyard.localcloud.services.ecs.state import EcsState, read_json_texts
from steelyard.localcloud.wire.error import invalid_parameter


class DeploymentSetActions(EcsState):
    """Deployment sets and their instances."""

    @action("CreateDeploymentSet")
    def create_deployment_set(self, request: Request) -> dict[str, object]:
        """Make a deployment set."""
        strategy = check.read_choice(request, "Strategy", STRATEGIES, "Availability")
        num_groups = request.number("GroupCount", 3)
        if not 1 <= num_groups <= MAX_GROUPS:
            raise invalid_parameter("GroupCount", num_groups, f"from 1 to {MAX_GROUPS}")
        num_sets = sum(one.region_id == request.region_id for one in self.deployment_sets.list())
        if self.cloud.terms.has_quotas and num_sets >= MAX_SETS:
            raise errors.too_many_deployment_sets()
        made = DeploymentSet(
            id=self.cloud.new_id("ds"),
            created_at=self.cloud.clock(),
            region_id=request.region_id,
            name=check.read_name(request, "DeploymentSetName", ""),
            description=check.read_description(request),
            strategy=strategy,
            group_count=num_groups if strategy == "AvailabilityGroup" else 0,
            on_unable_to_redeploy=check.read_choice(
                request,
                "OnUnableToRedeployFailedInstance",
                ("CancelMembershipAndStart", "KeepStopped"),
                "CancelMembershipAndStart",
            ),
        )
        self.deployment_sets.put(made)
        return {"DeploymentSetId": made.id}

    @action("DescribeDeploymentSets")
    def describe_deployment_sets(self, request: Request) -> dict[str, object]:
        """List deployment sets by ids, name and strategy, with their instances by zone."""
        ids = read_json_texts(request, "DeploymentSetIds")
        name, strategy = request.text("DeploymentSetName"), request.text("Strategy")
        found = [
            one
            for one in self.deployment_sets.list()
            if one.region_id == request.region_id
            and (not ids or one.id in ids)
            and name in ("", one.name)
            and strategy in ("", one.strategy)
        ]
        page, head = number_page(request, found)
        instances, account_id = self.instances.list(), self.cloud.identity.account_id
        rows = [one.to_answer(instances, account_id) for one in page]
        return {**head, "RegionId": request.region_id, "DeploymentSets": {"DeploymentSet": rows}}

    @action("ModifyDeploymentSetAttribute")
    def modify_deployment_set_attribute(self, request: Request) -> dict[str, object]:
        """Change a deployment set's name and description."""
        one = self._deployment_set(request)
        name = check.read_name(request, "DeploymentSetName", one.name)
        self.deployment_sets.put(
            replace(one, name=name, description=check.read_description(request, one.description))
        )
        return {}

    @action("DeleteDeploymentSet")
    def delete_deployment_set(self, request: Request) -> dict[str, object]:
        """Delete a deployment set that has no instance."""
        one = self._deployment_set(request)
        if one.members(self.instances.list()):
            raise errors.deployment_set_in_use()
        self.deployment_sets.delete(one.id)
        return {}

    @action("ModifyInstanceDeployment")
    def modify_instance_deployment(self, request: Request) -> dict[str, object]:
        """Move an instance into another deployment set, or out of its own with `RemoveFromDeploymentSet`."""
        request.refuse_unserved("DedicatedHostId", "DedicatedHostClusterId")
        instance = self.instance(request)
        set_id = "" if request.flag("RemoveFromDeploymentSet") else request.text("DeploymentSetId")
        group_number = 0
        if set_id:
            if self.deployment_sets.get(set_id) is None:
                raise errors.deployment_set_of_instance_not_found()
            group_number = self.place_in_set(
                set_id,
                region_id=instance.region_id,
                zone_id=instance.zone_id,
                group_number=request.number("DeploymentSetGroupNo", 0),
                amount=0 if instance.deployment_set_id == set_id else 1,
            )
        self.instances.put(
            replace(instance, deployment_set_id=set_id, deployment_set_group_number=group_number)
        )
        return {}

    def _deployment_set(self, request: Request) -> DeploymentSet:
        one = self.deployment_sets.get(request.text("DeploymentSetId"))
        if one is None or one.region_id != request.region_id:
            raise errors.deployment_set_not_found()
        return one
