"""Names, descriptions and choices: each parameter that has rules refuses what breaks them, under its own name."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest
from alibabacloud_ecs20140526 import models as ecs
from alibabacloud_ram20150501 import models as ram
from alibabacloud_vpc20160428 import models as vpc
from contract_egress import REGION, Egress, standing_egress
from contract_fleet import TYPE
from contract_sdk import refused

WEB = "https://a.test"
ZONE = "cn-hangzhou-h"
STATEMENT = {"Action": "sts:AssumeRole", "Effect": "Allow", "Principal": {"Service": ["ecs.aliyuncs.com"]}}
TRUST = json.dumps({"Version": "1", "Statement": [STATEMENT]})


class TestVpc:
    @pytest.fixture
    def egress(self, vpc_client, make_vpc, make_vswitch) -> Iterator[Egress]:
        vpc_id = make_vpc("10.65.0.0/16")
        with standing_egress(vpc_client, vpc_id, make_vswitch(vpc_id, "10.65.0.0/24")) as made:
            yield made

    @pytest.mark.parametrize(
        ("code", "settings"),
        [
            ("InvalidVSwitchName.Malformed", {"v_switch_name": WEB}),
            ("InvalidVSwitchDiscription.Malformed", {"description": WEB}),
        ],
    )
    def test_vswitch(self, egress, code, settings):
        with refused(code):
            egress.client.create_vswitch(
                vpc.CreateVSwitchRequest(
                    region_id=REGION,
                    vpc_id=egress.vpc_id,
                    cidr_block="10.65.9.0/24",
                    zone_id=ZONE,
                    **settings,
                )
            )
        with refused(code):
            egress.client.modify_vswitch_attribute(
                vpc.ModifyVSwitchAttributeRequest(v_switch_id=egress.vswitch_id, **settings)
            )

    @pytest.mark.parametrize(
        ("code", "settings"),
        [
            ("InvalidEipName.Malformed", {"name": WEB}),
            ("InvalidEipDiscription.Malformed", {"description": WEB}),
        ],
    )
    def test_elastic_address(self, egress, code, settings):
        with refused(code):
            egress.client.allocate_eip_address(vpc.AllocateEipAddressRequest(region_id=REGION, **settings))

    @pytest.mark.parametrize(
        ("code", "settings"),
        [
            ("InvalidNatGatewayName.Malformed", {"name": WEB}),
            ("InvalidNatGatewayDiscription.Malformed", {"description": WEB}),
        ],
    )
    def test_nat_gateway(self, egress, code, settings):
        with refused(code):
            egress.client.modify_nat_gateway_attribute(
                vpc.ModifyNatGatewayAttributeRequest(
                    region_id=REGION, nat_gateway_id=egress.gateway_id, **settings
                )
            )

    @pytest.mark.parametrize(
        ("code", "settings"),
        [
            ("InvalidRouteTableName.Malformed", {"route_table_name": WEB}),
            ("InvalidRouteTableDiscription.Malformed", {"description": WEB}),
        ],
    )
    def test_route_table(self, egress, code, settings):
        with refused(code):
            egress.client.create_route_table(
                vpc.CreateRouteTableRequest(region_id=REGION, vpc_id=egress.vpc_id, **settings)
            )

    @pytest.mark.parametrize(
        ("code", "settings"),
        [
            ("InvalidRouteEntryName.Malformed", {"route_entry_name": WEB}),
            ("InvalidRouteEntryDiscription.Malformed", {"description": WEB}),
        ],
    )
    def test_route_entry(self, egress, code, settings):
        request = vpc.DescribeRouteTableListRequest(region_id=REGION, vpc_id=egress.vpc_id)
        (table,) = egress.client.describe_route_table_list(
            request
        ).body.router_table_list.router_table_list_type
        with refused(code):
            egress.client.create_route_entry(
                vpc.CreateRouteEntryRequest(
                    region_id=REGION,
                    route_table_id=table.route_table_id,
                    destination_cidr_block="172.16.0.0/24",
                    next_hop_id=egress.gateway_id,
                    next_hop_type="NatGateway",
                    **settings,
                )
            )

    def test_snat_entry_and_forward_entry(self, egress):
        with refused("InvalidSnatName.Malformed"):
            egress.client.create_snat_entry(
                vpc.CreateSnatEntryRequest(
                    region_id=REGION,
                    snat_table_id=egress.table_id,
                    snat_ip="203.0.113.9",
                    source_vswitch_id=egress.vswitch_id,
                    snat_entry_name=WEB,
                )
            )
        eip = egress.allocate()
        egress.bind(eip.allocation_id)
        with refused("InvalidForwardEntryName.Malformed"):
            egress.client.create_forward_entry(
                vpc.CreateForwardEntryRequest(
                    region_id=REGION,
                    forward_table_id=egress.gateway.forward_table_ids.forward_table_id[0],
                    external_ip=eip.eip_address,
                    external_port="8000",
                    internal_ip="10.65.0.10",
                    internal_port="8000",
                    ip_protocol="tcp",
                    forward_entry_name=WEB,
                )
            )


class TestEcs:
    @pytest.mark.parametrize("name", ["x", "1st", WEB, "n" * 129])
    def test_names(self, fleet, name):
        client = fleet.ecs_client
        with refused("InvalidSecurityGroupName.Malformed"):
            client.create_security_group(
                ecs.CreateSecurityGroupRequest(
                    region_id=REGION, vpc_id=fleet.vpc_id, security_group_name=name
                )
            )
        with refused("InvalidDiskName.Malformed"):
            client.create_disk(ecs.CreateDiskRequest(region_id=REGION, zone_id=ZONE, size=20, disk_name=name))
        with refused("InvalidNetworkInterfaceName.Malformed"):
            client.create_network_interface(
                ecs.CreateNetworkInterfaceRequest(
                    region_id=REGION,
                    v_switch_id=fleet.vswitch_id,
                    security_group_id=fleet.group_id,
                    network_interface_name=name,
                )
            )
        with refused("InvalidDeploymentSetName.Malformed"):
            client.create_deployment_set(
                ecs.CreateDeploymentSetRequest(region_id=REGION, deployment_set_name=name)
            )

    @pytest.mark.parametrize(
        ("code", "settings"),
        [
            ("InvalidHttpEndpoint.ValueNotSupported", {"http_endpoint": "on"}),
            ("InvalidInternetChargeType.ValueNotSupported", {"internet_charge_type": "ByHour"}),
            ("InvalidSpotStrategy.ValueNotSupported", {"spot_strategy": "Cheap"}),
            (
                "InvalidSpotInterruptionBehavior.ValueNotSupported",
                {"spot_strategy": "SpotAsPriceGo", "spot_interruption_behavior": "Sleep"},
            ),
        ],
    )
    def test_choices_of_an_instance(self, fleet, code, settings):
        with refused(code):
            fleet.run(**settings)

    def test_choices_of_what_is_done_to_one(self, fleet):
        client = fleet.ecs_client
        (instance_id,) = fleet.run()
        with refused("InvalidStoppedMode.ValueNotSupported"):
            client.stop_instance(ecs.StopInstanceRequest(instance_id=instance_id, stopped_mode="Half"))
        with refused("InvalidOperatorType.ValueNotSupported"):
            client.modify_prepay_instance_spec(
                ecs.ModifyPrepayInstanceSpecRequest(
                    region_id=REGION, instance_id=instance_id, instance_type=TYPE, operator_type="sidegrade"
                )
            )
        disk_id = client.create_disk(
            ecs.CreateDiskRequest(region_id=REGION, zone_id=ZONE, size=20, disk_category="cloud_essd")
        ).body.disk_id
        with refused("InvalidType.ValueNotSupported"):
            client.resize_disk(ecs.ResizeDiskRequest(disk_id=disk_id, new_size=40, type="half-way"))
        client.delete_disk(ecs.DeleteDiskRequest(disk_id=disk_id))

    def test_choices_of_groups_and_sets(self, fleet):
        client = fleet.ecs_client
        with refused("InvalidSecurityGroupType.ValueNotSupported"):
            client.create_security_group(
                ecs.CreateSecurityGroupRequest(
                    region_id=REGION, vpc_id=fleet.vpc_id, security_group_type="secret"
                )
            )
        with refused("InvalidOnUnableToRedeployFailedInstance.ValueNotSupported"):
            client.create_deployment_set(
                ecs.CreateDeploymentSetRequest(region_id=REGION, on_unable_to_redeploy_failed_instance="Weep")
            )


class TestRam:
    LONG = json.dumps({"Version": "1", "Statement": [], "Note": "n" * 2048})

    @pytest.fixture
    def standing(self, ram_client) -> Iterator[None]:
        """A user, a group and a role whose names end in `-worded`."""
        ram_client.create_user(ram.CreateUserRequest(user_name="user-worded"))
        ram_client.create_group(ram.CreateGroupRequest(group_name="group-worded"))
        ram_client.create_role(
            ram.CreateRoleRequest(
                role_name="role-worded",
                assume_role_policy_document=TRUST,
            )
        )
        yield
        ram_client.delete_user(ram.DeleteUserRequest(user_name="user-worded"))
        ram_client.delete_group(ram.DeleteGroupRequest(group_name="group-worded"))
        ram_client.delete_role(ram.DeleteRoleRequest(role_name="role-worded"))

    def test_names(self, ram_client):
        policy = json.dumps({"Version": "1", "Statement": []})
        with refused("InvalidParameter.GroupName.Length"):
            ram_client.create_group(ram.CreateGroupRequest(group_name="g" * 65))
        with refused("InvalidParameter.GroupName.InvalidChars"):
            ram_client.create_group(ram.CreateGroupRequest(group_name="a b"))
        with refused("InvalidParameter.PolicyName.Length"):
            ram_client.create_policy(ram.CreatePolicyRequest(policy_name="p" * 129, policy_document=policy))

    @pytest.mark.usefixtures("standing")
    def test_new_names(self, ram_client):
        for name, code in (
            ("u" * 65, "InvalidParameter.NewUserName.Length"),
            ("a b", "InvalidParameter.NewUserName.InvalidChars"),
        ):
            with refused(code):
                ram_client.update_user(ram.UpdateUserRequest(user_name="user-worded", new_user_name=name))
        for name, code in (
            ("g" * 65, "InvalidParameter.NewGroupName.Length"),
            ("a b", "InvalidParameter.NewGroupName.InvalidChars"),
        ):
            with refused(code):
                ram_client.update_group(
                    ram.UpdateGroupRequest(group_name="group-worded", new_group_name=name)
                )

    @pytest.mark.usefixtures("standing")
    def test_texts(self, ram_client):
        with refused("InvalidParameter.Description.Length"):
            ram_client.create_role(
                ram.CreateRoleRequest(
                    role_name="long", description="d" * 1025, assume_role_policy_document=TRUST
                )
            )
        with refused("InvalidParameter.AssumeRolePolicyDocument.Length"):
            ram_client.create_role(
                ram.CreateRoleRequest(role_name="long", assume_role_policy_document=self.LONG)
            )
        with refused("InvalidParameter.NewAssumeRolePolicyDocument.Length"):
            ram_client.update_role(
                ram.UpdateRoleRequest(role_name="role-worded", new_assume_role_policy_document=self.LONG)
            )
        with refused("InvalidParameter.NewDescription.Length"):
            ram_client.update_role(ram.UpdateRoleRequest(role_name="role-worded", new_description="d" * 1025))
        with refused("InvalidParameter.NewMaxSessionDuration"):
            ram_client.update_role(
                ram.UpdateRoleRequest(role_name="role-worded", new_max_session_duration=60)
            )
        with refused("InvalidParameter.NewComments.Length"):
            ram_client.update_group(ram.UpdateGroupRequest(group_name="group-worded", new_comments="c" * 129))
