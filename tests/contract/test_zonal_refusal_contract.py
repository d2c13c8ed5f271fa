"""What network and application load balancers refuse alike: foreign networks, taken addresses, unfit servers."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from types import ModuleType
from typing import Any

import pytest
from alibabacloud_alb20200616 import models as alb
from alibabacloud_alb20200616.client import Client as AlbClient
from alibabacloud_ecs20140526 import models as ecs
from alibabacloud_nlb20220430 import models as nlb
from alibabacloud_tea_openapi.exceptions import AlibabaCloudException
from alibabacloud_vpc20160428 import models as vpc
from contract_application import Application, forward_to, when
from contract_fleet import REGION
from contract_sdk import refused, sdk_config, wait_for
from contract_servers import ZONES, Servers
from own_range import inner


@dataclass(frozen=True, kw_only=True)
class Product:
    """One of the two, in the words that they share."""

    client: Any
    models: ModuleType

    def group(self, vpc_id: str) -> str:
        check = self.models.CreateServerGroupRequestHealthCheckConfig(health_check_enabled=False)
        request = self.models.CreateServerGroupRequest(
            vpc_id=vpc_id, server_group_name="nodes", health_check_config=check
        )
        group_id = self.client.create_server_group(request).body.server_group_id
        self.wait_group(group_id)
        return group_id

    def wait_group(self, group_id: str) -> None:
        request = self.models.ListServerGroupsRequest(server_group_ids=[group_id])
        wait_for(
            lambda: self.client.list_server_groups(request).body.server_groups[0].server_group_status,
            lambda status: status == "Available",
        )

    def add(self, group_id: str, *server_ids: str) -> None:
        servers = [
            self.models.AddServersToServerGroupRequestServers(
                server_id=one, server_type="Ecs", port=8000, weight=100
            )
            for one in server_ids
        ]
        self.client.add_servers_to_server_group(
            self.models.AddServersToServerGroupRequest(server_group_id=group_id, servers=servers)
        )

    def delete_group(self, group_id: str) -> None:
        self.client.delete_server_group(self.models.DeleteServerGroupRequest(server_group_id=group_id))

    def balance(self, vpc_id: str, *vswitch_ids: str, address: str | None = None) -> str:
        names = {"private_ipv_4address": address} if self.models is nlb else {"intranet_address": address}
        mappings = [
            self.models.CreateLoadBalancerRequestZoneMappings(
                v_switch_id=vswitch_id, zone_id=zone, **(names if address else {})
            )
            for vswitch_id, zone in zip(vswitch_ids, ZONES, strict=True)
        ]
        usual: dict[str, object] = {
            "address_type": "Intranet",
            "vpc_id": vpc_id,
            "zone_mappings": mappings,
            "load_balancer_name": "front",
        }
        if self.models is alb:
            bill = alb.CreateLoadBalancerRequestLoadBalancerBillingConfig(pay_type="PostPay")
            usual |= {"load_balancer_edition": "Standard", "load_balancer_billing_config": bill}
        body = self.client.create_load_balancer(self.models.CreateLoadBalancerRequest(**usual)).body
        return getattr(body, "loadbalancer_id", None) or body.load_balancer_id


@pytest.fixture(params=["network", "application"])
def product(request: pytest.FixtureRequest, local_cloud, nlb_client) -> Product:
    if request.param == "network":
        return Product(client=nlb_client, models=nlb)
    return Product(client=AlbClient(sdk_config(local_cloud)), models=alb)


@pytest.fixture
def application(local_cloud, servers: Servers) -> Iterator[Application]:
    client = AlbClient(sdk_config(local_cloud))
    application = Application(client, servers.fleet.vpc_id, list(servers.vswitch_ids))
    yield application
    application.clear()


def test_a_server_of_another_network_is_not_added(product: Product, fleet, servers: Servers) -> None:
    group_id = product.group(fleet.vpc_id)
    with refused("ResourceNotInVpc"):
        product.add(group_id, servers.ids[0])
    product.delete_group(group_id)


def test_a_server_that_does_not_run_is_not_added(product: Product, fleet) -> None:
    group_id = product.group(fleet.vpc_id)
    (instance_id,) = fleet.run()
    fleet.ecs_client.stop_instance(ecs.StopInstanceRequest(instance_id=instance_id, force_stop=True))
    fleet.wait_status(instance_id, "Stopped")
    with refused("IncorrectStatus.BackendServer"):
        product.add(group_id, instance_id)
    product.delete_group(group_id)


def test_a_call_names_two_hundred_servers_at_most(product: Product, fleet) -> None:
    group_id = product.group(fleet.vpc_id)
    with refused("QuotaExceeded.ServersNum"):
        product.add(group_id, *(f"i-{number}" for number in range(201)))
    product.delete_group(group_id)


def test_a_vswitch_of_another_network_is_refused(product: Product, fleet, servers: Servers) -> None:
    with refused("ResourceNotInVpc"):
        product.balance(fleet.vpc_id, *servers.vswitch_ids)


def test_an_address_that_something_has_is_refused(product: Product, servers: Servers) -> None:
    taken = next(iter(servers.addresses.values()))
    with refused("OperationDenied.AddressNotAvailable"):
        product.balance(servers.fleet.vpc_id, *servers.vswitch_ids, address=taken)


def test_a_server_group_of_another_network_is_refused(application: Application, fleet) -> None:
    balancer_id = application.balance()
    elsewhere = Product(client=application.client, models=alb).group(fleet.vpc_id)
    with refused("ResourceNotInVpc"):
        application.listen(balancer_id, elsewhere)
    application.delete_group(elsewhere)


def test_a_listener_that_takes_a_change_in_is_left_alone(application: Application) -> None:
    listener_id = application.listen(application.balance(), group_id := application.group())
    rule_id = application.rule(listener_id, 1, [when("Path", "/a")], [forward_to(group_id)])
    told = alb.UpdateListenerLogConfigRequest(listener_id=listener_id)
    changed = alb.UpdateRuleAttributeRequest(rule_id=rule_id, rule_name="other")

    def change_twice() -> str:
        """Change it, and again before the first change is taken in; give the code of the refusal."""
        application.client.update_listener_log_config(told)
        try:
            application.client.update_rule_attribute(changed)
        except AlibabaCloudException as err:
            return err.code
        finally:
            application.wait_running(listener_id)
        return ""

    # It takes a moment that a busy machine may miss.
    wait_for(change_twice, lambda code: code == "ResourceInConfiguring.Listener")
    application.client.update_rule_attribute(changed)
    assert [rule.rule_name for rule in application.rules(listener_id)] == ["other"]


def test_logs_of_access_are_refused_and_to_turn_them_off_is_fine(application: Application) -> None:
    listener_id = application.listen(application.balance(), application.group())
    request = alb.UpdateListenerLogConfigRequest(
        listener_id=listener_id, access_log_record_customized_headers_enabled=True
    )
    with refused("UnsupportedOperation", text="logs of access"):
        application.client.update_listener_log_config(request)
    request.access_log_record_customized_headers_enabled = False
    application.client.update_listener_log_config(request)
    application.wait_running(listener_id)


def test_an_application_balancer_moves_into_the_zones_that_are_named(
    application: Application, make_vswitch, vpc_client, servers: Servers
) -> None:
    balancer_id = application.balance()
    third = make_vswitch(servers.fleet.vpc_id, inner("109.0/24"), zone_id="cn-hangzhou-j")
    kept = application.describe(balancer_id).zone_mappings[0]
    mappings = [
        alb.UpdateLoadBalancerZonesRequestZoneMappings(v_switch_id=vswitch_id, zone_id=zone)
        for vswitch_id, zone in ((servers.vswitch_ids[0], ZONES[0]), (third, "cn-hangzhou-j"))
    ]
    request = alb.UpdateLoadBalancerZonesRequest(load_balancer_id=balancer_id, zone_mappings=mappings)
    application.client.update_load_balancer_zones(request)
    application.wait_active(balancer_id)
    found = {zone.zone_id: zone for zone in application.describe(balancer_id).zone_mappings}
    assert set(found) == {ZONES[0], "cn-hangzhou-j"}
    assert found[ZONES[0]].load_balancer_addresses[0].address == kept.load_balancer_addresses[0].address
    application.clear()
    vpc_client.delete_vswitch(vpc.DeleteVSwitchRequest(region_id=REGION, v_switch_id=third))


def test_regions_are_told_with_the_endpoint_that_serves_them(product: Product, local_cloud) -> None:
    regions = product.client.describe_regions(product.models.DescribeRegionsRequest()).body.regions
    assert REGION in {region.region_id for region in regions}
    assert {region.region_endpoint for region in regions} == {local_cloud.endpoint}
