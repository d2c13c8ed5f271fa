"""RAM's policy documents as rules, without a cloud."""

from __future__ import annotations

import json

import pytest

from steelyard.localcloud.identity import load_identity
from steelyard.localcloud.resource_name import action_name, resource_names
from steelyard.localcloud.service import Request
from steelyard.localcloud.services.ram.decision import Call, Decision, decide
from steelyard.localcloud.store import Store

ALLOWED, DENIED, NOT_ALLOWED = Decision.ALLOWED, Decision.DENIED, Decision.NOT_ALLOWED
INSTANCE = "acs:ecs:cn-hangzhou:123:instance/i-1"


def document(*statements: dict[str, object]) -> str:
    whole = [{"Effect": "Allow", "Action": "*", "Resource": "*", **statement} for statement in statements]
    return json.dumps({"Version": "1", "Statement": whole})


def ask(*documents: str, action="ecs:StopInstance", resources=(INSTANCE,), **context: str) -> Decision:
    values = {key.replace("__", ":"): {value} for key, value in context.items()}
    return decide(documents, Call(action=action, resources=resources, context=values))


class TestStatements:
    def test_what_nobody_allows_is_not_allowed(self):
        assert ask() is NOT_ALLOWED
        assert ask(document({"Action": "slb:*"})) is NOT_ALLOWED

    def test_an_action_is_named_or_matched(self):
        for action in ("*", "ecs:*", "ecs:Stop*", "ecs:StopInstance", "ECS:stopinstance", "ecs:Stop?nstance"):
            assert ask(document({"Action": action})) is ALLOWED, action
        assert ask(document({"Action": ["slb:*", "ecs:StopInstance"]})) is ALLOWED
        assert ask(document({"Action": "ecs:StopInstances"})) is NOT_ALLOWED

    def test_a_resource_is_named_or_matched(self):
        for resource in (INSTANCE, "acs:ecs:*:123:instance/*", "acs:ecs:*:*:instance/i-1", "*"):
            assert ask(document({"Resource": resource})) is ALLOWED, resource
        for resource in (
            "acs:ecs:cn-beijing:123:instance/i-1",
            "acs:ecs:*:123:instance/i-2",
            "acs:slb:*:*:*",
        ):
            assert ask(document({"Resource": resource})) is NOT_ALLOWED, resource

    def test_a_statement_may_say_what_it_is_not_for(self):
        def but(element: str, value: str) -> str:
            kept = {"Effect": "Allow", "Action": "*", "Resource": "*", f"Not{element}": value}
            del kept[element]
            return json.dumps({"Version": "1", "Statement": [kept]})

        assert ask(but("Action", "slb:*")) is ALLOWED
        assert ask(but("Action", "ecs:Stop*")) is NOT_ALLOWED
        assert ask(but("Resource", "acs:ecs:*:*:instance/i-2")) is ALLOWED
        assert ask(but("Resource", "acs:ecs:*:*:instance/*")) is NOT_ALLOWED

    def test_a_dot_in_a_name_is_a_dot(self):
        assert ask(document({"Resource": "acs:ecs:cn.hangzhou:123:instance/i-1"})) is NOT_ALLOWED

    def test_each_resource_has_to_be_allowed(self):
        both = (INSTANCE, "acs:ecs:cn-hangzhou:123:disk/d-1")
        assert ask(document({"Resource": INSTANCE}), resources=both) is NOT_ALLOWED
        assert ask(document({"Resource": list(both)}), resources=both) is ALLOWED

    def test_a_denial_weighs_more_wherever_it_stands(self):
        allow, deny = document({}), document({"Effect": "Deny", "Resource": "acs:ecs:*:*:instance/i-1"})
        assert ask(allow, deny) is DENIED
        assert ask(deny, allow) is DENIED
        assert ask(allow, deny, resources=("acs:ecs:cn-hangzhou:123:instance/i-2",)) is ALLOWED


class TestConditions:
    @pytest.mark.parametrize(
        ("operator", "key", "wanted", "seen", "decision"),
        [
            ("StringEquals", "ecs:tag/team", "vision", "vision", ALLOWED),
            ("StringEquals", "ecs:tag/team", ["speech", "vision"], "vision", ALLOWED),
            ("StringEquals", "ecs:tag/team", "vision", "Vision", NOT_ALLOWED),
            ("StringEqualsIgnoreCase", "ecs:tag/team", "vision", "Vision", ALLOWED),
            ("StringNotEquals", "ecs:tag/team", "vision", "speech", ALLOWED),
            ("StringLike", "ecs:tag/team", "vis*", "vision", ALLOWED),
            ("StringLike", "ecs:tag/team", "vis*", "Vision", NOT_ALLOWED),
            ("StringNotLike", "ecs:tag/team", "VIS*", "vision", ALLOWED),
            ("IpAddress", "acs:SourceIp", ["10.0.0.0/8", "192.168.0.0/16"], "10.1.2.3", ALLOWED),
            ("IpAddress", "acs:SourceIp", "10.0.0.0/8", "11.1.2.3", NOT_ALLOWED),
            ("NotIpAddress", "acs:SourceIp", "10.0.0.0/8", "11.1.2.3", ALLOWED),
            ("Bool", "acs:SecureTransport", "true", "true", ALLOWED),
            ("DateLessThan", "acs:CurrentTime", "2030-01-01T00:00:00Z", "2026-11-29T00:00:00Z", ALLOWED),
            (
                "DateLessThan",
                "acs:CurrentTime",
                "2026-11-29T08:00:00+08:00",
                "2026-11-29T00:00:00Z",
                NOT_ALLOWED,
            ),
            (
                "DateLessThanEquals",
                "acs:CurrentTime",
                "2026-11-29T08:00:00+08:00",
                "2026-11-29T00:00:00Z",
                ALLOWED,
            ),
            ("DateGreaterThan", "acs:CurrentTime", "soon", "2026-11-29T00:00:00Z", NOT_ALLOWED),
            ("NumericLessThan", "oss:MaxKeys", "10", "9", ALLOWED),
            ("NumericGreaterThanEquals", "oss:MaxKeys", "10", "9", NOT_ALLOWED),
            ("NumericNotEquals", "oss:MaxKeys", ["9", "10"], "10", NOT_ALLOWED),
        ],
    )
    def test_a_condition_holds_or_not(self, operator, key, wanted, seen, decision):
        call = Call(action="ecs:StopInstance", resources=[INSTANCE], context={key.lower(): {seen}})
        assert decide([document({"Condition": {operator: {key: wanted}}})], call) is decision

    def test_each_resource_is_judged_by_its_own_tags(self):
        policy = document({"Condition": {"StringEquals": {"acs:ResourceTag/team": "vision"}}})
        mine, other = INSTANCE, INSTANCE.replace("i-1", "i-2")
        tags = {mine: {"team": "vision"}, other: {"team": "speech"}}
        for resources, decision in (([mine], ALLOWED), ([other], NOT_ALLOWED), ([mine, other], NOT_ALLOWED)):
            call = Call(action="ecs:StopInstance", resources=resources, context={}, resource_tags=tags)
            assert decide([policy], call) is decision

    def test_all_conditions_have_to_hold(self):
        conditions = {"StringEquals": {"a:b": "1"}, "StringLike": {"c:d": "2*"}}
        policy = document({"Condition": conditions})
        assert ask(policy, a__b="1", c__d="22") is ALLOWED
        assert ask(policy, a__b="1", c__d="3") is NOT_ALLOWED
        assert ask(policy, a__b="1") is NOT_ALLOWED

    def test_a_denial_whose_condition_is_not_understood_holds(self):
        odd = document({}, {"Effect": "Deny", "Condition": {"MoonIs": {"acs:CurrentMoon": "full"}}})
        assert ask(odd) is DENIED


class TestNames:
    @pytest.fixture
    def call(self, tmp_path):
        store = Store(tmp_path / "state.sqlite")
        key = load_identity(store, "cn-hangzhou").root_key()

        def make(action: str, **params: object) -> Request:
            return Request(
                action=action,
                params=params,
                region_id="cn-hangzhou",
                dry_run=False,
                request_id="",
                caller=key,
            )

        yield make
        store.close()

    @pytest.mark.parametrize(
        ("product", "params", "names"),
        [
            ("ecs", {"InstanceId": "i-1"}, ["acs:ecs:cn-hangzhou:123:instance/i-1"]),
            (
                "ecs",
                {"InstanceIds": '["i-1", "i-2"]'},
                ["acs:ecs:cn-hangzhou:123:instance/i-1", "acs:ecs:cn-hangzhou:123:instance/i-2"],
            ),
            ("ecs", {"VSwitchId": "vsw-1"}, ["acs:vpc:cn-hangzhou:123:vswitch/vsw-1"]),
            ("slb", {"LoadBalancerId": "lb-1"}, ["acs:slb:cn-hangzhou:123:loadbalancer/lb-1"]),
            ("nlb", {"ServerGroupId": "sgp-1"}, ["acs:nlb:cn-hangzhou:123:servergroup/sgp-1"]),
            ("ess", {"ScalingGroupId": "asg-1"}, ["acs:ess:cn-hangzhou:123:scalinggroup/asg-1"]),
            ("ram", {"RoleName": "node"}, ["acs:ram:*:123:role/node"]),
            ("cms", {}, ["acs:cms:cn-hangzhou:123:*"]),
        ],
    )
    def test_what_a_call_touches(self, call, product, params, names):
        assert resource_names(product, call("Act", **params), "123") == names

    def test_a_listing_touches_all_of_its_kind(self, call):
        names = resource_names("ecs", call("DescribeInstances"), "123")
        assert names == ["acs:ecs:cn-hangzhou:123:instance/*"]

    def test_some_products_have_another_name_in_policies(self):
        assert action_name("bssopenapi", "GetPayAsYouGoPrice") == "bssapi:GetPayAsYouGoPrice"
        assert action_name("ecs", "RunInstances") == "ecs:RunInstances"
