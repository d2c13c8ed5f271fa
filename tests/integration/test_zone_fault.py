"""A zone without power, and the load balancers that stand in it: real HAProxys before real instances."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass

import pytest
from alibabacloud_nlb20220430 import models as nlb
from alibabacloud_nlb20220430.client import Client as NlbClient
from alibabacloud_slb20140515 import models as slb
from alibabacloud_tea_openapi.utils_models import Config
from local_fleet import PORT, REGION, SECOND_CIDR, ZONES, LocalFleet
from traffic import ask, wait_until

from steelyard.localcloud.daemon import CloudInfo
from steelyard.localcloud.faults.client import FaultClient
from steelyard.localcloud.faults.fault import Order

FRONT_PORT = 8080


@dataclass(frozen=True, kw_only=True)
class Scene:
    """A classic load balancer and a network one in two zones, before an instance in each of them.

    Attributes:
        classic: The classic one's address; the zone of the first instance is its primary one.
        network_id: The network one's id.
        instance_ids: The instances, by zone.
    """

    fleet: LocalFleet
    client: NlbClient
    classic: str
    network_id: str
    instance_ids: dict[str, str]

    def network(self) -> nlb.GetLoadBalancerAttributeResponseBody:
        request = nlb.GetLoadBalancerAttributeRequest(region_id=REGION, load_balancer_id=self.network_id)
        return self.client.get_load_balancer_attribute(request).body

    def addresses(self) -> dict[str, str]:
        """Give the network one's address in each zone."""
        return {
            zone.zone_id: zone.load_balancer_addresses[0].private_ipv_4address
            for zone in self.network().zone_mappings
        }

    def health(self) -> dict[str, str]:
        """Give what is told of the network one's address in each zone."""
        return {
            zone.zone_id: zone.load_balancer_addresses[0].private_ipv_4hc_status
            for zone in self.network().zone_mappings
        }


def takes_connections(address: str) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex((address, FRONT_PORT)) == 0


def servers_behind(address: str) -> set[str]:
    """Give the instances that answer through a load balancer; none where it serves no more."""
    return set(ask(address, FRONT_PORT, num_requests=8, num_clients=8).names())


@pytest.fixture(scope="module")
def scene(info: CloudInfo) -> Scene:
    fleet = LocalFleet(info)
    vswitches = dict(zip(ZONES, (fleet.vswitch_id, fleet.add_vswitch(SECOND_CIDR, ZONES[1])), strict=True))
    instance_ids = {}
    for zone, vswitch_id in vswitches.items():
        fleet.vswitch_id = vswitch_id
        (instance_ids[zone],) = fleet.run(1)
    made = fleet.slb_client.create_load_balancer(
        slb.CreateLoadBalancerRequest(
            region_id=REGION,
            v_switch_id=vswitches[ZONES[0]],
            address_type="intranet",
            master_zone_id=ZONES[0],
            slave_zone_id=ZONES[1],
        )
    ).body
    fleet.balancer_id = made.load_balancer_id
    fleet.server_group_id = fleet.slb_client.create_vserver_group(
        slb.CreateVServerGroupRequest(region_id=REGION, load_balancer_id=fleet.balancer_id)
    ).body.vserver_group_id
    fleet.add(dict.fromkeys(instance_ids.values(), 100))
    fleet.listen(FRONT_PORT)
    client = NlbClient(
        Config(
            access_key_id=info.access_key_id,
            access_key_secret=info.access_key_secret,
            endpoint=info.endpoint,
            protocol="http",
            region_id=REGION,
        )
    )
    return Scene(
        fleet=fleet,
        client=client,
        classic=made.address,
        network_id=make_network(client, fleet.vpc_id, vswitches, list(instance_ids.values())),
        instance_ids=instance_ids,
    )


def make_network(client: NlbClient, vpc_id: str, vswitches: dict[str, str], instance_ids: list[str]) -> str:
    """Make a network load balancer with a listener that checks its servers' health."""
    mappings = [
        nlb.CreateLoadBalancerRequestZoneMappings(zone_id=zone, v_switch_id=vswitch_id)
        for zone, vswitch_id in vswitches.items()
    ]
    balancer_id = client.create_load_balancer(
        nlb.CreateLoadBalancerRequest(
            region_id=REGION, address_type="Intranet", vpc_id=vpc_id, zone_mappings=mappings
        )
    ).body.loadbalancer_id
    group_id = client.create_server_group(
        nlb.CreateServerGroupRequest(
            region_id=REGION,
            vpc_id=vpc_id,
            server_group_name="nodes",
            health_check_config=nlb.CreateServerGroupRequestHealthCheckConfig(
                health_check_interval=1, health_check_connect_timeout=1
            ),
        )
    ).body.server_group_id
    servers = [
        nlb.AddServersToServerGroupRequestServers(server_id=one, server_type="Ecs", port=PORT, weight=100)
        for one in instance_ids
    ]
    client.add_servers_to_server_group(
        nlb.AddServersToServerGroupRequest(region_id=REGION, server_group_id=group_id, servers=servers)
    )
    client.create_listener(
        nlb.CreateListenerRequest(
            region_id=REGION,
            load_balancer_id=balancer_id,
            listener_protocol="TCP",
            listener_port=FRONT_PORT,
            server_group_id=group_id,
        )
    )
    return balancer_id


@pytest.fixture
def faults(info: CloudInfo, scene: Scene) -> Iterator[FaultClient]:
    both = set(scene.instance_ids.values())
    for address in (scene.classic, *scene.addresses().values()):
        wait_until(lambda address=address: servers_behind(address), lambda seen: seen == both)
    client = FaultClient(info)
    yield client
    client.clear()


def strike(faults: FaultClient, zone: str) -> None:
    faults.make(Order(kind="zone", target=zone))


def test_a_network_load_balancer_loses_the_zones_address_and_serves_on_the_others(
    scene: Scene, faults: FaultClient
) -> None:
    first, second = (scene.addresses()[zone] for zone in ZONES)
    assert scene.network().dnsname == first
    strike(faults, ZONES[0])
    assert not takes_connections(first)
    assert scene.network().dnsname == second
    assert scene.health() == {ZONES[0]: "Unhealthy", ZONES[1]: "Healthy"}
    survivor = {scene.instance_ids[ZONES[1]]}
    wait_until(lambda: servers_behind(second), lambda seen: seen == survivor)

    faults.clear()
    assert takes_connections(first)
    assert scene.network().dnsname == first
    wait_until(lambda: servers_behind(first), lambda seen: seen == set(scene.instance_ids.values()))


def test_a_zone_of_others_is_none_of_a_load_balancers_business(scene: Scene, faults: FaultClient) -> None:
    held = socket.create_connection((scene.classic, FRONT_PORT), timeout=5)
    strike(faults, "cn-hangzhou-k")
    assert all(map(takes_connections, (scene.classic, *scene.addresses().values())))
    held.sendall(b"GET / HTTP/1.0\r\n\r\n")
    assert held.recv(100)
    held.close()


def test_a_classic_load_balancer_moves_to_its_secondary_zone_under_its_address(
    scene: Scene, faults: FaultClient
) -> None:
    held = socket.create_connection((scene.classic, FRONT_PORT), timeout=5)
    held.sendall(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
    assert held.recv(1000)
    strike(faults, ZONES[0])
    with suppress(ConnectionResetError):
        assert held.recv(100) == b"", "what passed through the primary zone is cut"
    held.close()
    survivor = {scene.instance_ids[ZONES[1]]}
    wait_until(lambda: servers_behind(scene.classic), lambda seen: seen == survivor)

    strike(faults, ZONES[1])
    assert not takes_connections(scene.classic), "both of its zones are out"
    faults.clear()
    wait_until(lambda: servers_behind(scene.classic), lambda seen: seen == set(scene.instance_ids.values()))


def test_the_secondary_zone_goes_and_no_connection_with_it(scene: Scene, faults: FaultClient) -> None:
    held = socket.create_connection((scene.classic, FRONT_PORT), timeout=5)
    strike(faults, ZONES[1])
    held.sendall(b"GET / HTTP/1.0\r\n\r\n")
    assert scene.instance_ids[ZONES[0]].encode() in held.recv(1000)
    held.close()
