"""From the records of a network load balancer to what its HAProxy does. Pure."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from steelyard.localcloud.balancing import ALGORITHMS, weight_in_effect
from steelyard.localcloud.pem import KeyPair
from steelyard.localcloud.proxy import config as proxy
from steelyard.localcloud.proxy.tls import POLICIES, Tls
from steelyard.localcloud.services.nlb.models import Listener, LoadBalancer, ServerGroup
from steelyard.localcloud.services.nlb.setting import ALPN_POLICIES
from steelyard.localcloud.zonal.health import server_name
from steelyard.localcloud.zonal.models import ACTIVE

_SERVER_IP = "$SERVER_IP"
"""Stands for the server's own address, which is what a check without a domain means."""


def plan_proxy(
    balancer: LoadBalancer,
    listeners: Sequence[Listener],
    groups: Mapping[str, ServerGroup],
    find_address: Callable[[str], str | None],
    find_pair: Callable[[str], KeyPair | None] = lambda certificate_id: None,
) -> proxy.ProxyConfig:
    """Plan a load balancer's HAProxy: its running listeners, as long as it is active.

    Args:
        balancer: The load balancer.
        listeners: Its listeners.
        groups: Server groups by id, theirs among them.
        find_address: Gives an instance's private address, None where there is no such instance.
        find_pair: Gives a certificate with its key, None where there is no such certificate.
    """
    return proxy.ProxyConfig(
        addresses=balancer.addresses,
        listeners=tuple(
            _listener(listener, groups[listener.server_group_id], find_address, find_pair)
            for listener in listeners
            if listener.is_running and balancer.status == ACTIVE
        ),
    )


def _listener(
    listener: Listener,
    group: ServerGroup,
    find_address: Callable[[str], str | None],
    find_pair: Callable[[str], KeyPair | None],
) -> proxy.Listener:
    settings, scheduler = group.settings, str(group.settings["Scheduler"])
    return proxy.Listener(
        name=listener.name,
        protocol="tcp",
        port=listener.port,
        algorithm=ALGORITHMS[scheduler.lower()],
        servers=tuple(
            proxy.Server(
                name=server_name(server),
                address=address,
                port=_int(server["Port"]),
                weight=weight_in_effect(_int(server["Weight"]), scheduler),
            )
            for server in group.servers
            if (address := find_address(str(server["ServerId"]))) is not None
        ),
        check=_check(group.check) if group.check["HealthCheckEnabled"] else None,
        idle_timeout_s=_int(listener.settings["IdleTimeout"]),
        is_client_forwarded=False,
        drain_timeout_s=_int(settings["ConnectionDrainTimeout"])
        if settings["ConnectionDrainEnabled"]
        else None,
        server_protocol="tls" if settings["Protocol"] == "TCPSSL" else "plain",
        tls=_tls(listener, find_pair) if listener.protocol == "TCPSSL" else None,
    )


def _tls(listener: Listener, find_pair: Callable[[str], KeyPair | None]) -> Tls:
    settings = listener.settings
    pairs = [pair for one in listener.certificate_ids if (pair := find_pair(one)) is not None]
    return Tls(
        bundles=tuple(pair.bundle for pair in pairs),
        versions=POLICIES[str(settings["SecurityPolicyId"])],
        alpn=ALPN_POLICIES[str(settings["AlpnPolicy"])] if settings["AlpnEnabled"] else (),
    )


def _check(check: Mapping[str, object]) -> proxy.HealthCheck:
    codes = check["HealthCheckHttpCode"]
    assert isinstance(codes, list | tuple)
    return proxy.HealthCheck(
        protocol="http" if check["HealthCheckType"] == "HTTP" else "tcp",
        port=_int(check["HealthCheckConnectPort"]) or None,
        path=str(check["HealthCheckUrl"]),
        domain=str(check["HealthCheckDomain"]).replace(_SERVER_IP, ""),
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
