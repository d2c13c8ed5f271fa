"""Application load balancers, server groups, and listeners, called through the vendor's own SDK."""

from __future__ import annotations

import socket

import pytest
from alibabacloud_alb20200616 import models
from alibabacloud_vpc20160428 import models as vpc
from contract_application import forward, forward_to, when
from contract_network import NetworkBalancer
from contract_sdk import refused
from contract_servers import HTTP_PORT, ZONES
from own_range import served


class TestLoadBalancer:
    def test_stands_in_each_of_its_zones_with_an_address_of_its_vswitch(self, application):
        balancer_id = application.balance()
        found = application.describe(balancer_id)
        assert (found.load_balancer_edition, found.address_type) == ("Standard", "Intranet")
        assert (found.load_balancer_name, found.address_allocated_mode) == ("front", "Fixed")
        assert {zone.zone_id for zone in found.zone_mappings} == set(ZONES)
        addresses = [zone.load_balancer_addresses[0].intranet_address for zone in found.zone_mappings]
        assert [address.rpartition(".")[0] for address in addresses] == [served("100"), served("101")]
        assert found.dnsname == addresses[0]

    def test_that_faces_the_internet_has_a_public_address_in_each_zone_and_turns_back(
        self, application, alb_client
    ):
        balancer_id = application.balance(address_type="Internet")
        found = application.describe(balancer_id)
        public = [zone.load_balancer_addresses[0].address for zone in found.zone_mappings]
        assert len(set(public)) == 2
        assert found.dnsname == public[0]
        job_id = alb_client.update_load_balancer_address_type_config(
            models.UpdateLoadBalancerAddressTypeConfigRequest(
                load_balancer_id=balancer_id, address_type="Intranet"
            )
        ).body.job_id
        application.wait_job(job_id)
        found = application.describe(balancer_id)
        assert found.dnsname == found.zone_mappings[0].load_balancer_addresses[0].intranet_address

    def test_is_listed_by_name_and_tag(self, application, alb_client):
        tag = [models.CreateLoadBalancerRequestTag(key="team", value="a")]
        balancer_id = application.balance(load_balancer_name="listed", tag=tag)
        application.balance()
        for filters in (
            {"load_balancer_names": ["listed"]},
            {"tag": [models.ListLoadBalancersRequestTag(key="team", value="a")]},
        ):
            listed = alb_client.list_load_balancers(models.ListLoadBalancersRequest(**filters)).body
            assert [one.load_balancer_id for one in listed.load_balancers] == [balancer_id]

    def test_is_listed_by_what_it_is(self, application, alb_client):
        balancer_id = application.balance()

        def listed(**filters) -> list[str]:
            request = models.ListLoadBalancersRequest(load_balancer_ids=[balancer_id], **filters)
            return [
                one.load_balancer_id for one in alb_client.list_load_balancers(request).body.load_balancers
            ]

        for fits, does_not in (
            ({"address_ip_version": "IPv4"}, {"address_ip_version": "DualStack"}),
            ({"load_balancer_bussiness_status": "Normal"}, {"load_balancer_bussiness_status": "Abnormal"}),
            ({"pay_type": "PostPay"}, {"pay_type": "PrePay"}),
        ):
            assert (listed(**fits), listed(**does_not)) == ([balancer_id], []), fits

    def test_is_renamed_by_a_job_and_moved_up_to_another_edition(self, application, alb_client):
        balancer_id = application.balance(load_balancer_edition="Basic")
        job_id = alb_client.update_load_balancer_attribute(
            models.UpdateLoadBalancerAttributeRequest(
                load_balancer_id=balancer_id, load_balancer_name="renamed"
            )
        ).body.job_id
        application.wait_job(job_id)
        job = application.job(job_id)
        assert (job.api_name, job.operate_type, job.resource_type, job.resource_id) == (
            "UpdateLoadBalancerAttribute",
            "Update",
            "loadbalancer",
            balancer_id,
        )
        for edition, code in (("Standard", ""), ("Basic", "InvalidParameter")):
            request = models.UpdateLoadBalancerEditionRequest(
                load_balancer_id=balancer_id, load_balancer_edition=edition
            )
            if code:
                with refused(code, text="LoadBalancerEdition"):
                    alb_client.update_load_balancer_edition(request)
            else:
                alb_client.update_load_balancer_edition(request)
            application.wait_active(balancer_id)
        found = application.describe(balancer_id)
        assert (found.load_balancer_name, found.load_balancer_edition) == ("renamed", "Standard")

    def test_that_is_protected_is_not_deleted(self, application, alb_client):
        balancer_id = application.balance(deletion_protection_enabled=True)
        assert application.describe(balancer_id).deletion_protection_config.enabled is True
        with refused("OperationDenied.DeletionProtection"):
            application.delete(balancer_id)
        alb_client.disable_deletion_protection(
            models.DisableDeletionProtectionRequest(resource_id=balancer_id)
        )
        application.wait_active(balancer_id)
        application.wait_job(application.delete(balancer_id))
        with refused("ResourceNotFound.LoadBalancer", 404):
            application.describe(balancer_id)
        with refused("ResourceNotFound.LoadBalancer", 404):
            alb_client.enable_deletion_protection(
                models.EnableDeletionProtectionRequest(resource_id=balancer_id)
            )

    def test_joins_and_leaves_security_groups_of_its_vpc(self, application, alb_client, servers):
        balancer_id = application.balance()
        names = {"load_balancer_id": balancer_id, "security_group_ids": [servers.fleet.group_id]}
        joined = alb_client.load_balancer_join_security_group(
            models.LoadBalancerJoinSecurityGroupRequest(**names)
        )
        application.wait_job(joined.body.job_id)
        assert application.describe(balancer_id).security_group_ids == [servers.fleet.group_id]
        left = alb_client.load_balancer_leave_security_group(
            models.LoadBalancerLeaveSecurityGroupRequest(**names)
        )
        application.wait_job(left.body.job_id)
        assert application.describe(balancer_id).security_group_ids == []

    def test_keeps_its_vswitches(self, application, make_vpc, make_vswitch, vpc_client):
        vpc_id = make_vpc("10.79.0.0/16")
        vswitch_ids = [make_vswitch(vpc_id, f"10.79.{i}.0/24", zone) for i, zone in enumerate(ZONES)]
        balancer_id = application.balance(vswitch_ids, vpc_id=vpc_id)
        for vswitch_id in vswitch_ids:
            with refused("DependencyViolation.LoadBalancer"):
                vpc_client.delete_vswitch(vpc.DeleteVSwitchRequest(v_switch_id=vswitch_id))
        application.delete(balancer_id)

    def test_that_cannot_be_is_refused(self, application):
        dear = models.CreateLoadBalancerRequestLoadBalancerBillingConfig(pay_type="PrePay")
        one_zone = {"vswitch_ids": application.vswitch_ids[:1], "zones": ZONES[:1]}
        for settings, code, status in (
            ({"vpc_id": "vpc-none"}, "ResourceNotFound.Vpc", 404),
            ({"vswitch_ids": ["vsw-none", "vsw-none"]}, "ResourceNotFound.VSwitch", 404),
            (one_zone, "InvalidParameter", 400),
            ({"address_type": "public"}, "InvalidParameter", 400),
            ({"load_balancer_edition": "Best"}, "InvalidParameter", 400),
            ({"load_balancer_name": "_"}, "InvalidParameter", 400),
            ({"load_balancer_billing_config": dear}, "InvalidParameter", 400),
            ({"address_ip_version": "DualStack"}, "UnsupportedOperation", 400),
            ({"dry_run": True}, "DryRunOperation", 400),
        ):
            with refused(code, status):
                application.balance(**settings)

    def test_is_made_once_for_one_client_token_whatever_nlb_did_with_it(
        self, application, nlb_client, servers
    ):
        NetworkBalancer(nlb_client, servers, client_token="both").delete()
        assert application.balance(client_token="both") == application.balance(client_token="both")


class TestServerGroup:
    def test_fills_in_what_nobody_says(self, application):
        times = ("health_check_interval", "health_check_timeout", "healthy_threshold", "unhealthy_threshold")
        found = application.find_group(application.group(dict.fromkeys(times)))
        assert (found.protocol, found.scheduler, found.server_group_type) == ("HTTP", "Wrr", "Instance")
        check = found.health_check_config
        assert (check.health_check_interval, check.health_check_timeout) == (2, 5)
        assert (check.healthy_threshold, check.unhealthy_threshold) == (3, 3)
        assert (check.health_check_method, check.health_check_codes) == ("HEAD", ["http_2xx"])
        assert found.connection_drain_config.connection_drain_timeout == 300
        assert found.connection_drain_config.connection_drain_enabled is False
        assert found.slow_start_config.slow_start_duration == 30
        assert found.sticky_session_config.sticky_session_enabled is False

    def test_is_changed_part_by_part(self, application):
        group_id = application.group()
        application.change_group(
            group_id,
            server_group_name="renamed",
            slow_start_config=models.UpdateServerGroupAttributeRequestSlowStartConfig(
                slow_start_enabled=True, slow_start_duration=60
            ),
            health_check_config=models.UpdateServerGroupAttributeRequestHealthCheckConfig(
                health_check_enabled=True, health_check_path="/healthz"
            ),
        )
        found = application.find_group(group_id)
        assert (found.server_group_name, found.slow_start_config.slow_start_duration) == ("renamed", 60)
        check = found.health_check_config
        assert (check.health_check_path, check.health_check_interval) == ("/healthz", 1)

    def test_that_is_checked_by_grpc_keeps_its_codes_until_it_is_checked_otherwise(self, application):
        check = {"health_check_protocol": "gRPC", "health_check_codes": ["0", "5-12"]}
        group_id = application.group(check)
        change = models.UpdateServerGroupAttributeRequestHealthCheckConfig

        def seen() -> tuple[str, str, list[str]]:
            found = application.find_group(group_id).health_check_config
            return found.health_check_protocol, found.health_check_method, found.health_check_codes

        assert seen() == ("gRPC", "POST", ["0", "5-12"])
        application.change_group(group_id, health_check_config=change(health_check_interval=3))
        assert seen() == ("gRPC", "POST", ["0", "5-12"])
        application.change_group(group_id, health_check_config=change(health_check_protocol="HTTP"))
        assert seen() == ("HTTP", "HEAD", ["http_2xx"])
        application.change_group(group_id, health_check_config=change(health_check_protocol="gRPC"))
        assert seen() == ("gRPC", "POST", ["0"])

    @pytest.mark.parametrize("word", ["gRPC", "GRPC"])
    def test_that_speaks_grpc_does_so_in_the_word_that_was_sent(self, application, word):
        group_id = application.group({"health_check_protocol": word}, protocol=word)
        found = application.find_group(group_id)
        assert (found.protocol, found.health_check_config.health_check_protocol) == (word, word)
        with refused("OperationDenied.ServerGroupProtocolMismatch"):
            application.listen(application.balance(), group_id)

    def test_that_a_listener_or_a_rule_uses_is_not_deleted(self, application):
        own, further = application.group(), application.group()
        listener_id = application.listen(application.balance(), own)
        application.rule(listener_id, 1, [when("Path", "/a")], [forward_to(further)])
        for group_id in (own, further):
            with refused("ResourceInUse.ServerGroup"):
                application.delete_group(group_id)

    def test_that_is_not_served_or_not_allowed_is_refused_by_name(self, application):
        sticky, slow, uch = (
            getattr(models, f"CreateServerGroupRequest{name}Config")
            for name in ("StickySession", "SlowStart", "Uch")
        )
        server_cookie = sticky(sticky_session_enabled=True, sticky_session_type="Server")
        grpc = {"health_check_protocol": "gRPC"}
        for settings, code, text in (
            ({"protocol": "AJP"}, "InvalidParameter", '"Protocol"'),
            ({"scheduler": "Fastest"}, "InvalidParameter", '"Scheduler"'),
            ({"scheduler": "Uch"}, "MissingParameter", '"UchConfig"'),
            ({"uch_config": uch(type="Path", value="x")}, "InvalidParameter", "QueryString"),
            ({"server_group_type": "Ip"}, "UnsupportedOperation", "addresses"),
            ({"server_group_type": "Fc"}, "UnsupportedOperation", "functions"),
            ({"sticky_session_config": server_cookie}, "MissingParameter", "Cookie"),
            (
                {"scheduler": "Wlc", "slow_start_config": slow(slow_start_enabled=True)},
                "InvalidParameter",
                "Wrr",
            ),
            ({"upstream_keepalive_enabled": True}, "UnsupportedOperation", "connections"),
            ({"check": {"health_check_interval": 51}}, "InvalidParameter", '"HealthCheckInterval"'),
            ({"check": {"health_check_codes": ["0"]}}, "InvalidParameter", "http_2xx"),
            ({"check": {"health_check_path": "no path"}}, "InvalidParameter", '"HealthCheckPath"'),
            ({"check": {"health_check_host": 'a"b'}}, "InvalidParameter", '"HealthCheckHost"'),
            (
                {"scheduler": "Uch", "uch_config": uch(type="QueryString", value='"')},
                "InvalidParameter",
                "_ . -",
            ),
            ({"check": grpc | {"health_check_codes": ["http_2xx"]}}, "InvalidParameter", "from 0 to 99"),
            ({"check": grpc | {"health_check_codes": ["9-1"]}}, "InvalidParameter", "from 0 to 99"),
            ({"check": grpc | {"health_check_codes": ["1"] * 21}}, "InvalidParameter", "up to 20"),
        ):
            with refused(code, text=text):
                application.group(**settings)


class TestServers:
    def test_are_added_weighed_replaced_and_removed(self, application, servers, alb_client):
        group_id, (first, second) = application.group(), servers.ids
        application.wait_job(application.add(group_id, {first: None}, description="a node"))
        found = application.servers(group_id)[first]
        assert (found.weight, found.port, found.status) == (100, HTTP_PORT, "Available")
        assert (found.server_ip, found.description) == (servers.addresses[first], "a node")
        application.weigh(group_id, {first: 0})
        assert application.servers(group_id)[first].weight == 0
        request = models.ReplaceServersInServerGroupRequest().from_map(
            {
                "ServerGroupId": group_id,
                "AddedServers": [{"ServerId": second, "ServerType": "Ecs", "Port": HTTP_PORT, "Weight": 50}],
                "RemovedServers": [{"ServerId": first, "ServerType": "Ecs", "Port": HTTP_PORT}],
            }
        )
        alb_client.replace_servers_in_server_group(request)
        application.wait_available(group_id)
        assert {one: server.weight for one, server in application.servers(group_id).items()} == {second: 50}
        application.remove(group_id, second)
        assert application.servers(group_id) == {}

    def test_that_cannot_be_are_refused(self, application, servers):
        group_id, (server_id, _) = application.group(), servers.ids
        application.add(group_id, {server_id: 100})
        with refused("ResourceAlreadyExist.BackendServer"):
            application.add(group_id, {server_id: 100})
        for call in (application.add, lambda group, ids: application.remove(group, *ids)):
            with refused("ResourceNotFound.BackendServer", 404):
                call(group_id, {"i-none": 100})
        with refused("ResourceNotFound.ServerGroup", 404):
            application.add("sgp-none", {server_id: 100})
        with refused("InvalidParameter", text='"Servers.Weight"'):
            application.weigh(group_id, {server_id: 101})
        with refused("UnsupportedOperation", text="type Eni"):
            application.add(group_id, {server_id: 1}, server_type="Eni")


class TestListener:
    def test_is_described_changed_stopped_started_and_deleted(self, application, alb_client):
        balancer_id, group_id = application.balance(), application.group()
        listener_id = application.listen(balancer_id, group_id, 8081, idle_timeout=60)
        found = application.describe_listener(listener_id)
        assert (found.listener_port, found.listener_protocol, found.idle_timeout) == (8081, "HTTP", 60)
        assert found.request_timeout == 60
        tuples = found.default_actions[0].forward_group_config.server_group_tuples
        assert [one.server_group_id for one in tuples] == [group_id]
        other = application.group()
        job_id = alb_client.update_listener_attribute(
            models.UpdateListenerAttributeRequest(
                listener_id=listener_id,
                listener_description="web",
                default_actions=[forward(models.UpdateListenerAttributeRequestDefaultActions, other)],
            )
        ).body.job_id
        name = {"listener_id": listener_id}
        application.wait_job(job_id)
        found = application.describe_listener(listener_id)
        tuples = found.default_actions[0].forward_group_config.server_group_tuples
        assert (tuples[0].server_group_id, found.listener_description) == (other, "web")
        alb_client.stop_listener(models.StopListenerRequest(**name))
        application.wait_running(listener_id, "Stopped")
        address = application.address(balancer_id)
        with socket.socket() as probe:
            assert probe.connect_ex((address, 8081)) != 0
        alb_client.start_listener(models.StartListenerRequest(**name))
        application.wait_running(listener_id)
        with socket.create_connection((address, 8081)):
            pass
        application.wait_job(alb_client.delete_listener(models.DeleteListenerRequest(**name)).body.job_id)
        with refused("ResourceNotFound.Listener", 404):
            application.describe_listener(listener_id)

    def test_goes_with_its_load_balancer_and_so_do_its_rules(self, application, alb_client):
        balancer_id, group_id = application.balance(), application.group()
        listener_id = application.listen(balancer_id, group_id)
        application.rule(listener_id, 1, [when("Path", "/a")], [forward_to(group_id)])
        application.delete(balancer_id)
        listed = alb_client.list_listeners(models.ListListenersRequest(load_balancer_ids=[balancer_id])).body
        assert listed.total_count == 0
        assert application.rules(listener_id) == []

    def test_that_is_not_served_or_not_allowed_is_refused_by_name(self, application):
        balancer_id, group_id = application.balance(), application.group()
        grpc = application.group(protocol="gRPC")
        unknown = [models.CreateListenerRequestCertificates(certificate_id="1-cn-hangzhou")]
        to_none = [forward(models.CreateListenerRequestDefaultActions, "sgp-none")]
        for settings, code, text in (
            ({"listener_protocol": "QUIC"}, "UnsupportedOperation", "QUIC"),
            ({"listener_protocol": "TCP"}, "InvalidParameter", '"ListenerProtocol"'),
            ({"listener_protocol": "HTTPS"}, "MissingParameter", "Certificates"),
            ({"port": 0}, "InvalidParameter", '"ListenerPort"'),
            ({"idle_timeout": 601}, "InvalidParameter", '"IdleTimeout"'),
            ({"ca_enabled": True}, "UnsupportedOperation", "clients"),
            ({"group_id": grpc}, "OperationDenied.ServerGroupProtocolMismatch", "gRPC"),
        ):
            with refused(code, text=text):
                application.listen(balancer_id, settings.pop("group_id", group_id), **settings)
        with refused("ResourceNotFound.Certificate", 404):
            application.listen(balancer_id, group_id, listener_protocol="HTTPS", certificates=unknown)
        with refused("ResourceNotFound.ServerGroup", 404):
            application.listen(balancer_id, group_id, default_actions=to_none)

    def test_on_a_port_that_is_taken_is_refused(self, application):
        balancer_id, group_id = application.balance(), application.group()
        application.listen(balancer_id, group_id)
        with refused("ResourceAlreadyExist.Listener"):
            application.listen(balancer_id, group_id)


def test_a_job_that_never_was_is_not_listed(application):
    assert application.job("none") is None


def test_the_regions_zones_are_listed(alb_client):
    zones = alb_client.describe_zones(models.DescribeZonesRequest()).body.zones
    assert set(ZONES) <= {zone.zone_id for zone in zones}
