"""What network load balancers do: server groups, servers and listeners; by the vendor's SDK."""

from __future__ import annotations

import os
import signal
import socket
import time

import psutil
from alibabacloud_nlb20220430 import models
from contract_fleet import REGION, SERVER
from contract_sdk import refused, wait_for
from contract_zonal_network import ZONES, get, is_open, is_served


class TestServerGroup:
    def test_fills_in_what_nobody_says(self, zonal_network, nlb_client):
        group_id = zonal_network.group({"health_check_interval": None, "health_check_connect_timeout": None})
        found = nlb_client.list_server_groups(
            models.ListServerGroupsRequest(region_id=REGION, server_group_ids=[group_id])
        ).body.server_groups[0]
        assert (found.server_group_status, found.protocol, found.scheduler) == ("Available", "TCP", "Wrr")
        assert (found.connection_drain_enabled, found.server_count) == (False, 0)
        check = found.health_check
        assert (check.health_check_interval, check.health_check_connect_timeout) == (5, 5)
        assert (check.healthy_threshold, check.unhealthy_threshold) == (2, 2)
        assert check.health_check_http_code == ["http_2xx"]

    def test_is_changed(self, zonal_network, nlb_client):
        group_id = zonal_network.group()
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

    def test_that_a_listener_uses_is_not_deleted(self, zonal_network):
        group_id = zonal_network.group()
        zonal_network.listen(zonal_network.balance(), group_id)
        with refused("ResourceInUse.ServerGroup"):
            zonal_network.delete_group(group_id)

    def test_that_is_not_served_or_not_allowed_is_refused_by_name(self, zonal_network):
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
                zonal_network.group(**settings)


class TestServers:
    def test_are_added_weighed_and_removed(self, zonal_network, fleet):
        group_id, (server_id,) = zonal_network.group(), fleet.run()
        job = zonal_network.add(group_id, {server_id: None}, description="a node")
        assert zonal_network.job(job.job_id) == "Succeeded"
        server = zonal_network.servers(group_id)[server_id]
        assert (server.weight, server.port, server.status, server.description) == (
            100,
            8000,
            "Available",
            "a node",
        )
        assert (server.server_ip, server.zone_id) == (fleet.address(server_id), ZONES[0])
        zonal_network.weigh(group_id, {server_id: 0})
        assert zonal_network.servers(group_id)[server_id].weight == 0
        zonal_network.remove(group_id, server_id)
        assert zonal_network.servers(group_id) == {}

    def test_go_with_their_instance(self, zonal_network, fleet):
        group_id, (server_id,) = zonal_network.group(), fleet.run()
        zonal_network.add(group_id, {server_id: 100})
        fleet.delete(server_id)
        fleet.wait_status(server_id, "gone")
        assert zonal_network.servers(group_id) == {}

    def test_that_cannot_be_are_refused(self, zonal_network, fleet):
        group_id, (server_id,) = zonal_network.group(), fleet.run()
        zonal_network.add(group_id, {server_id: 100})
        with refused("ResourceAlreadyExist.BackendServer"):
            zonal_network.add(group_id, {server_id: 100})
        with refused("ResourceNotFound.BackendServer", 404):
            zonal_network.add(group_id, {"i-none": 100})
        with refused("ResourceNotFound.BackendServer", 404):
            zonal_network.remove(group_id, "i-none")
        with refused("ResourceNotFound.serverGroup", 404):
            zonal_network.add("sgp-none", {server_id: 100})
        with refused("InvalidParameter", text='"Servers.Weight"'):
            zonal_network.weigh(group_id, {server_id: 101})
        with refused("UnsupportedOperation", text="type Eni"):
            zonal_network.add(group_id, {server_id: 1}, server_type="Eni")


class TestListener:
    def test_serves_on_every_address_from_its_making_on(self, zonal_network, fleet):
        balancer_id, group_id, (server_id,) = (
            zonal_network.balance(),
            zonal_network.group(),
            fleet.run(SERVER),
        )
        zonal_network.add(group_id, {server_id: 100})
        listener_id = zonal_network.listen(balancer_id, group_id, 8080)
        assert listener_id.endswith("@8080")
        zonal_network.wait_healthy(listener_id)
        zones = zonal_network.describe(balancer_id).zone_mappings
        for zone in zones:
            assert get(zone.load_balancer_addresses[0].private_ipv_4address, 8080) == 200

    def test_is_described_changed_stopped_and_started(self, zonal_network, nlb_client):
        balancer_id, group_id = zonal_network.balance(), zonal_network.group()
        listener_id = zonal_network.listen(balancer_id, group_id, 8081, idle_timeout=60)
        found = zonal_network.describe_listener(listener_id)
        assert (found.listener_port, found.listener_status, found.idle_timeout) == (8081, "Running", 60)
        assert (found.load_balancer_id, found.server_group_id) == (balancer_id, group_id)
        other = zonal_network.group()
        nlb_client.update_listener_attribute(
            models.UpdateListenerAttributeRequest(
                region_id=REGION, listener_id=listener_id, server_group_id=other, listener_description="web"
            )
        )
        found = zonal_network.describe_listener(listener_id)
        assert (found.server_group_id, found.listener_description, found.idle_timeout) == (other, "web", 60)
        name = {"region_id": REGION, "listener_id": listener_id}
        nlb_client.stop_listener(models.StopListenerRequest(**name))
        assert zonal_network.describe_listener(listener_id).listener_status == "Stopped"
        with socket.socket() as probe:
            assert probe.connect_ex((zonal_network.describe(balancer_id).dnsname, 8081)) != 0
        nlb_client.start_listener(models.StartListenerRequest(**name))
        with socket.create_connection((zonal_network.describe(balancer_id).dnsname, 8081)):
            pass
        nlb_client.delete_listener(models.DeleteListenerRequest(**name))
        with refused("ResourceNotFound.listener", 404):
            zonal_network.describe_listener(listener_id)

    def test_goes_with_its_load_balancer(self, zonal_network, nlb_client):
        balancer_id = zonal_network.balance()
        zonal_network.listen(balancer_id, zonal_network.group())
        zonal_network.delete(balancer_id)
        listed = nlb_client.list_listeners(
            models.ListListenersRequest(region_id=REGION, load_balancer_ids=[balancer_id])
        ).body
        assert listed.total_count == 0

    def test_tells_which_servers_are_not_healthy_and_why(self, zonal_network, fleet):
        group_id, (good, bad) = zonal_network.group(), fleet.run(SERVER, amount=2)
        listener_id = zonal_network.listen(zonal_network.balance(), group_id)
        zonal_network.add(group_id, {good: 100, bad: 100})
        zonal_network.wait_healthy(listener_id)
        for process in psutil.process_iter(["cmdline"]):
            if fleet.address(bad) in (process.info["cmdline"] or []):
                os.kill(process.pid, signal.SIGKILL)
        found = wait_for(lambda: zonal_network.unhealthy(listener_id), bool)
        assert (found[bad].status, found[bad].reason.reason_code) == ("Unhealthy", "CONNECT_FAILED")
        assert good not in found

    def test_without_health_checks_knows_no_health(self, zonal_network, fleet):
        group_id, (server_id,) = zonal_network.group({"health_check_enabled": False}), fleet.run()
        listener_id = zonal_network.listen(zonal_network.balance(), group_id)
        zonal_network.add(group_id, {server_id: 100})
        assert zonal_network.unhealthy(listener_id)[server_id].status == "Unavailable"

    def test_that_is_not_served_or_not_allowed_is_refused_by_name(self, zonal_network):
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
                zonal_network.listen(
                    zonal_network.balance(), zonal_network.group(preserve_client_ip_enabled=False), **settings
                )

    def test_takes_so_many_new_connections_a_second(self, zonal_network, fleet, nlb_client):
        group_id, (server_id,) = zonal_network.group({"health_check_enabled": False}), fleet.run(SERVER)
        wait_for(lambda: is_open(fleet.address(server_id)), bool)
        zonal_network.add(group_id, {server_id: 100})
        balancer_id = zonal_network.balance()
        listener_id = zonal_network.listen(balancer_id, group_id, cps=5)
        assert zonal_network.describe_listener(listener_id).cps == 5
        address = zonal_network.describe(balancer_id).dnsname

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

    def test_bounds_the_segments_that_clients_send(self, zonal_network):
        balancer_id = zonal_network.balance()
        listener_id = zonal_network.listen(balancer_id, zonal_network.group(), mss=600)
        assert zonal_network.describe_listener(listener_id).mss == 600
        with socket.create_connection(
            (zonal_network.describe(balancer_id).dnsname, 8000), timeout=5
        ) as connection:
            # The headers of TCP count, too.
            assert 500 < connection.getsockopt(socket.IPPROTO_TCP, socket.TCP_MAXSEG) <= 600

    def test_on_a_port_that_is_taken_is_refused(self, zonal_network):
        balancer_id, group_id = zonal_network.balance(), zonal_network.group()
        zonal_network.listen(balancer_id, group_id)
        with refused("ResourceAlreadyExist.Listener"):
            zonal_network.listen(balancer_id, group_id)

    def test_for_a_group_that_is_not_there_is_refused(self, zonal_network):
        with refused("ResourceNotFound.serverGroup", 404):
            zonal_network.listen(zonal_network.balance(), "sgp-none")


class TestConnections:
    def test_follow_a_change_of_weight_and_those_that_are_open_stay(self, zonal_network, fleet):
        group_id = zonal_network.group(
            {"health_check_enabled": False},
            scheduler="Wlc",
            connection_drain_enabled=True,
            connection_drain_timeout=900,
        )
        first, second = fleet.run(SERVER, amount=2)
        for server_id in (first, second):
            wait_for(lambda i=server_id: is_open(fleet.address(i)), bool)
        balancer_id = zonal_network.balance()
        zonal_network.listen(balancer_id, group_id)
        zonal_network.add(group_id, {first: 100, second: 0})
        address = zonal_network.describe(balancer_id).dnsname
        with socket.create_connection((address, 8000), timeout=5) as connection:
            # It is on the first server, and stays there.
            zonal_network.weigh(group_id, {first: 0, second: 100})
            zonal_network.remove(group_id, first)
            assert get(address) == 200
            connection.sendall(b"GET / HTTP/1.0\r\n\r\n")
            assert b"200" in connection.recv(4096)
