from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from steelyard.localcloud.page import token_answer
from steelyard.localcloud.service import Request, action
from steelyard.localcloud.services.alb import errors
from steelyard.localcloud.services.alb.listener_actions import ListenerActions
from steelyard.localcloud.services.alb.models import Listener, Rule
from steelyard.localcloud.services.alb.rule_setting import read_actions, read_conditions
from steelyard.localcloud.tag import has_tags, read_tags
from steelyard.localcloud.wire.error import invalid_parameter, missing_parameter, not_served

RESOURCE_TYPE = "rule"
_MAX_RULES_A_CALL = 10
_OPTIONAL = ("RuleConditions.SourceIpConfig",)


class RuleActions(ListenerActions):
    """Rules for requests; what changes is in force when the answer comes, and loses no request."""

    @action("CreateRule", optional=_OPTIONAL)
    def create_rule(self, request: Request) -> dict[str, object]:
        """Create a rule."""
        listener = self.configured_listener(request)
        rule = self._new_rule(listener, request.params, read_tags(request))
        return {**self._put_rules(request, listener, [rule]), "RuleId": rule.id}

    @action("CreateRules")
    def create_rules(self, request: Request) -> dict[str, object]:
        """Create several rules of a listener, all or none."""
        listener = self.configured_listener(request)
        rules: list[Rule] = []
        for item in _items(request):
            tags = {str(tag.get("Key")): str(tag.get("Value") or "") for tag in item.get("Tag") or []}
            rules.append(self._new_rule(listener, item, tags))
            self.rules.put(rules[-1])
        answer = self._put_rules(request, listener, rules)
        return {**answer, "RuleIds": [{"Priority": one.priority, "RuleId": one.id} for one in rules]}

    @action("ListRules")
    def list_rules(self, request: Request) -> dict[str, object]:
        """List rules by ids, listeners, load balancers and tags."""
        ids, tags = request.texts("RuleIds"), read_tags(request)
        listener_ids, balancer_ids = request.texts("ListenerIds"), request.texts("LoadBalancerIds")
        found = [
            rule
            for rule in sorted(self.rules.list(), key=lambda rule: (rule.listener_id, rule.priority))
            if rule.region_id == request.region_id
            and (not ids or rule.id in ids)
            and (not listener_ids or rule.listener_id in listener_ids)
            and (not balancer_ids or rule.load_balancer_id in balancer_ids)
            and has_tags(rule.tags, tags)
            and request.text("Direction", "Request") == "Request"
        ]
        now = self.cloud.clock()
        return token_answer(request, "Rules", found, lambda rule: rule.to_answer(now))

    @action("UpdateRuleAttribute")
    def update_rule_attribute(self, request: Request) -> dict[str, object]:
        """Change a rule."""
        rule = self._rule(request.text("RuleId"))
        listener = self._listener_of(rule)
        return self._put_rules(request, listener, [self._changed(rule, listener, request.params)])

    @action("UpdateRulesAttribute")
    def update_rules_attribute(self, request: Request) -> dict[str, object]:
        """Change several rules of one listener, all or none."""
        items = _items(request)
        rules = [self._rule(str(item.get("RuleId"))) for item in items]
        if len({rule.listener_id for rule in rules}) > 1:
            raise invalid_parameter("Rules.RuleId", [rule.id for rule in rules], "of one listener")
        listener = self._listener_of(rules[0])
        # First all leave their places, so that two may change them.
        for rule in rules:
            self.rules.delete(rule.id)
        changed = []
        for rule, item in zip(rules, items, strict=True):
            changed.append(self._changed(rule, listener, item))
            self.rules.put(changed[-1])
        return self._put_rules(request, listener, changed)

    @action("DeleteRule")
    def delete_rule(self, request: Request) -> dict[str, object]:
        """Delete a rule."""
        return self._delete(request, [self._rule(request.text("RuleId"))])

    @action("DeleteRules")
    def delete_rules(self, request: Request) -> dict[str, object]:
        """Delete several rules, all or none."""
        return self._delete(request, [self._rule(rule_id) for rule_id in request.texts("RuleIds")])

    def _new_rule(self, listener: Listener, item: Mapping[str, Any], tags: Mapping[str, str]) -> Rule:
        if item.get("Direction", "Request") != "Request":
            raise not_served("rules for answers")
        draft = Rule(
            id=self.cloud.new_id("rule"),
            created_at=self.cloud.clock(),
            tags=tags,
            region_id=listener.region_id,
            load_balancer_id=listener.load_balancer_id,
            listener_id=listener.id,
            name="",
            priority=0,
            conditions=(),
            actions=(),
        )
        for name in ("RuleName", "Priority", "RuleConditions", "RuleActions"):
            if not item.get(name):
                raise missing_parameter(name)
        return self._changed(draft, listener, item)

    def _changed(self, rule: Rule, listener: Listener, item: Mapping[str, Any]) -> Rule:
        changed = replace(
            rule,
            name=self._name(str(item.get("RuleName") or rule.name)),
            priority=self._priority(item.get("Priority") or rule.priority, rule),
            conditions=read_conditions(item["RuleConditions"])
            if item.get("RuleConditions")
            else rule.conditions,
            actions=read_actions(item["RuleActions"]) if item.get("RuleActions") else rule.actions,
        )
        last = changed.actions[-1]
        if last["Type"] == "Redirect" and (last["RedirectConfig"]["Protocol"], listener.protocol) == (
            "HTTP",
            "HTTPS",
        ):
            want = "HTTPS at a listener of HTTPS"
            raise invalid_parameter("RuleActions.RedirectConfig.Protocol", "HTTP", want)
        balancer = self.load_balancers.get(listener.load_balancer_id)
        assert balancer is not None
        for group_id in changed.server_group_ids:
            self.target_group(group_id, balancer, listener.protocol)
        return changed

    def _name(self, name: str) -> str:
        if not self.name_pattern.match(name):
            raise invalid_parameter("RuleName", name, self.name_rule)
        return name

    def _priority(self, priority: object, rule: Rule) -> int:
        if not isinstance(priority, int) or not 1 <= priority <= 10000:
            raise invalid_parameter("Priority", priority, "from 1 to 10000")
        others = {other.priority for other in self.rules_of(rule.listener_id) if other.id != rule.id}
        if priority in others:
            raise errors.priority_taken(priority)
        return priority

    def _rule(self, rule_id: str) -> Rule:
        rule = self.rules.get(rule_id)
        if rule is None:
            raise self.not_found("rule")
        return rule

    def _listener_of(self, rule: Rule) -> Listener:
        listener = self.listeners.get(rule.listener_id)
        assert listener is not None
        return self.configured(listener)

    def _put_rules(self, request: Request, listener: Listener, rules: list[Rule]) -> dict[str, object]:
        word = "Provisioning" if request.action.startswith("Create") else "Configuring"
        for rule in rules:
            self.rules.put(self.settling(rule, word))
        self.listeners.put(self.settling(listener))
        job = self.done(request, rules[0].id, RESOURCE_TYPE)
        self.apply(request, listener.load_balancer_id)
        return job

    def _delete(self, request: Request, rules: list[Rule]) -> dict[str, object]:
        listeners = [self._listener_of(rule) for rule in rules]
        for rule in rules:
            self.rules.delete(rule.id)
        for listener in listeners:
            self.listeners.put(self.settling(listener))
        job = self.done(request, rules[0].id, RESOURCE_TYPE)
        self.apply(request, *dict.fromkeys(listener.load_balancer_id for listener in listeners))
        return job


def _items(request: Request) -> list[dict[str, Any]]:
    items = request.records("Rules")
    if not 1 <= len(items) <= _MAX_RULES_A_CALL:
        raise invalid_parameter("Rules", f"{len(items)} rules", f"from 1 to {_MAX_RULES_A_CALL} rules")
    return items
