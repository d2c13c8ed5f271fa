"""Forwarding rules of application load balancers' listeners."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

from steelyard.deploy.engine.provider import Values
from steelyard.deploy.provider.alb import CONFIGURING, AlbType
from steelyard.deploy.provider.alb_shape import found, sent
from steelyard.deploy.provider.api import ALB, Api, token_items
from steelyard.deploy.provider.resource_type import wait_gone

_BUSY = (*AlbType.busy, *CONFIGURING, "IncorrectStatus.Rule")


class Rule(AlbType):
    """`alicloud.alb.Rule`."""

    token = "alicloud:alb/rule:Rule"
    create_only = frozenset({"listenerId", "direction"})
    changeable = frozenset({"priority", "ruleActions", "ruleConditions", "ruleName"})
    # Its id is another one, but two rules of a listener cannot have one priority.
    deletes_before_replace = True

    _NAMES: ClassVar = create_only | changeable

    def create(self, api: Api, inputs: Values) -> str:
        """CreateRule, then wait until it is available."""
        params = {
            **sent({name: inputs.get(name) for name in self._NAMES}),
            "ClientToken": api.operation.token,
        }
        rule_id = str(api.call(ALB, "CreateRule", params, retry_on=_BUSY)["RuleId"])
        api.operation.allocated(rule_id)
        self._wait_available(api, rule_id)
        return rule_id

    def read(self, api: Api, resource_id: str) -> Values | None:
        """ListRules."""
        rule = _find(api, resource_id)
        if rule is None:
            return None
        shown = {name: value for name, value in found(rule).items() if name in self._NAMES}
        return {**shown, "status": rule.get("RuleStatus")}

    def update(self, api: Api, resource_id: str, old: Values, new: Values) -> None:
        """UpdateRuleAttribute with the whole rule, then wait until it is available."""
        params = {"RuleId": resource_id, **sent({name: new.get(name) for name in self.changeable})}
        api.call(ALB, "UpdateRuleAttribute", params, retry_on=_BUSY)
        self._wait_available(api, resource_id)

    def delete(self, api: Api, resource_id: str, inputs: Values) -> None:
        """DeleteRule, then wait until it is gone."""
        api.call(ALB, "DeleteRule", {"RuleId": resource_id}, retry_on=_BUSY)
        wait_gone(api, lambda: _find(api, resource_id) is not None, f"rule {resource_id}")

    def _wait_available(self, api: Api, rule_id: str) -> None:
        def look() -> bool | None:
            return True if (_find(api, rule_id) or {}).get("RuleStatus") == "Available" else None

        api.wait(look, what=f"rule {rule_id}")


def _find(api: Api, rule_id: str) -> Mapping[str, Any] | None:
    return next(token_items(api, ALB, "ListRules", {"RuleIds": [rule_id]}, "Rules"), None)
