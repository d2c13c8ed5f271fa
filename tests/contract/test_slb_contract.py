"""Classic load balancers and their listeners: what they are told, and what is refused."""

from __future__ import annotations

import socket

import pytest
from alibabacloud_slb20140515 import models
from alibabacloud_vpc20160428 import models as vpc
from contract_classic import NOT_FOUND, named
from contract_fleet import REGION, SERVER
from contract_sdk import refused
from own_range import served


class TestLoadBalancer:
    def test_is_active_on_an_address_of_its_vswitch(self, fleet):
        made = fleet.balance(load_balancer_name="web")
        assert made.load_balancer_id.startswith("lb-")
        assert made.address.startswith(served("0."))
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
