"""Zones of network and application load balancers that are taken out of their names, and put back."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pytest
from alibabacloud_alb20200616 import models as alb
from alibabacloud_nlb20220430 import models as nlb
from contract_application import Application, ask
from contract_fleet import REGION
from contract_network import NetworkBalancer
from contract_sdk import refused
from contract_servers import ZONES


@dataclass(frozen=True, kw_only=True)
class Front:
    """A load balancer of either kind with a listener on port 8080.

    Attributes:
        describe: Gives it as the product answers it.
        start: Takes zones out of its name, each given with its VSwitch, and waits until that is done.
        cancel: Puts zones back.
    """

    describe: Callable[[], Any]
    start: Callable[..., None]
    cancel: Callable[..., None]
    vswitch_ids: tuple[str, ...]

    def zones(self) -> dict[str, str]:
        return {zone.zone_id: zone.status for zone in self.describe().zone_mappings}

    def addresses(self) -> list[str]:
        found = [zone.load_balancer_addresses[0] for zone in self.describe().zone_mappings]
        return [getattr(one, "private_ipv_4address", None) or one.intranet_address for one in found]


@pytest.fixture
def network_front(nlb_client, servers):
    network = NetworkBalancer(nlb_client, servers)
    network.listen("TCP", 8080, network.make_group())
    names = {"region_id": REGION, "load_balancer_id": network.id}

    def change(call, request_class, mapping_class, places):
        mappings = [mapping_class(zone_id=zone, v_switch_id=vswitch_id) for zone, vswitch_id in places]
        call(request_class(**names, zone_mappings=mappings))

    yield Front(
        describe=lambda: (
            nlb_client.get_load_balancer_attribute(nlb.GetLoadBalancerAttributeRequest(**names)).body
        ),
        start=lambda *places: change(
            nlb_client.start_shift_load_balancer_zones,
            nlb.StartShiftLoadBalancerZonesRequest,
            nlb.StartShiftLoadBalancerZonesRequestZoneMappings,
            places,
        ),
        cancel=lambda *places: change(
            nlb_client.cancel_shift_load_balancer_zones,
            nlb.CancelShiftLoadBalancerZonesRequest,
            nlb.CancelShiftLoadBalancerZonesRequestZoneMappings,
            places,
        ),
        vswitch_ids=servers.vswitch_ids,
    )
    network.delete()


@pytest.fixture
def application_front(application, servers):
    balancer_id = application.balance()
    application.listen(balancer_id, application.group(servers=dict.fromkeys(servers.ids, 100)))
    return application_front_of(application, balancer_id)


def application_front_of(application: Application, balancer_id: str) -> Front:
    client = application.client

    def change(call, request_class, mapping_class, places):
        mappings = [mapping_class(zone_id=zone, v_switch_id=vswitch_id) for zone, vswitch_id in places]
        call(request_class(load_balancer_id=balancer_id, zone_mappings=mappings))
        application.wait_active(balancer_id)

    return Front(
        describe=lambda: application.describe(balancer_id),
        start=lambda *places: change(
            client.start_shift_load_balancer_zones,
            alb.StartShiftLoadBalancerZonesRequest,
            alb.StartShiftLoadBalancerZonesRequestZoneMappings,
            places,
        ),
        cancel=lambda *places: change(
            client.cancel_shift_load_balancer_zones,
            alb.CancelShiftLoadBalancerZonesRequest,
            alb.CancelShiftLoadBalancerZonesRequestZoneMappings,
            places,
        ),
        vswitch_ids=tuple(application.vswitch_ids),
    )


@pytest.fixture(params=["network", "application"])
def front(request):
    return request.getfixturevalue(f"{request.param}_front")


def test_a_shifted_zone_is_in_the_name_no_more_and_serves_on_until_it_is_put_back(front):
    first, second = front.addresses()
    assert front.describe().dnsname == first
    place = (ZONES[0], front.vswitch_ids[0])
    front.start(place)
    assert front.zones() == {ZONES[0]: "Shifted", ZONES[1]: "Active"}
    assert front.describe().dnsname == second
    assert front.addresses() == [first, second]
    assert [ask(one).status for one in (first, second)] == [200, 200]
    front.cancel(place)
    assert front.zones() == dict.fromkeys(ZONES, "Active")
    assert front.describe().dnsname == first


def test_a_zone_that_is_shifted_or_is_not_cannot_be_shifted_again_or_put_back(front):
    place = (ZONES[1], front.vswitch_ids[1])
    with refused("IncorrectStatus.ZoneMapping", text="Active"):
        front.cancel(place)
    front.start(place)
    with refused("IncorrectStatus.ZoneMapping", text="Shifted"):
        front.start(place)


def test_one_zone_stays_in_the_name(front):
    front.start((ZONES[1], front.vswitch_ids[1]))
    with refused("OperationDenied.OnlyOneAvailableZone"):
        front.start((ZONES[0], front.vswitch_ids[0]))


def test_a_call_names_one_zone_of_the_load_balancer_with_its_vswitch(front):
    places = list(zip(ZONES, front.vswitch_ids, strict=True))
    with refused("InvalidParameter", text="one zone"):
        front.start(*places)
    with refused("InvalidParameter", text="VSwitch"):
        front.start((ZONES[0], front.vswitch_ids[1]))
    with refused("InvalidParameter", text="VSwitch"):
        front.cancel(("cn-hangzhou-k", "vsw-none"))


def test_an_application_one_with_dynamic_addresses_has_no_zone_to_shift(application):
    front = application_front_of(application, application.balance(address_allocated_mode="Dynamic"))
    with refused("InvalidParameter", text="Fixed"):
        front.start((ZONES[0], front.vswitch_ids[0]))


def test_a_load_balancer_that_is_not_there_is_not_found(nlb_client, application):
    zones = [nlb.StartShiftLoadBalancerZonesRequestZoneMappings(zone_id=ZONES[0], v_switch_id="vsw-1")]
    with refused("ResourceNotFound.loadBalancer", 404):
        nlb_client.start_shift_load_balancer_zones(
            nlb.StartShiftLoadBalancerZonesRequest(
                region_id=REGION, load_balancer_id="nlb-none", zone_mappings=zones
            )
        )
    places = [alb.CancelShiftLoadBalancerZonesRequestZoneMappings(zone_id=ZONES[0], v_switch_id="vsw-1")]
    with refused("ResourceNotFound.LoadBalancer", 404):
        application.client.cancel_shift_load_balancer_zones(
            alb.CancelShiftLoadBalancerZonesRequest(load_balancer_id="alb-none", zone_mappings=places)
        )
