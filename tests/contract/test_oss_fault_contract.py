"""Faults on request in the object storage, whose own errors the vendor's SDK meets and deals with."""

from __future__ import annotations

import xml.etree.ElementTree as ElementTree
from collections.abc import Callable, Iterator

import alibabacloud_oss_v2 as oss
import httpx
import pytest
from alibabacloud_tag20180828 import models as tag
from alibabacloud_tag20180828.client import Client as TagClient
from contract_sdk import refused, sdk_config
from contract_storage import Shelf, storage_client, storage_refused

from steelyard.errors import UsageError
from steelyard.localcloud.faults.client import FaultClient
from steelyard.localcloud.faults.fault import Fault, Order


@pytest.fixture
def fault(local_cloud, shelf: Shelf) -> Iterator[Callable[..., Fault]]:
    """Ask for faults; they end before the bucket is cleared."""
    client = FaultClient(local_cloud)

    def make(kind: str, target: str, **settings: object) -> Fault:
        return client.make(Order(kind=kind, target=target, settings=settings))

    yield make
    client.clear()


def test_an_operation_fails_with_the_code_that_was_asked_for(shelf: Shelf, fault):
    shelf.put("there", b"1")
    fault("fail", "PutObject", code="InternalError", status=500, message="not today")
    with storage_refused("InternalError", 500):
        shelf.put("never", b"x" * (1 << 20))
    assert shelf.get("there") == b"1", "no other operation fails"
    assert shelf.keys() == ["there"]


def test_a_failure_without_a_body_is_told_in_a_header(shelf: Shelf, fault):
    shelf.put("there", b"1")
    fault("fail", "HeadObject", code="AccessDenied", status=403)
    with storage_refused("AccessDenied", 403):
        shelf.head("there")


def test_a_throttled_operation_is_repeated_by_the_sdk_until_it_passes(shelf: Shelf, fault, local_cloud):
    made = fault("throttle", "oss:Put*", times=2)
    with storage_refused("QpsLimitExceeded", 503):
        shelf.put("once")
    patient = storage_client(local_cloud, max_attempts=3)
    Shelf(patient, shelf.bucket).put("twice", b"there")
    assert shelf.get("twice") == b"there"
    assert made.settings["times"] == 2


def test_an_action_of_one_product_is_named_as_in_policies(shelf: Shelf, fault, local_cloud, make_vpc):
    name = f"acs:vpc:{local_cloud.region_id}:{local_cloud.account_id}:vpc/{make_vpc()}"
    fault("fail", "ecs:TagResources")
    client = TagClient(sdk_config(local_cloud))
    request = tag.TagResourcesRequest(region_id=local_cloud.region_id, resource_arn=[name], tags='{"a":"b"}')
    client.tag_resources(request)
    fault("fail", "tag:TagResources")
    with refused("ServiceUnavailable", 503):
        client.tag_resources(request)


def test_an_operation_that_is_not_served_cannot_fail(fault):
    with pytest.raises(UsageError, match="serves no action"):
        fault("fail", "vpc:PutObject")


def test_a_call_without_a_signature_fails_too(shelf: Shelf, fault, local_cloud):
    fault("fail", "GetObject", code="InternalError", status=500)
    shelf.client.put_bucket_acl(oss.PutBucketAclRequest(bucket=shelf.bucket, acl="public-read"))
    shelf.put("open", b"1")
    answer = httpx.get(f"http://{local_cloud.endpoint}/{shelf.bucket}/open")
    assert answer.status_code == 500
    root = ElementTree.fromstring(answer.text)
    assert (root.tag, root.findtext("Code")) == ("Error", "InternalError")
    assert root.findtext("RequestId") == answer.headers["x-oss-request-id"]
