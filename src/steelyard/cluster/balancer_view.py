"""Weights and health of nodes as a load balancer has them, whatever its kind."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from steelyard.deploy.provider.api import NLB, SLB, Api
from steelyard.deploy.provider.nlb_server_group import list_servers

_NORMAL, _ABNORMAL, _UNAVAILABLE = "normal", "abnormal", "unavailable"
_MAX_RESULTS = 100


@dataclass(frozen=True, kw_only=True)
class BalancerView:
    """What load balancers of one kind say of their servers.

    Attributes:
        weights: Share of the requests by instance id.
        health: `normal`, `abnormal` or `unavailable` by instance id.
    """

    weights: Mapping[str, int] = field(default_factory=dict)
    health: Mapping[str, str] = field(default_factory=dict)


def look(api: Api, standing: Callable[[str], Sequence[str]]) -> list[BalancerView]:
    """Ask the load balancers that stand, whatever their kinds.

    Args:
        api: Sends the calls.
        standing: Gives the ids of the standing resources of a Pulumi type.

    Raises:
        ResourceError: The cloud refused a call.
    """
    return [
        _look_at_classic(
            api,
            standing("alicloud:slb/applicationLoadBalancer:ApplicationLoadBalancer"),
            standing("alicloud:slb/serverGroup:ServerGroup"),
        ),
        _look_at_network(
            api,
            standing("alicloud:nlb/loadBalancer:LoadBalancer"),
            standing("alicloud:nlb/serverGroup:ServerGroup"),
        ),
    ]


def _look_at_classic(api: Api, balancer_ids: Sequence[str], group_ids: Sequence[str]) -> BalancerView:
    weights, health = {}, {}
    for group_id in group_ids:
        group = api.call(SLB, "DescribeVServerGroupAttribute", {"VServerGroupId": group_id})
        weights.update({server["ServerId"]: int(server["Weight"]) for server in _servers(group)})
    for balancer_id in balancer_ids:
        checks = api.call(SLB, "DescribeHealthStatus", {"LoadBalancerId": balancer_id})
        health.update({server["ServerId"]: server["ServerHealthStatus"] for server in _servers(checks)})
    return BalancerView(weights=weights, health=health)


def _look_at_network(api: Api, balancer_ids: Sequence[str], group_ids: Sequence[str]) -> BalancerView:
    """GetListenerHealthStatus names the servers that are not healthy; all others of a listener's group are."""
    servers = {group_id: list_servers(api, group_id) for group_id in group_ids}
    weights = {one["ServerId"]: int(one["Weight"]) for group in servers.values() for one in group}
    health: dict[str, str] = {}
    for listener in _listeners(api, balancer_ids):
        for one in servers.get(listener["ServerGroupId"], ()):
            health.setdefault(one["ServerId"], _NORMAL)
        answer = api.call(NLB, "GetListenerHealthStatus", {"ListenerId": listener["ListenerId"]})
        for server in _ill_servers(answer):
            is_ill = server.get("Status") == "Unhealthy"
            health[server["ServerId"]] = _ABNORMAL if is_ill else _UNAVAILABLE
    return BalancerView(weights=weights, health=health)


def _listeners(api: Api, balancer_ids: Sequence[str]) -> Iterator[Mapping[str, Any]]:
    params: dict[str, Any] = {"LoadBalancerIds": list(balancer_ids), "MaxResults": _MAX_RESULTS}
    while balancer_ids:
        answer = api.call(NLB, "ListListeners", params)
        yield from answer.get("Listeners") or ()
        if not answer.get("NextToken"):
            return
        params["NextToken"] = answer["NextToken"]


def _ill_servers(answer: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    for listener in answer.get("ListenerHealthStatus") or ():
        for group in listener.get("ServerGroupInfos") or ():
            yield from group.get("NonNormalServers") or ()


def _servers(answer: Mapping[str, Any]) -> Sequence[Mapping[str, Any]]:
    servers: Sequence[Mapping[str, Any]] = answer["BackendServers"]["BackendServer"]
    return servers
