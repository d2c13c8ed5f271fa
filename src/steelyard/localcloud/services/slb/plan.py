"""From the records of a load balancer to what its HAProxy does. Pure."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from steelyard.localcloud.balancing import ALGORITHMS, weight_in_effect
from steelyard.localcloud.proxy import config as proxy
from steelyard.localcloud.proxy.tls import POLICIES, Tls
from steelyard.localcloud.services.slb.models import ACTIVE, Listener, LoadBalancer, Server, ServerGroup

_BACKEND_PORT = -520
_COOKIE_NAME = "SERVERID"


@dataclass(frozen=True, kw_only=True)
class Shelf:
    """What listeners name besides servers.

    Attributes:
        bundles: PEM texts of certificates with their keys, by the certificates' ids.
        authorities: PEM texts of authorities' certificates, by their ids.
        ranges: The ranges of access control lists, by the lists' ids.
    """

    bundles: Mapping[str, str] = field(default_factory=dict)
    authorities: Mapping[str, str] = field(default_factory=dict)
    ranges: Mapping[str, tuple[str, ...]] = field(default_factory=dict)


EMPTY_SHELF = Shelf()


def plan_proxy(
    balancer: LoadBalancer,
    listeners: Sequence[Listener],
    groups: Mapping[str, ServerGroup],
    find_address: Callable[[str], str | None],
    shelf: Shelf = EMPTY_SHELF,
) -> proxy.ProxyConfig:
    """Plan a load balancer's HAProxy: its running listeners, as long as it is active.

    Args:
        balancer: The load balancer.
        listeners: Its listeners.
        groups: Its server groups by id.
        find_address: Gives an instance's private address, None where there is no such instance.
        shelf: Certificates and access control lists.
    """
    running = [listener for listener in listeners if listener.is_running and balancer.status == ACTIVE]
    return proxy.ProxyConfig(
        addresses=(balancer.address,),
        listeners=tuple(
            _listener(balancer, listener, servers_of(balancer, listener, groups), find_address, shelf)
            for listener in running
        ),
    )


def servers_of(
    balancer: LoadBalancer, listener: Listener, groups: Mapping[str, ServerGroup]
) -> list[tuple[Server, int]]:
    """Give the servers of a listener, each with the port that takes its traffic."""
    group = groups.get(listener.server_group_id)
    if group is not None:
        return [(server, int(str(server["Port"]))) for server in group.servers]
    port = int(str(listener.settings["BackendServerPort"]))
    return [(server, port) for server in balancer.servers]


def listener_name(listener: Listener) -> str:
    """Give the name of a listener in HAProxy."""
    return f"{listener.protocol}-{listener.port}"


def server_name(server: Server, port: int) -> str:
    """Give the name of a server in HAProxy."""
    return f"{server['ServerId']}:{port}"


def _listener(
    balancer: LoadBalancer,
    listener: Listener,
    servers: Sequence[tuple[Server, int]],
    find_address: Callable[[str], str | None],
    shelf: Shelf,
) -> proxy.Listener:
    settings = listener.settings
    is_http = listener.protocol in ("http", "https")
    scheduler = str(settings["Scheduler"])
    idle = settings["IdleTimeout"] if is_http else settings["EstablishedTimeout"]
    return proxy.Listener(
        name=listener_name(listener),
        protocol="http" if is_http else "tcp",
        port=listener.port,
        algorithm=ALGORITHMS[scheduler],
        servers=tuple(
            proxy.Server(
                name=server_name(server, port),
                address=address,
                port=port,
                weight=weight_in_effect(_int(server["Weight"]), scheduler),
                instance_id=str(server["ServerId"]),
            )
            for server, port in servers
            if (address := find_address(str(server["ServerId"]))) is not None
        ),
        check=_check(listener) if settings["HealthCheck"] == "on" else None,
        idle_timeout_s=_int(idle),
        request_timeout_s=_int(settings["RequestTimeout"]) if is_http else _int(idle),
        cookie=_cookie(settings) if is_http and settings["StickySession"] == "on" else None,
        source_persistence_s=0 if is_http else _int(settings["PersistenceTimeout"]),
        is_client_forwarded=is_http and settings["XForwardedFor"] == "on",
        request_headers=tuple(_headers(balancer, listener)) if is_http else (),
        drain_timeout_s=_int(settings["ConnectionDrainTimeout"])
        if settings.get("ConnectionDrain") == "on"
        else None,
        tls=_tls(settings, shelf) if listener.protocol == "https" else None,
        access=_access(listener, shelf),
    )


def _tls(settings: Mapping[str, object], shelf: Shelf) -> Tls:
    return Tls(
        bundles=(shelf.bundles[str(settings["ServerCertificateId"])],),
        versions=POLICIES[str(settings["TLSCipherPolicy"])],
        alpn=("h2", "http/1.1") if settings["EnableHttp2"] == "on" else ("http/1.1",),
        client_authorities=shelf.authorities.get(str(settings["CACertificateId"]), ""),
    )


def _access(listener: Listener, shelf: Shelf) -> proxy.AccessList | None:
    """Give whose connections a listener takes; as on the cloud, a list without a range keeps nobody out."""
    cidrs = tuple(cidr for list_id in listener.access_list_ids for cidr in shelf.ranges[list_id])
    if not cidrs:
        return None
    return proxy.AccessList(is_white=listener.settings["AclType"] == "white", cidrs=cidrs)


def _check(listener: Listener) -> proxy.HealthCheck:
    settings = listener.settings
    port = _int(settings["HealthCheckConnectPort"])
    is_http = listener.protocol in ("http", "https") or settings["HealthCheckType"] == "http"
    timeout = settings.get("HealthCheckTimeout") or settings.get("HealthCheckConnectTimeout")
    classes = "".join(part[len("http_")] for part in str(settings["HealthCheckHttpCode"]).split(","))
    return proxy.HealthCheck(
        protocol="http" if is_http else "tcp",
        port=None if port == _BACKEND_PORT else port,
        path=str(settings["HealthCheckURI"]),
        # "$_ip" stands for the server's own address, which is what a check without a domain means.
        domain=str(settings["HealthCheckDomain"]).replace("$_ip", ""),
        method=str(settings["HealthCheckMethod"]).upper(),
        status_classes=classes,
        interval_s=_int(settings["HealthCheckInterval"]),
        timeout_s=_int(timeout),
        healthy_threshold=_int(settings["HealthyThreshold"]),
        unhealthy_threshold=_int(settings["UnhealthyThreshold"]),
    )


def _cookie(settings: Mapping[str, object]) -> proxy.CookieStickiness:
    if settings["StickySessionType"] == "insert":
        return proxy.CookieStickiness(
            name=_COOKIE_NAME, is_inserted=True, max_life_s=_int(settings["CookieTimeout"])
        )
    return proxy.CookieStickiness(name=str(settings["Cookie"]), is_inserted=False)


def _headers(balancer: LoadBalancer, listener: Listener) -> list[tuple[str, str]]:
    headers = {
        "XForwardedFor_SLBIP": ("SLB-IP", balancer.address),
        "XForwardedFor_SLBID": ("SLB-ID", balancer.id),
        "XForwardedFor_proto": ("X-Forwarded-Proto", listener.protocol),
        "XForwardedFor_SLBPORT": ("X-Forwarded-Port", str(listener.port)),
        "XForwardedFor_ClientSrcPort": ("X-Forwarded-Client-srcport", "%[src_port]"),
    }
    return [header for name, header in headers.items() if listener.settings[name] == "on"]


def _int(value: object) -> int:
    assert isinstance(value, int)
    return value
