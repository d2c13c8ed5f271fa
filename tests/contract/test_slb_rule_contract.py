"""Forwarding rules of classic load balancers, with real requests."""

from __future__ import annotations

import json

import pytest
from alibabacloud_slb20140515 import models
from contract_balancer import ClassicBalancer
from contract_fleet import REGION
from contract_sdk import refused


class RuledBalancer(ClassicBalancer):
    """Its own group holds the first server, `other_id` the second."""

    def __init__(self, servers):
        super().__init__(servers)
        self.first, self.second = servers.addresses.values()
        self.other_id = self.make_group("other")
        self.add_servers(weights=(100, 0))
        self.add_servers(group_id=self.other_id, weights=(0, 100))
        self.listen("http", 8080)

    def create(self, *rules, port=8080):
        """Create rules that lead to the second server, unless they name another group."""
        rules = [{"VServerGroupId": self.other_id, **rule} for rule in rules]
        body = self.client.create_rules(
            models.CreateRulesRequest(
                region_id=REGION,
                load_balancer_id=self.id,
                listener_port=port,
                # As the Terraform provider writes it.
                rule_list=json.dumps(rules).replace('"', "'"),
            )
        ).body
        return [rule.rule_id for rule in body.rules.rule]

    def rule(self, rule_id):
        return self.client.describe_rule_attribute(
            models.DescribeRuleAttributeRequest(region_id=REGION, rule_id=rule_id)
        ).body

    def set(self, rule_id, **settings):
        self.client.set_rule(models.SetRuleRequest(region_id=REGION, rule_id=rule_id, **settings))

    def remove(self, *rule_ids):
        self.client.delete_rules(
            models.DeleteRulesRequest(region_id=REGION, rule_ids=json.dumps(rule_ids).replace('"', "'"))
        )

    def answers(self, path="/", host="any.test"):
        """Give the address of the server that answers."""
        return self.get(8080, path, headers={"Host": host})[2].split()[0]


@pytest.fixture
def ruled(servers):
    balancer = RuledBalancer(servers)
    yield balancer
    balancer.delete()


def test_requests_of_a_domain_or_a_path_go_to_the_rules_group(ruled):
    ruled.create({"RuleName": "api", "Domain": "api.test"}, {"RuleName": "jobs", "Url": "/jobs"})
    assert (ruled.answers(), ruled.answers("/jobs/7")) == (ruled.first, ruled.second)
    assert ruled.answers(host="api.test:8080") == ruled.second
    assert ruled.answers(host="not-api.test") == ruled.first


def test_the_whole_domain_comes_before_all_below_and_the_longer_path_before_the_shorter(ruled):
    ruled.create(
        {"Domain": "*.test.cn"},
        {"Domain": "www.test.cn", "VServerGroupId": ruled.group_id},
        {"Url": "/a", "VServerGroupId": ruled.group_id},
        {"Url": "/a/b"},
    )
    assert ruled.answers(host="x.test.cn") == ruled.second
    assert ruled.answers(host="www.test.cn") == ruled.first
    assert (ruled.answers("/a/c"), ruled.answers("/a/b/c")) == (ruled.first, ruled.second)


def test_a_rule_is_described_changed_and_deleted(ruled):
    (rule_id,) = ruled.create({"RuleName": "jobs", "Domain": "api.test", "Url": "/jobs"})
    found = ruled.rule(rule_id)
    assert (found.rule_name, found.domain, found.url) == ("jobs", "api.test", "/jobs")
    assert (found.listener_port, found.load_balancer_id) == ("8080", ruled.id)
    assert (found.vserver_group_id, found.listener_sync) == (ruled.other_id, "on")
    assert ruled.answers("/jobs", "api.test") == ruled.second
    ruled.set(rule_id, vserver_group_id=ruled.group_id, rule_name="renamed")
    assert ruled.answers("/jobs", "api.test") == ruled.first
    listed = ruled.client.describe_rules(
        models.DescribeRulesRequest(region_id=REGION, load_balancer_id=ruled.id, listener_port=8080)
    ).body.rules.rule
    assert [(rule.rule_id, rule.rule_name) for rule in listed] == [(rule_id, "renamed")]
    assert [rule.rule_id for rule in ruled.describe("http", 8080).rules.rule] == [rule_id]
    ruled.remove(rule_id)
    with refused("InvalidRuleId.NotFound", 404):
        ruled.rule(rule_id)
    with refused("InvalidRuleId.NotFound", 404):
        ruled.remove(rule_id)


def test_a_rule_of_its_own_mind_keeps_its_clients(ruled):
    (rule_id,) = ruled.create({"Url": "/sticky"})
    ruled.set(
        rule_id, listener_sync="off", sticky_session="on", sticky_session_type="insert", cookie_timeout=60
    )
    assert "set-cookie" in ruled.get(8080, "/sticky")[1]
    assert "set-cookie" not in ruled.get(8080, "/")[1]
    with refused("MissingParameter", text="CookieTimeout"):
        (other_id,) = ruled.create({"Url": "/other"})
        ruled.set(other_id, listener_sync="off", sticky_session="on", sticky_session_type="insert")


def test_a_group_of_a_rule_stays_and_a_listener_takes_its_rules_along(ruled):
    (rule_id,) = ruled.create({"Url": "/jobs"})
    delete = models.DeleteVServerGroupRequest(region_id=REGION, vserver_group_id=ruled.other_id)
    with refused("RspoolRuleExist"):
        ruled.client.delete_vserver_group(delete)
    groups = ruled.client.describe_vserver_groups(
        models.DescribeVServerGroupsRequest(region_id=REGION, load_balancer_id=ruled.id, include_rule=True)
    ).body.vserver_groups.vserver_group
    users = {group.vserver_group_id: group.associated_objects.rules.rule for group in groups}
    assert [rule.rule_id for rule in users[ruled.other_id]] == [rule_id]
    ruled.client.delete_load_balancer_listener(
        models.DeleteLoadBalancerListenerRequest(load_balancer_id=ruled.id, listener_port=8080)
    )
    with refused("InvalidRuleId.NotFound", 404):
        ruled.rule(rule_id)
    ruled.client.delete_vserver_group(delete)


def test_mistakes_have_the_clouds_codes(ruled):
    ruled.create({"Domain": "api.test"})
    for rule, code in [
        ({"Domain": "api.test"}, "DomainExist"),
        ({"Domain": "no domain"}, "DomainMalformed"),
        ({"Url": "jobs"}, "UrlMalformed"),
        ({"Url": "/a\n  bind :22"}, "UrlMalformed"),
        ({}, "RuleListMalformed"),
        ({"Url": "/x", "Scheduler": "best"}, "InvalidParameter"),
    ]:
        with refused(code):
            ruled.create(rule)
    with refused("InvalidParameter", 404, "VServerGroupId"):
        ruled.create({"Url": "/x", "VServerGroupId": "rsp-none"})
    ruled.listen("tcp", 8081)
    with refused("RuleNotSupport"):
        ruled.create({"Url": "/x"}, port=8081)
