"""Forward entries of NAT gateways, and what stands in their way, by the vendor's SDK."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest
from alibabacloud_vpc20160428 import models
from alibabacloud_vpc20160428.client import Client
from contract_egress import REGION, Egress, standing_egress
from contract_sdk import refused, wait_for


class Forwards:
    """A gateway with one elastic address, and calls on its forward table."""

    def __init__(self, egress: Egress) -> None:
        self.egress, self.client = egress, egress.client
        self.eip = egress.allocate()
        egress.bind(self.eip.allocation_id)
        self.table_id = egress.gateway.forward_table_ids.forward_table_id[0]

    def create(self, **settings: object) -> str:
        request = models.CreateForwardEntryRequest(
            **{
                "region_id": REGION,
                "forward_table_id": self.table_id,
                "external_ip": self.eip.eip_address,
                "external_port": "80",
                "internal_ip": "10.63.0.10",
                "internal_port": "8080",
                "ip_protocol": "tcp",
                **settings,
            }
        )
        return self.client.create_forward_entry(request).body.forward_entry_id

    def entries(self, **filters: object):
        request = models.DescribeForwardTableEntriesRequest(
            region_id=REGION, forward_table_id=self.table_id, **filters
        )
        return self.client.describe_forward_table_entries(
            request
        ).body.forward_table_entries.forward_table_entry

    def wait_available(self) -> None:
        wait_for(self.entries, lambda found: all(one.status == "Available" for one in found))

    def modify(self, entry_id: str, **settings: object) -> None:
        self.client.modify_forward_entry(
            models.ModifyForwardEntryRequest(
                region_id=REGION, forward_table_id=self.table_id, forward_entry_id=entry_id, **settings
            )
        )

    def delete(self, entry_id: str) -> None:
        self.client.delete_forward_entry(
            models.DeleteForwardEntryRequest(
                region_id=REGION, forward_table_id=self.table_id, forward_entry_id=entry_id
            )
        )


@pytest.fixture
def forwards(
    vpc_client: Client, make_vpc: Callable[..., str], make_vswitch: Callable[..., str]
) -> Iterator[Forwards]:
    vpc_id = make_vpc("10.63.0.0/16")
    with standing_egress(vpc_client, vpc_id, make_vswitch(vpc_id, "10.63.0.0/24")) as egress:
        yield Forwards(egress)


def test_an_entry_is_pending_first_then_available_and_found_by_what_it_says(forwards):
    entry_id = forwards.create(forward_entry_name="gateway")
    forwards.wait_available()
    (entry,) = forwards.entries(ip_protocol="tcp", external_port="80")
    assert (entry.forward_entry_id, entry.forward_entry_name, entry.nat_gateway_id) == (
        entry_id,
        "gateway",
        forwards.egress.gateway_id,
    )
    assert (entry.external_ip, entry.internal_ip, entry.internal_port) == (
        forwards.eip.eip_address,
        "10.63.0.10",
        "8080",
    )
    assert forwards.entries(ip_protocol="udp") == []


def test_it_changes_and_is_deleted(forwards):
    entry_id = forwards.create()
    forwards.wait_available()
    forwards.modify(entry_id, internal_ip="10.63.0.11", forward_entry_name="moved")
    (entry,) = forwards.entries()
    assert (entry.internal_ip, entry.forward_entry_name, entry.external_port) == ("10.63.0.11", "moved", "80")
    forwards.delete(entry_id)
    assert forwards.entries() == []
    with refused("InvalidForwardEntryId.NotFound", 404):
        forwards.delete(entry_id)


@pytest.mark.parametrize(
    ("settings", "code"),
    [
        ({"external_ip": "nonsense"}, "InvalidExternalIp.Malformed"),
        ({"external_ip": "203.0.113.254"}, "InvalidIp.NotInNatgw"),
        ({"internal_ip": "nonsense"}, "InvalidInternalIp.Malformed"),
        ({"internal_ip": "192.168.0.1"}, "Forbidden.DestnationIpOutOfVpcCIDR"),
        ({"external_port": "0"}, "InvalidExternalPort.Malformed"),
        ({"external_port": "20/10"}, "InvalidExternalPort.Malformed"),
        ({"internal_port": "65536"}, "InvalidInternalPort.Malformed"),
        ({"external_port": "10/20"}, "InvalidInternalPort.Malformed"),
        ({"external_port": "any"}, "InvalidInternalPort.Malformed"),
        ({"external_port": "any", "internal_port": "any"}, "InvalidInternalPort.Malformed"),
        ({"ip_protocol": "icmp"}, "InvalidProtocal.ValueNotSupported"),
    ],
)
def test_what_it_says_is_checked(forwards, settings, code):
    with refused(code):
        forwards.create(**settings)


def test_of_an_unknown_table_is_refused(forwards):
    with refused("InvalidForwardTableId.NotFound", 404):
        forwards.create(forward_table_id="ftb-nowhere")


def test_no_two_take_or_give_the_same_packets(forwards):
    forwards.create(external_port="100/200", internal_port="100/200")
    with refused("Forbidden.ExternalPort.Duplicated"):
        forwards.create(external_port="150", internal_port="9000")
    with refused("OperationUnsupported.ForwardEntry"):
        forwards.create(external_port="9000", internal_port="150")
    forwards.create(external_port="150", internal_port="150", ip_protocol="udp")


def test_one_that_maps_all_of_an_address_shares_it_with_nothing(forwards):
    forwards.egress.translate(forwards.eip.eip_address)
    everything = {"external_port": "any", "internal_port": "any", "ip_protocol": "any"}
    with refused("Forbidden.ExternalIp.UsedInSnatTable"):
        forwards.create(**everything)
    (entry,) = forwards.egress.entries()
    forwards.egress.delete_entry(entry.snat_entry_id)
    forwards.create(**everything)
    with refused("Forbidden.ExternalPort.Duplicated"):
        forwards.create()
    with refused("Forbidden.SnatIp.UsedInForwardTable"):
        forwards.egress.translate(forwards.eip.eip_address)


def test_its_address_stays_bound_and_its_gateway_goes_only_by_force(forwards):
    forwards.create()
    with refused("InvalidIpStatus.HasBeenUsedByForwardEntry"):
        forwards.egress.unbind(forwards.eip.allocation_id)
    with refused("DependencyViolation.ForwardEntry"):
        forwards.egress.delete()
    forwards.egress.delete(force=True)
    (eip,) = forwards.egress.eips(allocation_id=forwards.eip.allocation_id)
    assert (eip.status, eip.instance_id) == ("Available", "")


def test_the_gateway_tells_how_many_entries_it_has(forwards):
    forwards.create()
    forwards.egress.translate(forwards.eip.eip_address)
    told = forwards.client.get_nat_gateway_attribute(
        models.GetNatGatewayAttributeRequest(region_id=REGION, nat_gateway_id=forwards.egress.gateway_id)
    ).body
    assert (told.forward_table.forward_entry_count, told.snat_table.snat_entry_count) == (1, 1)
    assert [ip.ip_address for ip in told.ip_list] == [forwards.eip.eip_address]
    assert told.billing_config.internet_charge_type == "PayByLcu"
    with refused("InvalidNatGatewayId.NotFound", 404):
        forwards.client.get_nat_gateway_attribute(
            models.GetNatGatewayAttributeRequest(region_id=REGION, nat_gateway_id="ngw-nowhere")
        )


def test_a_gateway_leads_everything_out_and_takes_the_way_along(forwards):
    (table,) = forwards.client.describe_route_table_list(
        models.DescribeRouteTableListRequest(region_id=REGION, vpc_id=forwards.egress.vpc_id)
    ).body.router_table_list.router_table_list_type
    request = models.DescribeRouteEntryListRequest(
        region_id=REGION, route_table_id=table.route_table_id, route_entry_type="Custom"
    )
    (entry,) = forwards.client.describe_route_entry_list(request).body.route_entrys.route_entry
    (hop,) = entry.next_hops.next_hop
    assert (entry.destination_cidr_block, hop.next_hop_id) == ("0.0.0.0/0", forwards.egress.gateway_id)
    forwards.egress.delete(force=True)
    assert forwards.client.describe_route_entry_list(request).body.route_entrys.route_entry == []


def test_a_gateway_of_the_sort_that_is_sold_has_no_size_and_no_older_type(forwards):
    gateway_id = forwards.egress.gateway_id
    sized = {"region_id": REGION, "nat_gateway_id": gateway_id}
    with refused("OperationUnsupported.NatGatewaySpec"):
        forwards.client.modify_nat_gateway_spec(models.ModifyNatGatewaySpecRequest(**sized, spec="Large"))
    with refused("InvalidParameter", text="Spec"):
        forwards.client.modify_nat_gateway_spec(models.ModifyNatGatewaySpecRequest(**sized, spec="Huge"))
    with refused("OperationUnsupported.NatGatewayType"):
        forwards.client.update_nat_gateway_nat_type(
            models.UpdateNatGatewayNatTypeRequest(
                **sized, nat_type="Enhanced", v_switch_id=forwards.egress.vswitch_id
            )
        )
