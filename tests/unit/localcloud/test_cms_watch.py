from __future__ import annotations

import json
import sqlite3
import subprocess
import sys
import threading
from datetime import UTC, datetime

import psutil
import pytest
from fake_host import FakeHost
from full_disk import no_room_beyond
from scaling_cloud import START, ScalingCloud

from steelyard.localcloud.services.cms.evaluation import is_effective, judge
from steelyard.localcloud.services.cms.meter import CPU, ECS_NAMESPACE, MEMORY, Meter
from steelyard.localcloud.services.cms.series import (
    Bucket,
    MeasuredSeries,
    StoredSeries,
    by_periods,
    sample,
)
from steelyard.localcloud.services.ecs import state as ecs_state


@pytest.fixture
def cloud(tmp_path, monkeypatch):
    host = FakeHost()
    monkeypatch.setattr(ecs_state, "make_host", lambda data_dir: host)
    cloud = ScalingCloud(tmp_path, host)
    cloud.now = START + 600
    yield cloud
    cloud.close()


def put(cloud: ScalingCloud, value: float, **dimensions: str) -> None:
    item = {
        "GroupId": "0",
        "MetricName": "queue",
        "Dimensions": json.dumps(dimensions or {"cluster": "demo"}),
        "Type": "0",
        "Values": json.dumps({"value": value}),
    }
    cloud.call("cms", "PutCustomMetric", {"MetricList": [item]})


def put_rule(cloud: ScalingCloud, **changes: object) -> None:
    cloud.call("cms", "PutContact", {"ContactName": "a", "Describe": "a", "Channels": {"Mail": "a@b.c"}})
    cloud.call("cms", "PutContactGroup", {"ContactGroupName": "ops", "ContactNames": ["a"]})
    rule = {
        "RuleId": "r-1",
        "RuleName": "queue is long",
        "Namespace": "acs_customMetric_1",
        "MetricName": "queue",
        "ContactGroups": "ops",
        "Resources": '[{"cluster":"demo"}]',
        "Period": "60",
        "SilenceTime": 300,
        "Escalations": {
            "Critical": {
                "ComparisonOperator": "GreaterThanThreshold",
                "Statistics": "Average",
                "Threshold": "10",
                "Times": 2,
            },
            "Warn": {
                "ComparisonOperator": "GreaterThanThreshold",
                "Statistics": "Average",
                "Threshold": "5",
                "Times": 1,
            },
        },
        **changes,
    }
    cloud.call("cms", "PutResourceMetricRule", rule)


RARELY = {
    "ComparisonOperator": "GreaterThanThreshold",
    "Statistics": "Average",
    "Threshold": "1000",
    "Times": 1,
}


def pass_minutes(cloud: ScalingCloud, count: int, value: float | None) -> None:
    for _ in range(count):
        if value is not None:
            put(cloud, value)
        cloud.now += 60
        cloud.cloud.services["cms"].look()


def state(cloud: ScalingCloud) -> tuple[str, str]:
    (rule,) = cloud.cloud.services["cms"].rules.list()
    return rule.state, rule.level


def notices(cloud: ScalingCloud) -> list[tuple[str, str]]:
    return [(one.state, one.level) for one in cloud.cloud.services["cms"].notices.list()]


class TestRule:
    def test_it_fires_at_its_level_is_silent_for_a_while_and_is_over(self, cloud):
        put_rule(cloud)
        assert state(cloud) == ("INSUFFICIENT_DATA", "")
        cloud.now += 1
        pass_minutes(cloud, 1, 7)
        assert state(cloud) == ("ALARM", "Warn")
        assert notices(cloud) == [("ALARM", "Warn")]
        pass_minutes(cloud, 4, 20)
        assert state(cloud) == ("ALARM", "Critical")
        assert len(notices(cloud)) == 1
        pass_minutes(cloud, 1, 20)
        assert notices(cloud)[1:] == [("ALARM", "Critical")]
        pass_minutes(cloud, 1, 1)
        assert state(cloud) == ("OK", "")
        assert notices(cloud)[2:] == [("OK", "Critical")]
        (first, *_) = cloud.cloud.services["cms"].notices.list()
        assert (first.contact_groups, first.contacts) == (("ops",), ("a",))

    def test_what_was_told_is_listed_by_time_in_either_order(self, cloud):
        put_rule(cloud)
        cloud.now += 1
        pass_minutes(cloud, 1, 7)
        between = str(int(cloud.now * 1000) + 1)
        pass_minutes(cloud, 1, 1)

        def listed(**filters: object) -> list[str]:
            answer = cloud.call("cms", "DescribeAlertHistoryList", filters)
            return [one["State"] for one in answer["AlarmHistoryList"]["AlarmHistory"]]

        assert listed() == ["OK", "ALARM"]
        assert listed(Ascending=False) == ["ALARM", "OK"]
        assert listed(StartTime=between) == ["OK"]
        assert listed(EndTime=between) == ["ALARM"]

    def test_a_rule_that_is_disabled_or_out_of_its_hours_does_not_fire(self, cloud):
        night = datetime.fromtimestamp(cloud.now + 16 * 3600, UTC)
        put_rule(cloud, EffectiveInterval=f"{night:%H:%M}-{night:%H:%M}")
        pass_minutes(cloud, 4, 50)
        assert state(cloud)[0] == "OK"
        put_rule(cloud)
        cloud.call("cms", "DisableMetricRules", {"RuleId": ["r-1"]})
        pass_minutes(cloud, 4, 50)
        assert state(cloud)[0] == "INSUFFICIENT_DATA"
        cloud.call("cms", "EnableMetricRules", {"RuleId": ["r-1"]})
        pass_minutes(cloud, 1, 50)
        assert state(cloud) == ("ALARM", "Critical")

    def test_a_rule_sleeps_in_the_hours_that_are_not_its_own(self, cloud):
        day = datetime.fromtimestamp(cloud.now + 8 * 3600, UTC)
        put_rule(cloud, NoEffectiveInterval=f"{day:%H}:00-{day:%H}:59")
        pass_minutes(cloud, 3, 50)
        assert state(cloud)[0] == "OK"

    @pytest.mark.parametrize(
        ("policy", "wanted", "told"),
        [
            ("", ("ALARM", "Critical"), []),
            ("KEEP_LAST_STATE", ("ALARM", "Critical"), []),
            ("INSUFFICIENT_DATA", ("INSUFFICIENT_DATA", ""), [("INSUFFICIENT_DATA", "Critical")]),
            ("OK", ("OK", ""), [("OK", "Critical")]),
        ],
    )
    def test_without_figures_the_policy_for_that_decides(self, cloud, policy, wanted, told):
        put_rule(cloud, NoDataPolicy=policy, SilenceTime=86400)
        cloud.now += 1
        pass_minutes(cloud, 3, 50)
        before = notices(cloud)
        pass_minutes(cloud, 3, None)
        assert state(cloud) == wanted
        assert notices(cloud)[len(before) :] == told

    def test_a_rule_that_is_changed_as_it_is_judged_is_judged_by_what_it_is_now(self, cloud, monkeypatch):
        put_rule(cloud)
        cloud.now += 1
        rules = cloud.cloud.services["cms"].rules
        listed = rules.list
        put(cloud, 50)
        cloud.now += 60
        with monkeypatch.context() as patch:

            def list_and_change():
                found = listed()
                patch.undo()
                put_rule(cloud, Escalations={"Info": RARELY})
                return found

            patch.setattr(rules, "list", list_and_change)
            cloud.cloud.services["cms"].look()
        cloud.cloud.services["cms"].look()
        assert state(cloud) == ("OK", "")
        assert notices(cloud) == []

    def test_the_watch_goes_on_after_a_disk_was_full(self, cloud, tmp_path, monkeypatch):
        monkeypatch.setattr("steelyard.localcloud.services.cms.state.LOOK_S", 0.01)
        put_rule(cloud)
        cloud.now += 1
        put(cloud, 50)
        cloud.now += 60
        cms, has_failed = cloud.cloud.services["cms"], threading.Event()
        has_fired, look = threading.Event(), cms.look

        def look_and_tell():
            try:
                look()
            except sqlite3.OperationalError:
                has_failed.set()
                raise
            if state(cloud)[0] == "ALARM":
                has_fired.set()

        monkeypatch.setattr(cms, "look", look_and_tell)
        try:
            with no_room_beyond(tmp_path / "state.sqlite-wal"):
                cms.start()
                assert has_failed.wait(30)
            assert has_fired.wait(30)
        finally:
            cms.stop()

    def test_other_series_do_not_matter(self, cloud):
        put_rule(cloud)
        for _ in range(4):
            put(cloud, 99, cluster="other")
            pass_minutes(cloud, 1, 1)
        assert state(cloud)[0] == "OK"


@pytest.mark.parametrize(
    ("interval", "hour", "wanted"),
    [
        ("00:00-23:59", 3, True),
        ("08:00-18:00", 0, True),  # 08:00 in UTC+8
        ("08:00-18:00", 11, False),
        ("22:00-06:00", 15, True),
        ("22:00-06:00", 0, False),
        ("always", 5, True),
    ],
)
def test_hours_are_those_of_utc_plus_8(interval, hour, wanted):
    assert is_effective(interval, datetime(2026, 11, 24, hour, 30, tzinfo=UTC).timestamp()) is wanted


def test_a_period_without_figures_is_no_verdict():
    buckets = by_periods([sample(0.0, 5.0), sample(61.0, 50.0)], 60)
    settings = {
        "period_s": 60,
        "statistic": "Average",
        "comparison": "GreaterThanThreshold",
        "threshold": 10.0,
    }
    assert judge(buckets, end=120, times=1, **settings) == ("ALARM", 50.0)
    assert judge(buckets, end=120, times=2, **settings) == ("OK", 50.0)
    assert judge(buckets, end=180, times=1, **settings) == ("INSUFFICIENT_DATA", None)


KEY = ("ns", "metric", "{}")


class TestSeries:
    def test_what_was_put_outlives_the_cloud_and_is_bounded(self, cloud, monkeypatch):
        monkeypatch.setattr("steelyard.localcloud.services.cms.series._MAX_CHUNKS", 3)
        series = StoredSeries(cloud.store)
        for i in range(5):
            series.put(KEY, sample(600.0 * i + 1, float(i)))
        again = StoredSeries(cloud.store)
        assert [bucket.last for bucket in again.read(KEY, 0, 3000)] == [2.0, 3.0, 4.0]

    def test_whoever_reads_as_a_sample_comes_finds_the_samples_before_it(self, monkeypatch):
        series, merge, found = MeasuredSeries(), Bucket.merged, []

        def read_and_merge(*buckets):
            found.append(len(list(series.read(KEY, 0, 60))))
            return merge(*buckets)

        series.put(KEY, sample(1.0, 5.0))
        monkeypatch.setattr(Bucket, "merged", read_and_merge)
        series.put(KEY, sample(2.0, 7.0))
        assert found == [1]
        assert [(one.num, one.last) for one in series.read(KEY, 0, 60)] == [(2, 7.0)]


CHILD = """
import sys, time
while time.process_time() < 0.7: pass
print(time.process_time(), flush=True)
sys.stdin.readline()
"""
PARENT = """
import os, subprocess, sys
print(sum(os.times()[:4]), flush=True)
sys.stdin.readline()
subprocess.run([sys.executable, "-c", sys.argv[1]])
print(sum(os.times()[:4]), flush=True)
sys.stdin.readline()
"""


class TestMeter:
    def test_every_quarter_of_a_minute_has_a_sample_however_long_a_look_takes(self, cloud):
        cloud.make_network()
        cloud.make_group(DesiredCapacity=1)
        cloud.look(2)
        cms = cloud.cloud.services["cms"]
        for _ in range(500):
            cloud.now += 1.05
            cms.look()
        (key,) = (key for key in cms.measured.keys() if key[1] == MEMORY)  # noqa: SIM118 - no mapping
        starts = [bucket.start for bucket in cms.measured.read(key, 0, 1e12)]
        assert starts == [starts[0] + 15 * i for i in range(len(starts))]

    def test_the_time_of_a_child_that_has_ended_counts_and_counts_once(self, cloud):
        """A parent that waits for a child which computes: the figure is the child's, before and after its end."""
        cloud.make_network()
        group_id = cloud.make_group(DesiredCapacity=1)
        cloud.look(2)
        (instance,) = (cloud.ecs.find_instance(one) for one in cloud.ids(group_id))
        series = MeasuredSeries()
        meter = Meter(series)
        parent = subprocess.Popen(
            [sys.executable, "-c", PARENT, CHILD], stdin=subprocess.PIPE, stdout=subprocess.PIPE
        )
        try:
            used_s = []
            for turn in range(3):
                used_s.append(float(parent.stdout.readline()))
                tree = [parent.pid, *(one.pid for one in psutil.Process(parent.pid).children())]
                assert len(tree) == (2 if turn == 1 else 1)
                meter.measure(START + 15 * turn, [instance], {instance.id: tree})
                parent.stdin.write(b"\n")
                parent.stdin.flush()
        finally:
            parent.kill()
            parent.communicate()
        (key,) = (key for key in series.keys() if key[:2] == (ECS_NAMESPACE, CPU))  # noqa: SIM118 - no mapping
        num_cpus = min(8, psutil.cpu_count() or 1)
        measured_s = sum(one.last for one in series.read(key, 0, 1e12)) * 15 * num_cpus / 100
        assert measured_s == pytest.approx(used_s[2] - used_s[0], abs=0.1)
        assert measured_s > 0.6
