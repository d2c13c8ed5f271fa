from __future__ import annotations

import re
from collections.abc import Collection, Mapping, Sequence

from steelyard.localcloud.record import Records
from steelyard.localcloud.resource_name import action_name, resource_names
from steelyard.localcloud.service import Request
from steelyard.localcloud.services.ess.models import Activity, LifecycleHook
from steelyard.localcloud.services.ram import errors
from steelyard.localcloud.services.ram.decision import Call, Decision, decide
from steelyard.localcloud.services.ram.state import RamState
from steelyard.localcloud.services.slb.models import ServerGroup
from steelyard.localcloud.wire.signature import AccessKey

_ASSUMED = re.compile(r"acs:sts::\d+:assumed-role/([^/]+)/.+")
# Who somebody is may be asked with any key.
_OPEN = {"sts:GetCallerIdentity"}
_TAG_KEYS = {"ecs": "ecs:tag"}
"""Condition keys that a product has for the tags of what is touched: `ecs:tag/<key>` (help page "Policy elements")."""


class Authorization(RamState):
    """What a temporary key of a role may do: what the policies allow that are attached to the role.

    The account's own key may do anything. A role whose policy or itself is gone may do nothing.
    """

    def authorize(self, product: str, request: Request) -> None:
        """Check that the caller may have a call carried out.

        Args:
            product: Code of the product that is called.
            request: The call.

        Raises:
            ApiError: `Forbidden.RAM` or `NoPermission`, by product.
        """
        if not is_role(request.caller):
            return
        account_id = self.cloud.identity.account_id
        context = {"acs:sourceip": {request.source_address}} if request.source_address else {}
        call = Call(
            action=action_name(product, request.action),
            resources=resource_names(product, self._named(product, request), account_id),
            context={**context, **self._tags(product, request)},
        )
        decision = self.decide(request.caller, call)
        if decision is not Decision.ALLOWED:
            raise errors.not_authorized(product, call.action, call.resources, decision.value)

    def decide(self, caller: AccessKey, call: Call) -> Decision:
        """Decide over a call that is signed with any key; what is no RPC, such as OSS, asks this itself."""
        if not is_role(caller) or call.action in _OPEN:
            return Decision.ALLOWED
        match = _ASSUMED.fullmatch(caller.arn)
        return decide(self._documents(match.group(1)), call) if match else Decision.NOT_ALLOWED

    def _documents(self, role_name: str) -> Sequence[str]:
        attached = (
            self.find_policy(entry.policy_type, entry.policy_name)
            for entry in self.attachments_of_role(role_name)
        )
        return [policy.documents[policy.default_version] for policy in attached if policy is not None]

    def _named(self, product: str, request: Request) -> Request:
        """Give a call with the name that RAM knows: of a CLB's server group its load balancer, of a hook its group."""
        if product == "ess":
            return self._of_scaling_group(request)
        group_id = request.text("VServerGroupId")
        if product != "slb" or not group_id or request.text("LoadBalancerId"):
            return request
        group = Records(self.cloud.store, ServerGroup).get(group_id)
        owner = group.load_balancer_id if group else group_id
        return request.with_params({"LoadBalancerId": owner})

    def _of_scaling_group(self, request: Request) -> Request:
        """Give a call of Auto Scaling with its scaling group, where it names a hook or an activity of one."""
        hook = Records(self.cloud.store, LifecycleHook).get(request.text("LifecycleHookId"))
        activity = Records(self.cloud.store, Activity).get(request.text("ScalingActivityId"))
        owner = hook.group_id if hook else activity.group_id if activity else ""
        return request.with_params({"ScalingGroupId": owner}) if owner else request

    def _tags(self, product: str, request: Request) -> Mapping[str, Collection[str]]:
        """Give the tags that a call names: what it touches has them, or is not touched."""
        prefix = _TAG_KEYS.get(product)
        if prefix is None:
            return {}
        return {
            f"{prefix}/{tag.get('Key')}".lower(): {str(tag.get("Value") or "")}
            for tag in request.records("Tag")
        }


def is_role(caller: AccessKey) -> bool:
    """Tell whether a key is a temporary one of a role."""
    return caller.identity_type == "AssumedRoleUser"
