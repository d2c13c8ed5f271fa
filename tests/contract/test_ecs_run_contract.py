"""How instances are made: counts, names, addresses, disks, and what is refused; by the vendor's SDK."""

from __future__ import annotations

import json

import pytest
from alibabacloud_ecs20140526 import models
from contract_fleet import REGION, encoded
from contract_sdk import refused
from own_range import inner, served


class TestRunInstances:
    def test_many_at_once_have_an_address_and_a_name_each(self, fleet):
        ids = fleet.run(amount=3, instance_name="worker", unique_suffix=True)
        found = fleet.instances(*ids)
        assert sorted(i.instance_name for i in found) == ["worker001", "worker002", "worker003"]
        assert len({fleet.address(i) for i in ids}) == 3

    def test_names_are_numbered_where_the_call_says_so_alone(self, fleet):
        def names(**settings: object) -> list[tuple[str, str]]:
            ids = fleet.run(status="", amount=2, **settings)
            return [(one.instance_name, one.host_name) for one in map(fleet.instance, ids)]

        assert names(instance_name="worker", host_name="node") == [("worker", "node")] * 2
        assert names(instance_name="worker-[8,3]", host_name="node-[2,2]-b") == [
            ("worker-008", "node-02-b"),
            ("worker-009", "node-03-b"),
        ]
        assert names(instance_name="w[]", host_name="n[9,1]x", unique_suffix=True) == [
            ("w000000", "n9x001"),
            ("w000001", "n10x002"),
        ]
        assert [host for _, host in names(host_names=["first", "second"])] == ["first", "second"]
        (instance_id,) = fleet.run(status="", host_name="k8s-${instance_id}")
        assert fleet.instance(instance_id).host_name == f"k8s-{instance_id}"
        with refused("InvalidParameter", text="HostNames"):
            names(host_name="node", host_names=["first"])
        with refused("InvalidHostName.Malformed"):
            names(host_names=["fine", "-bad-"])

    def test_fewer_than_asked_for_need_a_least_number_within_it(self, fleet):
        ids = fleet.run(status="", amount=2, min_amount=1)
        assert len(ids) == 2, "there is no limit to the stock"
        with refused("InvalidParameter", text="MinAmount"):
            fleet.run(status="", amount=2, min_amount=3)

    def test_what_is_kept_without_an_effect_is_told_as_it_was_set(self, fleet):
        (instance_id,) = fleet.run(
            status="",
            password="Right-and-long-1",
            internet_max_bandwidth_in=7,
            network_options=models.RunInstancesRequestNetworkOptions(enable_jumbo_frame=True),
            image_options=models.RunInstancesRequestImageOptions(login_as_non_root=True),
            cpu_options=models.RunInstancesRequestCpuOptions(core=2, threads_per_core=1),
            private_pool_options=models.RunInstancesRequestPrivatePoolOptions(match_criteria="Open"),
        )
        told = fleet.instance(instance_id)
        assert (told.internet_max_bandwidth_in, told.image_options.login_as_non_root) == (7, True)
        assert (told.cpu_options.core_count, told.cpu_options.threads_per_core) == (2, 1)
        attached = fleet.ecs_client.describe_instance_attachment_attributes(
            models.DescribeInstanceAttachmentAttributesRequest(
                region_id=REGION, instance_ids=json.dumps([instance_id])
            )
        ).body.instances.instance[0]
        assert attached.private_pool_options_match_criteria == "Open"
        attribute = fleet.ecs_client.describe_instance_attribute(
            models.DescribeInstanceAttributeRequest(instance_id=instance_id)
        ).body
        assert attribute.enable_jumbo_frame is True

    def test_what_has_no_meaning_here_is_refused_by_name(self, fleet):
        cases = [
            ({"dedicated_host_id": "dh-1"}, "DedicatedHostId"),
            ({"ipv_6address_count": 1}, "Ipv6AddressCount"),
            ({"storage_set_id": "ss-1"}, "StorageSetId"),
            ({"credit_specification": "Unlimited"}, "CreditSpecification"),
            ({"tenancy": "host"}, "Tenancy"),
            ({"affinity": "host"}, "Affinity"),
            ({"hibernation_options": models.RunInstancesRequestHibernationOptions(configured=True)}, "Hib"),
        ]
        for settings, name in cases:
            with refused("UnsupportedOperation", text=name):
                fleet.run(status="", **settings)
        (instance_id,) = fleet.run(
            hibernation_options=models.RunInstancesRequestHibernationOptions(configured=False),
            tenancy="default",
            affinity="default",
        )
        assert fleet.status(instance_id) == "Running"

    def test_a_wanted_address_is_given_in_the_networks_own_words(self, fleet):
        (instance_id,) = fleet.run(private_ip_address=inner("0.97"))
        assert fleet.address(instance_id) == served("0.97")
        with refused("InvalidPrivateIpAddress.Duplicated", 403):
            fleet.run(private_ip_address=inner("0.97"))
        with refused("InvalidPrivateIpAddress.Malformed"):
            fleet.run(private_ip_address="10.78.0.99")

    @pytest.mark.parametrize("rest", ["0.0", "0.253", "0.254", "0.255"])
    def test_an_address_that_the_network_keeps_for_itself_is_refused(self, fleet, rest):
        for address in (inner(rest), served(rest)):
            with refused("InvalidPrivateIpAddress.Malformed"):
                fleet.run(status="", private_ip_address=address)

    def test_no_instance_is_made_with_more_disks_than_one_may_have(self, fleet):
        disk = models.RunInstancesRequestDataDisk(size="20", category="cloud_essd")
        with refused("InstanceDiskNumLimitExceed", 403):
            fleet.run(status="", data_disk=[disk] * 17)
        (instance_id,) = fleet.run(status="", data_disk=[disk] * 16)
        found = fleet.ecs_client.describe_disks(
            models.DescribeDisksRequest(region_id=REGION, instance_id=instance_id, page_size=50)
        ).body.disks.disk
        assert len({one.device for one in found}) == 17

    def test_a_client_token_has_64_letters_at_most(self, fleet):
        with refused("InvalidParameter", text="ClientToken"):
            fleet.run(status="", client_token="x" * 65)

    def test_a_repeated_client_token_makes_nothing_twice(self, fleet):
        first = fleet.run(client_token="token-of-one-run")
        assert fleet.run(client_token="token-of-one-run") == first
        assert len(fleet.instances(vpc_id=fleet.vpc_id)) == 1

    def test_a_dry_run_makes_nothing(self, fleet):
        with refused("DryRunOperation"):
            fleet.run(dry_run=True)
        assert fleet.instances(vpc_id=fleet.vpc_id) == []

    @pytest.mark.parametrize(
        ("changes", "code", "status"),
        [
            ({"image_id": "ubuntu_00"}, "InvalidImageId.NotFound", 404),
            ({"image_id": None}, "MissingParameter", 400),
            ({"instance_type": "ecs.none"}, "InvalidInstanceType.ValueNotSupported", 403),
            ({"v_switch_id": "vsw-none"}, "InvalidVSwitchId.NotFound", 404),
            ({"zone_id": "cn-hangzhou-i"}, "InvalidParameter.Mismatch", 400),
            ({"zone_id": "cn-nowhere-a"}, "InvalidZoneId.NotFound", 404),
            ({"security_group_id": "sg-none"}, "InvalidSecurityGroupId.NotFound", 404),
            ({"security_group_id": None}, "MissingParameter", 400),
            ({"user_data": "not base64!"}, "InvalidUserData.Base64FormatInvalid", 400),
            ({"user_data": encoded("#" * 40000)}, "InvalidUserData.SizeExceeded", 400),
            ({"amount": 101}, "InvalidParameter", 400),
            ({"host_name": "-bad-"}, "InvalidHostName.Malformed", 400),
            ({"instance_name": "http://x"}, "InvalidInstanceName.Malformed", 400),
            ({"http_tokens": "maybe"}, "InvalidHttpTokens.ValueNotSupported", 400),
            ({"password": "tooeasy"}, "InvalidPassword.Malformed", 400),
            (
                {"cpu_options": models.RunInstancesRequestCpuOptions(core=99)},
                "InvalidCpuOptions.Core.ValueNotSupported",
                400,
            ),
            (
                {"cpu_options": models.RunInstancesRequestCpuOptions(threads_per_core=3)},
                "InvalidCpuOptions.ThreadsPerCore.ValueNotSupported",
                400,
            ),
            (
                {"cpu_options": models.RunInstancesRequestCpuOptions(topology_type="Twisted")},
                "InvalidCpuOptions.TopologyType.ValueNotSupported",
                400,
            ),
            ({"ram_role_name": "nobody"}, "InvalidRamRole.NotFound", 404),
        ],
    )
    def test_mistakes_are_told_with_the_providers_codes(self, fleet, changes, code, status):
        with refused(code, status):
            fleet.run(**changes)

    def test_a_group_of_another_vpc_is_refused(self, fleet, make_vpc, ecs_client):
        other = make_vpc("10.78.0.0/16")
        group = ecs_client.create_security_group(
            models.CreateSecurityGroupRequest(region_id=REGION, vpc_id=other)
        ).body.security_group_id
        try:
            with refused("InvalidParameter.Mismatch"):
                fleet.run(security_group_id=group)
        finally:
            ecs_client.delete_security_group(
                models.DeleteSecurityGroupRequest(region_id=REGION, security_group_id=group)
            )

    def test_disks_come_as_asked_for(self, fleet):
        (instance_id,) = fleet.run(
            system_disk=models.RunInstancesRequestSystemDisk(
                category="cloud_essd", size="100", performance_level="PL0", encrypted="true"
            ),
            data_disk=[models.RunInstancesRequestDataDisk(size=200, category="cloud_auto", disk_name="data")],
        )
        disks = fleet.ecs_client.describe_disks(
            models.DescribeDisksRequest(region_id=REGION, instance_id=instance_id)
        ).body.disks.disk
        assert [(d.type, d.category, d.size, d.encrypted, d.performance_level) for d in disks] == [
            ("system", "cloud_essd", 100, True, "PL0"),
            ("data", "cloud_auto", 200, False, ""),
        ]
        assert {d.instance_id for d in disks} == {instance_id}
        system = fleet.ecs_client.describe_disks(
            models.DescribeDisksRequest(region_id=REGION, instance_id=instance_id, disk_type="system")
        ).body.disks.disk
        assert [d.disk_id for d in system] == [disks[0].disk_id]
        with refused("InvalidParameter"):
            fleet.run(system_disk=models.RunInstancesRequestSystemDisk(size="5"))
