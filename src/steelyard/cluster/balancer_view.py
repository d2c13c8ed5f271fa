"""Weights and health of nodes as a load balancer has them, whatever its kind."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from steelyard.deploy.provider.api import ALB, NLB, SLB, Api, token_items
from steelyard.deploy.provider.nlb_server_group import list_servers
from steelyard.product import Product

_NORMAL, _ABNORMAL, _UNAVAILABLE = "normal", "abnormal", "unavailable"


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
        *(
            _look_at_zonal(
                api,
                product,
                standing(_zonal_type(product)),
                standing(f"alicloud:{product.code}/serverGroup:ServerGroup"),
            )
            for product in (NLB, ALB)
        ),
    ]


def front_names(api: Api, standing: Callable[[str], Sequence[str]]) -> set[str]:
    """Ask network and application load balancers where they are to be called; a classic one's address stays.

    Args:
        api: Sends the calls.
        standing: Gives the ids of the standing resources of a Pulumi type.

    Raises:
        ResourceError: The cloud refused a call.
    """
    return {
        str(api.call(product, "GetLoadBalancerAttribute", {"LoadBalancerId": balancer_id})["DNSName"])
        for product in (NLB, ALB)
        for balancer_id in standing(_zonal_type(product))
    }


def _zonal_type(product: Product) -> str:
    return f"alicloud:{product.code}/loadBalancer:LoadBalancer"


def _look_at_classic(api: Api, balancer_ids: Sequence[str], group_ids: Sequence[str]) -> BalancerView:
    weights, health = {}, {}
    for group_id in group_ids:
        group = api.call(SLB, "DescribeVServerGroupAttribute", {"VServerGroupId": group_id})
        weights.update({server["ServerId"]: int(server["Weight"]) for server in _servers(group)})
    for balancer_id in balancer_ids:
        checks = api.call(SLB, "DescribeHealthStatus", {"LoadBalancerId": balancer_id})
        health.update({server["ServerId"]: server["ServerHealthStatus"] for server in _servers(checks)})
    return BalancerView(weights=weights, health=health)


def _look_at_zonal(
    api: Api, product: Product, balancer_ids: Sequence[str], group_ids: Sequence[str]
) -> BalancerView:
    """GetListenerHealthStatus names the servers that are not healthy; all others of a listener's group are.

    ALB names those of weight 0, too, as `Unused`, and that is no fault of theirs.
    """
    servers = {group_id: list_servers(api, group_id, product=product) for group_id in group_ids}
    listeners = _listeners(api, product, balancer_ids)
    # What a listener's own group says of a server comes before what a group of one of its rules does.
    weights: dict[str, int] = {}
    for group_id in dict.fromkeys([*map(_group_id, listeners), *servers]):
        for one in servers.get(group_id, ()):
            weights.setdefault(one["ServerId"], int(one["Weight"]))
    health: dict[str, str] = {}
    for listener in listeners:
        for one in servers.get(_group_id(listener), ()):
            health.setdefault(one["ServerId"], _NORMAL)
        answer = api.call(product, "GetListenerHealthStatus", {"ListenerId": listener["ListenerId"]})
        for server in _ill_servers(answer):
            is_ill = server.get("Status") == "Unhealthy"
            health[server["ServerId"]] = _ABNORMAL if is_ill else _UNAVAILABLE
    return BalancerView(weights=weights, health=health)


def _listeners(api: Api, product: Product, balancer_ids: Sequence[str]) -> list[Mapping[str, Any]]:
    if not balancer_ids:
        return []
    params = {"LoadBalancerIds": list(balancer_ids)}
    return list(token_items(api, product, "ListListeners", params, "Listeners"))


def _group_id(listener: Mapping[str, Any]) -> str:
    """Give the server group of a listener: NLB names it by itself, ALB as its default action."""
    if "ServerGroupId" in listener:
        return str(listener["ServerGroupId"])
    return str(listener["DefaultActions"][0]["ForwardGroupConfig"]["ServerGroupTuples"][0]["ServerGroupId"])


def _ill_servers(answer: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    for listener in answer.get("ListenerHealthStatus") or ():
        for group in listener.get("ServerGroupInfos") or ():
            for server in group.get("NonNormalServers") or ():
                if server.get("Status") != "Unused":
                    yield server


def _servers(answer: Mapping[str, Any]) -> Sequence[Mapping[str, Any]]:
    servers: Sequence[Mapping[str, Any]] = answer["BackendServers"]["BackendServer"]
    return servers
