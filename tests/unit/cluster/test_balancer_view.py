from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from steelyard.cluster.balancer_view import front_names, look
from steelyard.deploy.engine.provider import Operation
from steelyard.deploy.provider.api import Api
from steelyard.deploy.provider.connection import Connection
from steelyard.product import Product

CONNECTION = Connection(
    endpoint="127.0.0.1:1",
    protocol="http",
    access_key_id="key",
    access_key_secret="secret",
    region_id="cn-hangzhou",
    poll_s=0.001,
    timeout_s=1.0,
)


class Answers:
    """Stands in for the sender: the answer of an action to what names its resource."""

    def __init__(self, answers: Mapping[tuple[str, str], Any]) -> None:
        self._answers = answers

    def send(self, product: Product, action: str, params: Mapping[str, Any], urn: str) -> Any:
        names = ("VServerGroupId", "LoadBalancerId", "ListenerId", "ServerGroupId")
        name = next((str(params[key]) for key in names if key in params), "")
        return self._answers[action, params.get("NextToken") or name]


def view(answers: Mapping[tuple[str, str], Any], standing: Mapping[str, Sequence[str]]):
    api = Api(Answers(answers), CONNECTION, Operation(urn=""))  # type: ignore[arg-type]
    return look(api, lambda kind: standing.get(kind.rpartition(":")[0], ()))


def server(server_id: str, weight: int = 100) -> dict[str, Any]:
    return {"ServerId": server_id, "ServerType": "Ecs", "Port": 8000, "Weight": weight}


def health(*servers: tuple[str, str]) -> dict[str, Any]:
    rows = [{"ServerId": server_id, "Status": status} for server_id, status in servers]
    return {"ListenerHealthStatus": [{"ServerGroupInfos": [{"NonNormalServers": rows}]}]}


def test_a_classic_one_says_the_health_of_each_server() -> None:
    classic, network, application = view(
        {
            ("DescribeVServerGroupAttribute", "rsp-1"): {
                "BackendServers": {"BackendServer": [server("i-1", 50)]}
            },
            ("DescribeHealthStatus", "lb-1"): {
                "BackendServers": {"BackendServer": [{"ServerId": "i-1", "ServerHealthStatus": "abnormal"}]}
            },
        },
        {"alicloud:slb/applicationLoadBalancer": ["lb-1"], "alicloud:slb/serverGroup": ["rsp-1"]},
    )
    assert (classic.weights, classic.health) == ({"i-1": 50}, {"i-1": "abnormal"})
    for other in (network, application):
        assert (other.weights, other.health) == ({}, {})


def test_a_network_one_names_those_that_are_not_healthy_and_the_others_are() -> None:
    _, network, _ = view(
        {
            ("ListServerGroupServers", "sgp-1"): {
                "Servers": [server("i-1"), server("i-2", 0)],
                "NextToken": "more",
            },
            ("ListServerGroupServers", "more"): {"Servers": [server("i-3"), server("i-4")]},
            ("ListListeners", ""): {"Listeners": [{"ListenerId": "lsn-1", "ServerGroupId": "sgp-1"}]},
            ("GetListenerHealthStatus", "lsn-1"): health(("i-3", "Unhealthy"), ("i-4", "Initial")),
        },
        {"alicloud:nlb/loadBalancer": ["nlb-1"], "alicloud:nlb/serverGroup": ["sgp-1"]},
    )
    assert network.weights == {"i-1": 100, "i-2": 0, "i-3": 100, "i-4": 100}
    assert network.health == {"i-1": "normal", "i-2": "normal", "i-3": "abnormal", "i-4": "unavailable"}


def test_a_network_one_without_listeners_knows_no_health() -> None:
    _, network, _ = view(
        {
            ("ListServerGroupServers", "sgp-1"): {"Servers": [server("i-1")]},
            ("ListListeners", ""): {"Listeners": []},
        },
        {"alicloud:nlb/loadBalancer": ["nlb-1"], "alicloud:nlb/serverGroup": ["sgp-1"]},
    )
    assert (network.weights, network.health) == ({"i-1": 100}, {})


def test_an_application_one_is_asked_for_its_listeners_own_group_before_those_of_rules() -> None:
    tuples = [{"ServerGroupId": "sgp-own"}]
    action = {"Type": "ForwardGroup", "ForwardGroupConfig": {"ServerGroupTuples": tuples}}
    _, _, application = view(
        {
            ("ListServerGroupServers", "sgp-rule"): {"Servers": [server("i-1", 10), server("i-2", 20)]},
            ("ListServerGroupServers", "sgp-own"): {"Servers": [server("i-1", 50)]},
            ("ListListeners", ""): {"Listeners": [{"ListenerId": "lsn-1", "DefaultActions": [action]}]},
            ("GetListenerHealthStatus", "lsn-1"): health(("i-1", "Unhealthy")),
        },
        {"alicloud:alb/loadBalancer": ["alb-1"], "alicloud:alb/serverGroup": ["sgp-rule", "sgp-own"]},
    )
    assert application.weights == {"i-1": 50, "i-2": 20}
    assert application.health == {"i-1": "abnormal"}


def test_an_application_one_names_nodes_of_weight_0_and_that_is_no_fault_of_theirs() -> None:
    tuples = [{"ServerGroupId": "sgp-1"}]
    action = {"Type": "ForwardGroup", "ForwardGroupConfig": {"ServerGroupTuples": tuples}}
    _, _, application = view(
        {
            ("ListServerGroupServers", "sgp-1"): {"Servers": [server("i-head", 0), server("i-1")]},
            ("ListListeners", ""): {"Listeners": [{"ListenerId": "lsn-1", "DefaultActions": [action]}]},
            ("GetListenerHealthStatus", "lsn-1"): health(("i-head", "Unused"), ("i-1", "Initial")),
        },
        {"alicloud:alb/loadBalancer": ["alb-1"], "alicloud:alb/serverGroup": ["sgp-1"]},
    )
    assert application.weights == {"i-head": 0, "i-1": 100}
    assert application.health == {"i-head": "normal", "i-1": "unavailable"}


def test_where_network_and_application_ones_are_to_be_called_is_asked_of_the_cloud() -> None:
    answers = {
        ("GetLoadBalancerAttribute", "nlb-1"): {"DNSName": "127.0.0.1"},
        ("GetLoadBalancerAttribute", "alb-1"): {"DNSName": "127.0.0.2"},
    }
    standing = {"alicloud:nlb/loadBalancer": ["nlb-1"], "alicloud:alb/loadBalancer": ["alb-1"]}
    api = Api(Answers(answers), CONNECTION, Operation(urn=""))  # type: ignore[arg-type]
    names = front_names(api, lambda kind: standing.get(kind.rpartition(":")[0], ()))
    assert names == {"127.0.0.1", "127.0.0.2"}
