"""Network load balancers themselves, their tags and resource groups; by the vendor's SDK."""

from __future__ import annotations

import socket

import pytest
from alibabacloud_nlb20220430 import models
from alibabacloud_vpc20160428 import models as vpc
from contract_fleet import REGION, SERVER
from contract_sdk import refused
from contract_zonal_network import ZONES, get
from own_range import inner, served


class TestLoadBalancer:
    def test_stands_in_each_of_its_zones_with_an_address_of_its_vswitch(self, zonal_network):
        found = zonal_network.describe(zonal_network.balance())
        assert (found.load_balancer_status, found.address_type, found.load_balancer_name) == (
            "Active",
            "Intranet",
            "front",
        )
        assert {zone.zone_id for zone in found.zone_mappings} == set(ZONES)
        addresses = [z.load_balancer_addresses[0].private_ipv_4address for z in found.zone_mappings]
        assert [address.rpartition(".")[0] for address in addresses] == [served("0"), served("1")]

    def test_is_called_by_an_address_that_can_be_reached(self, zonal_network):
        found = zonal_network.describe(zonal_network.balance())
        assert found.dnsname == found.zone_mappings[0].load_balancer_addresses[0].private_ipv_4address

    def test_that_faces_the_internet_has_a_public_address_in_each_zone(self, zonal_network):
        found = zonal_network.describe(zonal_network.balance(address_type="Internet"))
        public = [z.load_balancer_addresses[0].public_ipv_4address for z in found.zone_mappings]
        assert len(set(public)) == 2
        assert found.dnsname == public[0]

    def test_takes_the_addresses_that_are_asked_for(self, zonal_network):
        mappings = [
            models.CreateLoadBalancerRequestZoneMappings(
                v_switch_id=vswitch_id, zone_id=zone, private_ipv_4address=inner(f"{number}.210")
            )
            for number, (vswitch_id, zone) in enumerate(zip(zonal_network.vswitch_ids, ZONES, strict=True))
        ]
        found = zonal_network.describe(zonal_network.balance(zone_mappings=mappings))
        addresses = [z.load_balancer_addresses[0].private_ipv_4address for z in found.zone_mappings]
        assert addresses == [served("0.210"), served("1.210")]

    def test_is_listed_by_name_vpc_and_tag(self, zonal_network, nlb_client, fleet):
        tag = [models.CreateLoadBalancerRequestTag(key="team", value="a")]
        balancer_id = zonal_network.balance(load_balancer_name="listed", tag=tag)
        zonal_network.balance()
        for filters in (
            {"load_balancer_names": ["listed"]},
            {"load_balancer_ids": [balancer_id], "vpc_ids": [fleet.vpc_id]},
            {"tag": [models.ListLoadBalancersRequestTag(key="team", value="a")]},
        ):
            listed = nlb_client.list_load_balancers(
                models.ListLoadBalancersRequest(region_id=REGION, **filters)
            ).body
            assert [found.load_balancer_id for found in listed.load_balancers] == [balancer_id]
            assert listed.total_count == 1

    def test_is_renamed_by_a_job(self, zonal_network, nlb_client):
        balancer_id = zonal_network.balance()
        done = nlb_client.update_load_balancer_attribute(
            models.UpdateLoadBalancerAttributeRequest(
                region_id=REGION, load_balancer_id=balancer_id, load_balancer_name="renamed"
            )
        ).body
        assert zonal_network.job(done.job_id) == "Succeeded"
        assert zonal_network.describe(balancer_id).load_balancer_name == "renamed"

    def test_that_is_protected_is_not_deleted(self, zonal_network, nlb_client):
        protection = models.CreateLoadBalancerRequestDeletionProtectionConfig(enabled=True, reason="in use")
        balancer_id = zonal_network.balance(deletion_protection_config=protection)
        assert zonal_network.describe(balancer_id).deletion_protection_config.enabled is True
        with refused("OperationDenied.DeletionProtection"):
            zonal_network.delete(balancer_id)
        nlb_client.update_load_balancer_protection(
            models.UpdateLoadBalancerProtectionRequest(
                region_id=REGION, load_balancer_id=balancer_id, deletion_protection_enabled=False
            )
        )
        assert zonal_network.job(zonal_network.delete(balancer_id).job_id) == "Succeeded"
        with refused("ResourceNotFound.loadBalancer", 404):
            zonal_network.describe(balancer_id)

    def test_joins_and_leaves_security_groups_of_its_vpc(self, zonal_network, nlb_client, fleet):
        balancer_id = zonal_network.balance()
        names = {"region_id": REGION, "load_balancer_id": balancer_id, "security_group_ids": [fleet.group_id]}
        nlb_client.load_balancer_join_security_group(models.LoadBalancerJoinSecurityGroupRequest(**names))
        assert zonal_network.describe(balancer_id).security_group_ids == [fleet.group_id]
        nlb_client.load_balancer_leave_security_group(models.LoadBalancerLeaveSecurityGroupRequest(**names))
        assert zonal_network.describe(balancer_id).security_group_ids == []
        with refused("InvalidSecurityGroupId.NotFound", 404):
            nlb_client.load_balancer_join_security_group(
                models.LoadBalancerJoinSecurityGroupRequest(**{**names, "security_group_ids": ["sg-none"]})
            )

    def test_keeps_its_vswitches(self, zonal_network, vpc_client):
        zonal_network.balance()
        with refused("DependencyViolation.LoadBalancer"):
            vpc_client.delete_vswitch(vpc.DeleteVSwitchRequest(v_switch_id=zonal_network.vswitch_ids[1]))

    def test_moves_to_another_zone_and_keeps_its_address_where_it_stays(
        self, zonal_network, nlb_client, fleet, make_vswitch
    ):
        balancer_id, group_id, (server_id,) = (
            zonal_network.balance(),
            zonal_network.group(),
            fleet.run(SERVER),
        )
        zonal_network.add(group_id, {server_id: 100})
        zonal_network.wait_healthy(zonal_network.listen(balancer_id, group_id))
        before = zonal_network.addresses(balancer_id)
        third = make_vswitch(fleet.vpc_id, inner("2.0/24"), "cn-hangzhou-k")
        mappings = [
            models.UpdateLoadBalancerZonesRequestZoneMappings(
                v_switch_id=vswitch_id,
                zone_id=zone,
            )
            for vswitch_id, zone in ((zonal_network.vswitch_ids[0], ZONES[0]), (third, "cn-hangzhou-k"))
        ]
        done = nlb_client.update_load_balancer_zones(
            models.UpdateLoadBalancerZonesRequest(
                region_id=REGION, load_balancer_id=balancer_id, zone_mappings=mappings
            )
        ).body
        assert zonal_network.job(done.job_id) == "Succeeded"
        after = zonal_network.addresses(balancer_id)
        assert after[0] == before[0]
        assert after[1].startswith(served("2."))
        assert [get(address) for address in after] == [200, 200]
        with socket.socket() as probe:
            assert probe.connect_ex((before[1], 8000)) != 0

    @pytest.mark.parametrize("word", ["Ipv4", "ipv4"])
    def test_is_of_the_words_that_the_provider_compares(self, zonal_network, word):
        """Its acceptance tests, which run on the real cloud, find the first; another one would be a replacement."""
        found = zonal_network.describe(zonal_network.balance(address_ip_version=word))
        assert (found.load_balancer_type, found.address_ip_version) == ("Network", word)

    def test_is_listed_by_what_it_is(self, zonal_network, nlb_client):
        balancer_id = zonal_network.balance()

        def listed(**filters) -> list[str]:
            request = models.ListLoadBalancersRequest(load_balancer_ids=[balancer_id], **filters)
            return [
                one.load_balancer_id for one in nlb_client.list_load_balancers(request).body.load_balancers
            ]

        for fits, does_not in (
            ({"address_ip_version": "ipv4"}, {"address_ip_version": "DualStack"}),
            ({"load_balancer_type": "network"}, {"load_balancer_type": "gateway"}),
            (
                {"load_balancer_business_status": "Normal"},
                {"load_balancer_business_status": "FinancialLocked"},
            ),
            ({"address_type": "Intranet"}, {"ipv_6address_type": "Internet"}),
        ):
            assert (listed(**fits), listed(**does_not)) == ([balancer_id], []), fits

    def test_turns_to_the_internet_and_back(self, zonal_network, nlb_client):
        balancer_id = zonal_network.balance()
        private = zonal_network.describe(balancer_id).dnsname
        for address_type in ("Internet", "Intranet"):
            nlb_client.update_load_balancer_address_type_config(
                models.UpdateLoadBalancerAddressTypeConfigRequest(
                    region_id=REGION, load_balancer_id=balancer_id, address_type=address_type
                )
            )
            found = zonal_network.describe(balancer_id)
            assert found.address_type == address_type
            assert (found.dnsname == private) == (address_type == "Intranet")
            assert zonal_network.addresses(balancer_id)[0] == private

    def test_in_one_zone_is_refused(self, zonal_network):
        with refused("InvalidParameter", text="from 2 to 10 zones"):
            zonal_network.balance(zonal_network.vswitch_ids[:1], ZONES[:1])

    def test_in_the_wrong_zone_of_a_vswitch_is_refused(self, zonal_network):
        with refused("InvalidParameter", text="ZoneMappings.ZoneId"):
            zonal_network.balance(zones=ZONES[::-1])

    def test_that_cannot_be_is_refused(self, zonal_network):
        for settings, code, status in (
            ({"vpc_id": "vpc-none"}, "ResourceNotFound.vpc", 404),
            ({"vswitch_ids": ["vsw-none", "vsw-none"]}, "ResourceNotFound.vSwitch", 404),
            ({"address_type": "public"}, "InvalidParameter", 400),
            ({"load_balancer_name": "1"}, "InvalidParameter", 400),
            ({"address_ip_version": "DualStack"}, "UnsupportedOperation", 400),
            ({"dry_run": True}, "DryRunOperation", 400),
        ):
            with refused(code, status):
                zonal_network.balance(**settings)

    def test_is_made_once_for_one_client_token(self, zonal_network):
        assert zonal_network.balance(client_token="same") == zonal_network.balance(client_token="same")


class TestTags:
    @pytest.mark.parametrize("kind", ["loadbalancer", "servergroup", "listener"])
    def test_are_set_listed_and_removed(self, zonal_network, nlb_client, kind):
        balancer_id, group_id = zonal_network.balance(), zonal_network.group()
        ids = {"loadbalancer": balancer_id, "servergroup": group_id}
        resource_id = ids.get(kind) or zonal_network.listen(balancer_id, group_id)
        names = {"region_id": REGION, "resource_type": kind, "resource_id": [resource_id]}
        tags = [models.TagResourcesRequestTag(key=key, value="1") for key in ("a", "b")]
        nlb_client.tag_resources(models.TagResourcesRequest(**names, tag=tags))
        nlb_client.untag_resources(models.UntagResourcesRequest(**names, tag_key=["a"]))
        listed = nlb_client.list_tag_resources(models.ListTagResourcesRequest(**names)).body.tag_resources
        assert [(tag.resource_id, tag.tag_key, tag.tag_value) for tag in listed] == [(resource_id, "b", "1")]

    def test_of_what_is_not_there_are_refused(self, nlb_client):
        tag = [models.TagResourcesRequestTag(key="a", value="1")]
        with refused("InvalidParameter", text='"ResourceType"'):
            nlb_client.tag_resources(
                models.TagResourcesRequest(region_id=REGION, resource_type="x", resource_id=["y"], tag=tag)
            )


class TestResourceGroups:
    def move(self, client, kind, resource_id):
        request = models.MoveResourceGroupRequest(
            region_id=REGION, resource_type=kind, resource_id=resource_id, new_resource_group_id="rg-new"
        )
        return client.move_resource_group(request).body

    def test_take_load_balancers_server_groups_and_policies(self, zonal_network, nlb_client):
        balancer_id, group_id = zonal_network.balance(), zonal_network.group()
        policy_id = nlb_client.create_security_policy(
            models.CreateSecurityPolicyRequest(
                region_id=REGION, tls_versions=["TLSv1.2"], ciphers=["ECDHE-RSA-AES128-GCM-SHA256"]
            )
        ).body.security_policy_id
        names = {"region_id": REGION, "resource_group_id": "rg-new"}
        moved = self.move(nlb_client, "loadbalancer", balancer_id)
        assert (moved.success, moved.data.resource_id) == (True, balancer_id)
        listed = nlb_client.list_load_balancers(models.ListLoadBalancersRequest(**names)).body
        assert [one.load_balancer_id for one in listed.load_balancers] == [balancer_id]
        self.move(nlb_client, "servergroup", group_id)
        listed = nlb_client.list_server_groups(models.ListServerGroupsRequest(**names)).body
        assert [one.server_group_id for one in listed.server_groups] == [group_id]
        self.move(nlb_client, "securitypolicy", policy_id)
        listed = nlb_client.list_security_policy(models.ListSecurityPolicyRequest(**names)).body
        assert [one.security_policy_id for one in listed.security_policies] == [policy_id]
        nlb_client.delete_security_policy(
            models.DeleteSecurityPolicyRequest(region_id=REGION, security_policy_id=policy_id)
        )

    def test_take_nothing_else_and_nothing_that_is_not_there(self, nlb_client):
        with refused("InvalidParameter", text="ResourceType"):
            self.move(nlb_client, "listener", "lsn-1")
        with refused("ResourceNotFound.resource nlb-none", 404):
            self.move(nlb_client, "loadbalancer", "nlb-none")


def test_a_job_that_never_was_is_not_found(nlb_client):
    with refused("ResourceNotFound.job", 404):
        nlb_client.get_job_status(models.GetJobStatusRequest(job_id="none"))


def test_the_regions_zones_are_listed(nlb_client):
    zones = nlb_client.describe_zones(models.DescribeZonesRequest(region_id=REGION)).body.zones
    assert set(ZONES) <= {zone.zone_id for zone in zones}
