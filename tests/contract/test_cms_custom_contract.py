"""An account's own metrics and the rules over them, through the vendor's SDK of CloudMonitor."""

from __future__ import annotations

import json
import time
import uuid
from collections.abc import Iterator

import pytest
from alibabacloud_cms20190101 import models as cms
from alibabacloud_cms20190101.client import Client as CmsClient
from contract_sdk import refused, wait_for

from steelyard.localcloud.daemon import CloudInfo


@pytest.fixture
def metric() -> str:
    """A metric's name that no other test has."""
    return f"queue-{uuid.uuid4().hex[:8]}"


@pytest.fixture
def contact_group(cms_client: CmsClient) -> Iterator[str]:
    name = f"contacts-{uuid.uuid4().hex[:8]}"
    cms_client.put_contact_group(cms.PutContactGroupRequest(contact_group_name=name))
    yield name
    for rule in rules(cms_client):
        if rule.contact_groups == name:
            cms_client.delete_metric_rules(cms.DeleteMetricRulesRequest(id=[rule.rule_id]))
    cms_client.delete_contact_group(cms.DeleteContactGroupRequest(contact_group_name=name))


def put(client: CmsClient, metric: str, value: float, *, at: float = 0.0, group: str = "7", **dims: str):
    sample = cms.PutCustomMetricRequestMetricList(
        group_id=group,
        metric_name=metric,
        dimensions=json.dumps(dims or {"cluster": "demo"}),
        type="0",
        values=json.dumps({"value": value}),
        time=str(int((at or time.time()) * 1000)),
    )
    client.put_custom_metric(cms.PutCustomMetricRequest(metric_list=[sample]))


def listed(client: CmsClient, **filters: str):
    result = json.loads(
        client.describe_custom_metric_list(cms.DescribeCustomMetricListRequest(**filters)).body.result
    )
    return result["total"], result["list"]


def rules(client: CmsClient, **filters: object):
    request = cms.DescribeMetricRuleListRequest(page_size=100, **filters)
    return client.describe_metric_rule_list(request).body.alarms.alarm


def put_rule(client: CmsClient, contact_group: str, metric: str, **changes: object) -> str:
    rule_id = uuid.uuid4().hex
    client.put_custom_metric_rule(
        cms.PutCustomMetricRuleRequest(
            **{
                "rule_id": rule_id,
                "rule_name": f"rule {metric}",
                "metric_name": metric,
                "contact_groups": contact_group,
                "group_id": "7",
                "resources": '[{"groupId":7,"dimension":"cluster=demo"}]',
                "period": "60",
                "level": "WARN",
                "statistics": "Average",
                "comparison_operator": ">",
                "threshold": "10",
                "evaluation_count": 2,
                **changes,
            }
        )
    )
    return rule_id


def last_of(client: CmsClient, cloud: CloudInfo, metric: str) -> list[float]:
    request = cms.DescribeMetricLastRequest(
        namespace=f"acs_customMetric_{cloud.account_id}", metric_name=metric
    )
    return [one["Value"] for one in json.loads(client.describe_metric_last(request).body.datapoints)]


class TestPages:
    """Figures of many series over an hour, of which a page holds some."""

    NUM_SERIES = 26
    NUM_MINUTES = 58

    @pytest.fixture
    def busy_metric(self, cms_client, metric) -> str:
        """More figures of an hour than a page may hold; a series' figure in a minute is the minute's number."""
        begin = time.time() // 60 * 60 - (self.NUM_MINUTES - 1) * 60
        for minute in range(self.NUM_MINUTES):
            samples = [
                cms.PutCustomMetricRequestMetricList(
                    group_id="7",
                    metric_name=metric,
                    dimensions=json.dumps({"node": f"n{number}"}),
                    type="0",
                    values=json.dumps({"value": minute}),
                    time=str(int((begin + minute * 60) * 1000)),
                )
                for number in range(self.NUM_SERIES)
            ]
            cms_client.put_custom_metric(cms.PutCustomMetricRequest(metric_list=samples))
        return metric

    def ask(self, call, request_type: type, cloud: CloudInfo, metric: str, **settings: str):
        namespace = f"acs_customMetric_{cloud.account_id}"
        body = call(request_type(namespace=namespace, metric_name=metric, **settings)).body
        return json.loads(body.datapoints), body

    def test_figures_are_listed_to_the_last_by_pages_of_the_length_that_is_asked_for(
        self, cms_client, local_cloud, busy_metric
    ):
        seen, token = [], ""
        for _ in range(4):
            page, body = self.ask(
                cms_client.describe_metric_list,
                cms.DescribeMetricListRequest,
                local_cloud,
                busy_metric,
                length="600",
                next_token=token,
            )
            assert len(page) <= 600
            seen += [(point["node"], point["Value"]) for point in page]
            token = body.next_token
            if not token:
                break
        assert len(set(seen)) == len(seen) == self.NUM_SERIES * self.NUM_MINUTES

    def test_the_newest_figure_of_each_series_is_told_however_many_there_are_before_it(
        self, cms_client, local_cloud, busy_metric
    ):
        call, asked = cms_client.describe_metric_last, cms.DescribeMetricLastRequest
        newest, _ = self.ask(call, asked, local_cloud, busy_metric)
        assert {point["Value"] for point in newest} == {self.NUM_MINUTES - 1}
        assert len(newest) == self.NUM_SERIES
        page, body = self.ask(call, asked, local_cloud, busy_metric, length="20")
        assert len(page) == 20
        rest, body = self.ask(call, asked, local_cloud, busy_metric, length="20", next_token=body.next_token)
        assert (len(rest), body.next_token) == (self.NUM_SERIES - 20, "")
        top, _ = self.ask(
            cms_client.describe_metric_top,
            cms.DescribeMetricTopRequest,
            local_cloud,
            busy_metric,
            orderby="Average",
        )
        assert [point["Average"] for point in top] == [self.NUM_MINUTES - 1] * 10
        few, _ = self.ask(
            cms_client.describe_metric_data,
            cms.DescribeMetricDataRequest,
            local_cloud,
            busy_metric,
            length="30",
        )
        assert [point["Value"] for point in few][-self.NUM_SERIES :] == [
            self.NUM_MINUTES - 1
        ] * self.NUM_SERIES

    @pytest.mark.parametrize("length", ["0", "1441", "-5", "many"])
    def test_a_length_that_no_page_has_is_refused(self, cms_client, local_cloud, metric, length):
        for call, asked in (
            (cms_client.describe_metric_list, cms.DescribeMetricListRequest),
            (cms_client.describe_metric_last, cms.DescribeMetricLastRequest),
            (cms_client.describe_metric_data, cms.DescribeMetricDataRequest),
        ):
            with refused("ParameterInvalid", 400, "Length"):
                self.ask(call, asked, local_cloud, metric, length=length)


class TestSeries:
    def test_series_are_listed_by_what_tells_them_apart(self, cms_client, metric):
        put(cms_client, metric, 1, cluster="a", zone="h")
        put(cms_client, metric, 2, cluster="b", zone="h")
        put(cms_client, metric, 3, group="8", cluster="a", zone="h")
        total, found = listed(cms_client, metric_name=metric, page_size="2")
        assert (total, len(found)) == (3, 2)
        total, (one,) = listed(cms_client, metric_name=metric, group_id="7", dimension="cluster=a")
        assert (one["dimension"], one["groupId"]) == ("cluster=a,zone=h", "7")
        assert listed(cms_client, md_5=one["md5"]) == (1, [one])

    def test_a_series_is_deleted_with_what_it_knew(self, cms_client, local_cloud, metric):
        put(cms_client, metric, 1, cluster="a")
        put(cms_client, metric, 2, cluster="b")
        _, (first,) = listed(cms_client, metric_name=metric, dimension="cluster=a")
        delete = cms.DeleteCustomMetricRequest(group_id="7", metric_name=metric, md_5=first["md5"])
        cms_client.delete_custom_metric(delete)
        assert last_of(cms_client, local_cloud, metric) == [2]
        put(cms_client, metric, 7, at=time.time() - 120, cluster="a")
        assert sorted(last_of(cms_client, local_cloud, metric)) == [2, 7], "nothing of it came back"
        cms_client.delete_custom_metric(cms.DeleteCustomMetricRequest(group_id="7", metric_name=metric))
        assert listed(cms_client, metric_name=metric) == (0, [])
        with refused("ResourceNotFound", 404, metric):
            cms_client.delete_custom_metric(delete)

    def test_the_greatest_are_told_first(self, cms_client, local_cloud, metric):
        now = time.time()
        for name, value in (("a", 3.0), ("b", 9.0), ("c", 5.0)):
            put(cms_client, metric, value, at=now, cluster=name)
        put(cms_client, metric, 99, at=now - 600, cluster="a")

        def top(**settings: str) -> list[str]:
            request = cms.DescribeMetricTopRequest(
                namespace=f"acs_customMetric_{local_cloud.account_id}",
                metric_name=metric,
                **{"orderby": "Average", **settings},
            )
            points = json.loads(cms_client.describe_metric_top(request).body.datapoints)
            assert [one["order"] for one in points] == list(range(1, len(points) + 1))
            return [one["cluster"] for one in points]

        assert top() == ["b", "c", "a"]
        assert top(order_desc="True", length="2") == ["a", "c"]
        with refused("ParameterInvalid", text="Orderby"):
            top(orderby="Beauty")
        with refused("ParameterInvalid", text="Length"):
            top(length="0")


class TestRule:
    def test_a_rule_is_kept_as_the_others_are(self, cms_client, contact_group, metric):
        rule_id = put_rule(cms_client, contact_group, metric)
        (rule,) = rules(cms_client, rule_ids=rule_id)
        assert rule.namespace.startswith("acs_customMetric_")
        assert (rule.metric_name, rule.period) == (metric, "60")
        assert (rule.escalations.warn.threshold, rule.escalations.warn.times) == ("10", 2)
        assert rule.escalations.warn.comparison_operator == "GreaterThanThreshold"

    def test_rules_are_counted_by_what_they_say(self, cms_client, contact_group, metric):
        rule_id = put_rule(cms_client, contact_group, metric)
        put_rule(cms_client, contact_group, metric)

        def count():
            request = cms.DescribeMetricRuleCountRequest(metric_name=metric)
            found = cms_client.describe_metric_rule_count(request).body.metric_rule_count
            return found.total, found.disable, found.nodata, found.alarm

        assert count() == (2, 0, 2, 0)
        cms_client.disable_metric_rules(cms.DisableMetricRulesRequest(rule_id=[rule_id]))
        assert count() == (2, 1, 1, 0)

    @pytest.mark.slow  # The shortest period of such a rule takes a minute.
    def test_it_is_told_who_is_concerned(self, cms_client, contact_group, metric):
        for i in range(5):
            put(cms_client, metric, 50, at=time.time() + 40 * (i - 1))
        rule_id = put_rule(cms_client, contact_group, metric, evaluation_count=1)
        wait_for(
            lambda: rules(cms_client, rule_ids=rule_id)[0].alert_state,
            lambda state: state == "ALARM",
            limit_s=150,
        )
        request = cms.DescribeAlertHistoryListRequest(rule_id=rule_id)
        (notice,) = cms_client.describe_alert_history_list(request).body.alarm_history_list.alarm_history
        assert (notice.state, notice.level) == ("ALARM", "Warn")

    @pytest.mark.parametrize(
        ("changes", "text"),
        [
            ({"level": "LOUD"}, "Level"),
            ({"comparison_operator": "above"}, "ComparisonOperator"),
            ({"statistics": "Median"}, "Statistics"),
            ({"threshold": "much"}, "Threshold"),
            ({"period": "90"}, "Period"),
            ({"resources": "everything"}, "dimensions"),
        ],
    )
    def test_malformed_rules_are_refused(self, cms_client, contact_group, metric, changes, text):
        with refused("ParameterInvalid", text=text):
            put_rule(cms_client, contact_group, metric, **changes)

    def test_a_contact_group_that_there_is_not_is_refused(self, cms_client, metric):
        with refused("ResourceNotFound", 404, "nobody"):
            put_rule(cms_client, "nobody", metric)
