"""A NAT gateway in a VPC of its own for the contract tests, and calls on what leads out and in."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from alibabacloud_vpc20160428 import models
from alibabacloud_vpc20160428.client import Client
from contract_sdk import wait_for

REGION = "cn-hangzhou"


@dataclass(frozen=True, kw_only=True)
class Egress:
    """A VPC with a VSwitch, a NAT gateway in it, and calls on what leads out."""

    client: Client
    vpc_id: str
    vswitch_id: str
    gateway_id: str

    def gateways(self, **filters: object):
        request = models.DescribeNatGatewaysRequest(region_id=REGION, **filters)
        return self.client.describe_nat_gateways(request).body.nat_gateways.nat_gateway

    @property
    def gateway(self):
        return self.gateways(nat_gateway_id=self.gateway_id)[0]

    @property
    def table_id(self) -> str:
        return self.gateway.snat_table_ids.snat_table_id[0]

    def allocate(self, **settings: object):
        request = models.AllocateEipAddressRequest(region_id=REGION, **settings)
        return self.client.allocate_eip_address(request).body

    def eips(self, **filters: object):
        request = models.DescribeEipAddressesRequest(region_id=REGION, **filters)
        return self.client.describe_eip_addresses(request).body.eip_addresses.eip_address

    def bind(
        self, allocation_id: str, *, instance_id: str = "", instance_type: str = "Nat", **settings: object
    ) -> None:
        self.client.associate_eip_address(
            models.AssociateEipAddressRequest(
                region_id=REGION,
                allocation_id=allocation_id,
                instance_id=instance_id or self.gateway_id,
                instance_type=instance_type,
                **settings,
            )
        )

    def unbind(self, allocation_id: str, *, instance_id: str = "", instance_type: str = "Nat") -> None:
        self.client.unassociate_eip_address(
            models.UnassociateEipAddressRequest(
                region_id=REGION,
                allocation_id=allocation_id,
                instance_id=instance_id or self.gateway_id,
                instance_type=instance_type,
            )
        )

    def release(self, allocation_id: str) -> None:
        self.client.release_eip_address(
            models.ReleaseEipAddressRequest(region_id=REGION, allocation_id=allocation_id)
        )

    def translate(self, snat_ip: str, **source: object) -> str:
        """Let the VSwitch, or another source, out by an address, and wait until that can be worked on."""
        entry_id = self.begin_translating(snat_ip, **source)
        wait_for(self.entries, lambda found: all(one.status == "Available" for one in found))
        return entry_id

    def begin_translating(self, snat_ip: str, **source: object) -> str:
        request = models.CreateSnatEntryRequest(
            region_id=REGION,
            snat_table_id=self.table_id,
            snat_ip=snat_ip,
            **(source or {"source_vswitch_id": self.vswitch_id}),
        )
        return self.client.create_snat_entry(request).body.snat_entry_id

    def entries(self):
        request = models.DescribeSnatTableEntriesRequest(region_id=REGION, snat_table_id=self.table_id)
        return self.client.describe_snat_table_entries(request).body.snat_table_entries.snat_table_entry

    def delete_entry(self, entry_id: str) -> None:
        self.client.delete_snat_entry(
            models.DeleteSnatEntryRequest(
                region_id=REGION, snat_table_id=self.table_id, snat_entry_id=entry_id
            )
        )

    def delete(self, *, force: bool | None = None) -> None:
        self.client.delete_nat_gateway(
            models.DeleteNatGatewayRequest(region_id=REGION, nat_gateway_id=self.gateway_id, force=force)
        )

    def protect(self, instance_id: str, kind: str, *, is_on: bool) -> None:
        self.client.deletion_protection(
            models.DeletionProtectionRequest(
                region_id=REGION, instance_id=instance_id, type=kind, protection_enable=is_on
            )
        )


def create_gateway(client: Client, vpc_id: str, vswitch_id: str, **settings: object) -> str:
    request = models.CreateNatGatewayRequest(
        **{
            "region_id": REGION,
            "vpc_id": vpc_id,
            "v_switch_id": vswitch_id,
            "nat_type": "Enhanced",
            "internet_charge_type": "PayByLcu",
            "name": "out",
            **settings,
        }
    )
    return client.create_nat_gateway(request).body.nat_gateway_id


@contextmanager
def standing_egress(client: Client, vpc_id: str, vswitch_id: str) -> Iterator[Egress]:
    """Make a gateway, and clear away what the test made of it afterwards."""
    gateway_id = create_gateway(client, vpc_id, vswitch_id)
    made = Egress(client=client, vpc_id=vpc_id, vswitch_id=vswitch_id, gateway_id=gateway_id)
    wait_for(lambda: made.gateway.status, lambda status: status == "Available")
    yield made
    for gateway in made.gateways(vpc_id=vpc_id):
        made.protect(gateway.nat_gateway_id, "NATGW", is_on=False)
        client.delete_nat_gateway(
            models.DeleteNatGatewayRequest(
                region_id=REGION, nat_gateway_id=gateway.nat_gateway_id, force=True
            )
        )
    for eip in made.eips():
        made.protect(eip.allocation_id, "EIP", is_on=False)
        if eip.instance_id:
            made.unbind(eip.allocation_id, instance_id=eip.instance_id, instance_type=eip.instance_type)
        made.release(eip.allocation_id)
