"""CloudMonitor through the vendor's SDK: metrics, alarm rules, contacts."""

from __future__ import annotations

import json
import time
import uuid
from collections.abc import Iterator

import pytest
from alibabacloud_cms20190101 import models as cms
from alibabacloud_cms20190101.client import Client as CmsClient
from contract_fleet import Fleet
from contract_sdk import refused, wait_for

from steelyard.localcloud.daemon import CloudInfo


@pytest.fixture
def client(cms_client: CmsClient) -> CmsClient:
    return cms_client


@pytest.fixture
def namespace(local_cloud: CloudInfo) -> str:
    return f"acs_customMetric_{local_cloud.account_id}"


@pytest.fixture
def metric() -> str:
    """A metric's name that no other test has."""
    return f"queue-{uuid.uuid4().hex[:8]}"


@pytest.fixture
def contact_group(client: CmsClient) -> Iterator[str]:
    name = f"group-{uuid.uuid4().hex[:8]}"
    contact = f"contact-{uuid.uuid4().hex[:8]}"
    client.put_contact(
        cms.PutContactRequest(
            contact_name=contact,
            describe="on call",
            channels=cms.PutContactRequestChannels(mail="on-call@example.com"),
        )
    )
    client.put_contact_group(cms.PutContactGroupRequest(contact_group_name=name, contact_names=[contact]))
    yield name
    for rule in rules(client):
        if name in rule.contact_groups.split(","):
            client.delete_metric_rules(cms.DeleteMetricRulesRequest(id=[rule.rule_id]))
    client.delete_contact_group(cms.DeleteContactGroupRequest(contact_group_name=name))
    client.delete_contact(cms.DeleteContactRequest(contact_name=contact))


def put(client: CmsClient, metric: str, value: float, *, at: float | None = None, **changes: str) -> None:
    item = {
        "group_id": "0",
        "metric_name": metric,
        "dimensions": json.dumps({"cluster": "demo"}),
        "type": "0",
        "values": json.dumps({"value": value}),
        "time": str(int((at or time.time()) * 1000)),
        **changes,
    }
    client.put_custom_metric(
        cms.PutCustomMetricRequest(metric_list=[cms.PutCustomMetricRequestMetricList(**item)])
    )


def points(client: CmsClient, namespace: str, metric: str, **filters: str) -> list[dict]:
    request = cms.DescribeMetricListRequest(namespace=namespace, metric_name=metric, **filters)
    body = client.describe_metric_list(request).body
    assert (body.code, body.success) == ("200", True)
    return json.loads(body.datapoints)


def rules(client: CmsClient, **filters: object):
    request = cms.DescribeMetricRuleListRequest(page_size=100, **filters)
    return client.describe_metric_rule_list(request).body.alarms.alarm


def put_rule(client: CmsClient, contact_group: str, namespace: str, metric: str, **changes: object) -> str:
    rule_id = uuid.uuid4().hex
    critical = cms.PutResourceMetricRuleRequestEscalationsCritical(
        comparison_operator="GreaterThanThreshold", statistics="Average", threshold="10", times=1
    )
    request = cms.PutResourceMetricRuleRequest(
        **{
            "rule_id": rule_id,
            "rule_name": f"rule {metric}",
            "namespace": namespace,
            "metric_name": metric,
            "contact_groups": contact_group,
            "resources": '[{"cluster":"demo"}]',
            "period": "15",
            "escalations": cms.PutResourceMetricRuleRequestEscalations(critical=critical),
            **changes,
        }
    )
    client.put_resource_metric_rule(request)
    return rule_id


class TestMetric:
    def test_what_was_put_is_read_by_periods(self, client, namespace, metric):
        now = time.time()
        minute = now - now % 60 - 60
        for second, value in ((1, 10.0), (20, 20.0), (40, 60.0)):
            put(client, metric, value, at=minute + second)
        (point,) = points(client, namespace, metric, period="60")
        assert point["timestamp"] == int(minute * 1000)
        assert (point["cluster"], point["groupId"]) == ("demo", "0")
        assert (point["Average"], point["Minimum"], point["Maximum"], point["Value"]) == (
            30.0,
            10.0,
            60.0,
            60.0,
        )
        fine = points(client, namespace, metric, period="15")
        assert [one["Average"] for one in fine] == [10.0, 20.0, 60.0]

    def test_a_gathered_period_is_taken_as_it_is(self, client, namespace, metric):
        values = json.dumps({"Average": 4, "Maximum": 9, "Minimum": 1, "SampleCount": 3, "Sum": 12})
        put(client, metric, 0, type="1", values=values)
        (point,) = points(client, namespace, metric)
        assert (point["Average"], point["Maximum"], point["Sum"], point["SampleCount"]) == (4, 9, 12, 3)

    def test_dimensions_choose_the_series(self, client, namespace, metric):
        put(client, metric, 1, dimensions='{"cluster":"a"}')
        put(client, metric, 2, dimensions='{"cluster":"b"}')
        assert len(points(client, namespace, metric)) == 2
        (one,) = points(client, namespace, metric, dimensions='[{"cluster":"b"}]')
        assert one["Value"] == 2
        nested = '[{"groupId":"0","dimension":"cluster:a"}]'
        assert points(client, namespace, metric, dimensions=nested)[0]["Value"] == 1

    def test_the_newest_figure_of_each_series(self, client, namespace, metric):
        now = time.time()
        put(client, metric, 1, at=now - 120)
        put(client, metric, 5, at=now)
        request = cms.DescribeMetricLastRequest(namespace=namespace, metric_name=metric)
        (point,) = json.loads(client.describe_metric_last(request).body.datapoints)
        assert point["Value"] == 5
        request = cms.DescribeMetricDataRequest(namespace=namespace, metric_name=metric)
        assert len(json.loads(client.describe_metric_data(request).body.datapoints)) == 2

    @pytest.mark.parametrize(
        ("changes", "text"),
        [
            ({"values": "ten"}, "no JSON object"),
            ({"values": '{"value":"ten"}'}, "no number"),
            ({"type": "7"}, "not 0 or 1"),
            ({"time": "yesterday"}, "no time"),
            ({"dimensions": "cluster"}, "dimensions"),
        ],
    )
    def test_malformed_samples_are_refused(self, client, metric, changes, text):
        with refused("ParameterInvalid", text=text):
            put(client, metric, 1, **changes)

    def test_malformed_questions_are_refused(self, client, namespace, metric):
        with refused("ParameterInvalid", text="Period"):
            points(client, namespace, metric, period="7")
        with refused("ParameterInvalid", text="before"):
            points(
                client, namespace, metric, start_time="2026-01-02 00:00:00", end_time="2026-01-01 00:00:00"
            )


class TestRule:
    @pytest.mark.slow  # The shortest period takes 15 s.
    def test_a_rule_fires(self, client, namespace, metric, contact_group):
        now = time.time()
        period = now - now % 15
        for i in range(-1, 8):
            put(client, metric, 50, at=period + 15 * i)
        rule_id = put_rule(client, contact_group, namespace, metric)
        (rule,) = rules(client, rule_ids=rule_id)
        assert (rule.rule_name, rule.period, rule.enable_state) == (f"rule {metric}", "15", True)
        assert rule.escalations.critical.threshold == "10"
        wait_for(
            lambda: rules(client, rule_ids=rule_id)[0].alert_state, lambda state: state == "ALARM", limit_s=60
        )
        request = cms.DescribeAlertHistoryListRequest(rule_id=rule_id)
        (notice,) = client.describe_alert_history_list(request).body.alarm_history_list.alarm_history
        assert (notice.state, notice.level, notice.value) == ("ALARM", "Critical", "50.0")
        assert notice.contact_groups.contact_group == [contact_group]
        assert len(notice.contacts.contact) == 1

    def test_rules_are_disabled_enabled_and_deleted(self, client, namespace, metric, contact_group):
        rule_id = put_rule(client, contact_group, namespace, metric)
        client.disable_metric_rules(cms.DisableMetricRulesRequest(rule_id=[rule_id]))
        assert not rules(client, rule_ids=rule_id)[0].enable_state
        client.enable_metric_rules(cms.EnableMetricRulesRequest(rule_id=[rule_id]))
        assert rules(client, rule_ids=rule_id)[0].enable_state
        client.delete_metric_rules(cms.DeleteMetricRulesRequest(id=[rule_id]))
        assert rules(client, rule_ids=rule_id) == []
        with refused("ResourceNotFound", 404):
            client.delete_metric_rules(cms.DeleteMetricRulesRequest(id=[rule_id]))
        with refused("ResourceNotFound", 404):
            client.enable_metric_rules(cms.EnableMetricRulesRequest(rule_id=[rule_id]))

    def test_rules_are_listed_by_their_dimensions(self, client, namespace, metric, contact_group):
        rule_id = put_rule(client, contact_group, namespace, metric, resources='[{"cluster":"a","x":"1"}]')
        named = {"rule_ids": rule_id, "namespace": namespace}
        assert len(rules(client, **named, dimensions='{"cluster":"a"}')) == 1
        assert rules(client, **named, dimensions='{"cluster":"b"}') == []
        client.delete_metric_rules(cms.DeleteMetricRulesRequest(id=[rule_id]))

    def test_a_threshold_stays_as_it_was_put(self, client, namespace, metric, contact_group):
        exact = cms.PutResourceMetricRuleRequestEscalationsCritical(
            comparison_operator="GreaterThanThreshold", statistics="Average", threshold="123456789.5", times=1
        )
        escalations = cms.PutResourceMetricRuleRequestEscalations(critical=exact)
        rule_id = put_rule(client, contact_group, namespace, metric, escalations=escalations)
        assert rules(client, rule_ids=rule_id)[0].escalations.critical.threshold == "123456789.5"
        client.delete_metric_rules(cms.DeleteMetricRulesRequest(id=[rule_id]))

    def test_targets_are_kept(self, client, namespace, metric, contact_group):
        rule_id = put_rule(client, contact_group, namespace, metric)
        target = cms.PutMetricRuleTargetsRequestTargets(
            id="1", arn="acs:mns:::/queues/q/messages", level="Critical"
        )
        client.put_metric_rule_targets(cms.PutMetricRuleTargetsRequest(rule_id=rule_id, targets=[target]))
        request = cms.DescribeMetricRuleTargetsRequest(rule_id=rule_id)
        (kept,) = client.describe_metric_rule_targets(request).body.targets.target
        assert (kept.id, kept.arn, kept.level) == ("1", "acs:mns:::/queues/q/messages", "Critical")
        client.delete_metric_rule_targets(
            cms.DeleteMetricRuleTargetsRequest(rule_id=rule_id, target_ids=["1"])
        )
        assert client.describe_metric_rule_targets(request).body.targets.target == []

    def test_malformed_rules_are_refused(self, client, namespace, metric, contact_group):
        with refused("ResourceNotFound", 404, text="nobody"):
            put_rule(client, "nobody", namespace, metric)
        with refused("ParameterInvalid", text="Period"):
            put_rule(client, contact_group, namespace, metric, period="7")
        with refused("ParameterInvalid", text="NoDataPolicy"):
            put_rule(client, contact_group, namespace, metric, no_data_policy="SLEEP")
        past = cms.PutResourceMetricRuleRequestEscalationsCritical(
            comparison_operator="GreaterThanYesterday", statistics="Average", threshold="1"
        )
        with refused("UnsupportedOperation", text="GreaterThanYesterday"):
            escalations = cms.PutResourceMetricRuleRequestEscalations(critical=past)
            put_rule(client, contact_group, namespace, metric, escalations=escalations)
        bad = cms.PutResourceMetricRuleRequestEscalationsCritical(
            comparison_operator="Above", statistics="Average", threshold="1"
        )
        with refused("ParameterInvalid", text="Above"):
            put_rule(
                client,
                contact_group,
                namespace,
                metric,
                escalations=cms.PutResourceMetricRuleRequestEscalations(critical=bad),
            )
        with refused("MissingParameter", text="Escalations"):
            put_rule(client, contact_group, namespace, metric, escalations=None)


class TestContact:
    def test_a_contact_is_kept_changed_and_deleted(self, client):
        name = f"contact-{uuid.uuid4().hex[:8]}"
        for mail in ("a@example.com", "b@example.com"):
            client.put_contact(
                cms.PutContactRequest(
                    contact_name=name,
                    describe="one",
                    lang="en",
                    channels=cms.PutContactRequestChannels(mail=mail),
                )
            )
        request = cms.DescribeContactListRequest(contact_name=name)
        (contact,) = client.describe_contact_list(request).body.contacts.contact
        assert (contact.channels.mail, contact.desc, contact.lang) == ("b@example.com", "one", "en")
        client.delete_contact(cms.DeleteContactRequest(contact_name=name))
        assert client.describe_contact_list(request).body.contacts.contact == []
        with refused("ContactNotExists", 404):
            client.delete_contact(cms.DeleteContactRequest(contact_name=name))

    def test_a_contact_needs_a_channel(self, client):
        with refused("MissingParameter", text="Channels"):
            client.put_contact(cms.PutContactRequest(contact_name="x", describe="y"))

    def test_a_group_lists_its_contacts(self, client, contact_group):
        groups = client.describe_contact_group_list(cms.DescribeContactGroupListRequest(page_size=100)).body
        (group,) = (one for one in groups.contact_group_list.contact_group if one.name == contact_group)
        request = cms.DescribeContactListByContactGroupRequest(contact_group_name=contact_group)
        contacts = client.describe_contact_list_by_contact_group(request).body.contacts.contact
        assert [one.name for one in contacts] == group.contacts.contact

    def test_dependencies(self, client, namespace, metric, contact_group):
        put_rule(client, contact_group, namespace, metric)
        with refused("ResourceInUse", 409):
            client.delete_contact_group(cms.DeleteContactGroupRequest(contact_group_name=contact_group))
        with refused("ContactNotExists", 404):
            client.put_contact_group(
                cms.PutContactGroupRequest(contact_group_name="other", contact_names=["nobody"])
            )
        with refused("ResourceNotFound", 404):
            client.delete_contact_group(cms.DeleteContactGroupRequest(contact_group_name="nobody"))


class TestMeasured:
    @pytest.mark.slow  # A measurement takes two looks, 15 s apart.
    def test_the_cpu_of_an_instance_is_that_of_its_processes(self, client, fleet: Fleet):
        busy, idle = fleet.run("#!/bin/bash\nwhile :; do :; done\n")[0], fleet.run("#!/bin/sleep 600\n")[0]

        def cpu(instance_id: str) -> float:
            dimensions = json.dumps([{"instanceId": instance_id}])
            found = points(client, "acs_ecs_dashboard", "CPUUtilization", period="15", dimensions=dimensions)
            return found[-1]["Average"] if found else -1.0

        # However busy the machine is, a loop gets some of it, and a sleeper next to nothing.
        wait_for(lambda: cpu(busy), lambda percent: percent > 2, limit_s=60)
        assert 0 <= wait_for(lambda: cpu(idle), lambda percent: percent >= 0, limit_s=60) < 0.5
