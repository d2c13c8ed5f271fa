"""Secondary network interfaces in network namespaces, as the API's calls bring and take them."""

from __future__ import annotations

import os
import signal
import socket
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest
from alibabacloud_ecs20140526 import models as ecs
from alibabacloud_vpc20160428 import models as vpc
from local_fleet import REGION, VPC_CIDR, LocalFleet
from namespace_cloud import PATIENCE_S, in_instance, standing_cloud, standing_fleets
from traffic import wait_until

from steelyard.localcloud import daemon
from steelyard.localcloud.hosts.choice import missing_part

MISSING = missing_part()
pytestmark = pytest.mark.skipif(bool(MISSING), reason=f"no namespace host here: {MISSING}")
PORT = 9000


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Iterator[Path]:
    """Data folder of a cloud on the namespace host, which runs."""
    folder = tmp_path_factory.mktemp("interfaces") / "cloud"
    with standing_cloud(folder):
        yield folder


@pytest.fixture
def fleet(folder) -> Iterator[LocalFleet]:
    with standing_fleets(folder) as make:
        yield make()


@pytest.fixture
def make_interface(fleet) -> Callable[..., tuple[str, str]]:
    """Make interfaces in a VSwitch of their own; give id and address of each."""
    vswitch_id = make_vswitch(fleet, VPC_CIDR.replace(".0.0/16", ".1.0/24"))

    def make(group_id: str = "") -> tuple[str, str]:
        made = fleet.ecs_client.create_network_interface(
            ecs.CreateNetworkInterfaceRequest(
                region_id=REGION, v_switch_id=vswitch_id, security_group_id=group_id or fleet.group_id
            )
        ).body
        return made.network_interface_id, made.private_ip_address

    return make


def make_vswitch(fleet: LocalFleet, cidr: str) -> str:
    made = fleet.vpc_client.create_vswitch(
        vpc.CreateVSwitchRequest(
            region_id=REGION, vpc_id=fleet.vpc_id, cidr_block=cidr, zone_id="cn-hangzhou-h"
        )
    ).body.v_switch_id
    request = vpc.DescribeVSwitchAttributesRequest(v_switch_id=made)
    wait_until(
        lambda: fleet.vpc_client.describe_vswitch_attributes(request).body.status,
        lambda status: status == "Available",
    )
    return str(made)


def attach(fleet: LocalFleet, interface_id: str, instance_id: str) -> None:
    fleet.ecs_client.attach_network_interface(
        ecs.AttachNetworkInterfaceRequest(
            region_id=REGION, network_interface_id=interface_id, instance_id=instance_id
        )
    )


def detach(fleet: LocalFleet, interface_id: str, instance_id: str) -> None:
    fleet.ecs_client.detach_network_interface(
        ecs.DetachNetworkInterfaceRequest(
            region_id=REGION, network_interface_id=interface_id, instance_id=instance_id
        )
    )


@contextmanager
def listening(fleet: LocalFleet, instance_id: str) -> Iterator[None]:
    """Listen on every address of an instance."""

    def listen() -> socket.socket:
        return socket.create_server(("0.0.0.0", PORT), backlog=8)

    with closing(in_instance(fleet, instance_id, listen)):
        yield


def reaches(fleet: LocalFleet, instance_id: str, address: str, source: str = "") -> bool:
    """Tell whether a connection from an instance is answered."""

    def connect() -> bool:
        with socket.socket() as client:
            client.settimeout(PATIENCE_S)
            try:
                client.bind((source, 0))
                client.connect((address, PORT))
            except OSError:
                return False
            return True

    return in_instance(fleet, instance_id, connect)


def test_one_is_there_when_the_call_is_answered_and_gone_when_it_is_taken(fleet, make_interface):
    server, client = fleet.run(2)
    interface_id, address = make_interface()
    with listening(fleet, server):
        assert not reaches(fleet, client, address)
        attach(fleet, interface_id, server)
        assert reaches(fleet, client, address)
        detach(fleet, interface_id, server)
        assert not reaches(fleet, client, address)
        attach(fleet, interface_id, client)
    with listening(fleet, client):
        assert reaches(fleet, server, address)


def test_it_stays_over_a_reboot_and_a_kill_of_the_cloud(fleet, folder, make_interface):
    server, client = fleet.run(2)
    interface_id, address = make_interface()
    attach(fleet, interface_id, server)
    fleet.stop(server)
    fleet.ecs_client.start_instance(ecs.StartInstanceRequest(instance_id=server))
    wait_until(lambda: fleet.statuses(server)[server] == "Running")
    with listening(fleet, server):
        assert reaches(fleet, client, address)

    os.kill(fleet.cloud.pid, signal.SIGKILL)
    wait_until(lambda: daemon.status(folder) is None)
    fleet.connect(daemon.start(folder))

    with listening(fleet, server):
        assert reaches(fleet, client, address)
        detach(fleet, interface_id, server)
        assert not reaches(fleet, client, address)


def test_an_instance_gets_further_addresses_and_loses_them(fleet):
    server, client = fleet.run(2)
    (own,) = fleet.ecs_client.describe_network_interfaces(
        ecs.DescribeNetworkInterfacesRequest(region_id=REGION, instance_id=server)
    ).body.network_interface_sets.network_interface_set
    named = {"region_id": REGION, "network_interface_id": own.network_interface_id}
    (address,) = fleet.ecs_client.assign_private_ip_addresses(
        ecs.AssignPrivateIpAddressesRequest(**named, secondary_private_ip_address_count=1)
    ).body.assigned_private_ip_addresses_set.private_ip_set.private_ip_address
    with listening(fleet, server):
        assert reaches(fleet, client, address)
        fleet.ecs_client.unassign_private_ip_addresses(
            ecs.UnassignPrivateIpAddressesRequest(**named, private_ip_address=[address])
        )
        assert not reaches(fleet, client, address)


def test_its_groups_say_whose_rules_its_address_is_meant_by(fleet, make_interface):
    server, client = fleet.run(2)
    guests = fleet.ecs_client.create_security_group(
        ecs.CreateSecurityGroupRequest(region_id=REGION, vpc_id=fleet.vpc_id)
    ).body.security_group_id
    house = fleet.ecs_client.create_security_group(
        ecs.CreateSecurityGroupRequest(region_id=REGION, vpc_id=fleet.vpc_id)
    ).body.security_group_id
    fleet.ecs_client.modify_instance_attribute(
        ecs.ModifyInstanceAttributeRequest(instance_id=server, security_group_ids=[house])
    )
    fleet.ecs_client.authorize_security_group(
        ecs.AuthorizeSecurityGroupRequest(
            region_id=REGION,
            security_group_id=house,
            ip_protocol="TCP",
            port_range=f"{PORT}/{PORT}",
            source_group_id=guests,
        )
    )
    interface_id, source = make_interface(guests)
    attach(fleet, interface_id, client)
    address = fleet.addresses(server)[server]
    with listening(fleet, server):
        assert not reaches(fleet, client, address)
        assert reaches(fleet, client, address, source=source)


def test_running_instances_reach_a_further_block_of_their_vpc(fleet):
    server, client = fleet.run(2)
    fleet.vpc_client.associate_vpc_cidr_block(
        vpc.AssociateVpcCidrBlockRequest(
            region_id=REGION, vpc_id=fleet.vpc_id, secondary_cidr_block="192.168.0.0/16"
        )
    )
    vswitch_id = make_vswitch(fleet, "192.168.0.0/24")
    made = fleet.ecs_client.create_network_interface(
        ecs.CreateNetworkInterfaceRequest(
            region_id=REGION, v_switch_id=vswitch_id, security_group_id=fleet.group_id
        )
    ).body
    attach(fleet, made.network_interface_id, server)
    with listening(fleet, server):
        wait_until(lambda: reaches(fleet, client, made.private_ip_address))


def run_command(fleet: LocalFleet, instance_id: str, script: str) -> str:
    """Run a script by Cloud Assistant, and give what it writes."""
    invoke_id = fleet.ecs_client.run_command(
        ecs.RunCommandRequest(
            region_id=REGION, type="RunShellScript", command_content=script, instance_id=[instance_id]
        )
    ).body.invoke_id
    request = ecs.DescribeInvocationResultsRequest(
        region_id=REGION, invoke_id=invoke_id, content_encoding="PlainText"
    )

    def result():
        found = fleet.ecs_client.describe_invocation_results(request).body
        return found.invocation.invocation_results.invocation_result[0]

    wait_until(lambda: result().invocation_status != "Running")
    return str(result().output)


def test_a_command_runs_in_the_network_of_its_instance_and_of_one_that_was_taken_up(fleet, folder):
    (instance_id,) = fleet.run(1)
    script = "curl -s http://100.100.100.200/latest/meta-data/instance-id; echo; grep -c eth0 /proc/net/dev"
    assert run_command(fleet, instance_id, script) == f"{instance_id}\n1\n"

    os.kill(fleet.cloud.pid, signal.SIGKILL)
    wait_until(lambda: daemon.status(folder) is None)
    fleet.connect(daemon.start(folder))

    assert run_command(fleet, instance_id, script) == f"{instance_id}\n1\n"
