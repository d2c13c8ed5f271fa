from __future__ import annotations

from recording_monitor import Recording, record

from steelyard.components.balancer_args import LoadBalancerArgs
from steelyard.components.load_balancer import LoadBalancer
from steelyard.spec import HealthCheckSpec, ListenerSpec


def declared(**changes: object) -> Recording:
    wanted = {
        "cluster": "demo",
        "vswitch_ids": ("vsw-1", "vsw-2"),
        "zones": ("z-a", "z-b"),
        "listeners": (ListenerSpec(),),
        "health_check": HealthCheckSpec(),
    }
    args = LoadBalancerArgs(**{**wanted, **changes})
    return record(lambda: LoadBalancer("lb", args))


def test_it_is_a_classic_intranet_balancer_that_is_paid_by_use(demo: Recording) -> None:
    assert demo.the(":ApplicationLoadBalancer").inputs == {
        "loadBalancerName": "demo-lb",
        "addressType": "intranet",
        "vswitchId": "demo-network-vswitch-cn-hangzhou-h-id",
        "instanceChargeType": "PayByCLCU",
        "masterZoneId": "cn-hangzhou-h",
        "slaveZoneId": "cn-hangzhou-i",
        "tags": {"steelyard:cluster": "demo"},
    }


def test_a_public_one_takes_no_address_of_the_vpc() -> None:
    inputs = declared(address_type="internet").the(":ApplicationLoadBalancer").inputs
    assert "vswitchId" not in inputs
    assert inputs["internetChargeType"] == "PayByTraffic"


def test_one_zone_has_no_second_to_fall_back_to() -> None:
    inputs = declared(zones=("z-a",)).the(":ApplicationLoadBalancer").inputs
    assert inputs["masterZoneId"] == "z-a"
    assert "slaveZoneId" not in inputs


def test_a_listener_checks_the_health_of_the_server_group(demo: Recording) -> None:
    assert demo.the(":Listener").inputs == {
        "loadBalancerId": "demo-balancer-balancer-id",
        "serverGroupId": "demo-balancer-servers-id",
        "frontendPort": 8000,
        "protocol": "http",
        "bandwidth": -1,
        "scheduler": "wrr",
        "stickySession": "off",
        "healthCheck": "on",
        "healthCheckMethod": "get",
        "healthCheckUri": "/healthz",
        "healthCheckHttpCode": "http_2xx",
        "healthCheckInterval": 2,
        "healthCheckTimeout": 5,
        "healthyThreshold": 3,
        "unhealthyThreshold": 3,
    }


def test_the_settings_of_the_check_and_the_scheduler_reach_every_listener() -> None:
    check = HealthCheckSpec(
        path="/ready", interval_s=1, timeout_s=2, healthy_threshold=4, unhealthy_threshold=5
    )
    recording = declared(
        listeners=(ListenerSpec(port=80), ListenerSpec(port=8080)), health_check=check, scheduler="rr"
    )
    listeners = recording.of_type(":Listener")
    assert [one.name for one in listeners] == ["lb-listener-80", "lb-listener-8080"]
    for one in listeners:
        assert one.inputs["scheduler"] == "rr"
        assert one.inputs["healthCheckUri"] == "/ready"
        assert [one.inputs[key] for key in ("healthCheckInterval", "healthCheckTimeout")] == [1, 2]
        assert [one.inputs[key] for key in ("healthyThreshold", "unhealthyThreshold")] == [4, 5]


def test_servers_are_attached_one_by_one(demo: Recording) -> None:
    assert demo.the(":ServerGroup").inputs == {
        "name": "demo-nodes",
        "loadBalancerId": "demo-balancer-balancer-id",
        "tags": {"steelyard:cluster": "demo"},
    }
