"""What every call goes through: both signatures, the action's name, its parameters' types."""

from __future__ import annotations

import asyncio
import json

import pytest
from alibabacloud_vpc20160428 import models
from alibabacloud_vpc20160428.client import Client as VpcClient
from aliyunsdkcore.acs_exception.exceptions import ServerException
from aliyunsdkcore.client import AcsClient
from aliyunsdkcore.request import RpcRequest
from contract_sdk import call_generic, refused, sdk_config

REGION = "cn-hangzhou"


def call_core(cloud, action, *, method="GET", secret=None, version="2016-04-28", **parameters):
    client = AcsClient(cloud.access_key_id, secret or cloud.access_key_secret, REGION, auto_retry=False)
    request = RpcRequest("Vpc", version, action)
    request.set_endpoint(cloud.endpoint)
    request.set_protocol_type("http")
    request.set_method(method)
    request.set_accept_format("json")
    for name, value in parameters.items():
        request.add_query_param(name, value)
    return json.loads(client.do_action_with_exception(request))


class TestSignature:
    @pytest.mark.parametrize("method", ["GET", "POST"])
    def test_of_the_older_kind_is_accepted(self, local_cloud, make_vpc, method):
        vpc_id = make_vpc(vpc_name="naïve & + name")
        body = call_core(local_cloud, "DescribeVpcs", method=method, RegionId=REGION, VpcId=vpc_id)
        assert [vpc["VpcName"] for vpc in body["Vpcs"]["Vpc"]] == ["naïve & + name"]

    def test_of_the_older_kind_is_accepted_from_the_newer_sdk(self, local_cloud):
        body = call_generic(
            local_cloud, "DescribeVpcs", {"RegionId": REGION, "VpcName": "ü *~"}, signature_algorithm="v2"
        )
        assert body["TotalCount"] == 0

    def test_by_the_wrong_secret_is_refused(self, local_cloud):
        with refused("SignatureDoesNotMatch"):
            call_generic(local_cloud, "DescribeVpcs", {"RegionId": REGION}, access_key_secret="wrong")
        # The core SDK compares the cloud's string to sign with its own, and draws the right conclusion.
        with pytest.raises(ServerException) as caught:
            call_core(local_cloud, "DescribeVpcs", secret="wrong", RegionId=REGION)
        assert caught.value.get_error_code() == "InvalidAccessKeySecret"

    def test_by_an_unknown_key_is_refused(self, local_cloud):
        with refused("InvalidAccessKeyId.NotFound", 404):
            call_generic(local_cloud, "DescribeVpcs", {"RegionId": REGION}, access_key_id="LTAInobody")

    def test_of_the_asynchronous_client_is_accepted(self, local_cloud):
        async def count() -> int:
            client = VpcClient(sdk_config(local_cloud))
            answer = await client.describe_vpcs_async(
                models.DescribeVpcsRequest(region_id=REGION, vpc_name="nothing of this name")
            )
            return answer.body.total_count

        assert asyncio.run(count()) == 0


def test_a_query_as_long_as_user_data_is_taken(local_cloud):
    body = call_generic(local_cloud, "DescribeVpcs", {"RegionId": REGION, "VpcName": "+/=" * 7_000})
    assert body["TotalCount"] == 0


class TestAction:
    def test_that_the_vendor_does_not_have_is_refused(self, local_cloud):
        with refused("InvalidAction.NotFound", 404):
            call_generic(local_cloud, "CreateTeapot", {"RegionId": REGION})

    def test_that_the_vendor_has_and_this_cloud_does_not_is_refused(self, vpc_client):
        with refused("InvalidAction.NotFound", 404, text="CreateVpnGateway"):
            vpc_client.create_vpn_gateway(
                models.CreateVpnGatewayRequest(region_id=REGION, vpc_id="vpc-1", bandwidth=10)
            )

    def test_of_another_product_is_refused(self, local_cloud):
        with refused("InvalidAction.NotFound", 404):
            call_generic(local_cloud, "CreateVpc", {"RegionId": REGION}, version="2015-05-01")


class TestParameter:
    def test_that_is_required_and_missing_is_named(self, vpc_client):
        with refused("MissingParameter", text='"RegionId"'):
            vpc_client.create_vpc(models.CreateVpcRequest(cidr_block="10.0.0.0/8"))

    def test_of_the_wrong_type_is_named(self, local_cloud):
        with refused("InvalidParameter", text='"DryRun"'):
            call_generic(local_cloud, "CreateVpc", {"RegionId": REGION, "DryRun": "maybe"})
        with refused("InvalidParameter", text='"PageSize"'):
            call_generic(local_cloud, "DescribeVpcs", {"RegionId": REGION, "PageSize": "ten"})

    def test_that_the_action_does_not_have_is_passed_over(self, local_cloud):
        body = call_generic(
            local_cloud, "DescribeVpcs", {"RegionId": REGION, "Colour": "red", "VpcId": "none"}
        )
        assert body["TotalCount"] == 0
