"""From the records of an application load balancer to what its HAProxy does. Pure."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from steelyard.localcloud.proxy import config as proxy
from steelyard.localcloud.proxy.check import HealthCheck
from steelyard.localcloud.proxy.grpc_check import HEALTH_PATH
from steelyard.localcloud.proxy.tls import Tls
from steelyard.localcloud.proxy.tls_policy import TlsPolicy
from steelyard.localcloud.services.alb.models import Listener, LoadBalancer, Rule, ServerGroup
from steelyard.localcloud.services.alb.route_plan import plan_route
from steelyard.localcloud.services.alb.setting import grpc_codes, mapping
from steelyard.localcloud.services.balancing import ALGORITHMS
from steelyard.localcloud.services.zonal.health import server_name
from steelyard.localcloud.services.zonal.models import ACTIVE
from steelyard.localcloud.setting import SERVER_IP
from steelyard.localcloud.traffic.gate import Gate

_COOKIE_NAME = "SERVERID"
_SERVER_PROTOCOLS = {"HTTP": "plain", "HTTPS": "tls", "GRPC": "h2"}
_CHECK_PROTOCOLS = {"HTTP": "http", "HTTPS": "http", "TCP": "tcp", "GRPC": "grpc"}


@dataclass(frozen=True, kw_only=True)
class Shelf:
    """What listeners name.

    Attributes:
        groups: Server groups by id.
        rules: The rules of each listener, by its id.
        bundles: PEM texts of certificates with their keys, by the certificates' ids.
        ranges: The ranges of access control lists, by the lists' ids.
        policies: TLS policies by id.
        find_address: Gives an instance's private address, None where there is no such instance.
    """

    groups: Mapping[str, ServerGroup]
    rules: Mapping[str, Sequence[Rule]]
    bundles: Mapping[str, str]
    ranges: Mapping[str, tuple[str, ...]]
    policies: Mapping[str, TlsPolicy]
    find_address: Callable[[str], str | None]


def plan_proxy(balancer: LoadBalancer, listeners: Sequence[Listener], shelf: Shelf) -> proxy.ProxyConfig:
    """Plan a load balancer's HAProxy: its running listeners, as long as it is active.

    Args:
        balancer: The load balancer.
        listeners: Its listeners.
        shelf: What they name.
    """
    running = [listener for listener in listeners if listener.is_running and balancer.status == ACTIVE]
    return proxy.ProxyConfig(
        addresses=balancer.addresses,
        listeners=tuple(_listener(balancer, listener, shelf) for listener in running),
        further_pools=tuple(pool for listener in running for pool in _further_pools(listener, shelf)),
    )


def pool_name(listener: Listener, group_id: str) -> str:
    """Give the name of the pool in HAProxy that holds a server group's servers for a listener."""
    return listener.name if group_id == listener.server_group_id else f"{listener.name}:{group_id}"


def further_group_ids(listener: Listener, rules: Iterable[Rule]) -> list[str]:
    """Give the server groups that only rules send a listener's requests to."""
    named = [group_id for rule in rules for group_id in rule.server_group_ids]
    return [group_id for group_id in dict.fromkeys(named) if group_id != listener.server_group_id]


def _further_pools(listener: Listener, shelf: Shelf) -> list[proxy.ServerPool]:
    return [
        proxy.ServerPool(**_pool(listener, shelf.groups[group_id], shelf))
        for group_id in further_group_ids(listener, shelf.rules.get(listener.id, ()))
    ]


def _listener(balancer: LoadBalancer, listener: Listener, shelf: Shelf) -> proxy.Listener:
    settings = listener.settings
    forwarded = mapping(settings["XForwardedForConfig"])
    is_forwarded, mode = bool(forwarded["XForwardedForEnabled"]), forwarded["XForwardedForProcessingMode"]
    rules = sorted(shelf.rules.get(listener.id, ()), key=lambda rule: rule.priority)
    return proxy.Listener(
        **_pool(listener, shelf.groups[listener.server_group_id], shelf),
        port=listener.port,
        idle_timeout_s=_int(settings["IdleTimeout"]),
        is_client_forwarded=is_forwarded and mode == "append",
        removed_headers=("X-Forwarded-For",) if is_forwarded and mode == "remove" else (),
        request_headers=_headers(balancer, listener, forwarded),
        tls=_tls(listener, shelf) if listener.protocol == "HTTPS" else None,
        gates=_gates(listener, shelf),
        routes=tuple(plan_route(rule, listener, lambda group: pool_name(listener, group)) for rule in rules),
    )


def _pool(listener: Listener, group: ServerGroup, shelf: Shelf) -> dict[str, Any]:
    settings = group.settings
    drain, slow, sticky = (
        mapping(settings[name])
        for name in ("ConnectionDrainConfig", "SlowStartConfig", "StickySessionConfig")
    )
    return {
        "name": pool_name(listener, group.id),
        "protocol": "http",
        "algorithm": _algorithm(group),
        "servers": tuple(
            proxy.Server(
                name=server_name(server),
                address=address,
                port=_int(server["Port"]),
                weight=_int(server["Weight"]),
                instance_id=str(server["ServerId"]),
            )
            for server in group.servers
            if (address := shelf.find_address(str(server["ServerId"]))) is not None
        ),
        "server_protocol": _SERVER_PROTOCOLS[group.protocol.upper()],
        "check": _check(group.check) if group.check["HealthCheckEnabled"] else None,
        "request_timeout_s": _int(listener.settings["RequestTimeout"]),
        "cookie": _cookie(sticky) if sticky["StickySessionEnabled"] else None,
        "drain_timeout_s": _int(drain["ConnectionDrainTimeout"]) if drain["ConnectionDrainEnabled"] else None,
        "slow_start_s": _int(slow["SlowStartDuration"]) if slow["SlowStartEnabled"] else 0,
    }


def _algorithm(group: ServerGroup) -> str:
    parameter = str(mapping(group.settings["UchConfig"])["Value"])
    scheduler = str(group.settings["Scheduler"])
    if parameter and scheduler in ("Uch", "Sch"):
        return f"url_param {parameter}"
    return ALGORITHMS[scheduler.lower()]


def _check(check: Mapping[str, object]) -> HealthCheck:
    codes = check["HealthCheckCodes"]
    assert isinstance(codes, list | tuple)
    kind, path = str(check["HealthCheckProtocol"]).upper(), str(check["HealthCheckPath"])
    is_grpc = kind == "GRPC"
    return HealthCheck(
        protocol=_CHECK_PROTOCOLS[kind],  # type: ignore[arg-type]
        is_tls=kind == "HTTPS",
        port=_int(check["HealthCheckConnectPort"]) or None,
        # Most of the API's pages say that gRPC takes no path, one that it does: a path of one's own is the call.
        path=HEALTH_PATH if is_grpc and path == "/" else path,
        domain=str(check["HealthCheckHost"]).replace(SERVER_IP, ""),
        version="1.1" if check["HealthCheckHttpVersion"] == "HTTP1.1" else "1.0",
        method=str(check["HealthCheckMethod"]),
        status_classes="".join(str(code).removeprefix("http_")[:1] for code in codes),
        grpc_codes=grpc_codes(codes) if is_grpc else (),
        interval_s=_int(check["HealthCheckInterval"]),
        timeout_s=_int(check["HealthCheckTimeout"]),
        healthy_threshold=_int(check["HealthyThreshold"]),
        unhealthy_threshold=_int(check["UnhealthyThreshold"]),
    )


def _cookie(sticky: Mapping[str, object]) -> proxy.CookieStickiness:
    if sticky["StickySessionType"] == "Insert":
        max_life_s = _int(sticky["CookieTimeout"])
        return proxy.CookieStickiness(name=_COOKIE_NAME, is_inserted=True, max_life_s=max_life_s)
    return proxy.CookieStickiness(name=str(sticky["Cookie"]), is_inserted=False)


def _tls(listener: Listener, shelf: Shelf) -> Tls:
    return Tls(
        bundles=tuple(shelf.bundles[one] for one in listener.certificate_ids),
        policy=shelf.policies[str(listener.settings["SecurityPolicyId"])],
        alpn=("h2", "http/1.1") if listener.settings["Http2Enabled"] else ("http/1.1",),
    )


def _gates(listener: Listener, shelf: Shelf) -> tuple[Gate, ...]:
    """Give whose connections a listener takes by its lists; one without a range keeps nobody out."""
    cidrs = tuple(cidr for acl_id in listener.acl_ids for cidr in shelf.ranges[acl_id])
    return (Gate.of_list(cidrs, is_white=listener.acl_type == "White"),) if cidrs else ()


def _headers(
    balancer: LoadBalancer, listener: Listener, forwarded: Mapping[str, object]
) -> tuple[tuple[str, str], ...]:
    headers = {
        "XForwardedForProtoEnabled": ("X-Forwarded-Proto", listener.protocol.lower()),
        "XForwardedForSLBIdEnabled": ("SLB-ID", balancer.id),
        "XForwardedForSLBPortEnabled": ("X-Forwarded-Port", str(listener.port)),
        "XForwardedForClientSrcPortEnabled": ("X-Forwarded-Client-srcport", "%[src_port]"),
        "XForwardedForHostEnabled": ("X-Forwarded-Host", "%[req.hdr(host)]"),
    }
    return tuple(header for name, header in headers.items() if forwarded[name])


def _int(value: object) -> int:
    assert isinstance(value, int)
    return value
