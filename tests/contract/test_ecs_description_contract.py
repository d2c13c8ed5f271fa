"""How instances are found, described and changed, and the role that they have; by the vendor's SDK."""

from __future__ import annotations

import json
import time

import pytest
from alibabacloud_ecs20140526 import models
from alibabacloud_ram20150501 import models as ram
from alibabacloud_vpc20160428 import models as vpc
from contract_fleet import REGION, encoded
from contract_sdk import refused, wait_for


class TestDescription:
    def test_filters_and_pages(self, fleet):
        ids = fleet.run(
            amount=3,
            instance_name="worker",
            unique_suffix=True,
            tag=[models.RunInstancesRequestTag(key="a", value="b")],
        )
        tag = models.DescribeInstancesRequestTag

        def found(**filters):
            return {i.instance_id for i in fleet.instances(vpc_id=fleet.vpc_id, **filters)}

        assert found(instance_name="worker00*") == set(ids)
        assert found(instance_name="worker002") == {ids[1]}
        assert found(status="Stopped") == set()
        assert found(tag=[tag(key="a", value="b")]) == set(ids)
        assert found(tag=[tag(key="a", value="c")]) == set()
        assert found(private_ip_addresses=json.dumps([fleet.address(ids[2])])) == {ids[2]}
        page = fleet.ecs_client.describe_instances(
            models.DescribeInstancesRequest(region_id=REGION, vpc_id=fleet.vpc_id, page_size=2, page_number=2)
        ).body
        assert (page.total_count, page.page_number, len(page.instances.instance)) == (3, 2, 1)
        page = fleet.ecs_client.describe_instances(
            models.DescribeInstancesRequest(region_id=REGION, vpc_id=fleet.vpc_id, max_results=2)
        ).body
        assert [i.instance_id for i in page.instances.instance] == ids, "less than 10 is taken for 10"
        statuses = fleet.ecs_client.describe_instance_status(
            models.DescribeInstanceStatusRequest(region_id=REGION, instance_id=ids)
        ).body.instance_statuses.instance_status
        assert {s.status for s in statuses} == {"Running"}

    def test_each_filter_asks_for_what_instances_are(self, fleet):
        (plain,) = fleet.run(status="", internet_charge_type="PayByBandwidth", http_tokens="required")
        (public,) = fleet.run(internet_max_bandwidth_out=5, http_put_response_hop_limit=7)
        (paid,) = fleet.run(instance_charge_type="PrePaid", period=1)
        window = models.DescribeInstancesRequestFilter

        def found(**filters):
            return {i.instance_id for i in fleet.instances(vpc_id=fleet.vpc_id, **filters)}

        address = fleet.instance(public).public_ip_address.ip_address
        tomorrow = time.strftime("%Y-%m-%dT%H:%MZ", time.gmtime(time.time() + 86400))
        for filters, ids in (
            ({"internet_charge_type": "PayByBandwidth"}, {plain}),
            ({"http_tokens": "required"}, {plain}),
            ({"http_put_response_hop_limit": 7}, {public}),
            ({"public_ip_addresses": json.dumps(address)}, {public}),
            ({"eip_addresses": '["203.0.113.250"]'}, set()),
            ({"inner_ip_addresses": '["10.0.0.1"]'}, set()),
            ({"ipv_6address": ["fd00::1"]}, set()),
            ({"instance_type_family": "ecs.gn7i"}, {plain, public, paid}),
            ({"instance_type_family": "ecs.g7"}, set()),
            ({"instance_network_type": "classic"}, set()),
            ({"lock_reason": "Recycling"}, set()),
            ({"hpc_cluster_id": "hpc-1"}, set()),
            ({"io_optimized": False}, set()),
            ({"filter": [window(key="CreationStartTime", value=tomorrow)]}, set()),
            ({"filter": [window(key="CreationEndTime", value=tomorrow)]}, {plain, public, paid}),
            ({"filter": [window(key="ExpiredStartTime", value=tomorrow)]}, {paid}),
        ):
            assert found(**filters) == ids, filters
        for filters in ([window(key="Mood", value="good")], [window(key="CreationEndTime", value="now")]):
            with refused("InvalidParameter", text="Filter.N"):
                found(filter=filters)

    def test_an_elastic_address_finds_its_instance(self, fleet, vpc_client):
        (instance_id,) = fleet.run()
        eip = vpc_client.allocate_eip_address(vpc.AllocateEipAddressRequest(region_id=REGION)).body
        bound = {"allocation_id": eip.allocation_id, "instance_id": instance_id}
        vpc_client.associate_eip_address(vpc.AssociateEipAddressRequest(**bound))
        (found,) = fleet.instances(eip_addresses=json.dumps([eip.eip_address]))
        assert found.instance_id == instance_id
        told = fleet.ecs_client.describe_instance_attribute(
            models.DescribeInstanceAttributeRequest(instance_id=instance_id)
        ).body
        assert told.eip_address.ip_address == found.eip_address.ip_address == eip.eip_address
        vpc_client.unassociate_eip_address(vpc.UnassociateEipAddressRequest(**bound))
        vpc_client.release_eip_address(vpc.ReleaseEipAddressRequest(allocation_id=eip.allocation_id))

    def test_all_that_a_provider_reads_is_there(self, fleet):
        (instance_id,) = fleet.run("#!/bin/sh\n")
        client = fleet.ecs_client
        attribute = client.describe_instance_attribute(
            models.DescribeInstanceAttributeRequest(instance_id=instance_id)
        ).body
        assert (attribute.instance_id, attribute.status) == (instance_id, "Running")
        assert attribute.enable_jumbo_frame is False
        user_data = client.describe_user_data(
            models.DescribeUserDataRequest(region_id=REGION, instance_id=instance_id)
        ).body
        assert user_data.user_data == encoded("#!/bin/sh\n")
        interfaces = client.describe_network_interfaces(
            models.DescribeNetworkInterfacesRequest(region_id=REGION, instance_id=instance_id)
        ).body.network_interface_sets.network_interface_set
        assert [i.private_ip_address for i in interfaces] == [fleet.address(instance_id)]
        maintenance = client.describe_instance_maintenance_attributes(
            models.DescribeInstanceMaintenanceAttributesRequest(region_id=REGION, instance_id=[instance_id])
        ).body.maintenance_attributes.maintenance_attribute
        assert [m.instance_id for m in maintenance] == [instance_id]
        attachment = client.describe_instance_attachment_attributes(
            models.DescribeInstanceAttachmentAttributesRequest(
                region_id=REGION, instance_ids=json.dumps([instance_id])
            )
        ).body.instances.instance
        assert [a.instance_id for a in attachment] == [instance_id]

    def test_attributes_change(self, fleet):
        (instance_id,) = fleet.run()
        client = fleet.ecs_client
        client.modify_instance_attribute(
            models.ModifyInstanceAttributeRequest(
                instance_id=instance_id, instance_name="renamed", description="text"
            )
        )
        client.modify_instance_metadata_options(
            models.ModifyInstanceMetadataOptionsRequest(
                region_id=REGION, instance_id=instance_id, http_endpoint="enabled", http_tokens="required"
            )
        )
        instance = fleet.instance(instance_id)
        assert (instance.instance_name, instance.description) == ("renamed", "text")
        assert instance.metadata_options.http_tokens == "required"
        change = models.ModifyInstanceAttributeRequest(
            instance_id=instance_id, user_data=encoded("#!/bin/sh\necho second\n")
        )
        # As the vendor's Terraform provider does it: it stops the instance after this, and starts it again.
        client.modify_instance_attribute(change)
        client.stop_instance(models.StopInstanceRequest(instance_id=instance_id, force_stop=True))
        fleet.wait_status(instance_id, "Stopped")
        client.start_instance(models.StartInstanceRequest(instance_id=instance_id))
        wait_for(lambda: fleet.console(instance_id), lambda text: "second" in text)

    def test_tags_come_and_go(self, fleet):
        (instance_id,) = fleet.run()
        client, kind = fleet.ecs_client, {"region_id": REGION, "resource_type": "instance"}
        client.tag_resources(
            models.TagResourcesRequest(
                **kind,
                resource_id=[instance_id],
                tag=[models.TagResourcesRequestTag(key="env", value="test")],
            )
        )
        listed = client.list_tag_resources(
            models.ListTagResourcesRequest(**kind, resource_id=[instance_id])
        ).body.tag_resources.tag_resource
        assert [(t.tag_key, t.tag_value) for t in listed] == [("env", "test")]
        wanted = models.ListTagResourcesRequestTagFilter
        for key, values, is_there in (
            ("env", ["prod", "test"], True),
            ("env", [], True),
            ("env", ["prod"], False),
            ("team", [], False),
        ):
            request = models.ListTagResourcesRequest(
                **kind, resource_id=[instance_id], tag_filter=[wanted(tag_key=key, tag_values=values)]
            )
            found = client.list_tag_resources(request).body.tag_resources.tag_resource
            assert bool(found) is is_there, (key, values)
        assert [(t.tag_key, t.tag_value) for t in fleet.instance(instance_id).tags.tag] == [("env", "test")]
        client.untag_resources(
            models.UntagResourcesRequest(**kind, resource_id=[instance_id], tag_key=["env"])
        )
        assert fleet.instance(instance_id).tags.tag == []


class TestRamRole:
    @pytest.fixture
    def role(self, ram_client):
        trust = {
            "Version": "1",
            "Statement": [
                {
                    "Effect": "Allow",
                    "Action": "sts:AssumeRole",
                    "Principal": {"Service": ["ecs.aliyuncs.com"]},
                }
            ],
        }
        name = "contract-node"
        ram_client.create_role(
            ram.CreateRoleRequest(role_name=name, assume_role_policy_document=json.dumps(trust))
        )
        yield name
        ram_client.delete_role(ram.DeleteRoleRequest(role_name=name))

    def test_is_attached_and_detached(self, fleet, role):
        (instance_id,) = fleet.run()
        ids = json.dumps([instance_id])
        client = fleet.ecs_client

        def roles():
            found = client.describe_instance_ram_role(
                models.DescribeInstanceRamRoleRequest(region_id=REGION, instance_ids=ids)
            ).body.instance_ram_role_sets.instance_ram_role_set
            return [(r.instance_id, r.ram_role_name) for r in found]

        assert roles() == [(instance_id, "")]
        done = client.attach_instance_ram_role(
            models.AttachInstanceRamRoleRequest(region_id=REGION, instance_ids=ids, ram_role_name=role)
        ).body
        assert (done.ram_role_name, done.fail_count, done.total_count) == (role, 0, 1)
        assert roles() == [(instance_id, role)]
        client.detach_instance_ram_role(
            models.DetachInstanceRamRoleRequest(region_id=REGION, instance_ids=ids, ram_role_name=role)
        )
        assert roles() == [(instance_id, "")]
