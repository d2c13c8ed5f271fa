"""What scaling groups tell of their activities, through the vendor's SDKs."""

from __future__ import annotations

import json

import pytest
from alibabacloud_cms20190101 import models as cms
from alibabacloud_cms20190101.client import Client as CmsClient
from alibabacloud_ess20220222 import models as ess
from contract_fleet import REGION
from contract_scaling import Scaling
from contract_sdk import refused, wait_for

from steelyard.localcloud.daemon import CloudInfo

OUT = ["AUTOSCALING:SCALE_OUT_START", "AUTOSCALING:SCALE_OUT_SUCCESS"]
IN = ["AUTOSCALING:SCALE_IN_START", "AUTOSCALING:SCALE_IN_SUCCESS"]
ERROR, REJECT = "AUTOSCALING:SCALE_OUT_ERROR", "AUTOSCALING:SCALE_REJECT"


@pytest.fixture
def monitor(local_cloud: CloudInfo) -> str:
    """The recipient that there is."""
    return f"acs:ess:{REGION}:{local_cloud.account_id}:cloudmonitor"


def tell(scaling: Scaling, group_id: str, arn: str, types: list[str], **settings: str) -> None:
    scaling.client.create_notification_configuration(
        ess.CreateNotificationConfigurationRequest(
            scaling_group_id=group_id, notification_arn=arn, notification_types=types, **settings
        )
    )


def told(scaling: Scaling, group_id: str):
    request = ess.DescribeNotificationConfigurationsRequest(scaling_group_id=group_id)
    body = scaling.client.describe_notification_configurations(request).body
    return body.notification_configuration_models


def events(client: CmsClient, group_id: str, **filters: str):
    """Give a group's events in CloudMonitor, the first one first."""
    request = cms.DescribeSystemEventAttributeRequest(
        product="ESS", search_keywords=group_id, page_size=100, **filters
    )
    body = client.describe_system_event_attribute(request).body
    assert (body.code, body.success) == ("200", "true")
    return list(reversed(body.system_events.system_event))


def test_a_recipient_is_kept_changed_and_forgotten(scaling, monitor):
    group_id = scaling.make(is_enabled=False)
    tell(scaling, group_id, monitor, [OUT[1], ERROR], time_zone="UTC-7")
    (one,) = told(scaling, group_id)
    assert (one.notification_arn, one.scaling_group_id, one.time_zone) == (monitor, group_id, "UTC-7")
    assert sorted(one.notification_types) == [ERROR, OUT[1]]
    assert one.message_encoding == "Base64"
    scaling.client.modify_notification_configuration(
        ess.ModifyNotificationConfigurationRequest(
            scaling_group_id=group_id, notification_arn=monitor, notification_types=IN
        )
    )
    (one,) = told(scaling, group_id)
    assert (one.time_zone, sorted(one.notification_types)) == ("UTC-7", IN)
    forget = ess.DeleteNotificationConfigurationRequest(scaling_group_id=group_id, notification_arn=monitor)
    scaling.client.delete_notification_configuration(forget)
    assert told(scaling, group_id) == []
    with refused("NotificationConfigurationNotExist", text="cloudmonitor"):
        scaling.client.delete_notification_configuration(forget)
    with refused("NotificationConfigurationNotExist"):
        scaling.client.modify_notification_configuration(
            ess.ModifyNotificationConfigurationRequest(
                scaling_group_id=group_id, notification_arn=monitor, notification_types=IN
            )
        )


def test_what_can_be_told_of_is_listed(scaling):
    body = scaling.client.describe_notification_types(ess.DescribeNotificationTypesRequest()).body
    assert len(body.notification_types) == 8
    assert {*OUT, *IN, ERROR, REJECT} < set(body.notification_types)


def test_growing_and_shrinking_are_told_once_each_and_nothing_that_nobody_wants(scaling, cms_client, monitor):
    group_id, silent_id = scaling.make(), scaling.make()
    tell(scaling, group_id, monitor, [*OUT, *IN])
    for one in (group_id, silent_id):
        scaling.modify(one, desired_capacity=1)
    (member,) = scaling.wait_members(group_id, 1)
    scaling.wait_members(silent_id, 1)
    wait_for(lambda: [one.name for one in events(cms_client, group_id)], lambda names: names == OUT)
    scaling.modify(group_id, desired_capacity=0)
    seen = wait_for(lambda: events(cms_client, group_id), lambda found: len(found) == 4)
    assert [one.name for one in seen] == [*OUT, *IN]
    success = seen[1]
    content = json.loads(success.content)
    assert (success.level, success.region_id, success.instance_name) == (
        "INFO",
        REGION,
        scaling.group(group_id).scaling_group_name,
    )
    assert success.resource_id.endswith(f":scalinggroup/{group_id}")
    assert (content["StatusCode"], content["CreatedInstances"]) == ("Successful", [member])
    assert events(cms_client, group_id, name=IN[0], level="INFO") != []
    assert events(cms_client, group_id, name=ERROR) == []
    assert (
        events(cms_client, group_id, start_time="2000-01-01 00:00:00", end_time="2000-01-02 00:00:00") == []
    )
    assert events(cms_client, silent_id) == []


def test_what_failed_and_what_was_rejected_is_told(scaling, cms_client, monitor):
    group_id = scaling.make(is_enabled=False, desired_capacity=1)
    tell(scaling, group_id, monitor, [ERROR, REJECT])
    scaling.enable(group_id, scaling.configure(group_id, image_id="ubuntu_0.vhd"))
    (failed,) = wait_for(lambda: events(cms_client, group_id), lambda found: len(found) == 1)
    assert (failed.name, failed.level, failed.status) == (ERROR, "CRITICAL", "Failed")

    calm_id = scaling.make(scaling_group_name="calm")
    tell(scaling, calm_id, monitor, [ERROR, REJECT])
    scaling.client.suspend_processes(
        ess.SuspendProcessesRequest(scaling_group_id=calm_id, processes=["ScaleOut"])
    )
    scaling.client.scale_with_adjustment(
        ess.ScaleWithAdjustmentRequest(
            scaling_group_id=calm_id, adjustment_type="QuantityChangeInCapacity", adjustment_value=1
        )
    )
    (rejected,) = wait_for(lambda: events(cms_client, calm_id), lambda found: len(found) == 1)
    assert (rejected.name, rejected.level, rejected.status) == (REJECT, "WARN", "Rejected")


def test_a_recipient_is_told_by_one_configuration_of_a_group(scaling, monitor):
    group_id = scaling.make(is_enabled=False)
    tell(scaling, group_id, monitor, OUT)
    with refused("NotificationConfigurationExist"):
        tell(scaling, group_id, monitor, IN)


@pytest.mark.parametrize(
    ("arn", "code"),
    [
        ("cloudmonitor", "InvalidNotificationArn"),
        ("acs:ess:cn-hangzhou:1:cloudmonitor", "InvalidNotificationArn"),
        ("acs:ess:cn-beijing:{account}:cloudmonitor", "InvalidNotificationArn"),
        ("acs:ess:cn-hangzhou:{account}:pager", "InvalidNotificationArn"),
        ("acs:ess:cn-hangzhou:{account}:queue/jobs", "QueueNotExist"),
        ("acs:mns:cn-hangzhou:{account}:topic/jobs", "TopicNotExist"),
    ],
)
def test_who_is_not_there_is_refused(scaling, local_cloud, arn, code):
    group_id = scaling.make(is_enabled=False)
    with refused(code):
        tell(scaling, group_id, arn.format(account=local_cloud.account_id), OUT)


def test_malformed_calls_are_refused(scaling, monitor):
    group_id = scaling.make(is_enabled=False)
    with refused("InvalidNotificationTypes", text="LUNCH"):
        tell(scaling, group_id, monitor, ["AUTOSCALING:LUNCH"])
    with refused("MissingParameter", text="NotificationType"):
        tell(scaling, group_id, monitor, [])
    with refused("InvalidParameter", text="TimeZone"):
        tell(scaling, group_id, monitor, OUT, time_zone="CET")
    with refused("InvalidParameter", text="MessageEncoding"):
        tell(scaling, group_id, monitor, OUT, message_encoding="Morse")
    with refused("InvalidScalingGroupId.NotFound", 404):
        tell(scaling, "asg-0", monitor, OUT)
