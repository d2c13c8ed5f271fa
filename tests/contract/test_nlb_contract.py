from __future__ import annotations

import http.client
import os
import signal
import socket
import time
from collections.abc import Callable, Iterator
from contextlib import closing

import psutil
import pytest
from alibabacloud_nlb20220430 import models
from alibabacloud_vpc20160428 import models as vpc
from contract_fleet import REGION, SERVER
from contract_sdk import refused, wait_for

ZONES = ("cn-hangzhou-h", "cn-hangzhou-i")


class Network:
    """Network load balancers in two zones of a fleet's VPC, by the names of the test's verbs."""

    def __init__(self, client, fleet, vswitch_ids):
        self.client, self.fleet, self.vswitch_ids = client, fleet, vswitch_ids
        self.balancer_ids: list[str] = []
        self.group_ids: list[str] = []

    def balance(self, vswitch_ids=None, zones=ZONES, **settings):
        mappings = [
            models.CreateLoadBalancerRequestZoneMappings(v_switch_id=vswitch_id, zone_id=zone)
            for vswitch_id, zone in zip(vswitch_ids or self.vswitch_ids, zones, strict=True)
        ]
        request = models.CreateLoadBalancerRequest(
            **{
                "region_id": REGION,
                "address_type": "Intranet",
                "vpc_id": self.fleet.vpc_id,
                "zone_mappings": mappings,
                "load_balancer_name": "front",
                **settings,
            }
        )
        made = self.client.create_load_balancer(request).body
        self.balancer_ids.append(made.loadbalancer_id)
        return made.loadbalancer_id

    def group(self, check=None, **settings):
        config = {
            "health_check_interval": 1,
            "health_check_connect_timeout": 1,
            "health_check_type": "TCP",
            **(check or {}),
        }
        request = models.CreateServerGroupRequest(
            **{
                "region_id": REGION,
                "vpc_id": self.fleet.vpc_id,
                "server_group_name": "nodes",
                "health_check_config": models.CreateServerGroupRequestHealthCheckConfig(**config),
                **settings,
            }
        )
        made = self.client.create_server_group(request).body
        self.group_ids.append(made.server_group_id)
        return made.server_group_id

    def listen(self, balancer_id, group_id, port=8000, **settings):
        request = models.CreateListenerRequest(
            **{
                "region_id": REGION,
                "load_balancer_id": balancer_id,
                "listener_port": port,
                "listener_protocol": "TCP",
                "server_group_id": group_id,
                **settings,
            }
        )
        return self.client.create_listener(request).body.listener_id

    def add(self, group_id, weights, **settings):
        servers = [
            models.AddServersToServerGroupRequestServers(
                **{"server_id": i, "server_type": "Ecs", "port": 8000, "weight": w, **settings}
            )
            for i, w in weights.items()
        ]
        return self.client.add_servers_to_server_group(
            models.AddServersToServerGroupRequest(region_id=REGION, server_group_id=group_id, servers=servers)
        ).body

    def weigh(self, group_id, weights):
        servers = [
            models.UpdateServerGroupServersAttributeRequestServers(
                server_id=i, server_type="Ecs", port=8000, weight=w
            )
            for i, w in weights.items()
        ]
        return self.client.update_server_group_servers_attribute(
            models.UpdateServerGroupServersAttributeRequest(
                region_id=REGION, server_group_id=group_id, servers=servers
            )
        ).body

    def remove(self, group_id, *server_ids):
        servers = [
            models.RemoveServersFromServerGroupRequestServers(server_id=i, server_type="Ecs", port=8000)
            for i in server_ids
        ]
        return self.client.remove_servers_from_server_group(
            models.RemoveServersFromServerGroupRequest(
                region_id=REGION, server_group_id=group_id, servers=servers
            )
        ).body

    def servers(self, group_id):
        found = self.client.list_server_group_servers(
            models.ListServerGroupServersRequest(region_id=REGION, server_group_id=group_id)
        ).body.servers
        return {server.server_id: server for server in found}

    def describe(self, balancer_id):
        return self.client.get_load_balancer_attribute(
            models.GetLoadBalancerAttributeRequest(region_id=REGION, load_balancer_id=balancer_id)
        ).body

    def addresses(self, balancer_id):
        zones = self.describe(balancer_id).zone_mappings
        return [zone.load_balancer_addresses[0].private_ipv_4address for zone in zones]

    def describe_listener(self, listener_id):
        return self.client.get_listener_attribute(
            models.GetListenerAttributeRequest(region_id=REGION, listener_id=listener_id)
        ).body

    def unhealthy(self, listener_id):
        entry = self.client.get_listener_health_status(
            models.GetListenerHealthStatusRequest(region_id=REGION, listener_id=listener_id)
        ).body.listener_health_status[0]
        return {server.server_id: server for server in entry.server_group_infos[0].non_normal_servers}

    def wait_healthy(self, listener_id):
        wait_for(lambda: self.unhealthy(listener_id), lambda servers: not servers)

    def job(self, job_id):
        return self.client.get_job_status(models.GetJobStatusRequest(job_id=job_id)).body.status

    def delete(self, balancer_id):
        return self.client.delete_load_balancer(
            models.DeleteLoadBalancerRequest(region_id=REGION, load_balancer_id=balancer_id)
        ).body

    def delete_group(self, group_id):
        return self.client.delete_server_group(
            models.DeleteServerGroupRequest(region_id=REGION, server_group_id=group_id)
        ).body

    def clear(self):
        listed = self.client.list_load_balancers(models.ListLoadBalancersRequest(region_id=REGION)).body
        for balancer in listed.load_balancers:
            if balancer.load_balancer_id in self.balancer_ids:
                self.delete(balancer.load_balancer_id)
        groups = self.client.list_server_groups(models.ListServerGroupsRequest(region_id=REGION)).body
        for group in groups.server_groups:
            if group.server_group_id in self.group_ids:
                self.delete_group(group.server_group_id)


@pytest.fixture
def network(nlb_client, fleet, make_vswitch: Callable[..., str]) -> Iterator[Network]:
    second = make_vswitch(fleet.vpc_id, "10.77.1.0/24", ZONES[1])
    network = Network(nlb_client, fleet, [fleet.vswitch_id, second])
    yield network
    network.clear()


def get(address: str, port: int = 8000) -> int:
    with closing(http.client.HTTPConnection(address, port, timeout=5)) as connection:
        connection.request("GET", "/")
        return connection.getresponse().status


class TestLoadBalancer:
    def test_stands_in_each_of_its_zones_with_an_address_of_its_vswitch(self, network):
        found = network.describe(network.balance())
        assert (found.load_balancer_status, found.address_type, found.load_balancer_name) == (
            "Active",
            "Intranet",
            "front",
        )
        assert {zone.zone_id for zone in found.zone_mappings} == set(ZONES)
        addresses = [z.load_balancer_addresses[0].private_ipv_4address for z in found.zone_mappings]
        assert [address.rpartition(".")[0] for address in addresses] == ["127.77.0", "127.77.1"]

    def test_is_called_by_an_address_that_can_be_reached(self, network):
        found = network.describe(network.balance())
        assert found.dnsname == found.zone_mappings[0].load_balancer_addresses[0].private_ipv_4address

    def test_that_faces_the_internet_has_a_public_address_in_each_zone(self, network):
        found = network.describe(network.balance(address_type="Internet"))
        public = [z.load_balancer_addresses[0].public_ipv_4address for z in found.zone_mappings]
        assert len(set(public)) == 2
        assert found.dnsname == public[0]

    def test_takes_the_addresses_that_are_asked_for(self, network):
        mappings = [
            models.CreateLoadBalancerRequestZoneMappings(
                v_switch_id=vswitch_id, zone_id=zone, private_ipv_4address=f"10.77.{number}.200"
            )
            for number, (vswitch_id, zone) in enumerate(zip(network.vswitch_ids, ZONES, strict=True))
        ]
        found = network.describe(network.balance(zone_mappings=mappings))
        addresses = [z.load_balancer_addresses[0].private_ipv_4address for z in found.zone_mappings]
        assert addresses == ["127.77.0.200", "127.77.1.200"]

    def test_is_listed_by_name_vpc_and_tag(self, network, nlb_client, fleet):
        tag = [models.CreateLoadBalancerRequestTag(key="team", value="a")]
        balancer_id = network.balance(load_balancer_name="listed", tag=tag)
        network.balance()
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

    def test_is_renamed_by_a_job(self, network, nlb_client):
        balancer_id = network.balance()
        done = nlb_client.update_load_balancer_attribute(
            models.UpdateLoadBalancerAttributeRequest(
                region_id=REGION, load_balancer_id=balancer_id, load_balancer_name="renamed"
            )
        ).body
        assert network.job(done.job_id) == "Succeeded"
        assert network.describe(balancer_id).load_balancer_name == "renamed"

    def test_that_is_protected_is_not_deleted(self, network, nlb_client):
        protection = models.CreateLoadBalancerRequestDeletionProtectionConfig(enabled=True, reason="in use")
        balancer_id = network.balance(deletion_protection_config=protection)
        assert network.describe(balancer_id).deletion_protection_config.enabled is True
        with refused("OperationDenied.DeletionProtection"):
            network.delete(balancer_id)
        nlb_client.update_load_balancer_protection(
            models.UpdateLoadBalancerProtectionRequest(
                region_id=REGION, load_balancer_id=balancer_id, deletion_protection_enabled=False
            )
        )
        assert network.job(network.delete(balancer_id).job_id) == "Succeeded"
        with refused("ResourceNotFound.loadBalancer", 404):
            network.describe(balancer_id)

    def test_joins_and_leaves_security_groups_of_its_vpc(self, network, nlb_client, fleet):
        balancer_id = network.balance()
        names = {"region_id": REGION, "load_balancer_id": balancer_id, "security_group_ids": [fleet.group_id]}
        nlb_client.load_balancer_join_security_group(models.LoadBalancerJoinSecurityGroupRequest(**names))
        assert network.describe(balancer_id).security_group_ids == [fleet.group_id]
        nlb_client.load_balancer_leave_security_group(models.LoadBalancerLeaveSecurityGroupRequest(**names))
        assert network.describe(balancer_id).security_group_ids == []
        with refused("InvalidSecurityGroupId.NotFound", 404):
            nlb_client.load_balancer_join_security_group(
                models.LoadBalancerJoinSecurityGroupRequest(**{**names, "security_group_ids": ["sg-none"]})
            )

    def test_keeps_its_vswitches(self, network, vpc_client):
        network.balance()
        with refused("DependencyViolation.LoadBalancer"):
            vpc_client.delete_vswitch(vpc.DeleteVSwitchRequest(v_switch_id=network.vswitch_ids[1]))

    def test_moves_to_another_zone_and_keeps_its_address_where_it_stays(
        self, network, nlb_client, fleet, make_vswitch
    ):
        balancer_id, group_id, (server_id,) = network.balance(), network.group(), fleet.run(SERVER)
        network.add(group_id, {server_id: 100})
        network.wait_healthy(network.listen(balancer_id, group_id))
        before = network.addresses(balancer_id)
        third = make_vswitch(fleet.vpc_id, "10.77.2.0/24", "cn-hangzhou-k")
        mappings = [
            models.UpdateLoadBalancerZonesRequestZoneMappings(
                v_switch_id=vswitch_id,
                zone_id=zone,
            )
            for vswitch_id, zone in ((network.vswitch_ids[0], ZONES[0]), (third, "cn-hangzhou-k"))
        ]
        done = nlb_client.update_load_balancer_zones(
            models.UpdateLoadBalancerZonesRequest(
                region_id=REGION, load_balancer_id=balancer_id, zone_mappings=mappings
            )
        ).body
        assert network.job(done.job_id) == "Succeeded"
        after = network.addresses(balancer_id)
        assert after[0] == before[0]
        assert after[1].startswith("127.77.2.")
        assert [get(address) for address in after] == [200, 200]
        with socket.socket() as probe:
            assert probe.connect_ex((before[1], 8000)) != 0

    @pytest.mark.parametrize("word", ["Ipv4", "ipv4"])
    def test_is_of_the_words_that_the_provider_compares(self, network, word):
        """Its acceptance tests, which run on the real cloud, find the first; another one would be a replacement."""
        found = network.describe(network.balance(address_ip_version=word))
        assert (found.load_balancer_type, found.address_ip_version) == ("Network", word)

    def test_is_listed_by_what_it_is(self, network, nlb_client):
        balancer_id = network.balance()

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

    def test_turns_to_the_internet_and_back(self, network, nlb_client):
        balancer_id = network.balance()
        private = network.describe(balancer_id).dnsname
        for address_type in ("Internet", "Intranet"):
            nlb_client.update_load_balancer_address_type_config(
                models.UpdateLoadBalancerAddressTypeConfigRequest(
                    region_id=REGION, load_balancer_id=balancer_id, address_type=address_type
                )
            )
            found = network.describe(balancer_id)
            assert found.address_type == address_type
            assert (found.dnsname == private) == (address_type == "Intranet")
            assert network.addresses(balancer_id)[0] == private

    def test_in_one_zone_is_refused(self, network):
        with refused("InvalidParameter", text="from 2 to 10 zones"):
            network.balance(network.vswitch_ids[:1], ZONES[:1])

    def test_in_the_wrong_zone_of_a_vswitch_is_refused(self, network):
        with refused("InvalidParameter", text="ZoneMappings.ZoneId"):
            network.balance(zones=ZONES[::-1])

    def test_that_cannot_be_is_refused(self, network):
        for settings, code, status in (
            ({"vpc_id": "vpc-none"}, "ResourceNotFound.vpc", 404),
            ({"vswitch_ids": ["vsw-none", "vsw-none"]}, "ResourceNotFound.vSwitch", 404),
            ({"address_type": "public"}, "InvalidParameter", 400),
            ({"load_balancer_name": "1"}, "InvalidParameter", 400),
            ({"address_ip_version": "DualStack"}, "UnsupportedOperation", 400),
            ({"dry_run": True}, "DryRunOperation", 400),
        ):
            with refused(code, status):
                network.balance(**settings)

    def test_is_made_once_for_one_client_token(self, network):
        assert network.balance(client_token="same") == network.balance(client_token="same")


class TestServerGroup:
    def test_fills_in_what_nobody_says(self, network, nlb_client):
        group_id = network.group({"health_check_interval": None, "health_check_connect_timeout": None})
        found = nlb_client.list_server_groups(
            models.ListServerGroupsRequest(region_id=REGION, server_group_ids=[group_id])
        ).body.server_groups[0]
        assert (found.server_group_status, found.protocol, found.scheduler) == ("Available", "TCP", "Wrr")
        assert (found.connection_drain_enabled, found.server_count) == (False, 0)
        check = found.health_check
        assert (check.health_check_interval, check.health_check_connect_timeout) == (5, 5)
        assert (check.healthy_threshold, check.unhealthy_threshold) == (2, 2)
        assert check.health_check_http_code == ["http_2xx"]

    def test_is_changed(self, network, nlb_client):
        group_id = network.group()
        nlb_client.update_server_group_attribute(
            models.UpdateServerGroupAttributeRequest(
                region_id=REGION,
                server_group_id=group_id,
                server_group_name="renamed",
                scheduler="Wlc",
                connection_drain_enabled=True,
                connection_drain_timeout=30,
                health_check_config=models.UpdateServerGroupAttributeRequestHealthCheckConfig(
                    health_check_type="HTTP", health_check_url="/healthz"
                ),
            )
        )
        found = nlb_client.list_server_groups(
            models.ListServerGroupsRequest(region_id=REGION, server_group_names=["renamed"])
        ).body.server_groups[0]
        assert (found.server_group_id, found.scheduler, found.connection_drain_timeout) == (
            group_id,
            "Wlc",
            30,
        )
        assert (found.health_check.health_check_type, found.health_check.health_check_url) == (
            "HTTP",
            "/healthz",
        )
        assert found.health_check.health_check_interval == 1

    def test_that_a_listener_uses_is_not_deleted(self, network):
        group_id = network.group()
        network.listen(network.balance(), group_id)
        with refused("ResourceInUse.ServerGroup"):
            network.delete_group(group_id)

    def test_that_is_not_served_or_not_allowed_is_refused_by_name(self, network):
        for settings, code, text in (
            ({"protocol": "SCTP"}, "InvalidParameter", '"Protocol"'),
            ({"scheduler": "Qch"}, "UnsupportedOperation", "scheduler Qch"),
            ({"scheduler": "Fastest"}, "InvalidParameter", '"Scheduler"'),
            ({"server_group_type": "Ip"}, "UnsupportedOperation", "addresses"),
            ({"connection_drain_enabled": True}, "InvalidParameter", '"ConnectionDrainTimeout"'),
            ({"check": {"health_check_interval": 51}}, "InvalidParameter", '"HealthCheckInterval"'),
            ({"check": {"health_check_type": "ICMP"}}, "InvalidParameter", '"HealthCheckType"'),
            ({"check": {"health_check_url": "no path"}}, "InvalidParameter", '"HealthCheckUrl"'),
            ({"check": {"health_check_http_code": ["http_9xx"]}}, "InvalidParameter", "http_2xx"),
        ):
            with refused(code, text=text):
                network.group(**settings)


class TestServers:
    def test_are_added_weighed_and_removed(self, network, fleet):
        group_id, (server_id,) = network.group(), fleet.run()
        job = network.add(group_id, {server_id: None}, description="a node")
        assert network.job(job.job_id) == "Succeeded"
        server = network.servers(group_id)[server_id]
        assert (server.weight, server.port, server.status, server.description) == (
            100,
            8000,
            "Available",
            "a node",
        )
        assert (server.server_ip, server.zone_id) == (fleet.address(server_id), ZONES[0])
        network.weigh(group_id, {server_id: 0})
        assert network.servers(group_id)[server_id].weight == 0
        network.remove(group_id, server_id)
        assert network.servers(group_id) == {}

    def test_go_with_their_instance(self, network, fleet):
        group_id, (server_id,) = network.group(), fleet.run()
        network.add(group_id, {server_id: 100})
        fleet.delete(server_id)
        fleet.wait_status(server_id, "gone")
        assert network.servers(group_id) == {}

    def test_that_cannot_be_are_refused(self, network, fleet):
        group_id, (server_id,) = network.group(), fleet.run()
        network.add(group_id, {server_id: 100})
        with refused("ResourceAlreadyExist.BackendServer"):
            network.add(group_id, {server_id: 100})
        with refused("ResourceNotFound.BackendServer", 404):
            network.add(group_id, {"i-none": 100})
        with refused("ResourceNotFound.BackendServer", 404):
            network.remove(group_id, "i-none")
        with refused("ResourceNotFound.serverGroup", 404):
            network.add("sgp-none", {server_id: 100})
        with refused("InvalidParameter", text='"Servers.Weight"'):
            network.weigh(group_id, {server_id: 101})
        with refused("UnsupportedOperation", text="type Eni"):
            network.add(group_id, {server_id: 1}, server_type="Eni")


class TestListener:
    def test_serves_on_every_address_from_its_making_on(self, network, fleet):
        balancer_id, group_id, (server_id,) = network.balance(), network.group(), fleet.run(SERVER)
        network.add(group_id, {server_id: 100})
        listener_id = network.listen(balancer_id, group_id, 8080)
        assert listener_id.endswith("@8080")
        network.wait_healthy(listener_id)
        zones = network.describe(balancer_id).zone_mappings
        for zone in zones:
            assert get(zone.load_balancer_addresses[0].private_ipv_4address, 8080) == 200

    def test_is_described_changed_stopped_and_started(self, network, nlb_client):
        balancer_id, group_id = network.balance(), network.group()
        listener_id = network.listen(balancer_id, group_id, 8081, idle_timeout=60)
        found = network.describe_listener(listener_id)
        assert (found.listener_port, found.listener_status, found.idle_timeout) == (8081, "Running", 60)
        assert (found.load_balancer_id, found.server_group_id) == (balancer_id, group_id)
        other = network.group()
        nlb_client.update_listener_attribute(
            models.UpdateListenerAttributeRequest(
                region_id=REGION, listener_id=listener_id, server_group_id=other, listener_description="web"
            )
        )
        found = network.describe_listener(listener_id)
        assert (found.server_group_id, found.listener_description, found.idle_timeout) == (other, "web", 60)
        name = {"region_id": REGION, "listener_id": listener_id}
        nlb_client.stop_listener(models.StopListenerRequest(**name))
        assert network.describe_listener(listener_id).listener_status == "Stopped"
        with socket.socket() as probe:
            assert probe.connect_ex((network.describe(balancer_id).dnsname, 8081)) != 0
        nlb_client.start_listener(models.StartListenerRequest(**name))
        with socket.create_connection((network.describe(balancer_id).dnsname, 8081)):
            pass
        nlb_client.delete_listener(models.DeleteListenerRequest(**name))
        with refused("ResourceNotFound.listener", 404):
            network.describe_listener(listener_id)

    def test_goes_with_its_load_balancer(self, network, nlb_client):
        balancer_id = network.balance()
        network.listen(balancer_id, network.group())
        network.delete(balancer_id)
        listed = nlb_client.list_listeners(
            models.ListListenersRequest(region_id=REGION, load_balancer_ids=[balancer_id])
        ).body
        assert listed.total_count == 0

    def test_tells_which_servers_are_not_healthy_and_why(self, network, fleet):
        group_id, (good, bad) = network.group(), fleet.run(SERVER, amount=2)
        listener_id = network.listen(network.balance(), group_id)
        network.add(group_id, {good: 100, bad: 100})
        network.wait_healthy(listener_id)
        for process in psutil.process_iter(["cmdline"]):
            if fleet.address(bad) in (process.info["cmdline"] or []):
                os.kill(process.pid, signal.SIGKILL)
        found = wait_for(lambda: network.unhealthy(listener_id), bool)
        assert (found[bad].status, found[bad].reason.reason_code) == ("Unhealthy", "CONNECT_FAILED")
        assert good not in found

    def test_without_health_checks_knows_no_health(self, network, fleet):
        group_id, (server_id,) = network.group({"health_check_enabled": False}), fleet.run()
        listener_id = network.listen(network.balance(), group_id)
        network.add(group_id, {server_id: 100})
        assert network.unhealthy(listener_id)[server_id].status == "Unavailable"

    def test_that_is_not_served_or_not_allowed_is_refused_by_name(self, network):
        extras = models.CreateListenerRequestProxyProtocolV2Config(ppv_2vpc_id_enabled=True)
        for settings, code, text in (
            ({"listener_protocol": "UDP"}, "OperationDenied.ServerGroupProtocolMismatch", "protocol TCP"),
            ({"listener_protocol": "TCPSSL"}, "MissingParameter", '"CertificateIds"'),
            ({"listener_protocol": "HTTP"}, "InvalidParameter", '"ListenerProtocol"'),
            ({"port": 0, "start_port": 1, "end_port": 9}, "UnsupportedOperation", "range of ports"),
            ({"idle_timeout": 9}, "InvalidParameter", '"IdleTimeout"'),
            ({"cps": 1_000_001}, "InvalidParameter", '"Cps"'),
            ({"proxy_protocol_v2config": extras}, "UnsupportedOperation", "fields of the proxy protocol"),
        ):
            with refused(code, text=text):
                network.listen(network.balance(), network.group(preserve_client_ip_enabled=False), **settings)

    def test_takes_so_many_new_connections_a_second(self, network, fleet, nlb_client):
        group_id, (server_id,) = network.group({"health_check_enabled": False}), fleet.run(SERVER)
        wait_for(lambda: is_open(fleet.address(server_id)), bool)
        network.add(group_id, {server_id: 100})
        balancer_id = network.balance()
        listener_id = network.listen(balancer_id, group_id, cps=5)
        assert network.describe_listener(listener_id).cps == 5
        address = network.describe(balancer_id).dnsname

        def num_served() -> int:
            """Open 40 connections one after the other, and count those that are served."""
            return sum(is_served(address) for _ in range(40))

        begun_at = time.monotonic()
        served = num_served()
        # They take a part of a second, which may fall into two; on a busy machine more.
        assert 5 <= served <= 5 * (2 + int(time.monotonic() - begun_at))
        wait_for(lambda: is_served(address), bool)
        nlb_client.update_listener_attribute(
            models.UpdateListenerAttributeRequest(region_id=REGION, listener_id=listener_id, cps=0)
        )
        assert num_served() == 40

    def test_bounds_the_segments_that_clients_send(self, network):
        balancer_id = network.balance()
        listener_id = network.listen(balancer_id, network.group(), mss=600)
        assert network.describe_listener(listener_id).mss == 600
        with socket.create_connection((network.describe(balancer_id).dnsname, 8000), timeout=5) as connection:
            # The headers of TCP count, too.
            assert 500 < connection.getsockopt(socket.IPPROTO_TCP, socket.TCP_MAXSEG) <= 600

    def test_on_a_port_that_is_taken_is_refused(self, network):
        balancer_id, group_id = network.balance(), network.group()
        network.listen(balancer_id, group_id)
        with refused("ResourceAlreadyExist.Listener"):
            network.listen(balancer_id, group_id)

    def test_for_a_group_that_is_not_there_is_refused(self, network):
        with refused("ResourceNotFound.serverGroup", 404):
            network.listen(network.balance(), "sgp-none")


class TestConnections:
    def test_follow_a_change_of_weight_and_those_that_are_open_stay(self, network, fleet):
        group_id = network.group(
            {"health_check_enabled": False},
            scheduler="Wlc",
            connection_drain_enabled=True,
            connection_drain_timeout=900,
        )
        first, second = fleet.run(SERVER, amount=2)
        for server_id in (first, second):
            wait_for(lambda i=server_id: is_open(fleet.address(i)), bool)
        balancer_id = network.balance()
        network.listen(balancer_id, group_id)
        network.add(group_id, {first: 100, second: 0})
        address = network.describe(balancer_id).dnsname
        with socket.create_connection((address, 8000), timeout=5) as connection:
            # It is on the first server, and stays there.
            network.weigh(group_id, {first: 0, second: 100})
            network.remove(group_id, first)
            assert get(address) == 200
            connection.sendall(b"GET / HTTP/1.0\r\n\r\n")
            assert b"200" in connection.recv(4096)


def is_served(address: str) -> bool:
    try:
        return get(address) == 200
    except (ConnectionError, http.client.HTTPException):
        return False


def is_open(address: str) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex((address, 8000)) == 0


class TestTags:
    @pytest.mark.parametrize("kind", ["loadbalancer", "servergroup", "listener"])
    def test_are_set_listed_and_removed(self, network, nlb_client, kind):
        balancer_id, group_id = network.balance(), network.group()
        ids = {"loadbalancer": balancer_id, "servergroup": group_id}
        resource_id = ids.get(kind) or network.listen(balancer_id, group_id)
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

    def test_take_load_balancers_server_groups_and_policies(self, network, nlb_client):
        balancer_id, group_id = network.balance(), network.group()
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
