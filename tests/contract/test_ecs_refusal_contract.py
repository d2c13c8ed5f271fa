"""What ECS refuses of instances, their parts and their security groups, and changes of egress rules."""

from __future__ import annotations

import json

import pytest
from alibabacloud_ecs20140526 import models as ecs
from alibabacloud_ram20150501 import models as ram
from contract_fleet import REGION, TYPE
from contract_sdk import refused, wait_refusal

from steelyard.localcloud.faults.client import FaultClient
from steelyard.localcloud.faults.fault import Order


@pytest.fixture
def faults(local_cloud):
    client = FaultClient(local_cloud)
    yield client
    client.clear()


class TestInstance:
    def test_is_not_made_of_a_type_that_is_sold_out(self, fleet, faults):
        faults.make(Order(kind="stock", target=TYPE, settings={"left": 0, "zone": "cn-hangzhou-h"}))
        with refused("OperationDenied.NoStock", 403):
            fleet.run()
        faults.clear()
        fleet.run()

    def test_does_not_act_in_a_role_of_another_service(self, fleet, ram_client):
        trust = {"Action": "sts:AssumeRole", "Effect": "Allow", "Principal": {"Service": ["fc.aliyuncs.com"]}}
        ram_client.create_role(
            ram.CreateRoleRequest(
                role_name="for-functions",
                assume_role_policy_document=json.dumps({"Version": "1", "Statement": [trust]}),
            )
        )
        with refused("InvalidRamRole.NotEcsRole"):
            fleet.run(ram_role_name="for-functions")
        (instance_id,) = fleet.run()
        with refused("InvalidRamRole.NotEcsRole"):
            fleet.ecs_client.attach_instance_ram_role(
                ecs.AttachInstanceRamRoleRequest(
                    region_id=REGION, instance_ids=json.dumps([instance_id]), ram_role_name="for-functions"
                )
            )
        ram_client.delete_role(ram.DeleteRoleRequest(role_name="for-functions"))

    @pytest.mark.parametrize("mode", ["Fast", "standard"])
    def test_has_no_other_traffic_mode(self, fleet, mode):
        with refused("InvalidNetworkInterfaceTrafficMode.ValueNotSupported"):
            fleet.run(
                network_interface=[
                    ecs.RunInstancesRequestNetworkInterface(
                        instance_type="Primary", network_interface_traffic_mode=mode
                    )
                ],
                v_switch_id=fleet.vswitch_id,
            )

    @pytest.mark.parametrize("text", ["http://a.test", "https://a.test", "d" * 257])
    def test_has_no_description_that_is_an_address_of_the_web_or_too_long(self, fleet, text):
        with refused("InvalidDescription.Malformed"):
            fleet.run(description=text)


class TestParts:
    def make_interface(self, fleet, **settings: object) -> str:
        request = ecs.CreateNetworkInterfaceRequest(
            **{
                "region_id": REGION,
                "v_switch_id": fleet.vswitch_id,
                "security_group_id": fleet.group_id,
                **settings,
            }
        )
        return fleet.ecs_client.create_network_interface(request).body.network_interface_id

    def attach(self, fleet, instance_id: str, interface_id: str) -> None:
        fleet.ecs_client.attach_network_interface(
            ecs.AttachNetworkInterfaceRequest(
                region_id=REGION, instance_id=instance_id, network_interface_id=interface_id
            )
        )

    def delete(self, fleet, interface_id: str) -> None:
        fleet.ecs_client.delete_network_interface(
            ecs.DeleteNetworkInterfaceRequest(region_id=REGION, network_interface_id=interface_id)
        )

    def test_an_interface_of_another_network_is_not_attached(self, fleet, make_vpc, make_vswitch):
        client = fleet.ecs_client
        vpc_id = make_vpc("10.76.0.0/16")
        vswitch_id = make_vswitch(vpc_id, "10.76.0.0/24")
        group_id = client.create_security_group(
            ecs.CreateSecurityGroupRequest(region_id=REGION, vpc_id=vpc_id)
        ).body.security_group_id
        interface_id = self.make_interface(fleet, v_switch_id=vswitch_id, security_group_id=group_id)
        (instance_id,) = fleet.run()
        with refused("InvalidOperation.VpcMismatch", 403):
            self.attach(fleet, instance_id, interface_id)
        self.delete(fleet, interface_id)
        client.delete_security_group(
            ecs.DeleteSecurityGroupRequest(region_id=REGION, security_group_id=group_id)
        )

    def test_an_interface_is_not_attached_to_an_instance_that_starts(self, fleet):
        pairs: list[tuple[str, str]] = []

        def make() -> tuple[str, str]:
            interface_id = self.make_interface(fleet)
            pairs.append((fleet.run(status="")[0], interface_id))
            return pairs[-1]

        wait_refusal("InvalidOperation.InvalidEcsState", make, lambda pair: self.attach(fleet, *pair))
        fleet.wait_status(pairs[-1][0], "Running")
        self.attach(fleet, *pairs[-1])

    def test_a_disk_is_not_made_for_an_instance_that_is_paid_for_in_advance(self, fleet):
        with refused("InvalidInstanceId.ValueNotSupported"):
            fleet.ecs_client.create_disk(
                ecs.CreateDiskRequest(
                    region_id=REGION, zone_id="cn-hangzhou-h", size=20, instance_id="i-subscribed"
                )
            )


class TestSecurityGroup:
    def rules(self, fleet, direction: str):
        request = ecs.DescribeSecurityGroupAttributeRequest(
            region_id=REGION, security_group_id=fleet.group_id, direction=direction
        )
        return fleet.ecs_client.describe_security_group_attribute(request).body.permissions.permission

    def test_an_egress_rule_is_changed_in_its_place(self, fleet):
        named = {"region_id": REGION, "security_group_id": fleet.group_id}
        fleet.ecs_client.authorize_security_group_egress(
            ecs.AuthorizeSecurityGroupEgressRequest(
                **named, ip_protocol="tcp", port_range="443/443", dest_cidr_ip="10.0.0.0/8"
            )
        )
        (rule,) = self.rules(fleet, "egress")
        fleet.ecs_client.modify_security_group_egress_rule(
            ecs.ModifySecurityGroupEgressRuleRequest(
                **named,
                security_group_rule_id=rule.security_group_rule_id,
                ip_protocol="tcp",
                port_range="80/80",
                dest_cidr_ip="10.1.0.0/16",
                policy="drop",
                priority="2",
                description="no more",
            )
        )
        (changed,) = self.rules(fleet, "egress")
        assert changed.security_group_rule_id == rule.security_group_rule_id
        assert (changed.port_range, changed.dest_cidr_ip, changed.priority) == ("80/80", "10.1.0.0/16", "2")
        assert (changed.policy, changed.description) == ("Drop", "no more")

    def test_a_rule_that_never_was_is_not_changed(self, fleet):
        named = {"region_id": REGION, "security_group_id": fleet.group_id}
        gone = {"security_group_rule_id": "sgr-none", "description": "other"}
        with refused("InvalidSecurityGroupRuleId.NotFound", 404):
            fleet.ecs_client.modify_security_group_rule(ecs.ModifySecurityGroupRuleRequest(**named, **gone))
        with refused("InvalidSecurityGroupRuleId.NotFound", 404):
            fleet.ecs_client.modify_security_group_egress_rule(
                ecs.ModifySecurityGroupEgressRuleRequest(**named, **gone)
            )

    def test_an_enterprise_group_lets_nobody_in_by_itself(self, fleet):
        client = fleet.ecs_client
        group_id = client.create_security_group(
            ecs.CreateSecurityGroupRequest(
                region_id=REGION, vpc_id=fleet.vpc_id, security_group_type="enterprise"
            )
        ).body.security_group_id
        with refused("InvalidInnerAccessPolicy.ValueNotSupported"):
            client.modify_security_group_policy(
                ecs.ModifySecurityGroupPolicyRequest(
                    region_id=REGION, security_group_id=group_id, inner_access_policy="Accept"
                )
            )


def test_only_what_can_be_bought_is_asked_for(ecs_client):
    with refused("InvalidDestinationResource.ValueNotSupported"):
        ecs_client.describe_available_resource(
            ecs.DescribeAvailableResourceRequest(region_id=REGION, destination_resource="Moon")
        )
