"""What is done to classic load balancers beside balancing: names, tags, bandwidth, where they stand."""

from __future__ import annotations

import pytest
from alibabacloud_slb20140515 import models
from contract_fleet import REGION
from contract_sdk import refused
from tls_pair import Authority


def test_an_authoritys_certificate_is_found_and_renamed(slb_client):
    certificate_id = slb_client.upload_cacertificate(
        models.UploadCACertificateRequest(
            region_id=REGION, cacertificate=Authority("Clients").pem, cacertificate_name="clients"
        )
    ).body.cacertificate_id

    def found() -> list[tuple[str, str]]:
        request = models.DescribeCACertificatesRequest(region_id=REGION, cacertificate_id=certificate_id)
        rows = slb_client.describe_cacertificates(request).body.cacertificates.cacertificate
        return [(row.cacertificate_name, row.common_name) for row in rows]

    assert found() == [("clients", "Clients")]
    rename = models.SetCACertificateNameRequest(
        region_id=REGION, cacertificate_id=certificate_id, cacertificate_name="others"
    )
    slb_client.set_cacertificate_name(rename)
    assert found() == [("others", "Clients")]
    slb_client.delete_cacertificate(
        models.DeleteCACertificateRequest(region_id=REGION, cacertificate_id=certificate_id)
    )
    assert found() == []
    with refused("CACertificateId.NotFound", 404):
        slb_client.set_cacertificate_name(rename)


def test_bandwidth_is_kept_and_is_paid_for_by_traffic_alone(fleet):
    balancer_id = fleet.balance(address_type="internet", v_switch_id=None, bandwidth=5).load_balancer_id
    request = models.ModifyLoadBalancerInternetSpecRequest(
        region_id=REGION, load_balancer_id=balancer_id, bandwidth=10
    )
    fleet.slb_client.modify_load_balancer_internet_spec(request)
    found = fleet.slb_client.describe_load_balancer_attribute(
        models.DescribeLoadBalancerAttributeRequest(load_balancer_id=balancer_id)
    ).body
    assert found.bandwidth == 10
    request.internet_charge_type = "paybybandwidth"
    with refused("InvalidParameter", text="Pay-by-bandwidth"):
        fleet.slb_client.modify_load_balancer_internet_spec(request)
    request.load_balancer_id = "lb-none"
    with refused("InvalidLoadBalancerId.NotFound", 404):
        fleet.slb_client.modify_load_balancer_internet_spec(request)


def test_tags_are_set_and_removed_by_key_or_all(fleet):
    client, balancer_id = fleet.slb_client, fleet.balance().load_balancer_id
    named = {"region_id": REGION, "resource_type": "instance", "resource_id": [balancer_id]}

    def tags() -> dict[str, str]:
        body = client.list_tag_resources(models.ListTagResourcesRequest(**named)).body
        return {tag.tag_key: tag.tag_value for tag in body.tag_resources.tag_resource}

    rows = [models.TagResourcesRequestTag(key=key, value="1") for key in "abc"]
    client.tag_resources(models.TagResourcesRequest(**named, tag=rows))
    assert tags() == dict.fromkeys("abc", "1")
    client.untag_resources(models.UntagResourcesRequest(**named, tag_key=["a"]))
    assert tags() == dict.fromkeys("bc", "1")
    client.untag_resources(models.UntagResourcesRequest(**named, all=True))
    assert tags() == {}
    with refused("InvalidResourceType.NotFound", 404):
        client.list_tag_resources(models.ListTagResourcesRequest(**{**named, "resource_type": "moon"}))


@pytest.mark.parametrize("name", ["master_zone_id", "slave_zone_id"])
def test_one_in_a_zone_that_the_region_does_not_have_is_refused(fleet, name):
    with refused("InvalidZoneId.NotFound", 404):
        fleet.balance(**{name: "cn-beijing-h"})


def test_one_in_a_vswitch_that_never_was_is_refused(fleet):
    with refused("InvalidVSwitchId.NotFound", 404):
        fleet.balance(v_switch_id="vsw-none")
