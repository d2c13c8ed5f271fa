"""Instances with several network interfaces, and interfaces with several addresses, by the vendor's SDK."""

from __future__ import annotations

from alibabacloud_ecs20140526 import models
from alibabacloud_vpc20160428 import models as vpc
from alibabacloud_vpc20160428.client import Client as VpcClient
from contract_fleet import REGION
from contract_sdk import refused
from own_range import inner, served

Entry = models.RunInstancesRequestNetworkInterface


def interfaces(fleet, **filters: object):
    request = models.DescribeNetworkInterfacesRequest(region_id=REGION, **filters)
    return fleet.ecs_client.describe_network_interfaces(
        request
    ).body.network_interface_sets.network_interface_set


def make_interface(fleet, **settings: object) -> str:
    return fleet.ecs_client.create_network_interface(
        models.CreateNetworkInterfaceRequest(
            **{
                "region_id": REGION,
                "v_switch_id": fleet.vswitch_id,
                "security_group_id": fleet.group_id,
                **settings,
            }
        )
    ).body.network_interface_id


def delete_interface(fleet, interface_id: str) -> None:
    fleet.ecs_client.delete_network_interface(
        models.DeleteNetworkInterfaceRequest(region_id=REGION, network_interface_id=interface_id)
    )


def addresses(interface) -> list[str]:
    return [one.private_ip_address for one in interface.private_ip_sets.private_ip_set]


class TestRunInstances:
    def test_a_primary_and_a_secondary_one_are_made_together(self, fleet, make_vswitch):
        other = make_vswitch(fleet.vpc_id, inner("3.0/24"))
        entries = [
            Entry(instance_type="Primary", v_switch_id=fleet.vswitch_id, network_interface_name="front"),
            Entry(
                instance_type="Secondary",
                v_switch_id=other,
                primary_ip_address=inner("3.20"),
                network_interface_name="storage",
                description="to the store",
            ),
        ]
        (instance_id,) = fleet.run(v_switch_id=None, network_interface=entries)
        found = {one.type: one for one in interfaces(fleet, instance_id=instance_id)}
        assert found["Primary"].network_interface_name == "front"
        secondary = found["Secondary"]
        assert (secondary.network_interface_name, secondary.description, secondary.v_switch_id) == (
            "storage",
            "to the store",
            other,
        )
        assert (secondary.private_ip_address, secondary.status) == (served("3.20"), "InUse")
        assert secondary.security_group_ids.security_group_id == [fleet.group_id]
        shown = fleet.instance(instance_id).network_interfaces.network_interface
        assert {one.type for one in shown} == {"Primary", "Secondary"}

        fleet.delete(instance_id)
        fleet.wait_status(instance_id, "gone")
        assert interfaces(fleet, v_switch_id=other) == []

    def test_each_of_several_instances_gets_its_own(self, fleet):
        entries = [Entry(instance_type="Secondary", delete_on_release=False)]
        ids = fleet.run(amount=2, network_interface=entries)
        found = interfaces(fleet, type="Secondary", v_switch_id=fleet.vswitch_id)
        assert {one.instance_id for one in found} == set(ids)
        assert len({one.private_ip_address for one in found}) == 2
        for instance_id in ids:
            fleet.delete(instance_id)
            fleet.wait_status(instance_id, "gone")
        for one in found:
            delete_interface(fleet, one.network_interface_id)

    def test_one_that_is_there_is_taken(self, fleet):
        interface_id = make_interface(fleet)
        (instance_id,) = fleet.run(network_interface=[Entry(network_interface_id=interface_id)])
        (found,) = interfaces(fleet, network_interface_id=[interface_id])
        assert (found.instance_id, found.status) == (instance_id, "InUse")
        with refused("InvalidOperation.InvalidEniState"):
            fleet.run(status="", network_interface=[Entry(network_interface_id=interface_id)])
        with refused("InvalidParameter", text="Amount"):
            fleet.run(status="", amount=2, network_interface=[Entry(network_interface_id=interface_id)])
        with refused("InvalidEniId.NotFound", 404):
            fleet.run(status="", network_interface=[Entry(network_interface_id="eni-nowhere")])

    def test_what_cannot_be_is_refused_and_takes_no_address(self, fleet, make_vswitch, vpc_client):
        far = make_vswitch(fleet.vpc_id, inner("4.0/24"), zone_id="cn-hangzhou-i")
        free = available(vpc_client, fleet.vswitch_id)
        cases = [
            (
                [Entry(instance_type="Tertiary")],
                "InvalidNetworkInterface.InstanceType.ValueNotSupported",
                400,
            ),
            ([Entry(instance_type="Primary")] * 2, "InvalidParameter", 400),
            ([Entry(instance_type="Secondary")] * 8, "EniPerInstanceLimitExceeded", 403),
            (
                [Entry(instance_type="Secondary", v_switch_id=far)],
                "InvalidOperation.AvailabilityZoneMismatch",
                403,
            ),
            (
                [Entry(instance_type="Secondary", v_switch_id="vsw-nowhere")],
                "InvalidVSwitchId.NotFound",
                404,
            ),
            (
                [Entry(instance_type="Secondary", primary_ip_address="10.99.0.1")],
                "InvalidPrivateIpAddress.Malformed",
                400,
            ),
            (
                [Entry(instance_type="Secondary", network_interface_traffic_mode="HighPerformance")],
                "InvalidInstanceType.NotSupportERI",
                403,
            ),
        ]
        for entries, code, status in cases:
            with refused(code, status):
                fleet.run(status="", network_interface=entries)
        assert available(vpc_client, fleet.vswitch_id) == free
        (instance_id,) = fleet.run(private_ip_address=inner("0.200"))
        assert fleet.address(instance_id) == served("0.200")


def available(client: VpcClient, vswitch_id: str) -> int:
    return client.describe_vswitch_attributes(
        vpc.DescribeVSwitchAttributesRequest(v_switch_id=vswitch_id)
    ).body.available_ip_address_count


class TestFurtherAddresses:
    def assign(self, fleet, interface_id: str, **settings: object) -> list[str]:
        return fleet.ecs_client.assign_private_ip_addresses(
            models.AssignPrivateIpAddressesRequest(
                region_id=REGION, network_interface_id=interface_id, **settings
            )
        ).body.assigned_private_ip_addresses_set.private_ip_set.private_ip_address

    def unassign(self, fleet, interface_id: str, *taken: str) -> None:
        fleet.ecs_client.unassign_private_ip_addresses(
            models.UnassignPrivateIpAddressesRequest(
                region_id=REGION, network_interface_id=interface_id, private_ip_address=list(taken)
            )
        )

    def test_an_interface_gets_those_that_are_named_or_as_many_as_are_asked_for(self, fleet):
        interface_id = make_interface(fleet, primary_ip_address=inner("0.30"))
        assert self.assign(fleet, interface_id, private_ip_address=[inner("0.31")]) == [served("0.31")]
        further = self.assign(fleet, interface_id, secondary_private_ip_address_count=2)
        assert len(set(further)) == 2
        (found,) = interfaces(fleet, network_interface_id=[interface_id])
        assert addresses(found) == [served("0.30"), served("0.31"), *further]
        assert [one.primary for one in found.private_ip_sets.private_ip_set] == [True, False, False, False]

        self.unassign(fleet, interface_id, served("0.31"))
        (found,) = interfaces(fleet, network_interface_id=[interface_id])
        assert addresses(found) == [served("0.30"), *further]
        delete_interface(fleet, interface_id)
        # What it had can be had again.
        again = make_interface(fleet, primary_ip_address=further[0].replace("127.", "10.", 1))
        delete_interface(fleet, again)

    def test_an_instances_own_interface_has_further_ones_until_it_is_released(self, fleet):
        (instance_id,) = fleet.run()
        (own,) = fleet.instance(instance_id).network_interfaces.network_interface
        (address,) = self.assign(fleet, own.network_interface_id, secondary_private_ip_address_count=1)
        shown = fleet.instance(instance_id).network_interfaces.network_interface[0]
        assert addresses(shown) == [fleet.address(instance_id), address]
        (told,) = interfaces(fleet, instance_id=instance_id)
        assert addresses(told) == [fleet.address(instance_id), address]
        fleet.delete(instance_id)
        fleet.wait_status(instance_id, "gone")
        (heir,) = fleet.run(private_ip_address=address.replace("127.", "10.", 1))
        assert fleet.address(heir) == address

    def test_what_cannot_be_is_refused(self, fleet):
        interface_id = make_interface(fleet, primary_ip_address=inner("0.40"))
        with refused("MissingParameter", text="PrivateIpAddress"):
            self.assign(fleet, interface_id)
        with refused("InvalidPrivateIpAddress.Duplicated", 403):
            self.assign(fleet, interface_id, private_ip_address=[inner("0.40")])
        with refused("InvalidPrivateIpAddress.Malformed"):
            self.assign(fleet, interface_id, private_ip_address=["10.99.0.1"])
        with refused("InvalidPrivateIpAddress.Malformed"):
            self.assign(fleet, interface_id, private_ip_address=[inner("0.253")])
        with refused("InvalidIp.LimitExceeded", 403):
            self.assign(fleet, interface_id, secondary_private_ip_address_count=10)
        with refused("InvalidEniId.NotFound", 404):
            self.assign(fleet, "eni-nowhere", secondary_private_ip_address_count=1)
        with refused("InvalidIp.PrimaryIp"):
            self.unassign(fleet, interface_id, served("0.40"))
        with refused("InvalidIp.IpUnassigned"):
            self.unassign(fleet, interface_id, served("0.41"))
        with refused("MissingParameter", text="PrivateIpAddress"):
            self.unassign(fleet, interface_id)
        delete_interface(fleet, interface_id)

    def test_one_can_be_made_with_several(self, fleet):
        interface_id = make_interface(
            fleet, primary_ip_address=inner("0.50"), private_ip_address=[inner("0.51"), inner("0.52")]
        )
        told = fleet.ecs_client.describe_network_interface_attribute(
            models.DescribeNetworkInterfaceAttributeRequest(
                region_id=REGION, network_interface_id=interface_id
            )
        ).body
        assert addresses(told) == [served("0.50"), served("0.51"), served("0.52")]
        for address, found in ((served("0.52"), [interface_id]), (served("0.53"), [])):
            seen = interfaces(fleet, private_ip_address=[address])
            assert [one.network_interface_id for one in seen] == found
        assert (told.type, told.status) == ("Secondary", "Available")
        with refused("InvalidIp.LimitExceeded", 403):
            make_interface(fleet, secondary_private_ip_address_count=10)
        with refused("InvalidEniId.NotFound", 404):
            fleet.ecs_client.describe_network_interface_attribute(
                models.DescribeNetworkInterfaceAttributeRequest(
                    region_id=REGION, network_interface_id="eni-nowhere"
                )
            )
        delete_interface(fleet, interface_id)


class TestWhatIsToldOfOne:
    def test_a_list_that_is_always_empty_here_is_in_the_answer(self, fleet):
        # The vendor's Terraform provider reads all three of each interface, and breaks off where one is missing.
        interface_id = make_interface(fleet)
        (instance_id,) = fleet.run()
        found = [
            *interfaces(fleet, network_interface_id=[interface_id]),
            *interfaces(fleet, instance_id=instance_id),
            *fleet.instance(instance_id).network_interfaces.network_interface,
        ]
        assert [one.ipv_6sets.ipv_6set for one in found] == [[], [], []]
        assert [one.ipv_4prefix_sets.ipv_4prefix_set for one in found] == [[], [], []]
        assert [one.ipv_6prefix_sets.ipv_6prefix_set for one in found] == [[], [], []]
        delete_interface(fleet, interface_id)

    def test_the_check_of_sources_and_the_queues_are_as_they_were_set(self, fleet):
        interface_id = make_interface(fleet, source_dest_check=True, queue_number=2)
        (instance_id,) = fleet.run(network_interface=[Entry(instance_type="Primary", source_dest_check=True)])
        (own,) = interfaces(fleet, instance_id=instance_id)
        (other,) = interfaces(fleet, network_interface_id=[interface_id])
        assert (own.source_dest_check, other.source_dest_check, other.queue_number) == (True, True, 2)
        for one in (own, other):
            fleet.ecs_client.modify_network_interface_attribute(
                models.ModifyNetworkInterfaceAttributeRequest(
                    region_id=REGION, network_interface_id=one.network_interface_id, source_dest_check=False
                )
            )
            (changed,) = interfaces(fleet, network_interface_id=[one.network_interface_id])
            assert changed.source_dest_check is False
        delete_interface(fleet, interface_id)

    def test_the_queue_pairs_and_the_card_are_as_they_were_set(self, fleet):
        erdma = {"network_interface_traffic_mode": "HighPerformance", "queue_pair_number": 22}
        (instance_id,) = fleet.run(
            instance_type="ecs.gn8is.2xlarge",
            network_interface=[
                Entry(instance_type="Primary", **erdma),
                Entry(instance_type="Secondary", network_card_index=1, **erdma),
            ],
        )
        found = {one.type: one for one in interfaces(fleet, instance_id=instance_id)}
        assert {one.queue_pair_number for one in found.values()} == {22}
        cards = {kind: one.attachment.network_card_index for kind, one in found.items()}
        assert cards == {"Primary": 0, "Secondary": 1}

    def test_the_elastic_address_of_one_is_told(self, fleet, vpc_client):
        interface_id = make_interface(fleet)
        (instance_id,) = fleet.run(network_interface=[Entry(network_interface_id=interface_id)])
        eip = vpc_client.allocate_eip_address(vpc.AllocateEipAddressRequest(region_id=REGION)).body
        vpc_client.associate_eip_address(
            vpc.AssociateEipAddressRequest(
                allocation_id=eip.allocation_id, instance_id=interface_id, instance_type="NetworkInterface"
            )
        )
        (found,) = interfaces(fleet, network_interface_id=[interface_id])
        assert found.associated_public_ip.public_ip_address == eip.eip_address
        assert found.associated_public_ip.allocation_id == eip.allocation_id
        vpc_client.unassociate_eip_address(
            vpc.UnassociateEipAddressRequest(allocation_id=eip.allocation_id, instance_id=interface_id)
        )
        assert not interfaces(fleet, network_interface_id=[interface_id])[0].associated_public_ip
        vpc_client.release_eip_address(vpc.ReleaseEipAddressRequest(allocation_id=eip.allocation_id))
        fleet.delete(instance_id)
        fleet.wait_status(instance_id, "gone")

    def test_addresses_of_ipv6_and_prefixes_are_refused(self, fleet):
        for settings in (
            {"ipv_6address_count": 1},
            {"ipv_4prefix": [inner("0.16/28")]},
            {"enable_primary_ipv_6": True},
            {
                "connection_tracking_configuration": (
                    models.CreateNetworkInterfaceRequestConnectionTrackingConfiguration(udp_timeout=20)
                )
            },
            {"instance_type": "Trunk"},
        ):
            with refused("UnsupportedOperation"):
                make_interface(fleet, **settings)
        with refused("UnsupportedOperation", text="Ipv4PrefixCount"):
            fleet.ecs_client.assign_private_ip_addresses(
                models.AssignPrivateIpAddressesRequest(
                    region_id=REGION, network_interface_id="eni-1", ipv_4prefix_count=1
                )
            )
