"""How many of each thing there can be: the last one is made, the next is refused."""

from __future__ import annotations

import json

import pytest
from alibabacloud_cms20190101 import models as cms
from alibabacloud_ecs20140526 import models as ecs
from alibabacloud_ram20150501 import models as ram
from alibabacloud_slb20140515 import models as slb
from alibabacloud_vpc20160428 import models as vpc
from contract_egress import standing_egress
from contract_fleet import REGION
from contract_sdk import made, refused
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from own_range import inner

QUIET = "eu-west-1"
"""A region that other tests make nothing of these kinds in."""


PUBLIC_KEY = (
    Ed25519PrivateKey.generate()
    .public_key()
    .public_bytes(serialization.Encoding.OpenSSH, serialization.PublicFormat.OpenSSH)
    .decode()
)


class TestEcs:
    def test_key_pairs(self, ecs_client):
        def make(i: int) -> str:
            request = ecs.ImportKeyPairRequest(
                region_id=QUIET, key_pair_name=f"key-{i}", public_key_body=PUBLIC_KEY
            )
            return ecs_client.import_key_pair(request).body.key_pair_name

        def delete(name: str) -> None:
            names = json.dumps([name])
            ecs_client.delete_key_pairs(ecs.DeleteKeyPairsRequest(region_id=QUIET, key_pair_names=names))

        with made(make, 500, delete), refused("QuotaExceed.KeyPair", 403):
            make(500)

    def test_launch_templates(self, ecs_client):
        def make(i: int) -> str:
            request = ecs.CreateLaunchTemplateRequest(region_id=QUIET, launch_template_name=f"template-{i}")
            return ecs_client.create_launch_template(request).body.launch_template_id

        def delete(template_id: str) -> None:
            request = ecs.DeleteLaunchTemplateRequest(region_id=QUIET, launch_template_id=template_id)
            ecs_client.delete_launch_template(request)

        with made(make, 30, delete), refused("LaunchTemplateLimitExceed", 403):
            make(30)

    def test_security_groups(self, ecs_client, make_vpc):
        vpc_id = make_vpc("10.70.0.0/16", region_id=QUIET)

        def make(i: int) -> str:
            request = ecs.CreateSecurityGroupRequest(region_id=QUIET, vpc_id=vpc_id)
            return ecs_client.create_security_group(request).body.security_group_id

        def delete(group_id: str) -> None:
            ecs_client.delete_security_group(
                ecs.DeleteSecurityGroupRequest(region_id=QUIET, security_group_id=group_id)
            )

        with made(make, 100, delete), refused("QuotaExceed.SecurityGroup", 403):
            make(100)

    def test_deployment_sets(self, ecs_client):
        def make(i: int) -> str:
            request = ecs.CreateDeploymentSetRequest(region_id=QUIET, deployment_set_name=f"set-{i}")
            return ecs_client.create_deployment_set(request).body.deployment_set_id

        def delete(set_id: str) -> None:
            request = ecs.DeleteDeploymentSetRequest(region_id=QUIET, deployment_set_id=set_id)
            ecs_client.delete_deployment_set(request)

        with made(make, 100, delete), refused("QuotaExceed.DeploymentSet", 403):
            make(100)


class TestRam:
    @pytest.mark.slow  # A thousand of them.
    def test_users(self, ram_client):
        standing = len(ram_client.list_users(ram.ListUsersRequest(max_items=1000)).body.users.user)

        def make(i: int) -> str:
            return ram_client.create_user(ram.CreateUserRequest(user_name=f"user-{i}")).body.user.user_name

        def delete(name: str) -> None:
            ram_client.delete_user(ram.DeleteUserRequest(user_name=name))

        with made(make, 1000 - standing, delete), refused("LimitExceeded.User", 409):
            make(1000)

    def test_groups(self, ram_client):
        standing = len(ram_client.list_groups(ram.ListGroupsRequest(max_items=1000)).body.groups.group)

        def make(i: int) -> str:
            request = ram.CreateGroupRequest(group_name=f"group-{i}")
            return ram_client.create_group(request).body.group.group_name

        def delete(name: str) -> None:
            ram_client.delete_group(ram.DeleteGroupRequest(group_name=name))

        with made(make, 50 - standing, delete), refused("LimitExceeded.Group", 409):
            make(50)


class TestSlb:
    def test_entries_of_an_access_control_list(self, slb_client):
        acl_id = slb_client.create_access_control_list(
            slb.CreateAccessControlListRequest(region_id=REGION, acl_name="full")
        ).body.acl_id

        def add(first: int, number: int) -> None:
            entries = [{"entry": f"10.0.{i // 256}.{i % 256}/32"} for i in range(first, first + number)]
            slb_client.add_access_control_list_entry(
                slb.AddAccessControlListEntryRequest(
                    region_id=REGION, acl_id=acl_id, acl_entrys=json.dumps(entries)
                )
            )

        try:
            for first in range(0, 300, 50):
                add(first, 50)
            with refused("AclEntryOverLimit"):
                add(300, 1)
        finally:
            slb_client.delete_access_control_list(
                slb.DeleteAccessControlListRequest(region_id=REGION, acl_id=acl_id)
            )

    def test_rules_of_a_listener(self, fleet):
        balancer_id, client = fleet.balance().load_balancer_id, fleet.slb_client
        group_id = client.create_vserver_group(
            slb.CreateVServerGroupRequest(region_id=REGION, load_balancer_id=balancer_id)
        ).body.vserver_group_id
        client.create_load_balancer_httplistener(
            slb.CreateLoadBalancerHTTPListenerRequest(
                load_balancer_id=balancer_id,
                listener_port=8080,
                bandwidth=-1,
                sticky_session="off",
                health_check="off",
                vserver_group_id=group_id,
            )
        )

        def add(first: int, number: int) -> None:
            rules = [
                {"RuleName": f"rule-{i}", "Url": f"/path-{i}", "VServerGroupId": group_id}
                for i in range(first, first + number)
            ]
            client.create_rules(
                slb.CreateRulesRequest(
                    region_id=REGION,
                    load_balancer_id=balancer_id,
                    listener_port=8080,
                    rule_list=json.dumps(rules),
                )
            )

        for first in range(0, 40, 10):
            add(first, 10)
        with refused("TooManyRules"):
            add(40, 1)


class TestVpc:
    def test_vswitches_of_a_vpc(self, vpc_client, make_vpc):
        vpc_id = make_vpc("10.88.0.0/16")

        def make(i: int) -> str:
            request = vpc.CreateVSwitchRequest(
                region_id=REGION, vpc_id=vpc_id, zone_id="cn-hangzhou-h", cidr_block=f"10.88.{i}.0/24"
            )
            return vpc_client.create_vswitch(request).body.v_switch_id

        for i in range(150):
            make(i)
        with refused("QuotaExceeded.VSwitch"):
            make(150)
        request = vpc.DescribeVSwitchesRequest(region_id=REGION, vpc_id=vpc_id, page_size=1)
        assert vpc_client.describe_vswitches(request).body.total_count == 150

    def test_route_entries_of_a_table(self, vpc_client, make_vpc, make_vswitch):
        vpc_id = make_vpc("10.89.0.0/16")
        vswitch_id = make_vswitch(vpc_id, "10.89.0.0/24")
        with standing_egress(vpc_client, vpc_id, vswitch_id) as egress:
            request = vpc.DescribeRouteTableListRequest(region_id=REGION, vpc_id=vpc_id)
            (table,) = vpc_client.describe_route_table_list(
                request
            ).body.router_table_list.router_table_list_type

            def lead(i: int) -> None:
                vpc_client.create_route_entry(
                    vpc.CreateRouteEntryRequest(
                        region_id=REGION,
                        route_table_id=table.route_table_id,
                        destination_cidr_block=f"172.16.{i}.0/24",
                        next_hop_id=egress.gateway_id,
                        next_hop_type="NatGateway",
                    )
                )

            for i in range(199):  # The first one came with the gateway.
                lead(i)
            with refused("QuotaExceeded.RouteEntry"):
                lead(199)

    def test_forward_entries_of_a_gateway(self, vpc_client, make_vpc, make_vswitch):
        vpc_id = make_vpc("10.90.0.0/16")
        vswitch_id = make_vswitch(vpc_id, "10.90.0.0/24")
        with standing_egress(vpc_client, vpc_id, vswitch_id) as egress:
            eip = egress.allocate()
            egress.bind(eip.allocation_id)

            def forward(i: int) -> None:
                vpc_client.create_forward_entry(
                    vpc.CreateForwardEntryRequest(
                        region_id=REGION,
                        forward_table_id=egress.gateway.forward_table_ids.forward_table_id[0],
                        external_ip=eip.eip_address,
                        external_port=str(8000 + i),
                        internal_ip="10.90.0.10",
                        internal_port=str(9000 + i),
                        ip_protocol="tcp",
                    )
                )

            for i in range(100):
                forward(i)
            with refused("QuotaExceeded.ForwardEntry"):
                forward(100)

    def test_elastic_addresses(self, vpc_client):
        standing = vpc_client.describe_eip_addresses(
            vpc.DescribeEipAddressesRequest(region_id=REGION)
        ).body.total_count

        def make(_: int) -> str:
            request = vpc.AllocateEipAddressRequest(region_id=REGION)
            return vpc_client.allocate_eip_address(request).body.allocation_id

        def delete(allocation_id: str) -> None:
            vpc_client.release_eip_address(vpc.ReleaseEipAddressRequest(allocation_id=allocation_id))

        with made(make, 254 - standing, delete), refused("QuotaExceeded.Eip"):
            make(254)


class TestCms:
    @pytest.mark.slow  # A thousand of them.
    def test_alarm_rules(self, cms_client):
        standing = int(cms_client.describe_metric_rule_list(cms.DescribeMetricRuleListRequest()).body.total)
        resources = json.dumps([{"instanceId": "i-1"}])
        channels = cms.PutContactRequestChannels(mail="on-call@example.com")
        cms_client.put_contact(cms.PutContactRequest(contact_name="on-call", describe="d", channels=channels))
        cms_client.put_contact_group(
            cms.PutContactGroupRequest(contact_group_name="watch", contact_names=["on-call"])
        )

        def make(i: int) -> str:
            cms_client.put_resource_metric_rule(
                cms.PutResourceMetricRuleRequest(
                    rule_id=f"full-{i}",
                    rule_name=f"full-{i}",
                    contact_groups="watch",
                    namespace="acs_ecs_dashboard",
                    metric_name="CPUUtilization",
                    resources=resources,
                    escalations=cms.PutResourceMetricRuleRequestEscalations(
                        warn=cms.PutResourceMetricRuleRequestEscalationsWarn(
                            comparison_operator="GreaterThanThreshold",
                            statistics="Average",
                            threshold="90",
                            times=3,
                        )
                    ),
                )
            )
            return f"full-{i}"

        def delete(rule_id: str) -> None:
            cms_client.delete_metric_rules(cms.DeleteMetricRulesRequest(id=[rule_id]))

        with made(make, 1000 - standing, delete), refused("ResourceOverLimit"):
            make(1000)
        cms_client.delete_contact_group(cms.DeleteContactGroupRequest(contact_group_name="watch"))
        cms_client.delete_contact(cms.DeleteContactRequest(contact_name="on-call"))


def test_addresses_of_a_vswitch(fleet, make_vswitch):
    vswitch_id = make_vswitch(fleet.vpc_id, inner("9.0/29"))
    fleet.run(v_switch_id=vswitch_id, amount=4)  # Four of the eight are the cloud's own.
    with refused("InvalidVSwitchId.IpNotEnough"):
        fleet.run(v_switch_id=vswitch_id)
    with refused("VswitchIpNotEnough"):
        fleet.balance(v_switch_id=vswitch_id)


def test_interfaces_and_disks_of_an_instance(fleet, ecs_client):
    (instance_id,) = fleet.run()
    zone_id = fleet.instance(instance_id).zone_id
    disks = [
        ecs_client.create_disk(
            ecs.CreateDiskRequest(region_id=REGION, zone_id=zone_id, size=20, disk_category="cloud_essd")
        ).body.disk_id
        for _ in range(17)
    ]
    for disk_id in disks[:16]:
        ecs_client.attach_disk(ecs.AttachDiskRequest(instance_id=instance_id, disk_id=disk_id))
    with refused("InstanceDiskNumLimitExceed", 403):
        ecs_client.attach_disk(ecs.AttachDiskRequest(instance_id=instance_id, disk_id=disks[16]))
    interfaces = [
        ecs_client.create_network_interface(
            ecs.CreateNetworkInterfaceRequest(
                region_id=REGION, v_switch_id=fleet.vswitch_id, security_group_id=fleet.group_id
            )
        ).body.network_interface_id
        for _ in range(8)
    ]

    def attach(interface_id: str) -> None:
        ecs_client.attach_network_interface(
            ecs.AttachNetworkInterfaceRequest(
                region_id=REGION, instance_id=instance_id, network_interface_id=interface_id
            )
        )

    for interface_id in interfaces[:7]:
        attach(interface_id)
    with refused("EniPerInstanceLimitExceeded", 403):
        attach(interfaces[7])
    fleet.delete(instance_id)
    fleet.wait_status(instance_id, "gone")
    for disk_id in disks:
        ecs_client.delete_disk(ecs.DeleteDiskRequest(disk_id=disk_id))
    # Those that it had went with it.
    ecs_client.delete_network_interface(
        ecs.DeleteNetworkInterfaceRequest(region_id=REGION, network_interface_id=interfaces[7])
    )
