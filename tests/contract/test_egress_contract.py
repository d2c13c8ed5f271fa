"""NAT gateways, elastic addresses and SNAT entries, by the vendor's SDK."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest
from alibabacloud_vpc20160428 import models
from alibabacloud_vpc20160428.client import Client
from contract_egress import REGION, Egress, create_gateway, standing_egress
from contract_sdk import call_generic, code_of, refused, wait_for


@pytest.fixture
def egress(
    vpc_client: Client, make_vpc: Callable[..., str], make_vswitch: Callable[..., str]
) -> Iterator[Egress]:
    vpc_id = make_vpc("10.60.0.0/16")
    with standing_egress(vpc_client, vpc_id, make_vswitch(vpc_id, "10.60.0.0/24")) as made:
        yield made


class TestNatGateway:
    def test_stands_in_its_vswitch_with_two_tables(self, egress):
        gateway = egress.gateway
        assert (gateway.vpc_id, gateway.nat_gateway_private_info.vswitch_id) == (
            egress.vpc_id,
            egress.vswitch_id,
        )
        assert (gateway.nat_type, gateway.network_type, gateway.internet_charge_type) == (
            "Enhanced",
            "internet",
            "PayByLcu",
        )
        assert gateway.snat_table_ids.snat_table_id[0].startswith("stb-")
        assert gateway.forward_table_ids.forward_table_id[0].startswith("ftb-")
        (vpc,) = egress.client.describe_vpcs(
            models.DescribeVpcsRequest(region_id=REGION, vpc_id=egress.vpc_id)
        ).body.vpcs.vpc
        assert vpc.nat_gateway_ids.nat_gateway_ids == [egress.gateway_id]

    def test_keeps_its_vpc_and_its_vswitch_from_being_deleted(self, egress):
        with refused("DependencyViolation.EnhancedNatgw"):
            egress.client.delete_vswitch(models.DeleteVSwitchRequest(v_switch_id=egress.vswitch_id))
        with refused("DependencyViolation.VSwitch"):
            egress.client.delete_vpc(models.DeleteVpcRequest(vpc_id=egress.vpc_id))

    def test_changes_its_name_and_is_found_by_it(self, egress):
        egress.client.modify_nat_gateway_attribute(
            models.ModifyNatGatewayAttributeRequest(
                region_id=REGION, nat_gateway_id=egress.gateway_id, name="other", description="why"
            )
        )
        (found,) = egress.gateways(name="other", vpc_id=egress.vpc_id)
        assert (found.nat_gateway_id, found.description) == (egress.gateway_id, "why")
        assert egress.gateways(name="out", vpc_id=egress.vpc_id) == []

    def test_changes_how_it_holds_addresses_once_and_whether_it_replies_to_pings(self, egress):
        def change(**settings: object) -> None:
            egress.client.modify_nat_gateway_attribute(
                models.ModifyNatGatewayAttributeRequest(
                    region_id=REGION, nat_gateway_id=egress.gateway_id, **settings
                )
            )

        assert (egress.gateway.eip_bind_mode, egress.gateway.icmp_reply_enabled) == ("MULTI_BINDED", True)
        change(eip_bind_mode="NAT", icmp_reply_enabled=False)
        assert (egress.gateway.eip_bind_mode, egress.gateway.icmp_reply_enabled) == ("NAT", False)
        change(name="same")
        assert (egress.gateway.eip_bind_mode, egress.gateway.icmp_reply_enabled) == ("NAT", False)
        with refused("InvalidParameter", text="EipBindMode"):
            change(eip_bind_mode="MULTI_BINDED")
        with refused("UnsupportedOperation", text="EnableSessionLog"):
            change(enable_session_log=True)

    @pytest.mark.parametrize(
        ("settings", "code", "text"),
        [
            ({"private_link_enabled": True}, "UnsupportedOperation", "PrivateLinkEnabled"),
            ({"nat_type": "Normal"}, "InvalidParameter", "Enhanced"),
            ({"nat_type": None}, "InvalidParameter", "Enhanced"),
            ({"internet_charge_type": "PayBySpec"}, "InvalidParameter", "PayByLcu"),
            ({"network_type": "intranet"}, "UnsupportedOperation", "VPC NAT gateways"),
            ({"instance_charge_type": "PrePaid"}, "UnsupportedOperation", "subscription"),
            ({"v_switch_id": None}, "MissingParameter", "VSwitchId"),
        ],
    )
    def test_of_a_sort_that_is_not_sold_or_not_made_is_refused(self, egress, settings, code, text):
        with refused(code, text=text):
            create_gateway(egress.client, egress.vpc_id, egress.vswitch_id, **settings)

    def test_in_a_vswitch_of_another_vpc_is_refused(self, egress, make_vpc):
        with refused("InvalidVSwitchId.NotFound", 404):
            create_gateway(egress.client, make_vpc("10.61.0.0/16"), egress.vswitch_id)

    def test_holds_tags(self, egress):
        egress.client.tag_resources(
            models.TagResourcesRequest(
                region_id=REGION,
                resource_type="NATGATEWAY",
                resource_id=[egress.gateway_id],
                tag=[models.TagResourcesRequestTag(key="env", value="test")],
            )
        )
        assert [(tag.tag_key, tag.tag_value) for tag in egress.gateway.tags.tag] == [("env", "test")]

    def test_that_is_protected_or_used_is_not_deleted_but_by_force(self, egress):
        egress.protect(egress.gateway_id, "NATGW", is_on=True)
        with refused("InvalidOperation.DeletionProtection"):
            egress.delete(force=True)
        egress.protect(egress.gateway_id, "NATGW", is_on=False)
        eip = egress.allocate()
        egress.bind(eip.allocation_id)
        with refused("DependencyViolation.EIPS"):
            egress.delete()
        egress.translate(eip.eip_address)
        with refused("DependencyViolation.SnatEntry"):
            egress.delete()
        egress.delete(force=True)
        assert egress.gateways(nat_gateway_id=egress.gateway_id) == []
        assert egress.eips(allocation_id=eip.allocation_id)[0].status == "Available"
        with refused("InvalidNatGatewayId.NotFound", 404):
            egress.delete()

    def test_may_stand_in_any_zone_of_the_region(self, vpc_client):
        zones = vpc_client.list_enhanhced_nat_gateway_available_zones(
            models.ListEnhanhcedNatGatewayAvailableZonesRequest(region_id=REGION)
        ).body.zones
        assert "cn-hangzhou-h" in [zone.zone_id for zone in zones]


class TestEip:
    def test_is_an_address_of_its_own_that_a_gateway_holds(self, egress):
        one, other = egress.allocate(bandwidth="100", name="one"), egress.allocate()
        assert one.eip_address != other.eip_address
        (free,) = egress.eips(allocation_id=one.allocation_id)
        assert (free.ip_address, free.status, free.bandwidth, free.name) == (
            one.eip_address,
            "Available",
            "100",
            "one",
        )
        egress.bind(one.allocation_id)
        (bound,) = egress.eips(associated_instance_id=egress.gateway_id, associated_instance_type="Nat")
        assert (bound.allocation_id, bound.status, bound.instance_type) == (one.allocation_id, "InUse", "Nat")
        assert [item.ip_address for item in egress.gateway.ip_lists.ip_list] == [one.eip_address]

    def test_that_is_bound_is_neither_bound_again_nor_released(self, egress):
        eip = egress.allocate()
        egress.bind(eip.allocation_id)
        with refused("IncorrectEipStatus"):
            egress.bind(eip.allocation_id)
        with refused("IncorrectEipStatus"):
            egress.release(eip.allocation_id)
        egress.unbind(eip.allocation_id)
        with refused("IncorrectEipStatus"):
            egress.unbind(eip.allocation_id)
        egress.release(eip.allocation_id)
        assert egress.eips(allocation_id=eip.allocation_id) == []

    def test_of_what_cannot_hold_one_here_is_refused_loudly(self, egress):
        eip = egress.allocate()
        with refused("UnsupportedOperation", text="SlbInstance"):
            egress.bind(eip.allocation_id, instance_id="lb-1", instance_type="SlbInstance")
        with refused("InvalidNatGatewayId.NotFound", 404):
            egress.bind(eip.allocation_id, instance_id="ngw-nowhere")
        with refused("InvalidAllocationId.NotFound", 404):
            egress.bind("eip-nowhere")

    def test_changes_its_bandwidth_within_bounds(self, egress):
        eip = egress.allocate()

        def change(bandwidth: str) -> None:
            egress.client.modify_eip_address_attribute(
                models.ModifyEipAddressAttributeRequest(
                    region_id=REGION, allocation_id=eip.allocation_id, bandwidth=bandwidth
                )
            )

        change("500")
        (found,) = egress.eips(allocation_id=eip.allocation_id)
        assert (found.bandwidth, found.internet_charge_type) == ("500", "PayByBandwidth")
        for wrong in ("0", "501"):
            with refused("InvalidParameter", text="Bandwidth"):
                change(wrong)
        with refused("InvalidParameter", text="from 1 to 200"):
            egress.allocate(internet_charge_type="PayByTraffic", bandwidth="201")

    def test_of_a_sort_that_is_not_here_is_refused_by_name(self, egress):
        for settings, name in (
            ({"security_protection_types": ["AntiDDoS_Enhanced"]}, "SecurityProtectionTypes"),
            ({"public_ip_address_pool_id": "pippool-1"}, "PublicIpAddressPoolId"),
        ):
            with refused("UnsupportedOperation", text=name):
                egress.allocate(**settings)
        with refused("InvalidParameter", text="Netmode"):
            egress.allocate(netmode="private")

    def test_is_taken_by_force_off_a_gateway_that_uses_it(self, egress):
        used, other = egress.allocate(), egress.allocate()
        for eip in (used, other):
            egress.bind(eip.allocation_id)
        egress.translate(f"{used.eip_address},{other.eip_address}")
        egress.translate(used.eip_address, source_cidr="10.60.1.0/24")
        egress.client.create_forward_entry(
            models.CreateForwardEntryRequest(
                region_id=REGION,
                forward_table_id=egress.gateway.forward_table_ids.forward_table_id[0],
                external_ip=used.eip_address,
                external_port="80",
                internal_ip="10.60.0.9",
                internal_port="80",
                ip_protocol="tcp",
            )
        )
        egress.client.unassociate_eip_address(
            models.UnassociateEipAddressRequest(
                region_id=REGION,
                allocation_id=used.allocation_id,
                instance_id=egress.gateway_id,
                instance_type="Nat",
                force=True,
            )
        )
        assert egress.eips(allocation_id=used.allocation_id)[0].status == "Available"
        assert [entry.snat_ip for entry in egress.entries()] == [other.eip_address]
        forwards = egress.client.describe_forward_table_entries(
            models.DescribeForwardTableEntriesRequest(region_id=REGION, nat_gateway_id=egress.gateway_id)
        ).body.forward_table_entries.forward_table_entry
        assert forwards == []

    def test_is_found_in_its_own_region_alone(self, egress):
        eip = egress.allocate()
        with refused("InvalidAllocationId.NotFound", 404):
            egress.client.release_eip_address(
                models.ReleaseEipAddressRequest(region_id="cn-beijing", allocation_id=eip.allocation_id)
            )
        egress.bind(eip.allocation_id)
        egress.translate(eip.eip_address)
        far = models.DescribeSnatTableEntriesRequest(region_id="cn-beijing", nat_gateway_id=egress.gateway_id)
        assert egress.client.describe_snat_table_entries(far).body.snat_table_entries.snat_table_entry == []
        with refused("InvalidNatGatewayId.NotFound", 404):
            egress.client.delete_nat_gateway(
                models.DeleteNatGatewayRequest(region_id="cn-beijing", nat_gateway_id=egress.gateway_id)
            )

    def test_has_what_older_clients_read_of_it(self, egress, local_cloud):
        # The vendor's Terraform provider breaks off where one of these is missing.
        eip = egress.allocate()
        query = {"RegionId": REGION, "AllocationId": eip.allocation_id}
        answer = call_generic(local_cloud, "DescribeEipAddresses", query)
        (found,) = answer["EipAddresses"]["EipAddress"]
        assert found["AvailableRegions"] == {"AvailableRegion": [REGION]}
        assert found["OperationLocks"] == {"LockReason": []}

    def test_are_listed_by_the_hundred(self, egress):
        egress.eips(page_size=100)
        with refused("InvalidParameter", text="PageSize"):
            egress.eips(page_size=101)

    def test_that_is_protected_is_not_released(self, egress):
        eip = egress.allocate()
        egress.protect(eip.allocation_id, "EIP", is_on=True)
        with refused("InvalidOperation.DeletionProtection"):
            egress.release(eip.allocation_id)


class TestSnatEntry:
    def test_lets_a_vswitch_out_by_an_address_of_the_gateway(self, egress):
        eip = egress.allocate()
        egress.bind(eip.allocation_id)
        entry_id = egress.translate(eip.eip_address)
        (entry,) = wait_for(egress.entries, lambda found: found[0].status == "Available")
        assert (entry.snat_entry_id, entry.snat_ip, entry.source_vswitch_id, entry.source_cidr) == (
            entry_id,
            eip.eip_address,
            egress.vswitch_id,
            "10.60.0.0/24",
        )
        with refused("InvalidIpStatus.HasBeenUsedBySnatTable"):
            egress.unbind(eip.allocation_id)
        egress.delete_entry(entry_id)
        assert egress.entries() == []
        with refused("InvalidSnatEntryId.NotFound", 404):
            egress.delete_entry(entry_id)

    def test_of_a_source_that_has_one_is_refused(self, egress):
        eip = egress.allocate()
        egress.bind(eip.allocation_id)
        egress.translate(eip.eip_address)
        with refused("Forbidden.SourceVSwitchId.Duplicated"):
            egress.translate(eip.eip_address)

    def test_needs_an_address_that_the_gateway_holds_and_a_source_of_its_vpc(self, egress):
        eip = egress.allocate()
        with refused("EIP_NOT_IN_GATEWAY"):
            egress.translate(eip.eip_address)
        with refused("InvalidSnatIp.Malformed"):
            egress.translate("nonsense")
        egress.bind(eip.allocation_id)
        with refused("InvalidVSwitchId.NotFound", 404):
            egress.translate(eip.eip_address, source_vswitch_id="vsw-nowhere")
        with refused("InvalidCidrBlock.Malformed"):
            egress.translate(eip.eip_address, source_cidr="10.60.0.1/24")
        assert egress.translate(eip.eip_address, source_cidr="10.60.1.0/24").startswith("snat-")

    def test_keeps_the_vswitch_that_it_lets_out_from_being_deleted(self, egress, make_vswitch):
        other = make_vswitch(egress.vpc_id, "10.60.3.0/24")
        eip = egress.allocate()
        egress.bind(eip.allocation_id)
        entry_id = egress.translate(eip.eip_address, source_vswitch_id=other)
        with refused("DependencyViolation.SnatEntry"):
            egress.client.delete_vswitch(models.DeleteVSwitchRequest(v_switch_id=other))
        egress.delete_entry(entry_id)
        egress.client.delete_vswitch(models.DeleteVSwitchRequest(v_switch_id=other))

    def test_keeps_clients_to_one_of_its_addresses_where_it_is_told_to(self, egress):
        eip = egress.allocate()
        egress.bind(eip.allocation_id)
        entry_id = egress.translate(eip.eip_address, source_cidr="10.60.0.0/24", eip_affinity=1)
        assert egress.entries()[0].eip_affinity == "1"
        for affinity, code in ((0, ""), (2, "InvalidParameter")):
            request = models.ModifySnatEntryRequest(
                region_id=REGION,
                snat_table_id=egress.table_id,
                snat_entry_id=entry_id,
                eip_affinity=affinity,
            )
            assert code_of(lambda request=request: egress.client.modify_snat_entry(request)) == code
        assert egress.entries()[0].eip_affinity == "0"
        with refused("UnsupportedOperation", text="NetworkInterfaceId"):
            egress.translate(eip.eip_address, network_interface_id="eni-1")
        with refused("MissingParameter", text="SnatIp"):
            egress.translate("")

    def test_of_an_unknown_table_is_refused(self, vpc_client):
        with refused("InvalidSnatTableId.NotFound", 404):
            vpc_client.create_snat_entry(
                models.CreateSnatEntryRequest(
                    region_id=REGION,
                    snat_table_id="stb-nowhere",
                    snat_ip="203.0.113.1",
                    source_cidr="10.0.0.0/8",
                )
            )

    def test_changes_its_name(self, egress):
        eip = egress.allocate()
        egress.bind(eip.allocation_id)
        entry_id = egress.translate(eip.eip_address)
        egress.client.modify_snat_entry(
            models.ModifySnatEntryRequest(
                region_id=REGION,
                snat_table_id=egress.table_id,
                snat_entry_id=entry_id,
                snat_entry_name="out",
            )
        )
        assert egress.entries()[0].snat_entry_name == "out"
