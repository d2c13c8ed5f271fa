"""From the records of a network load balancer to what its HAProxy does. Pure."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Literal, cast

from steelyard.localcloud.datagram.plan import DatagramListener, Probe, Scheduler, Target
from steelyard.localcloud.pem import KeyPair
from steelyard.localcloud.proxy import config as proxy
from steelyard.localcloud.proxy.tls import Tls
from steelyard.localcloud.proxy.tls_policy import POLICIES, TlsPolicy
from steelyard.localcloud.services.balancing import ALGORITHMS, weight_in_effect
from steelyard.localcloud.services.nlb.models import Listener, LoadBalancer, ServerGroup
from steelyard.localcloud.services.nlb.setting import ALPN_POLICIES
from steelyard.localcloud.services.zonal.health import server_name
from steelyard.localcloud.services.zonal.models import ACTIVE
from steelyard.localcloud.setting import SERVER_IP


def plan_proxy(
    balancer: LoadBalancer,
    listeners: Sequence[Listener],
    groups: Mapping[str, ServerGroup],
    find_address: Callable[[str], str | None],
    find_pair: Callable[[str], KeyPair | None] = lambda certificate_id: None,
    policies: Mapping[str, TlsPolicy] = POLICIES,
) -> proxy.ProxyConfig:
    """Plan a load balancer's HAProxy: its running listeners, as long as it is active.

    Args:
        balancer: The load balancer.
        listeners: Its listeners.
        groups: Server groups by id, theirs among them.
        find_address: Gives an instance's private address, None where there is no such instance.
        find_pair: Gives a certificate with its key, None where there is no such certificate.
        policies: TLS policies by id, those of its listeners among them.
    """
    running = [
        (listener, groups[listener.server_group_id])
        for listener in listeners
        if listener.is_running and balancer.status == ACTIVE
    ]
    return proxy.ProxyConfig(
        addresses=balancer.addresses,
        listeners=tuple(
            _listener(listener, group, find_address, find_pair, policies)
            for listener, group in running
            if listener.protocol != "UDP"
        ),
        datagrams=tuple(
            _datagrams(listener, group, find_address)
            for listener, group in running
            if listener.protocol == "UDP"
        ),
    )


def _listener(
    listener: Listener,
    group: ServerGroup,
    find_address: Callable[[str], str | None],
    find_pair: Callable[[str], KeyPair | None],
    policies: Mapping[str, TlsPolicy],
) -> proxy.Listener:
    settings, scheduler = group.settings, str(group.settings["Scheduler"])
    return proxy.Listener(
        name=listener.name,
        protocol="tcp",
        port=listener.port,
        algorithm=ALGORITHMS[scheduler.lower()],
        servers=_servers(group, find_address),
        check=_check(group.check) if group.check["HealthCheckEnabled"] else None,
        idle_timeout_s=_int(listener.settings["IdleTimeout"]),
        is_client_forwarded=False,
        drain_timeout_s=_drain_timeout_s(group),
        max_connections_per_s=_int(listener.settings["Cps"]),
        max_segment=_int(listener.settings["Mss"]),
        sends_proxy_header=bool(listener.settings["ProxyProtocolEnabled"]),
        server_protocol="tls" if settings["Protocol"] == "TCPSSL" else "plain",
        tls=_tls(listener, find_pair, policies) if listener.protocol == "TCPSSL" else None,
    )


def _datagrams(
    listener: Listener, group: ServerGroup, find_address: Callable[[str], str | None]
) -> DatagramListener:
    return DatagramListener(
        name=listener.name,
        port=listener.port,
        scheduler=cast(Scheduler, str(group.settings["Scheduler"]).lower()),
        targets=tuple(
            Target(name=one.name, address=one.address, port=one.port, weight=one.weight)
            for one in _servers(group, find_address)
        ),
        probe=_probe(group.check) if group.check["HealthCheckEnabled"] else None,
        idle_timeout_s=_int(listener.settings["IdleTimeout"]),
        drain_timeout_s=_drain_timeout_s(group),
    )


def _servers(group: ServerGroup, find_address: Callable[[str], str | None]) -> tuple[proxy.Server, ...]:
    scheduler = str(group.settings["Scheduler"])
    return tuple(
        proxy.Server(
            name=server_name(server),
            address=address,
            port=_int(server["Port"]),
            weight=weight_in_effect(_int(server["Weight"]), scheduler),
        )
        for server in group.servers
        if (address := find_address(str(server["ServerId"]))) is not None
    )


def _drain_timeout_s(group: ServerGroup) -> int | None:
    settings = group.settings
    return _int(settings["ConnectionDrainTimeout"]) if settings["ConnectionDrainEnabled"] else None


def _probe(check: Mapping[str, object]) -> Probe:
    """Give the health check of a group as the process for datagrams takes it; it asks by UDP itself."""
    asked = _check(check)
    protocol: Literal["udp", "tcp", "http"] = "http" if asked.protocol == "http" else "tcp"
    return Probe(
        protocol="udp" if check["HealthCheckType"] == "UDP" else protocol,
        port=asked.port,
        request=str(check["HealthCheckReq"]),
        expected=str(check["HealthCheckExp"]),
        path=asked.path,
        domain=asked.domain,
        method=asked.method,
        status_classes=asked.status_classes,
        interval_s=asked.interval_s,
        timeout_s=asked.timeout_s,
        healthy_threshold=asked.healthy_threshold,
        unhealthy_threshold=asked.unhealthy_threshold,
    )


def _tls(
    listener: Listener, find_pair: Callable[[str], KeyPair | None], policies: Mapping[str, TlsPolicy]
) -> Tls:
    settings = listener.settings
    pairs = [pair for one in listener.certificate_ids if (pair := find_pair(one)) is not None]
    return Tls(
        bundles=tuple(pair.bundle for pair in pairs),
        policy=policies[str(settings["SecurityPolicyId"])],
        alpn=ALPN_POLICIES[str(settings["AlpnPolicy"])] if settings["AlpnEnabled"] else (),
    )


def _check(check: Mapping[str, object]) -> proxy.HealthCheck:
    codes = check["HealthCheckHttpCode"]
    assert isinstance(codes, list | tuple)
    return proxy.HealthCheck(
        protocol="http" if check["HealthCheckType"] == "HTTP" else "tcp",
        port=_int(check["HealthCheckConnectPort"]) or None,
        path=str(check["HealthCheckUrl"]),
        domain=str(check["HealthCheckDomain"]).replace(SERVER_IP, ""),
        version="1.1" if check["HealthCheckHttpVersion"] == "HTTP1.1" else "1.0",
        method=str(check["HttpCheckMethod"]),
        status_classes="".join(str(code)[len("http_")] for code in codes),
        interval_s=_int(check["HealthCheckInterval"]),
        timeout_s=_int(check["HealthCheckConnectTimeout"]),
        healthy_threshold=_int(check["HealthyThreshold"]),
        unhealthy_threshold=_int(check["UnhealthyThreshold"]),
    )


def _int(value: object) -> int:
    assert isinstance(value, int)
    return value
