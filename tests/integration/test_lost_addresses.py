"""Addresses that nothing holds while a cloud is away: another one may take them, and that is told."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from alibabacloud_ecs20140526 import models as ecs
from alibabacloud_slb20140515 import models as slb
from alibabacloud_tea_openapi.exceptions import AlibabaCloudException
from local_fleet import REGION, LocalFleet
from traffic import ask, wait_until

from steelyard.cli.cloud import start_cloud
from steelyard.localcloud import daemon
from steelyard.localcloud.hosts.address import AddressBook


@pytest.fixture
def fleet(tmp_path: Path) -> Iterator[LocalFleet]:
    fleet = LocalFleet(daemon.start(tmp_path / "cloud"))
    yield fleet
    assert daemon.stop(tmp_path / "cloud").left == ()


@pytest.fixture
def restart(fleet: LocalFleet, capsys: pytest.CaptureFixture[str]) -> Callable[..., str]:
    """Stop the cloud, and start it again by the command while somebody has taken addresses; give what it says."""

    def run(*taken: str) -> str:
        folder = Path(fleet.cloud.data_dir)
        daemon.stop(folder)
        other = AddressBook()
        try:
            for address in taken:
                other.claim_exactly(address)
            start_cloud(data=folder)
        finally:
            other.release_all()
        info = daemon.status(folder)
        assert info is not None
        fleet.connect(info)
        return " ".join(capsys.readouterr().err.split())

    return run


def make_interface(fleet: LocalFleet) -> tuple[str, str]:
    made = fleet.ecs_client.create_network_interface(
        ecs.CreateNetworkInterfaceRequest(
            region_id=REGION, v_switch_id=fleet.vswitch_id, security_group_id=fleet.group_id
        )
    ).body
    return made.network_interface_id, made.private_ip_address


def attach(fleet: LocalFleet, interface_id: str, instance_id: str) -> None:
    fleet.ecs_client.attach_network_interface(
        ecs.AttachNetworkInterfaceRequest(
            region_id=REGION, network_interface_id=interface_id, instance_id=instance_id
        )
    )


def balancer_status(fleet: LocalFleet) -> str:
    request = slb.DescribeLoadBalancerAttributeRequest(load_balancer_id=fleet.balancer_id)
    return fleet.slb_client.describe_load_balancer_attribute(request).body.load_balancer_status


def activate(fleet: LocalFleet) -> None:
    fleet.slb_client.set_load_balancer_status(
        slb.SetLoadBalancerStatusRequest(
            region_id=REGION, load_balancer_id=fleet.balancer_id, load_balancer_status="active"
        )
    )


def test_what_another_cloud_took_is_told_refused_and_had_again_once_it_is_free(fleet, restart):
    lost, kept = fleet.run(2)
    address = fleet.addresses(lost)[lost]
    fleet.add({lost: 100})
    fleet.listen()
    interface_id, idle_address = make_interface(fleet)

    said = restart(address, idle_address, fleet.address)

    assert set(fleet.cloud.lost) == {
        f"{address} of {lost}",
        f"{idle_address} of {interface_id}",
        f"{fleet.address} of {fleet.balancer_id}",
    }
    assert all(one in said for one in ("another local cloud", *fleet.cloud.lost))
    wait_until(lambda: fleet.statuses(lost, kept) == {lost: "Stopped", kept: "Running"})
    assert balancer_status(fleet) == "inactive"

    other = AddressBook()
    other.claim_exactly(idle_address)
    other.claim_exactly(fleet.address)
    with pytest.raises(AlibabaCloudException, match="Duplicated"):
        attach(fleet, interface_id, kept)
    with pytest.raises(AlibabaCloudException, match=f"another local cloud has {fleet.address}"):
        activate(fleet)
    assert balancer_status(fleet) == "inactive"
    other.release_all()
    attach(fleet, interface_id, kept)
    fleet.ecs_client.start_instance(ecs.StartInstanceRequest(instance_id=lost))
    wait_until(lambda: fleet.statuses(lost)[lost] == "Running")
    activate(fleet)
    fleet.wait_healthy(lost)
    assert ask(fleet.address, 8080, 4).names() == {lost: 4}
    with pytest.raises(Exception, match="in use"):
        other.claim_exactly(fleet.address)

    assert "another local cloud" not in restart()
    assert fleet.cloud.lost == ()
