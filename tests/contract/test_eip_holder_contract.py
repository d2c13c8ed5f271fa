"""Elastic addresses of instances and of network interfaces, by the vendor's SDKs."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from alibabacloud_ecs20140526 import models as ecs
from alibabacloud_vpc20160428 import models
from contract_egress import REGION, Egress, standing_egress
from contract_sdk import refused


@pytest.fixture
def egress(vpc_client, fleet) -> Iterator[Egress]:
    with standing_egress(vpc_client, fleet.vpc_id, fleet.vswitch_id) as made:
        yield made


def make_interface(fleet) -> str:
    return fleet.ecs_client.create_network_interface(
        ecs.CreateNetworkInterfaceRequest(
            region_id=REGION, v_switch_id=fleet.vswitch_id, security_group_id=fleet.group_id
        )
    ).body.network_interface_id


def delete_interface(fleet, interface_id: str) -> None:
    fleet.ecs_client.delete_network_interface(
        ecs.DeleteNetworkInterfaceRequest(region_id=REGION, network_interface_id=interface_id)
    )


def change_mode(egress: Egress, allocation_id: str, mode: str) -> None:
    egress.client.modify_eip_forward_mode(
        models.ModifyEipForwardModeRequest(region_id=REGION, instance_id=allocation_id, mode=mode)
    )


class TestInstance:
    def test_it_is_shown_with_the_address_that_it_holds(self, fleet, egress):
        (instance_id,) = fleet.run()
        eip = egress.allocate(bandwidth="20")
        egress.bind(eip.allocation_id, instance_id=instance_id, instance_type="EcsInstance")

        shown = fleet.instance(instance_id).eip_address
        assert (shown.allocation_id, shown.ip_address, shown.bandwidth) == (
            eip.allocation_id,
            eip.eip_address,
            20,
        )
        (told,) = egress.eips(associated_instance_id=instance_id)
        assert (told.status, told.instance_type, told.private_ip_address, told.vpc_id) == (
            "InUse",
            "EcsInstance",
            fleet.address(instance_id),
            fleet.vpc_id,
        )
        egress.unbind(eip.allocation_id, instance_id=instance_id, instance_type="EcsInstance")
        assert fleet.instance(instance_id).eip_address.allocation_id == ""

    def test_it_holds_one_and_none_beside_a_public_address_of_its_own(self, fleet, egress):
        (instance_id,) = fleet.run()
        (public_id,) = fleet.run(internet_max_bandwidth_out=5)
        first, second = egress.allocate(), egress.allocate()
        egress.bind(first.allocation_id, instance_id=instance_id, instance_type="EcsInstance")
        with refused("InvalidAssociation.Duplicated"):
            egress.bind(second.allocation_id, instance_id=instance_id, instance_type="EcsInstance")
        with refused("InvalidStatus.InstanceHasBandWidth"):
            egress.bind(second.allocation_id, instance_id=public_id, instance_type="EcsInstance")
        with refused("InvalidInstanceId.NotFound", 404):
            egress.bind(second.allocation_id, instance_id="i-nowhere", instance_type="EcsInstance")
        with refused("IncorrectEipStatus"):
            egress.bind(first.allocation_id, instance_id=egress.gateway_id)

    def test_its_release_frees_the_address(self, fleet, egress):
        (instance_id,) = fleet.run()
        eip = egress.allocate()
        egress.bind(eip.allocation_id, instance_id=instance_id, instance_type="EcsInstance")
        fleet.delete(instance_id)
        (told,) = egress.eips(allocation_id=eip.allocation_id)
        assert (told.status, told.instance_id, told.private_ip_address) == ("Available", "", "")


class TestInterface:
    def test_one_that_comes_and_goes_sees_its_address_in_another_mode(self, fleet, egress):
        interface_id = make_interface(fleet)
        eip = egress.allocate()
        egress.bind(
            eip.allocation_id, instance_id=interface_id, instance_type="NetworkInterface", mode="BINDED"
        )
        assert egress.eips(allocation_id=eip.allocation_id)[0].mode == "BINDED"
        change_mode(egress, eip.allocation_id, "MULTI_BINDED")
        assert egress.eips(allocation_id=eip.allocation_id)[0].mode == "MULTI_BINDED"
        with refused("InvalidParameter", text="Mode"):
            change_mode(egress, eip.allocation_id, "ELSE")
        with refused("InvalidOperation.EniHasEip", 403):
            delete_interface(fleet, interface_id)
        egress.unbind(eip.allocation_id, instance_id=interface_id, instance_type="NetworkInterface")
        delete_interface(fleet, interface_id)

    def test_no_other_holder_has_modes(self, fleet, egress):
        (instance_id,) = fleet.run()
        eip, free = egress.allocate(), egress.allocate()
        with refused("OperationUnsupported.Mode"):
            egress.bind(
                eip.allocation_id, instance_id=instance_id, instance_type="EcsInstance", mode="BINDED"
            )
        egress.bind(eip.allocation_id, instance_id=instance_id, instance_type="EcsInstance")
        with refused("OperationUnsupported.Mode"):
            change_mode(egress, eip.allocation_id, "BINDED")
        with refused("IncorrectEipStatus"):
            change_mode(egress, free.allocation_id, "BINDED")
        with refused("InvalidAllocationId.NotFound", 404):
            change_mode(egress, "eip-nowhere", "NAT")

    def test_one_that_goes_with_its_instance_frees_the_address(self, fleet, egress):
        (instance_id,) = fleet.run()
        interface_id = make_interface(fleet)
        fleet.ecs_client.attach_network_interface(
            ecs.AttachNetworkInterfaceRequest(
                region_id=REGION, network_interface_id=interface_id, instance_id=instance_id
            )
        )
        eip = egress.allocate()
        egress.bind(eip.allocation_id, instance_id=interface_id, instance_type="NetworkInterface")
        fleet.delete(instance_id)
        assert egress.eips(allocation_id=eip.allocation_id)[0].status == "Available"


def test_fine_grained_monitoring_is_logged_nowhere(egress):
    eip = egress.allocate()
    request = models.DescribeHighDefinitionMonitorLogAttributeRequest(
        region_id=REGION, instance_id=eip.allocation_id, instance_type="EIP"
    )
    told = egress.client.describe_high_definition_monitor_log_attribute(request).body
    assert (told.instance_id, told.log_project, told.success) == (eip.allocation_id, "", "true")
    request.instance_id = "eip-nowhere"
    with refused("InvalidAllocationId.NotFound", 404):
        egress.client.describe_high_definition_monitor_log_attribute(request)


def test_fine_grained_monitoring_stays_off(egress):
    eip = egress.allocate()

    def switch(status: str, instance_id: str = eip.allocation_id) -> None:
        egress.client.set_high_definition_monitor_log_status(
            models.SetHighDefinitionMonitorLogStatusRequest(
                region_id=REGION, instance_id=instance_id, instance_type="EIP", status=status
            )
        )

    switch("OFF")
    with refused("UnsupportedOperation", text="Simple Log Service"):
        switch("ON")
    with refused("InvalidParameter", text="Status"):
        switch("HALF")
    with refused("InvalidAllocationId.NotFound", 404):
        switch("OFF", "eip-nowhere")
