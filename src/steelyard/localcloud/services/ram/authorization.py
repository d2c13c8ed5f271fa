from __future__ import annotations

import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from typing import Protocol, runtime_checkable

from steelyard.localcloud.resource_name import action_name, resource_names
from steelyard.localcloud.service import Request, Service
from steelyard.localcloud.services.ram import errors
from steelyard.localcloud.services.ram.decision import Call, Decision, decide
from steelyard.localcloud.services.ram.models import Holder
from steelyard.localcloud.services.ram.state import RamState
from steelyard.localcloud.text import utc_text
from steelyard.localcloud.wire.signature import AccessKey

_ASSUMED = re.compile(r"acs:sts::\d+:assumed-role/([^/]+)/.+")
# Who somebody is may be asked with any key.
_OPEN = {"sts:GetCallerIdentity"}
_TAG_KEYS = {"ecs": ("ecs:tag",)}
"""Condition keys that a product has for the tags of what is touched: `ecs:tag/<key>` (help page "Policy elements").

All products have `acs:ResourceTag/<key>` and `acs:RequestTag/<key>` (help page "Conditional operator").
"""


@runtime_checkable
class TagKeeper(Protocol):
    """A service that knows the tags of all products' resources (tag)."""

    def tags_of(self, name: str, region_id: str) -> Mapping[str, str]:
        """Give the tags of what RAM names so; none where it has none, or is not there."""


class Authorization(RamState):
    """What a key may do: what the policies allow that are attached to its role, or to its user and the user's groups.

    The account's own key may do anything. A role whose policy or itself is gone may do nothing. A temporary key with a
    policy of its session may do what both that and the role's policies allow.
    """

    def authorize(self, product: str, request: Request) -> None:
        """Check that the caller may have a call carried out.

        Args:
            product: Code of the product that is called.
            request: The call.

        Raises:
            ApiError: `Forbidden.RAM` or `NoPermission`, by product.
        """
        if is_account(request.caller):
            return
        account_id = self.cloud.identity.account_id
        service = self.cloud.services[product]
        assert isinstance(service, Service)
        names = resource_names(product, service.with_owner(request), account_id)
        context = {"acs:securetransport": {"true" if request.is_secure else "false"}}
        if request.source_address:
            context["acs:sourceip"] = {request.source_address}
        call = Call(
            action=action_name(product, request.action),
            resources=names,
            context={**context, **self._tags(product, request)},
            resource_tags={name: self._tags_of(name, request.region_id) for name in names},
        )
        decision = self.decide(request.caller, call)
        if decision is not Decision.ALLOWED:
            raise errors.not_authorized(product, call.action, call.resources, decision.value)

    def decide(self, caller: AccessKey, call: Call) -> Decision:
        """Decide over a call that is signed with any key; what is no RPC, such as OSS, asks this itself."""
        if is_account(caller) or call.action in _OPEN:
            return Decision.ALLOWED
        now = utc_text(self.cloud.clock())
        call = replace(
            call, context={**call.context, "acs:currenttime": {now}, "acs:principalarn": {caller.arn}}
        )
        verdict = decide(self._documents(caller), call)
        if verdict is Decision.ALLOWED and caller.session_policy:
            return decide([caller.session_policy], call)
        return verdict

    def _documents(self, caller: AccessKey) -> Sequence[str]:
        attached = (
            self.find_policy(entry.policy_type, entry.policy_name)
            for holder, holder_id in self._holders(caller)
            for entry in self.attachments_of(holder, holder_id)
        )
        return [policy.documents[policy.default_version] for policy in attached if policy is not None]

    def _holders(self, caller: AccessKey) -> list[tuple[Holder, str]]:
        """Give whose policies hold for a caller."""
        match = _ASSUMED.fullmatch(caller.arn)
        if match:
            return [(Holder.ROLE, match.group(1))]
        user = self.users.get(caller.principal_id)
        if user is None:
            return []
        groups = [(Holder.GROUP, membership.member_of) for membership in self.memberships_of(user)]
        return [(Holder.USER, user.id), *groups]

    def with_owner(self, request: Request) -> Request:
        """Give a call on one's own access keys with one's own name."""
        if "AccessKey" not in request.action or request.text("UserName"):
            return request
        user = self.users.get(request.caller.principal_id)
        return request.with_params({"UserName": user.name}) if user else request

    def _tags_of(self, name: str, region_id: str) -> Mapping[str, str]:
        keeper = self.cloud.services.get("tag")
        return keeper.tags_of(name, region_id) if isinstance(keeper, TagKeeper) else {}

    def _tags(self, product: str, request: Request) -> Mapping[str, Collection[str]]:
        """Give the tags that a call names: what it touches has them or gets them, or is not touched."""
        named = [*_records(request, "Tag"), *_records(request, "Tags")]
        tags = {str(tag.get("Key")): {str(tag.get("Value") or "")} for tag in named}
        prefixes = ["acs:requesttag", *_TAG_KEYS.get(product, ())]
        return {f"{prefix}/{key}".lower(): tags[key] for prefix in prefixes for key in tags}


def _records(request: Request, name: str) -> list[Mapping[str, object]]:
    given = request.params.get(name)
    return [one for one in given if isinstance(one, Mapping)] if isinstance(given, list) else []


def is_account(caller: AccessKey) -> bool:
    """Tell whether a key is the account's own."""
    return caller.identity_type == "Account"
