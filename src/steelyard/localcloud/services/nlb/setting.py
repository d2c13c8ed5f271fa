"""What a server group and a listener may be set to, and what they are where nobody says."""

from __future__ import annotations

from collections.abc import Mapping

from steelyard.localcloud.proxy.tls_policy import DEFAULT_POLICY
from steelyard.localcloud.setting import (
    SERVER_IP,
    STATUS_CLASSES,
    Setting,
    checked,
    choice,
    defaults,
    domain,
    number,
    path,
    text,
)
from steelyard.localcloud.wire.error import invalid_parameter, missing_parameter, not_served

_SCHEDULERS = ("Wrr", "Wlc", "Rr", "Sch", "Tch", "Qch")


def _are_status_classes(value: object) -> bool:
    return isinstance(value, list) and bool(value) and all(item in STATUS_CLASSES for item in value)


ALPN_POLICIES: Mapping[str, tuple[str, ...]] = {
    "HTTP1Only": ("http/1.1",),
    "HTTP2Only": ("h2",),
    "HTTP2Optional": ("http/1.1", "h2"),
    "HTTP2Preferred": ("h2", "http/1.1"),
}
"""What a listener offers inside of TLS, by the API's words (CreateListener's help page)."""

GROUP: Mapping[str, Setting] = {
    "Protocol": choice("TCP", "TCP", "UDP", "TCPSSL", "TCP_UDP"),
    "Scheduler": choice("Wrr", *_SCHEDULERS),
    "ServerGroupType": choice("Instance", "Instance", "Ip"),
    "AddressIPVersion": choice("Ipv4", "Ipv4", "ipv4", "DualStack"),
    "ConnectionDrainEnabled": Setting(default=False),
    "ConnectionDrainTimeout": number(0, 0, 900),
    "PreserveClientIpEnabled": Setting(default=True),
    "AnyPortEnabled": Setting(default=False),
    "ResourceGroupId": Setting(default=""),
}
CHECK: Mapping[str, Setting] = {
    "HealthCheckEnabled": Setting(default=True),
    "HealthCheckType": choice("TCP", "TCP", "HTTP", "UDP"),
    "HealthCheckConnectPort": number(0, 0, 65535),
    "HealthCheckConnectTimeout": number(5, 1, 300),
    "HealthCheckInterval": number(5, 1, 50),
    "HealthyThreshold": number(2, 2, 10),
    "UnhealthyThreshold": number(2, 2, 10),
    "HealthCheckReq": text(max_length=512),
    "HealthCheckExp": text(max_length=512),
    "HealthCheckUrl": path(),
    "HealthCheckDomain": domain(SERVER_IP),
    "HttpCheckMethod": choice("GET", "GET", "HEAD"),
    "HealthCheckHttpVersion": choice("HTTP1.0", "HTTP1.0", "HTTP1.1"),
    "HealthCheckHttpCode": Setting(
        default=["http_2xx"], check=_are_status_classes, want=f"a list of {', '.join(STATUS_CLASSES)}"
    ),
}
LISTENER: Mapping[str, Setting] = {
    "IdleTimeout": number(900, 10, 900),
    "ListenerDescription": Setting(default=""),
    "ProxyProtocolEnabled": Setting(default=False),
    "AlpnEnabled": Setting(default=False),
    "AlpnPolicy": choice("", *ALPN_POLICIES),
    "CaEnabled": Setting(default=False),
    "CertificateIds": Setting(default=[]),
    "CaCertificateIds": Setting(default=[]),
    "SecurityPolicyId": text(),
    "SecSensorEnabled": Setting(default=False),
    "Cps": number(0, 0, 1_000_000),
    "Mss": number(0, 0, 1500),
}

_TLS = ("AlpnEnabled", "AlpnPolicy", "CertificateIds", "SecurityPolicyId")
_UNSERVED_GROUP: Mapping[tuple[str, object], str] = {
    ("Scheduler", "Qch"): "the scheduler Qch",
    ("ServerGroupType", "Ip"): "server groups of addresses",
    ("AddressIPVersion", "DualStack"): "IPv6 server groups",
    ("AnyPortEnabled", True): "the forwarding of any port",
}
_UNSERVED_LISTENER = {
    "CaEnabled": "certificates of clients",
    "CaCertificateIds": "certificates of clients",
}
_PROXY_EXTRAS = ("Ppv2PrivateLinkEpIdEnabled", "Ppv2PrivateLinkEpsIdEnabled", "Ppv2VpcIdEnabled")
_UNSERVED_DATAGRAMS = {
    "ProxyProtocolEnabled": "the proxy protocol for datagrams",
    "Cps": "limits of new sessions of datagrams",
    "Mss": "limits of segments' size for datagrams",
}


def read_group(params: Mapping[str, object], old: Mapping[str, object] | None = None) -> dict[str, object]:
    """Read a server group's settings.

    Args:
        params: The call's parameters.
        old: What they were; the defaults where it is None.

    Raises:
        ApiError: `InvalidParameter` for a value that is not allowed, `UnsupportedOperation` for what the local cloud
            does not serve.
    """
    # The API's words begin with a capital or not, depending on the page that one reads.
    words = {name: _spelt(name, value) for name, value in params.items()}
    settings = defaults(GROUP) | dict(old or {}) | checked(GROUP, words)
    for (name, value), what in _UNSERVED_GROUP.items():
        if settings[name] == value:
            raise not_served(what)
    if settings["ConnectionDrainEnabled"] and not _is_drain(settings["ConnectionDrainTimeout"]):
        raise invalid_parameter(
            "ConnectionDrainTimeout",
            settings["ConnectionDrainTimeout"],
            "from 10 to 900 while draining is on",
        )
    return settings


def read_check(params: Mapping[str, object], old: Mapping[str, object] | None = None) -> dict[str, object]:
    """Read the settings of a server group's health check.

    Args:
        params: The call's parameters, which nest them in `HealthCheckConfig`.
        old: What they were; the defaults where it is None.

    Raises:
        ApiError: `InvalidParameter` for a value that is not allowed.
    """
    given = params.get("HealthCheckConfig") or {}
    assert isinstance(given, Mapping)
    return defaults(CHECK) | dict(old or {}) | checked(CHECK, given)


def read_listener(
    params: Mapping[str, object], protocol: str, old: Mapping[str, object] | None = None
) -> dict[str, object]:
    """Read a listener's settings.

    Args:
        params: The call's parameters.
        protocol: The listener's protocol; what belongs to TLS is left aside unless it is `TCPSSL`.
        old: What they were; the defaults where it is None.

    Raises:
        ApiError: `InvalidParameter` for a value that is not allowed, `MissingParameter` for TLS without a certificate
            or ALPN without its policy, `UnsupportedOperation` for what the local cloud does not serve.
    """
    settings = defaults(LISTENER) | dict(old or {}) | checked(LISTENER, params)
    for name, what in _UNSERVED_LISTENER.items():
        if settings[name]:
            raise not_served(what)
    extras = params.get("ProxyProtocolV2Config") or {}
    assert isinstance(extras, Mapping)
    if any(extras.get(name) for name in _PROXY_EXTRAS):
        raise not_served("further fields of the proxy protocol")
    for name, what in _UNSERVED_DATAGRAMS.items():
        if protocol == "UDP" and settings[name]:
            raise not_served(what)
    settings["ProxyProtocolV2Config"] = dict.fromkeys(_PROXY_EXTRAS, False)
    if protocol != "TCPSSL":
        return settings | {name: LISTENER[name].default for name in _TLS}
    if not settings["CertificateIds"]:
        raise missing_parameter("CertificateIds")
    if settings["AlpnEnabled"] and not settings["AlpnPolicy"]:
        raise missing_parameter("AlpnPolicy")
    return settings | {"SecurityPolicyId": settings["SecurityPolicyId"] or DEFAULT_POLICY}


def _spelt(name: str, value: object) -> object:
    return str(value).capitalize() if name == "Scheduler" else value


def _is_drain(value: object) -> bool:
    return isinstance(value, int) and 10 <= value <= 900
