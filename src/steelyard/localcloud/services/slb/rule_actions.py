from __future__ import annotations

from dataclasses import replace

from steelyard.localcloud.service import Request, action
from steelyard.localcloud.services.slb import errors
from steelyard.localcloud.services.slb.listener_actions import ListenerActions
from steelyard.localcloud.services.slb.models import Listener
from steelyard.localcloud.services.slb.rule import Rule, RuleDraft, read_json_list, read_rules
from steelyard.localcloud.services.slb.setting import RULE, check_stickiness
from steelyard.localcloud.setting import checked
from steelyard.localcloud.wire.error import invalid_parameter

_MAX_RULES = 40
_OPTIONAL = (
    "Cookie",
    "CookieTimeout",
    "HealthCheck",
    "HealthCheckHttpCode",
    "HealthCheckInterval",
    "HealthCheckTimeout",
    "HealthCheckURI",
    "HealthyThreshold",
    "Scheduler",
    "StickySession",
    "StickySessionType",
    "UnhealthyThreshold",
)


class RuleActions(ListenerActions):
    """Forwarding rules by domain and URL. A request that none fits goes to the listener's own servers."""

    @action("CreateRules", optional=("ListenerProtocol",))
    def create_rules(self, request: Request) -> dict[str, object]:
        """Create rules of an HTTP or HTTPS listener, all or none."""
        listener = self._listener(request)
        rules = self.rules_of(listener.id)
        drafts = read_rules(request)
        if len(rules) + len(drafts) > _MAX_RULES:
            raise errors.too_many_rules()
        taken = {(rule.domain, rule.url) for rule in rules}
        made = []
        for draft in drafts:
            if (draft.domain, draft.url) in taken:
                raise errors.rule_exists()
            taken.add((draft.domain, draft.url))
            made.append(self._make(listener, draft))
        self.apply(request, listener.load_balancer_id)
        return {"Rules": {"Rule": [{"RuleId": rule.id, "RuleName": rule.name} for rule in made]}}

    @action("DescribeRules", optional=("ListenerProtocol",))
    def describe_rules(self, request: Request) -> dict[str, object]:
        """List the rules of a listener."""
        rules = self.rules_of(self._listener(request).id)
        return {"Rules": {"Rule": [rule.to_answer() for rule in rules]}}

    @action("DescribeRuleAttribute")
    def describe_rule_attribute(self, request: Request) -> dict[str, object]:
        """Give one rule."""
        return self._rule(request.text("RuleId")).to_answer()

    @action("SetRule", optional=_OPTIONAL)
    def set_rule(self, request: Request) -> dict[str, object]:
        """Change a rule's name, server group and own settings without losing a request."""
        rule = self._rule(request.text("RuleId"))
        settings = {**rule.settings, **checked(RULE, request.params)}
        check_stickiness(settings)
        changed = replace(
            rule,
            name=_name(request.text("RuleName") or rule.name),
            server_group_id=request.text("VServerGroupId") or rule.server_group_id,
            settings=settings,
        )
        if not self.has_group(rule.load_balancer_id, changed.server_group_id):
            raise errors.server_group_not_found()
        self.rules.put(changed)
        self.apply(request, rule.load_balancer_id)
        return {}

    @action("DeleteRules")
    def delete_rules(self, request: Request) -> dict[str, object]:
        """Delete rules, all or none."""
        ids = read_json_list(request.text("RuleIds"))
        if not ids:
            raise invalid_parameter("RuleIds", request.text("RuleIds"), "a JSON list of rules' ids")
        rules = [self._rule(str(rule_id)) for rule_id in ids]
        for rule in rules:
            self.rules.delete(rule.id)
        self.apply(request, *dict.fromkeys(rule.load_balancer_id for rule in rules))
        return {}

    def _listener(self, request: Request) -> Listener:
        listener = self.any_listener(request)
        if listener.protocol not in ("http", "https"):
            raise errors.no_rules_here()
        return listener

    def _rule(self, rule_id: str) -> Rule:
        rule = self.rules.get(rule_id)
        if rule is None:
            raise errors.rule_not_found()
        return rule

    def _make(self, listener: Listener, draft: RuleDraft) -> Rule:
        if not self.has_group(listener.load_balancer_id, draft.server_group_id):
            raise errors.server_group_not_found()
        check_stickiness(draft.settings)
        rule = Rule(
            id=self.cloud.new_id("rule"),
            created_at=self.cloud.clock(),
            load_balancer_id=listener.load_balancer_id,
            listener_id=listener.id,
            port=listener.port,
            name=_name(draft.name),
            domain=draft.domain,
            url=draft.url,
            server_group_id=draft.server_group_id,
            settings=draft.settings,
        )
        self.rules.put(rule)
        return rule


def _name(name: str) -> str:
    if len(name) > 40:
        raise invalid_parameter("RuleName", name, "of 1 to 40 characters")
    return name
