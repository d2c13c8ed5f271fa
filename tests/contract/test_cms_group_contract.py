"""Application groups of CloudMonitor through the vendor's SDK."""

from __future__ import annotations

import json
import uuid
from collections.abc import Callable, Iterator

import pytest
from alibabacloud_cms20190101 import models as cms
from alibabacloud_cms20190101.client import Client as CmsClient
from contract_sdk import refused

from steelyard.localcloud.daemon import CloudInfo


@pytest.fixture
def make_group(cms_client: CmsClient) -> Iterator[Callable[..., str]]:
    made: list[str] = []

    def make(**settings: str) -> str:
        request = cms.CreateMonitorGroupRequest(**{"group_name": f"group-{uuid.uuid4().hex[:8]}", **settings})
        body = cms_client.create_monitor_group(request).body
        assert (body.code, body.success) == (200, True)
        made.append(str(body.group_id))
        return made[-1]

    yield make
    for group_id in made:
        if groups(cms_client, group_id=group_id):
            delete(cms_client, group_id)


def groups(client: CmsClient, **filters: object):
    body = client.describe_monitor_groups(cms.DescribeMonitorGroupsRequest(**filters)).body
    assert body.code == 200
    return body.resources.resource


def delete(client: CmsClient, group_id: str):
    return client.delete_monitor_group(cms.DeleteMonitorGroupRequest(group_id=int(group_id))).body


@pytest.fixture
def contact_group(cms_client: CmsClient) -> Iterator[str]:
    name = f"contacts-{uuid.uuid4().hex[:8]}"
    cms_client.put_contact_group(cms.PutContactGroupRequest(contact_group_name=name))
    yield name
    cms_client.delete_contact_group(cms.DeleteContactGroupRequest(contact_group_name=name))


def test_a_group_is_kept_changed_and_deleted(cms_client, make_group, contact_group):
    group_id = make_group(contact_groups=contact_group)
    (group,) = groups(cms_client, group_id=group_id)
    assert [one.name for one in group.contact_groups.contact_group] == [contact_group]
    cms_client.modify_monitor_group(
        cms.ModifyMonitorGroupRequest(group_id=group_id, group_name="another", contact_groups="")
    )
    (group,) = groups(cms_client, keyword="anoth", group_name="another")
    assert (str(group.group_id), group.contact_groups.contact_group) == (group_id, [])
    assert delete(cms_client, group_id).group.group_name == "another"
    assert groups(cms_client, group_id=group_id) == []


def test_a_groups_metrics_are_told_by_its_id(cms_client, make_group, local_cloud: CloudInfo):
    metric, first, second = f"queued-{uuid.uuid4().hex[:8]}", make_group(), make_group()
    samples = [
        cms.PutCustomMetricRequestMetricList(
            group_id=group_id,
            metric_name=metric,
            dimensions='{"cluster":"demo"}',
            type="0",
            values=json.dumps({"value": value}),
        )
        for group_id, value in ((first, 3), (second, 5))
    ]
    cms_client.put_custom_metric(cms.PutCustomMetricRequest(metric_list=samples))
    request = cms.DescribeMetricLastRequest(
        namespace=f"acs_customMetric_{local_cloud.account_id}",
        metric_name=metric,
        dimensions=json.dumps([{"groupId": second, "dimension": {"cluster": "demo"}}]),
    )
    (point,) = json.loads(cms_client.describe_metric_last(request).body.datapoints)
    assert point["Value"] == 5


def test_what_is_not_there_is_refused(cms_client, make_group):
    with refused("ResourceNotFound", 404, "nobody"):
        make_group(contact_groups="nobody")
    with refused("ResourceNotFound", 404):
        delete(cms_client, "7")
    with refused("ResourceNotFound", 404):
        cms_client.modify_monitor_group(cms.ModifyMonitorGroupRequest(group_id="7", group_name="x"))
    with refused("MissingParameter"):
        cms_client.create_monitor_group(cms.CreateMonitorGroupRequest(group_name=""))


def test_groups_have_tags(cms_client, make_group):
    group_id, other = make_group(), make_group()
    # The Terraform provider reads this list whether it is there or not.
    assert groups(cms_client, group_id=group_id)[0].tags.tag == []
    tags = [cms.AddTagsRequestTag(key="team", value="vision"), cms.AddTagsRequestTag(key="step", value="1")]
    cms_client.add_tags(cms.AddTagsRequest(region_id="cn-hangzhou", group_ids=[group_id], tag=tags))
    wanted = cms.DescribeMonitorGroupsRequestTag(key="team", value="vision")
    (group,) = groups(cms_client, tag=[wanted])
    assert str(group.group_id) == group_id != other
    assert [(one.key, one.value) for one in group.tags.tag] == [("team", "vision"), ("step", "1")]
    gone = cms.RemoveTagsRequestTag(key="team", value="vision")
    request = cms.RemoveTagsRequest(region_id="cn-hangzhou", group_ids=[group_id], tag=[gone])
    assert cms_client.remove_tags(request).body.tag.tags == ["team"]
    assert [one.key for one in groups(cms_client, group_id=group_id)[0].tags.tag] == ["step"]
    with refused("ResourceNotFound", 404):
        cms_client.add_tags(cms.AddTagsRequest(region_id="cn-hangzhou", group_ids=["1"], tag=tags))
    with refused("MissingParameter", text="Tag"):
        cms_client.add_tags(cms.AddTagsRequest(region_id="cn-hangzhou", group_ids=[group_id]))


def test_groups_are_listed_by_ids_and_kind(cms_client, make_group, contact_group):
    one, two = make_group(contact_groups=contact_group), make_group()
    both = groups(cms_client, group_id=f"{one},{two}")
    assert {str(group.group_id) for group in both} == {one, two}
    assert groups(cms_client, group_id=one, types="kubernetes,tag") == []
    assert len(groups(cms_client, group_id=one, types="custom,tag")) == 1
    assert groups(cms_client, instance_id="i-1") == []
    (bare,) = groups(cms_client, group_id=one, select_contact_groups=False)
    assert bare.contact_groups.contact_group == []
