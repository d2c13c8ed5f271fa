from __future__ import annotations

import json

import pulumi
import pytest
from recording_monitor import ACCOUNT_ID, Recording, record

from steelyard.components.balancer_args import BalancerServer, LoadBalancerArgs
from steelyard.components.certificate import CertificateArgs
from steelyard.components.load_balancer import LoadBalancer
from steelyard.components.program import declare
from steelyard.errors import UsageError
from steelyard.spec import ClusterSpec, HealthCheckSpec, ListenerSpec
from steelyard.spec.forwarding import RuleSpec

TOKEN = "f" * 64
HTTPS = ListenerSpec(port=443, protocol="https")
GIVEN = CertificateArgs(certificate_id="12345678")
METRICS = RuleSpec(name="metrics", paths=("/metrics", "/metrics/*"), port=9100)
CALLS = RuleSpec(
    name="calls", hosts=("calls.example.com",), paths=("/test.Names/*",), port=9000, protocol="grpc"
)


def declared(**changes: object) -> Recording:
    wanted = {
        "cluster": "demo",
        "kind": "application",
        "vpc_id": "vpc-1",
        "vswitch_ids": ("vsw-1", "vsw-2"),
        "zones": ("z-a", "z-b"),
        "listeners": (ListenerSpec(),),
        "health_check": HealthCheckSpec(),
        "servers": (BalancerServer(server_id="i-1", port=8000, weight=0),),
    }
    args = LoadBalancerArgs(**{**wanted, **changes})
    return record(lambda: LoadBalancer("lb", args))


@pytest.fixture(scope="module")
def application() -> Recording:
    """What a cluster file declares that asks for an application load balancer with a rule."""
    balancer = {"kind": "application", "drain_timeout_s": 30, "slow_start_s": 60, "rules": [METRICS]}
    groups = [{"name": "workers", "count": 2}, {"name": "small", "count": 1, "weight": 30}]
    spec = ClusterSpec(name="demo", load_balancer=balancer, node_groups=groups)
    return record(lambda: declare(spec, TOKEN))


def test_it_stands_in_every_zone_of_the_vpc(application: Recording) -> None:
    balancer = application.the("alb/loadBalancer:LoadBalancer")
    assert balancer.inputs == {
        "loadBalancerName": "demo-lb",
        "loadBalancerEdition": "Standard",
        "loadBalancerBillingConfig": {"payType": "PayAsYouGo"},
        "addressType": "Intranet",
        "vpcId": "demo-network-vpc-id",
        "zoneMappings": [
            {"zoneId": zone, "vswitchId": f"demo-network-vswitch-{zone}-id"}
            for zone in ("cn-hangzhou-h", "cn-hangzhou-i")
        ],
        "tags": {"steelyard:cluster": "demo"},
    }
    assert application.parent_of(balancer).name == "demo-balancer"


def test_its_server_group_lists_every_node_with_its_weight_drains_and_starts_slowly(
    application: Recording,
) -> None:
    group = application.named("demo-balancer-servers")
    nodes = (("demo-workers-node-0", 100), ("demo-workers-node-1", 100), ("demo-small-node-0", 30))
    assert group.inputs == {
        "serverGroupName": "demo-nodes",
        "serverGroupType": "Instance",
        "vpcId": "demo-network-vpc-id",
        "protocol": "HTTP",
        "scheduler": "Wrr",
        "servers": [
            {"serverId": f"{name}-id", "serverType": "Ecs", "port": 8000, "weight": weight}
            for name, weight in nodes
        ],
        "connectionDrainConfig": {"connectionDrainEnabled": True, "connectionDrainTimeout": 30},
        "slowStartConfig": {"slowStartEnabled": True, "slowStartDuration": 60},
        "healthCheckConfig": {
            "healthCheckEnabled": True,
            "healthCheckProtocol": "HTTP",
            "healthCheckMethod": "GET",
            "healthCheckPath": "/healthz",
            "healthCheckCodes": ["http_2xx"],
            "healthCheckInterval": 2,
            "healthCheckTimeout": 5,
            "healthyThreshold": 3,
            "unhealthyThreshold": 3,
        },
        "tags": {"steelyard:cluster": "demo"},
    }
    assert not [one for one in application.resources.values() if "ServerAttachment" in one.type]


def test_a_rule_sends_its_paths_to_another_port_of_the_nodes(application: Recording) -> None:
    group = application.named("demo-balancer-servers-metrics")
    assert {server["port"] for server in group.inputs["servers"]} == {9100}
    assert group.inputs["healthCheckConfig"]["healthCheckProtocol"] == "TCP"
    rule = application.the("alb/rule:Rule")
    assert rule.inputs == {
        "listenerId": "demo-balancer-listener-8000-id",
        "ruleName": "metrics",
        "priority": 10,
        "ruleConditions": [{"type": "Path", "pathConfig": {"values": ["/metrics", "/metrics/*"]}}],
        "ruleActions": [
            {
                "order": 1,
                "type": "ForwardGroup",
                "forwardGroupConfig": {
                    "serverGroupTuples": [
                        {"serverGroupId": "demo-balancer-servers-metrics-id", "weight": 100}
                    ]
                },
            }
        ],
    }
    assert rule.deletes_before_replace


def test_its_listener_sends_the_rest_to_the_gateways(application: Recording) -> None:
    listener = application.the("alb/listener:Listener")
    tuples = [{"serverGroupId": "demo-balancer-servers-id"}]
    assert listener.inputs == {
        "loadBalancerId": "demo-balancer-balancer-id",
        "listenerProtocol": "HTTP",
        "listenerPort": 8000,
        "defaultActions": [{"type": "ForwardGroup", "forwardGroupConfig": {"serverGroupTuples": tuples}}],
        "idleTimeout": 600,
        "requestTimeout": 600,
        "gzipEnabled": False,
    }
    assert listener.deletes_before_replace


def test_it_reaches_the_nodes_ports_from_its_vswitches_and_no_other_range_does(
    application: Recording,
) -> None:
    ways = {
        (one.inputs["cidrIp"], one.inputs["portRange"])
        for one in application.of_type(":SecurityGroupRule")
        if "cidrIp" in one.inputs
    }
    cidrs, ports = ("10.64.0.0/20", "10.64.16.0/20"), ("8000/8000", "9100/9100")
    assert ways == {(cidr, port) for cidr in cidrs for port in ports}


def test_a_node_may_read_it_and_does_not_wait_for_it(application: Recording) -> None:
    document = json.loads(application.the("ram/policy:Policy").inputs["policyDocument"])
    place = f"acs:alb:cn-hangzhou:{ACCOUNT_ID}"
    rights = {one["Resource"][0]: one["Action"] for one in document["Statement"]}
    assert rights[f"{place}:loadbalancer/demo-balancer-balancer-id"] == ["alb:GetLoadBalancerAttribute"]
    assert rights[f"{place}:servergroup/demo-balancer-servers-id"] == ["alb:ListServerGroupServers"]
    names = {one.inputs["ramRoleName"] for one in application.of_type(":RamRoleAttachment")}
    assert names == {"demo-cn-hangzhou-node"}


def test_it_is_what_clients_call(application: Recording) -> None:
    assert application.exports["gateway_url"] == "http://alb-1.example.com:8000"
    assert application.exports["slb_id"] == "demo-balancer-balancer-id"
    assert application.exports["server_group_id"] == "demo-balancer-servers-id"
    assert application.warnings == []


def test_rules_are_tried_in_their_order_on_every_listener_of_https() -> None:
    recording = declared(
        listeners=(HTTPS, ListenerSpec(port=8443, protocol="https")),
        certificate=GIVEN,
        rules=(CALLS, METRICS),
    )
    ranks = {one.name: one.inputs["priority"] for one in recording.of_type("alb/rule:Rule")}
    assert ranks == {
        "lb-rule-443-calls": 10,
        "lb-rule-443-metrics": 20,
        "lb-rule-8443-calls": 10,
        "lb-rule-8443-metrics": 20,
    }
    conditions = recording.named("lb-rule-443-calls").inputs["ruleConditions"]
    assert [one["type"] for one in conditions] == ["Host", "Path"]
    assert recording.named("lb-servers-calls").inputs["protocol"] == "GRPC"
    listener = recording.named("lb-listener-443").inputs
    assert listener["certificates"] == {"certificateId": "12345678-cn-hangzhou"}
    assert listener["securityPolicyId"] == "tls_cipher_policy_1_2"
    assert listener["http2Enabled"] is True


def test_an_uploaded_certificate_is_named_by_its_number_and_where_it_is_kept() -> None:
    recording = declared(
        listeners=(HTTPS,), certificate=CertificateArgs(certificate="CERTIFICATE", key="KEY")
    )
    certificate = recording.the("cas/serviceCertificate:ServiceCertificate")
    assert certificate.secret_inputs == {"key"}
    listener = recording.named("lb-listener-443").inputs
    assert listener["certificates"] == {"certificateId": "lb-certificate-id"}


def test_it_lets_in_listed_clients_alone_once_the_list_has_its_ranges() -> None:
    recording = declared(access_cidrs=("203.0.113.0/24", "198.51.100.0/24"), sticky_session_s=60)
    entries = recording.the("alb/aclEntryAttachment:AclEntryAttachment").inputs
    assert [one["entry"] for one in entries["entries"]] == ["203.0.113.0/24", "198.51.100.0/24"]
    attachment = recording.the("alb/listenerAclAttachment:ListenerAclAttachment")
    assert attachment.inputs == {
        "listenerId": "lb-listener-8000-id",
        "aclId": "lb-access-id",
        "aclType": "White",
    }
    sticky = recording.the("alb/serverGroup:ServerGroup").inputs["stickySessionConfig"]
    assert sticky == {"stickySessionEnabled": True, "stickySessionType": "Insert", "cookieTimeout": 60}


@pytest.mark.parametrize(
    ("changes", "message", "hint"),
    [
        ({"listeners": (ListenerSpec(protocol="tcp"),)}, "does not speak tcp", "`kind: classic`"),
        ({"zones": ("z-a",), "vswitch_ids": ("vsw-1",)}, "2 zones or more", "`kind: classic`"),
        ({"scheduler": "rr"}, "scheduler `rr`", "`kind: classic`"),
        ({"slow_start_s": 29}, "30 to 900 s", "nearest is 30"),
        ({"slow_start_s": 60, "scheduler": "wlc"}, "`wrr` alone", "scheduler: wrr"),
        ({"rules": (CALLS,)}, "nodes that speak grpc", "https"),
        ({"rules": (METRICS, METRICS)}, "stands twice", "name of its own"),
        ({"rules": (RuleSpec(name="all", port=9100),)}, "every host and every path", "`paths` or `hosts`"),
        ({"vpc_id": None}, "needs its VPC", "vpc_id"),
        ({"kind": "network", "servers": (), "rules": (METRICS,)}, "to the gateways", "`kind: application`"),
        ({"kind": "network", "servers": (), "slow_start_s": 60}, "at once", "`kind: application`"),
        ({"kind": "network"}, "lists no servers", "attach_server"),
    ],
    ids=lambda value: str(value)[:40],
)
def test_what_a_kind_cannot_do_is_refused_with_the_kind_that_can(
    changes: dict[str, object], message: str, hint: str
) -> None:
    if changes.get("kind") == "network" and len(changes) > 1:
        changes = {**changes, "listeners": (ListenerSpec(protocol="tcp"),)}
    with pytest.raises((UsageError, pulumi.RunError)) as caught:
        declared(**changes)
    assert message in caught.value.message
    assert hint in caught.value.hint
