from __future__ import annotations

import json

import pulumi
import pytest
from recording_monitor import ACCOUNT_ID, Recording, record

from steelyard.components.balancer_args import LoadBalancerArgs
from steelyard.components.certificate import CertificateArgs
from steelyard.components.load_balancer import LoadBalancer
from steelyard.components.program import declare
from steelyard.errors import UsageError
from steelyard.spec import ClusterSpec, HealthCheckSpec, ListenerSpec, LoadBalancerSpec

TOKEN = "f" * 64
TCP = ListenerSpec(port=8000, protocol="tcp")
TLS = ListenerSpec(port=443, protocol="tcpssl")
GIVEN = CertificateArgs(certificate_id="12345678")


def declared(**changes: object) -> Recording:
    wanted = {
        "cluster": "demo",
        "kind": "network",
        "vpc_id": "vpc-1",
        "vswitch_ids": ("vsw-1", "vsw-2"),
        "zones": ("z-a", "z-b"),
        "listeners": (TCP,),
        "health_check": HealthCheckSpec(),
    }
    args = LoadBalancerArgs(**{**wanted, **changes})
    return record(lambda: LoadBalancer("lb", args))


@pytest.fixture(scope="module")
def network() -> Recording:
    """What a cluster file declares that asks for a network load balancer and for nothing else."""
    spec = ClusterSpec(name="demo", load_balancer=LoadBalancerSpec(kind="network", drain_timeout_s=30))
    return record(lambda: declare(spec, TOKEN))


def test_it_stands_in_every_zone_of_the_vpc(network: Recording) -> None:
    balancer = network.the("nlb/loadBalancer:LoadBalancer")
    assert balancer.inputs == {
        "loadBalancerName": "demo-lb",
        "addressType": "Intranet",
        "vpcId": "demo-network-vpc-id",
        "crossZoneEnabled": True,
        "zoneMappings": [
            {"zoneId": zone, "vswitchId": f"demo-network-vswitch-{zone}-id"}
            for zone in ("cn-hangzhou-h", "cn-hangzhou-i")
        ],
        "tags": {"steelyard:cluster": "demo"},
    }
    assert network.parent_of(balancer).name == "demo-balancer"


def test_its_server_group_checks_the_gateways_and_drains(network: Recording) -> None:
    assert network.the("nlb/serverGroup:ServerGroup").inputs == {
        "serverGroupName": "demo-nodes",
        "serverGroupType": "Instance",
        "vpcId": "demo-network-vpc-id",
        "protocol": "TCP",
        "scheduler": "Wrr",
        "connectionDrainEnabled": True,
        "connectionDrainTimeout": 30,
        "preserveClientIpEnabled": False,
        "healthCheck": {
            "healthCheckEnabled": True,
            "healthCheckType": "HTTP",
            "httpCheckMethod": "GET",
            "healthCheckUrl": "/healthz",
            "healthCheckHttpCodes": ["http_2xx"],
            "healthCheckInterval": 2,
            "healthCheckConnectTimeout": 5,
            "healthyThreshold": 3,
            "unhealthyThreshold": 3,
        },
        "tags": {"steelyard:cluster": "demo"},
    }


def test_its_listener_speaks_tcp(network: Recording) -> None:
    listener = network.the("nlb/listener:Listener")
    assert listener.inputs == {
        "loadBalancerId": "demo-balancer-balancer-id",
        "serverGroupId": "demo-balancer-servers-id",
        "listenerPort": 8000,
        "listenerProtocol": "TCP",
        "idleTimeout": 900,
    }
    assert listener.deletes_before_replace


def test_every_node_is_attached_with_its_weight(network: Recording) -> None:
    assert [one.inputs for one in network.of_type(":ServerGroupServerAttachment")] == [
        {
            "serverGroupId": "demo-balancer-servers-id",
            "serverId": f"demo-workers-node-{i}-id",
            "serverType": "Ecs",
            "port": 8000,
            "weight": 100,
        }
        for i in (0, 1)
    ]


def test_nothing_of_a_classic_one_is_declared(network: Recording) -> None:
    assert not [one for one in network.resources.values() if one.type.startswith("alicloud:slb/")]
    assert network.exports["gateway_url"] == "http://nlb-1.example.com:8000"
    assert network.exports["slb_id"] == "demo-balancer-balancer-id"


def test_it_reaches_the_gateways_from_its_vswitches_and_no_other_range_does(network: Recording) -> None:
    ranges = {
        one.inputs["cidrIp"]: one.inputs["portRange"]
        for one in network.of_type(":SecurityGroupRule")
        if "cidrIp" in one.inputs
    }
    assert ranges == {"10.64.0.0/20": "8000/8000", "10.64.16.0/20": "8000/8000"}


def test_a_node_may_read_it(network: Recording) -> None:
    document = json.loads(network.the("ram/policy:Policy").inputs["policyDocument"])
    place = f"acs:nlb:cn-hangzhou:{ACCOUNT_ID}"
    assert {tuple(one["Action"]): one["Resource"] for one in document["Statement"]} == {
        ("nlb:GetLoadBalancerAttribute",): [f"{place}:loadbalancer/demo-balancer-balancer-id"],
        ("nlb:ListServerGroupServers",): [f"{place}:servergroup/demo-balancer-servers-id"],
        ("ecs:DescribeInstances",): [f"acs:ecs:cn-hangzhou:{ACCOUNT_ID}:instance/*"],
    }


@pytest.mark.parametrize(("scheduler", "wanted"), [("wlc", "Wlc"), ("rr", "Rr"), ("sch", "Sch")])
def test_it_has_the_schedulers_of_its_kind(scheduler: str, wanted: str) -> None:
    assert declared(scheduler=scheduler).the(":ServerGroup").inputs["scheduler"] == wanted


def test_without_a_time_it_does_not_drain() -> None:
    inputs = declared().the(":ServerGroup").inputs
    assert inputs["connectionDrainEnabled"] is False
    assert "connectionDrainTimeout" not in inputs


def test_a_public_one_is_a_matter_of_its_address_type() -> None:
    assert (
        declared(address_type="internet").the("nlb/loadBalancer:LoadBalancer").inputs["addressType"]
        == "Internet"
    )


@pytest.mark.parametrize(
    ("changes", "message", "hint"),
    [
        ({"listeners": (ListenerSpec(),)}, "does not speak http", "`kind: classic`"),
        ({"zones": ("z-a",), "vswitch_ids": ("vsw-1",)}, "2 zones or more", "`kind: classic`"),
        (
            {"kind": "classic", "listeners": (TLS,), "certificate": GIVEN},
            "does not speak tcpssl",
            "`kind: network`",
        ),
        ({"listeners": (TLS,)}, "needs a certificate", "certificate_id"),
        ({"sticky_session_s": 60}, "keeps no client", "`kind: classic`"),
        ({"access_cidrs": ("203.0.113.0/24",)}, "no list of those", "`kind: classic`"),
        ({"kind": "classic", "listeners": (), "scheduler": "wlc"}, "scheduler `wlc`", "`kind: network`"),
        ({"kind": "classic", "listeners": (), "drain_timeout_s": 60}, "no time to end", "`kind: network`"),
        ({"drain_timeout_s": 901}, "10 to 900 s", "nearest is 900"),
        ({"vpc_id": None}, "needs its VPC", "vpc_id"),
        ({"kind": "clasic"}, "no kind", "classic, network"),
    ],
    ids=lambda value: str(value)[:40],
)
def test_what_a_kind_cannot_do_is_refused_with_the_kind_that_can(
    changes: dict[str, object], message: str, hint: str
) -> None:
    with pytest.raises((UsageError, pulumi.RunError)) as caught:
        declared(**changes)
    assert message in caught.value.message
    assert hint in caught.value.hint
