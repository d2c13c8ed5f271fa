"""From the records of a load balancer to what its HAProxy does. Pure."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import cast

from steelyard.localcloud.datagram.plan import DatagramListener, Probe, Scheduler, Target
from steelyard.localcloud.proxy import config as proxy
from steelyard.localcloud.proxy.check import HealthCheck
from steelyard.localcloud.proxy.route import Forward, Match, Redirect, Route
from steelyard.localcloud.proxy.tls import Tls
from steelyard.localcloud.proxy.tls_policy import POLICIES, TlsPolicy
from steelyard.localcloud.services.balancing import ALGORITHMS, weight_in_effect
from steelyard.localcloud.services.slb.domain_extension import DomainExtension
from steelyard.localcloud.services.slb.models import ACTIVE, Listener, LoadBalancer, Server, ServerGroup
from steelyard.localcloud.services.slb.rule import Rule
from steelyard.localcloud.services.slb.setting import OWN_ADDRESS
from steelyard.localcloud.traffic.gate import Gate

_BACKEND_PORT = -520
_HTTPS_PORT = 443
_COOKIE_NAME = "SERVERID"
_UDP_IDLE_TIMEOUT_S = 90
"""How long a UDP session lives without a datagram; CLB has no setting for it, and its value is from memory."""


@dataclass(frozen=True, kw_only=True)
class Shelf:
    """What listeners name besides servers.

    Attributes:
        bundles: PEM texts of certificates with their keys, by the certificates' ids.
        authorities: PEM texts of authorities' certificates, by their ids.
        ranges: The ranges of access control lists, by the lists' ids.
        rules: Forwarding rules, theirs among them.
        policies: TLS policies by id.
        extensions: Domains of listeners that have certificates of their own.
    """

    bundles: Mapping[str, str] = field(default_factory=dict)
    authorities: Mapping[str, str] = field(default_factory=dict)
    ranges: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    rules: Sequence[Rule] = ()
    policies: Mapping[str, TlsPolicy] = field(default_factory=lambda: POLICIES)
    extensions: Sequence[DomainExtension] = ()


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
        shelf: Certificates, access control lists and rules.
    """
    planner = _Planner(balancer, groups, find_address, shelf)
    running = [listener for listener in listeners if listener.is_running and balancer.status == ACTIVE]
    return proxy.ProxyConfig(
        addresses=(balancer.address,),
        listeners=tuple(planner.listener(listener) for listener in running if listener.protocol != "udp"),
        datagrams=tuple(planner.datagrams(listener) for listener in running if listener.protocol == "udp"),
        further_pools=tuple(
            planner.pool(listener, rule) for listener in running for rule in planner.rules(listener)
        ),
    )


def servers_of(
    balancer: LoadBalancer, listener: Listener, groups: Mapping[str, ServerGroup]
) -> list[tuple[Server, int]]:
    """Give the servers of a listener, each with the port that takes its traffic."""
    if listener.is_redirect:
        return []
    group = groups.get(listener.server_group_id)
    if group is not None:
        return [(server, _int(server["Port"])) for server in group.servers]
    port = _int(listener.settings["BackendServerPort"])
    return [(server, port) for server in balancer.servers]


def listener_name(listener: Listener) -> str:
    """Give the name of a listener in HAProxy."""
    return f"{listener.protocol}-{listener.port}"


def server_name(server: Server, port: int) -> str:
    """Give the name of a server in HAProxy."""
    return f"{server['ServerId']}:{port}"


class _Planner:
    def __init__(
        self,
        balancer: LoadBalancer,
        groups: Mapping[str, ServerGroup],
        find_address: Callable[[str], str | None],
        shelf: Shelf,
    ) -> None:
        self._balancer = balancer
        self._groups = groups
        self._find_address = find_address
        self._shelf = shelf

    def rules(self, listener: Listener) -> list[Rule]:
        """Give a listener's rules, those that are looked at first before the others."""
        found = [rule for rule in self._shelf.rules if rule.listener_id == listener.id]
        return sorted(found, key=lambda rule: rule.rank)

    def listener(self, listener: Listener) -> proxy.Listener:
        settings = listener.settings
        is_http = _is_http(listener)
        scheduler = str(settings["Scheduler"])
        idle_s = _int(settings["IdleTimeout"] if is_http else settings["EstablishedTimeout"])
        return proxy.Listener(
            name=listener_name(listener),
            protocol="http" if is_http else "tcp",
            port=listener.port,
            algorithm=ALGORITHMS[scheduler],
            servers=self._servers(servers_of(self._balancer, listener, self._groups), scheduler),
            check=_check(listener, settings),
            idle_timeout_s=idle_s,
            request_timeout_s=_int(settings["RequestTimeout"]) if is_http else idle_s,
            cookie=_cookie(settings),
            source_persistence_s=0 if is_http else _int(settings["PersistenceTimeout"]),
            is_client_forwarded=is_http and settings["XForwardedFor"] == "on",
            request_headers=tuple(_headers(self._balancer, listener)) if is_http else (),
            drain_timeout_s=_int(settings["ConnectionDrainTimeout"])
            if settings.get("ConnectionDrain") == "on"
            else None,
            tls=self._tls(listener) if listener.protocol == "https" else None,
            gates=self._gates(listener),
            routes=_to_https(listener) if listener.is_redirect else tuple(map(_route, self.rules(listener))),
            sends_proxy_header=bool(settings.get("ProxyProtocolV2Enabled")),
        )

    def datagrams(self, listener: Listener) -> DatagramListener:
        """Plan a UDP listener."""
        settings = listener.settings
        scheduler = str(settings["Scheduler"])
        servers = self._servers(servers_of(self._balancer, listener, self._groups), scheduler)
        return DatagramListener(
            name=listener_name(listener),
            port=listener.port,
            scheduler=cast(Scheduler, scheduler),
            targets=tuple(
                Target(
                    name=one.name,
                    address=one.address,
                    port=one.port,
                    weight=one.weight,
                    is_backup=one.is_backup,
                )
                for one in servers
            ),
            probe=_probe(settings) if settings["HealthCheck"] == "on" else None,
            idle_timeout_s=_UDP_IDLE_TIMEOUT_S,
            gates=self._gates(listener),
        )

    def pool(self, listener: Listener, rule: Rule) -> proxy.ServerPool:
        """Plan the servers of a rule, which are handled as the listener's own unless the rule says otherwise."""
        settings = listener.settings
        if rule.settings["ListenerSync"] == "off":
            settings = {**settings, **rule.settings}
        scheduler = str(settings["Scheduler"])
        group = self._groups.get(rule.server_group_id)
        servers = [(server, _int(server["Port"])) for server in group.servers] if group else []
        return proxy.ServerPool(
            name=rule.id,
            protocol="http",
            algorithm=ALGORITHMS[scheduler],
            servers=self._servers(servers, scheduler),
            check=_check(listener, settings),
            request_timeout_s=_int(settings["RequestTimeout"]),
            cookie=_cookie(settings),
        )

    def _servers(self, servers: Sequence[tuple[Server, int]], scheduler: str) -> tuple[proxy.Server, ...]:
        return tuple(
            proxy.Server(
                name=server_name(server, port),
                address=address,
                port=port,
                weight=weight_in_effect(_int(server["Weight"]), scheduler),
                is_backup=server.get("ServerType") == "Slave",
                instance_id=str(server["ServerId"]),
            )
            for server, port in servers
            if (address := self._find_address(str(server["ServerId"]))) is not None
        )

    def _tls(self, listener: Listener) -> Tls:
        settings = listener.settings
        further = [one.certificate_id for one in self._shelf.extensions if one.listener_id == listener.id]
        ids = dict.fromkeys([str(settings["ServerCertificateId"]), *further])
        return Tls(
            bundles=tuple(self._shelf.bundles[one] for one in ids),
            policy=self._shelf.policies[str(settings["TLSCipherPolicy"])],
            alpn=("h2", "http/1.1") if settings["EnableHttp2"] == "on" else ("http/1.1",),
            client_authorities=self._shelf.authorities.get(str(settings["CACertificateId"]), ""),
        )

    def _gates(self, listener: Listener) -> tuple[Gate, ...]:
        """Give whose connections a listener takes; as on the cloud, a list without a range keeps nobody out."""
        cidrs = tuple(cidr for list_id in listener.access_list_ids for cidr in self._shelf.ranges[list_id])
        return (Gate.of_list(cidrs, is_white=listener.settings["AclType"] == "white"),) if cidrs else ()


def _is_http(listener: Listener) -> bool:
    return listener.protocol in ("http", "https")


def _to_https(listener: Listener) -> tuple[Route]:
    """Give the rule that sends every client to an HTTPS listener: with status 301, which is from memory."""
    port = _int(listener.settings["ForwardPort"])
    location = f"https://${{host}}{'' if port == _HTTPS_PORT else f':{port}'}${{path}}"
    return (Route(conditions=(), actions=(Redirect(status=301, location=location, query="${query}"),)),)


def _route(rule: Rule) -> Route:
    domain = (Match(kind="host", pattern=rule.domain),) if rule.domain else None
    url = (Match(kind="path", pattern=f"{rule.url}*"),) if rule.url else None
    return Route(
        conditions=tuple(condition for condition in (domain, url) if condition),
        actions=(Forward(targets=((rule.id, 1),)),),
    )


def _probe(settings: Mapping[str, object]) -> Probe:
    port = _int(settings["HealthCheckConnectPort"])
    return Probe(
        port=None if port == _BACKEND_PORT else port,
        request=str(settings["HealthCheckReq"]),
        expected=str(settings["HealthCheckExp"]),
        interval_s=_int(settings["HealthCheckInterval"]),
        timeout_s=_int(settings["HealthCheckConnectTimeout"]),
        healthy_threshold=_int(settings["HealthyThreshold"]),
        unhealthy_threshold=_int(settings["UnhealthyThreshold"]),
    )


def _check(listener: Listener, settings: Mapping[str, object]) -> HealthCheck | None:
    if settings["HealthCheck"] != "on":
        return None
    port = _int(settings["HealthCheckConnectPort"])
    is_http = _is_http(listener) or settings["HealthCheckType"] == "http"
    timeout = settings.get("HealthCheckTimeout") or settings.get("HealthCheckConnectTimeout")
    classes = "".join(part[len("http_")] for part in str(settings["HealthCheckHttpCode"]).split(","))
    return HealthCheck(
        protocol="http" if is_http else "tcp",
        port=None if port == _BACKEND_PORT else port,
        path=str(settings["HealthCheckURI"]),
        domain=str(settings["HealthCheckDomain"]).replace(OWN_ADDRESS, ""),
        method=str(settings["HealthCheckMethod"]).upper(),
        status_classes=classes,
        interval_s=_int(settings["HealthCheckInterval"]),
        timeout_s=_int(timeout),
        healthy_threshold=_int(settings["HealthyThreshold"]),
        unhealthy_threshold=_int(settings["UnhealthyThreshold"]),
    )


def _cookie(settings: Mapping[str, object]) -> proxy.CookieStickiness | None:
    if settings.get("StickySession") != "on":
        return None
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
