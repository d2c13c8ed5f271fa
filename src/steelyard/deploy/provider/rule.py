"""Forwarding rules of classic load balancers."""

from __future__ import annotations

import json
from typing import Any, ClassVar

from steelyard.deploy.engine.provider import Values
from steelyard.deploy.provider.api import SLB, Api
from steelyard.deploy.provider.connection import Answer
from steelyard.deploy.provider.resource_type import ResourceType, shown, wait_gone, wire
from steelyard.deploy.provider.slb import BUSY
from steelyard.errors import ResourceError

_GONE = "InvalidRuleId.NotFound"
_MATCH = {"name": "RuleName", "domain": "Domain", "url": "Url", "serverGroupId": "VServerGroupId"}
_OWN = {
    "listenerSync": "ListenerSync",
    "scheduler": "Scheduler",
    "stickySession": "StickySession",
    "stickySessionType": "StickySessionType",
    "cookie": "Cookie",
    "cookieTimeout": "CookieTimeout",
    "healthCheck": "HealthCheck",
    "healthCheckConnectPort": "HealthCheckConnectPort",
    "healthCheckDomain": "HealthCheckDomain",
    "healthCheckHttpCode": "HealthCheckHttpCode",
    "healthCheckInterval": "HealthCheckInterval",
    "healthCheckTimeout": "HealthCheckTimeout",
    "healthCheckUri": "HealthCheckURI",
    "healthyThreshold": "HealthyThreshold",
    "unhealthyThreshold": "UnhealthyThreshold",
}


class Rule(ResourceType):
    """`alicloud.slb.Rule`: requests of a domain or a path that go to a server group of their own."""

    token = "alicloud:slb/rule:Rule"
    create_only = frozenset({"loadBalancerId", "frontendPort", "name", "domain", "url"})
    changeable = frozenset({"serverGroupId", *_OWN})
    # There cannot be two of one domain and path.
    deletes_before_replace = True

    _DEFAULTS: ClassVar = {"name": "tf-slb-rule"}

    def create(self, api: Api, inputs: Values) -> str:
        """CreateRules with one rule, then SetRule with what only that takes."""
        rule = wire({**self._DEFAULTS, **inputs}, _MATCH)
        params = {
            "LoadBalancerId": inputs["loadBalancerId"],
            "ListenerPort": inputs["frontendPort"],
            "RuleList": json.dumps([rule]),
        }
        answer = api.call(SLB, "CreateRules", params, retry_on=BUSY)
        rule_id = str(answer["Rules"]["Rule"][0]["RuleId"])
        api.operation.allocated(rule_id)
        own = wire(inputs, _OWN)
        if own:
            self._set(api, rule_id, own)
        return rule_id

    def read(self, api: Api, resource_id: str) -> Values | None:
        """DescribeRuleAttribute."""
        answer = self._describe(api, resource_id)
        if answer is None:
            return None
        place = {"loadBalancerId": answer["LoadBalancerId"], "frontendPort": int(answer["ListenerPort"])}
        return {**place, **shown(answer, {**_MATCH, **_OWN})}

    def update(self, api: Api, resource_id: str, old: Values, new: Values) -> None:
        """SetRule."""
        self._set(api, resource_id, wire(new, {"serverGroupId": "VServerGroupId", **_OWN}))

    def delete(self, api: Api, resource_id: str, inputs: Values) -> None:
        """DeleteRules, then wait until it is gone."""
        api.call(SLB, "DeleteRules", {"RuleIds": json.dumps([resource_id])}, retry_on=BUSY)
        wait_gone(api, lambda: self._describe(api, resource_id) is not None, f"rule {resource_id}")

    def _set(self, api: Api, rule_id: str, settings: dict[str, Any]) -> None:
        api.call(SLB, "SetRule", {"RuleId": rule_id, **settings}, retry_on=BUSY)

    def _describe(self, api: Api, rule_id: str) -> Answer | None:
        try:
            return api.call(SLB, "DescribeRuleAttribute", {"RuleId": rule_id})
        except ResourceError as err:
            if err.code == _GONE:
                return None
            raise
