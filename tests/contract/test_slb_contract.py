from __future__ import annotations

import http.client
import json
import os
import signal
import socket

import psutil
import pytest
from alibabacloud_ecs20140526 import models as ecs
from alibabacloud_slb20140515 import models
from alibabacloud_vpc20160428 import models as vpc
from contract_fleet import REGION, SERVER
from contract_sdk import refused, wait_for

NOT_FOUND = "The specified resource does not exist."


class Balancer:
    """A load balancer with a server group, by the names of the test's verbs."""

    def __init__(self, fleet):
        self.client = fleet.slb_client
        made = fleet.balance(load_balancer_name="web")
        self.id, self.address = made.load_balancer_id, made.address
        self.group_id = self.client.create_vserver_group(
            models.CreateVServerGroupRequest(
                region_id=REGION, load_balancer_id=self.id, vserver_group_name="nodes"
            )
        ).body.vserver_group_id

    def listen(self, port=8080, *, starts=True, **settings):
        self.client.create_load_balancer_httplistener(
            models.CreateLoadBalancerHTTPListenerRequest(
                **{
                    "load_balancer_id": self.id,
                    "listener_port": port,
                    "bandwidth": -1,
                    "sticky_session": "off",
                    "health_check": "on",
                    "health_check_interval": 1,
                    "health_check_timeout": 1,
                    "healthy_threshold": 2,
                    "unhealthy_threshold": 2,
                    "vserver_group_id": self.group_id,
                    **settings,
                }
            )
        )
        if starts:
            self.start(port)

    def start(self, port=8080):
        self.client.start_load_balancer_listener(
            models.StartLoadBalancerListenerRequest(
                load_balancer_id=self.id, listener_port=port, listener_protocol="http"
            )
        )

    def describe_listener(self, port=8080):
        return self.client.describe_load_balancer_httplistener_attribute(
            models.DescribeLoadBalancerHTTPListenerAttributeRequest(
                load_balancer_id=self.id, listener_port=port
            )
        ).body

    def add(self, **weights):
        servers = [
            {"ServerId": server_id.replace("_", "-"), "Port": "8000", "Weight": str(weight)}
            for server_id, weight in weights.items()
        ]
        return self.client.add_vserver_group_backend_servers(
            models.AddVServerGroupBackendServersRequest(
                region_id=REGION, vserver_group_id=self.group_id, backend_servers=json.dumps(servers)
            )
        ).body

    def servers(self):
        found = self.client.describe_vserver_group_attribute(
            models.DescribeVServerGroupAttributeRequest(region_id=REGION, vserver_group_id=self.group_id)
        ).body.backend_servers.backend_server
        return {server.server_id: server.weight for server in found}

    def health(self, **filters):
        found = self.client.describe_health_status(
            models.DescribeHealthStatusRequest(region_id=REGION, load_balancer_id=self.id, **filters)
        ).body.backend_servers.backend_server
        return {server.server_id: server.server_health_status for server in found}

    def wait_health(self, **states):
        wanted = {server_id.replace("_", "-"): state for server_id, state in states.items()}
        wait_for(self.health, lambda seen: seen == wanted)

    def get(self, port=8080):
        connection = http.client.HTTPConnection(self.address, port, timeout=5)
        connection.request("GET", "/")
        status = connection.getresponse().status
        connection.close()
        return status

    def is_open(self, port=8080):
        with socket.socket() as probe:
            return probe.connect_ex((self.address, port)) == 0


def named(instance_id: str) -> str:
    return instance_id.replace("-", "_")


@pytest.fixture
def balancer(fleet):
    return Balancer(fleet)


class TestLoadBalancer:
    def test_is_active_on_an_address_of_its_vswitch(self, fleet):
        made = fleet.balance(load_balancer_name="web")
        assert made.load_balancer_id.startswith("lb-")
        assert made.address.startswith("127.77.0.")
        attribute = fleet.slb_client.describe_load_balancer_attribute(
            models.DescribeLoadBalancerAttributeRequest(load_balancer_id=made.load_balancer_id)
        ).body
        assert (attribute.load_balancer_status, attribute.load_balancer_name) == ("active", "web")
        assert (attribute.address, attribute.address_type) == (made.address, "intranet")
        assert attribute.instance_charge_type == "PayByCLCU"
        assert attribute.master_zone_id == "cn-hangzhou-h"
        assert attribute.delete_protection == "off"

    @pytest.mark.parametrize(
        "settings",
        [
            {"instance_charge_type": "PayBySpec"},
            {"load_balancer_spec": "slb.s1.small"},
            {"pay_type": "PrePay"},
        ],
    )
    def test_what_is_no_longer_sold_is_refused(self, fleet, settings):
        with refused("InvalidParameter", text="PayByCLCU"):
            fleet.balance(**settings)

    def test_an_internet_one_has_an_address_too(self, fleet):
        made = fleet.balance(address_type="internet", v_switch_id=None)
        assert made.address.startswith("127.96.")

    def test_names_protection_and_tags_change(self, fleet):
        client, made = fleet.slb_client, fleet.balance()
        target = {"region_id": REGION, "load_balancer_id": made.load_balancer_id}
        client.set_load_balancer_name(
            models.SetLoadBalancerNameRequest(**target, load_balancer_name="renamed")
        )
        client.set_load_balancer_delete_protection(
            models.SetLoadBalancerDeleteProtectionRequest(**target, delete_protection="on")
        )
        client.set_load_balancer_modification_protection(
            models.SetLoadBalancerModificationProtectionRequest(
                **target, modification_protection_status="ConsoleProtection"
            )
        )
        kind = {"region_id": REGION, "resource_type": "instance", "resource_id": [made.load_balancer_id]}
        client.tag_resources(
            models.TagResourcesRequest(**kind, tag=[models.TagResourcesRequestTag(key="a", value="b")])
        )
        listed = client.list_tag_resources(models.ListTagResourcesRequest(**kind)).body.tag_resources
        assert [(tag.tag_key, tag.tag_value) for tag in listed.tag_resource] == [("a", "b")]
        (found,) = client.describe_load_balancers(
            models.DescribeLoadBalancersRequest(
                region_id=REGION, load_balancer_id=made.load_balancer_id, v_switch_id=fleet.vswitch_id
            )
        ).body.load_balancers.load_balancer
        assert (found.load_balancer_name, found.delete_protection) == ("renamed", "on")
        assert found.modification_protection_status == "ConsoleProtection"
        for fits, does_not in (
            ({"address_ipversion": "ipv4"}, {"address_ipversion": "ipv6"}),
            ({"network_type": "vpc"}, {"network_type": "classic"}),
            ({"pay_type": "PayOnDemand"}, {"pay_type": "PrePay"}),
            ({"internet_charge_type": "PayByTraffic"}, {"internet_charge_type": "paybybandwidth"}),
            ({"slave_zone_id": found.slave_zone_id}, {"slave_zone_id": found.master_zone_id}),
            ({}, {"resource_group_id": "rg-other"}),
            ({}, {"server_intranet_address": "10.9.9.9"}),
        ):
            for filters, number in ((fits, 1), (does_not, 0)):
                request = models.DescribeLoadBalancersRequest(
                    region_id=REGION, load_balancer_id=made.load_balancer_id, **filters
                )
                assert client.describe_load_balancers(request).body.total_count == number, filters
        delete = models.DeleteLoadBalancerRequest(load_balancer_id=made.load_balancer_id)
        with refused("OperationDenied.DeleteProtectionIsOn"):
            client.delete_load_balancer(delete)
        client.set_load_balancer_delete_protection(
            models.SetLoadBalancerDeleteProtectionRequest(**target, delete_protection="off")
        )
        client.delete_load_balancer(delete)
        with refused("InvalidLoadBalancerId.NotFound", 404):
            client.delete_load_balancer(delete)

    def test_it_keeps_its_vswitch(self, fleet, vpc_client):
        fleet.balance()
        with refused("DependencyViolation.LoadBalancer"):
            vpc_client.delete_vswitch(vpc.DeleteVSwitchRequest(v_switch_id=fleet.vswitch_id))

    def test_a_repeated_client_token_makes_nothing_twice(self, fleet):
        first = fleet.balance(client_token="token-of-a-balancer")
        second = fleet.balance(client_token="token-of-a-balancer")
        assert (first.load_balancer_id, first.address) == (second.load_balancer_id, second.address)

    def test_an_inactive_one_serves_nothing(self, balancer):
        balancer.listen()
        assert balancer.is_open()
        target = {"region_id": REGION, "load_balancer_id": balancer.id}
        balancer.client.set_load_balancer_status(
            models.SetLoadBalancerStatusRequest(**target, load_balancer_status="inactive")
        )
        assert not balancer.is_open()
        balancer.client.set_load_balancer_status(
            models.SetLoadBalancerStatusRequest(**target, load_balancer_status="active")
        )
        assert balancer.is_open()

    def test_zones_are_offered(self, slb_client):
        zones = slb_client.describe_zones(models.DescribeZonesRequest(region_id=REGION)).body.zones.zone
        assert "cn-hangzhou-h" in {zone.zone_id for zone in zones}
        pairs = slb_client.describe_available_resource(
            models.DescribeAvailableResourceRequest(region_id=REGION)
        ).body.available_resources.available_resource
        assert all(pair.master_zone_id != pair.slave_zone_id for pair in pairs)


class TestListener:
    def test_serves_from_its_start_to_its_stop(self, balancer):
        balancer.listen(starts=False)
        assert balancer.describe_listener().status == "stopped"
        assert not balancer.is_open()
        balancer.start()
        assert balancer.describe_listener().status == "running"
        assert balancer.get() == 503
        balancer.client.stop_load_balancer_listener(
            models.StopLoadBalancerListenerRequest(
                load_balancer_id=balancer.id, listener_port=8080, listener_protocol="http"
            )
        )
        assert not balancer.is_open()

    def test_settings_come_back_with_the_defaults(self, balancer):
        balancer.listen(starts=False, health_check_uri="/healthz", health_check_interval=None)
        listener = balancer.describe_listener()
        assert (listener.listener_port, listener.scheduler, listener.bandwidth) == (8080, "wrr", -1)
        assert (listener.health_check, listener.health_check_uri) == ("on", "/healthz")
        assert (listener.health_check_interval, listener.healthy_threshold) == (2, 2)
        assert (listener.idle_timeout, listener.request_timeout) == (15, 60)
        assert listener.vserver_group_id == balancer.group_id
        balancer.client.set_load_balancer_httplistener_attribute(
            models.SetLoadBalancerHTTPListenerAttributeRequest(
                load_balancer_id=balancer.id, listener_port=8080, scheduler="rr", health_check_interval=7
            )
        )
        listener = balancer.describe_listener()
        assert (listener.scheduler, listener.health_check_interval) == ("rr", 7)
        assert listener.health_check_uri == "/healthz"

    def test_a_tcp_one_passes_connections(self, fleet, balancer):
        (instance_id,) = fleet.run(SERVER)
        target = {"load_balancer_id": balancer.id, "listener_port": 8081}
        balancer.client.create_load_balancer_tcplistener(
            models.CreateLoadBalancerTCPListenerRequest(
                **target,
                bandwidth=-1,
                vserver_group_id=balancer.group_id,
                health_check_interval=1,
                healthy_threshold=2,
                established_timeout=60,
            )
        )
        balancer.client.start_load_balancer_listener(
            models.StartLoadBalancerListenerRequest(**target, listener_protocol="tcp")
        )
        balancer.add(**{named(instance_id): 100})
        balancer.wait_health(**{named(instance_id): "normal"})
        assert balancer.get(8081) == 200
        listener = balancer.client.describe_load_balancer_tcplistener_attribute(
            models.DescribeLoadBalancerTCPListenerAttributeRequest(**target)
        ).body
        assert (listener.health_check_interval, listener.established_timeout) == (1, 60)
        assert (listener.health_check, listener.health_check_type, listener.status) == (
            "on",
            "tcp",
            "running",
        )

    def test_a_port_has_one_listener_and_a_gone_one_is_not_found(self, balancer):
        balancer.listen()
        with refused("ListenerAlreadyExists"):
            balancer.listen()
        balancer.client.delete_load_balancer_listener(
            models.DeleteLoadBalancerListenerRequest(
                load_balancer_id=balancer.id, listener_port=8080, listener_protocol="http"
            )
        )
        assert not balancer.is_open()
        with refused("InvalidParameter", 404, NOT_FOUND):
            balancer.describe_listener()

    def test_a_port_that_something_else_holds_is_told_and_leaves_nothing(self, balancer):
        balancer.listen(8081, starts=False)
        with socket.socket() as taken:
            taken.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            taken.bind((balancer.address, 8081))
            taken.listen()
            with refused("InternalError", 500, "cannot bind"):
                balancer.start(8081)
        assert balancer.describe_listener(8081).status == "stopped"
        balancer.start(8081)
        assert balancer.is_open(8081)

    @pytest.mark.parametrize(
        ("settings", "code"),
        [
            ({"scheduler": "best"}, "InvalidParameter"),
            ({"health_check_interval": 51}, "InvalidParameter"),
            ({"healthy_threshold": 1}, "InvalidParameter"),
            ({"health_check_uri": "healthz"}, "InvalidParameter"),
            ({"health_check_uri": "/a\n  bind :22"}, "InvalidParameter"),
            ({"health_check_domain": "a b"}, "InvalidParameter"),
            ({"health_check_domain": 'a"b'}, "InvalidParameter"),
            ({"sticky_session": "on"}, "MissingParameter"),
            ({"vserver_group_id": None}, "MissingParameter"),
            ({"acl_status": "on"}, "MissingParameter"),
        ],
    )
    def test_wrong_settings_are_refused(self, balancer, settings, code):
        with refused(code):
            balancer.listen(starts=False, **settings)


class TestServers:
    def test_weights_are_kept_changed_and_removed(self, fleet, balancer):
        first, second = fleet.run(amount=2)
        balancer.add(**{named(first): 100, named(second): 50})
        assert balancer.servers() == {first: 100, second: 50}
        balancer.client.set_vserver_group_attribute(
            models.SetVServerGroupAttributeRequest(
                region_id=REGION,
                vserver_group_id=balancer.group_id,
                backend_servers=json.dumps([{"ServerId": first, "Port": 8000, "Weight": 0}]),
            )
        )
        assert balancer.servers() == {first: 0, second: 50}
        balancer.client.modify_vserver_group_backend_servers(
            models.ModifyVServerGroupBackendServersRequest(
                region_id=REGION,
                vserver_group_id=balancer.group_id,
                old_backend_servers=json.dumps([{"ServerId": second, "Port": 8000}]),
                new_backend_servers=json.dumps([{"ServerId": second, "Port": 8001, "Weight": 7}]),
            )
        )
        assert balancer.servers() == {first: 0, second: 7}
        balancer.client.remove_vserver_group_backend_servers(
            models.RemoveVServerGroupBackendServersRequest(
                region_id=REGION,
                vserver_group_id=balancer.group_id,
                backend_servers=json.dumps([{"ServerId": first, "Port": 8000}]),
            )
        )
        assert balancer.servers() == {second: 7}

    @pytest.mark.parametrize("weight", [-1, 101])
    def test_a_weight_is_from_0_to_100(self, fleet, balancer, weight):
        (instance_id,) = fleet.run()
        with refused("InvalidParameter", text="from 0 to 100"):
            balancer.add(**{named(instance_id): weight})

    def test_only_running_instances_are_added(self, fleet, balancer):
        with refused("InvalidServerId.NotFound", 404):
            balancer.add(i_none=100)

    def test_default_servers_take_the_listeners_port(self, fleet, balancer):
        (instance_id,) = fleet.run(SERVER)
        done = balancer.client.add_backend_servers(
            models.AddBackendServersRequest(
                load_balancer_id=balancer.id,
                backend_servers=json.dumps([{"ServerId": instance_id, "Weight": "100"}]),
            )
        ).body
        assert done.load_balancer_id == balancer.id
        balancer.listen(vserver_group_id=None, backend_server_port=8000)
        balancer.wait_health(**{named(instance_id): "normal"})
        assert balancer.get() == 200
        balancer.client.set_backend_servers(
            models.SetBackendServersRequest(
                load_balancer_id=balancer.id,
                backend_servers=json.dumps([{"ServerId": instance_id, "Weight": "0"}]),
            )
        )
        attribute = balancer.client.describe_load_balancer_attribute(
            models.DescribeLoadBalancerAttributeRequest(load_balancer_id=balancer.id)
        ).body
        assert [(s.server_id, s.weight) for s in attribute.backend_servers.backend_server] == [
            (instance_id, 0)
        ]
        balancer.client.remove_backend_servers(
            models.RemoveBackendServersRequest(
                load_balancer_id=balancer.id, backend_servers=json.dumps([instance_id])
            )
        )
        assert balancer.health() == {}

    def test_a_group_stays_while_a_listener_uses_it(self, balancer):
        balancer.listen()
        delete = models.DeleteVServerGroupRequest(region_id=REGION, vserver_group_id=balancer.group_id)
        with refused("RspoolVipExist"):
            balancer.client.delete_vserver_group(delete)
        (group,) = balancer.client.describe_vserver_groups(
            models.DescribeVServerGroupsRequest(
                region_id=REGION, load_balancer_id=balancer.id, include_listener=True
            )
        ).body.vserver_groups.vserver_group
        assert [listener.port for listener in group.associated_objects.listeners.listener] == [8080]
        balancer.client.delete_load_balancer_listener(
            models.DeleteLoadBalancerListenerRequest(
                load_balancer_id=balancer.id, listener_port=8080, listener_protocol="http"
            )
        )
        balancer.client.delete_vserver_group(delete)
        with refused("InvalidParameter", 404, "VServerGroupId does not exist"):
            balancer.client.delete_vserver_group(delete)


class TestHealth:
    def test_follows_what_the_checks_find(self, fleet, balancer, local_cloud):
        first, second = fleet.run(SERVER, amount=2)
        balancer.add(**{named(first): 100, named(second): 100})
        balancer.listen()
        assert set(balancer.health().values()) <= {"unavailable", "abnormal"}
        balancer.wait_health(**{named(first): "normal", named(second): "normal"})
        assert balancer.get() == 200

        kill_server(local_cloud, first)

        balancer.wait_health(**{named(first): "abnormal", named(second): "normal"})
        assert fleet.status(first) == "Running"
        assert {balancer.get() for _ in range(5)} == {200}

    def test_a_released_instance_leaves_its_groups(self, fleet, balancer):
        first, second = fleet.run(SERVER, amount=2)
        balancer.add(**{named(first): 100, named(second): 100})
        balancer.listen()
        fleet.delete(first)
        assert balancer.servers() == {second: 100}
        assert set(balancer.health()) == {second}

    def test_a_stopped_instance_stays_in_its_groups_and_is_unhealthy(self, fleet, balancer):
        (instance_id,) = fleet.run(SERVER)
        balancer.add(**{named(instance_id): 100})
        balancer.listen()
        balancer.wait_health(**{named(instance_id): "normal"})
        fleet.ecs_client.stop_instance(ecs.StopInstanceRequest(instance_id=instance_id, force_stop=True))
        balancer.wait_health(**{named(instance_id): "abnormal"})
        fleet.wait_status(instance_id, "Stopped")
        fleet.ecs_client.start_instance(ecs.StartInstanceRequest(instance_id=instance_id))
        balancer.wait_health(**{named(instance_id): "normal"})

    def test_a_listener_without_a_check_knows_nothing(self, fleet, balancer):
        (instance_id,) = fleet.run(SERVER)
        balancer.add(**{named(instance_id): 100})
        balancer.listen(health_check="off")
        assert balancer.health(listener_port=8080) == {instance_id: "unavailable"}
        wait_for(balancer.get, lambda status: status == 200)
        with refused("InvalidParameter", 404, NOT_FOUND):
            balancer.health(listener_port=99)


def kill_server(cloud, instance_id: str) -> None:
    """Kill the process that an instance's user data became, with SIGKILL."""
    home = f"{cloud.data_dir}/instances/{instance_id}/"
    inside = [
        process
        for process in psutil.Process(cloud.pid).children(recursive=True)
        if process.environ().get("HOME", "").startswith(home)
    ]
    assert inside, f"{instance_id} has no process"
    os.kill(inside[-1].pid, signal.SIGKILL)
