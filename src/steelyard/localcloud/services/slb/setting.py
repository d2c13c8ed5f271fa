"""The settings of listeners: what they are called, what they may be, and what they are where nobody says."""

from __future__ import annotations

from collections.abc import Mapping

from steelyard.localcloud.proxy.tls_policy import DEFAULT_POLICY
from steelyard.localcloud.service import Request
from steelyard.localcloud.setting import (
    STATUS_CLASSES,
    Setting,
    checked,
    choice,
    defaults,
    domain,
    key,
    number,
    path,
    text,
)
from steelyard.localcloud.wire.error import invalid_parameter, missing_parameter, not_served

SCHEDULERS = ("wrr", "wlc", "rr", "sch", "tch")
OWN_ADDRESS = "$_ip"
"""Stands for the server's own address, which is what a check without a domain means."""
_SWITCH = ("on", "off")


def _are_status_classes(value: object) -> bool:
    return all(part in STATUS_CLASSES for part in str(value).split(","))


# -1 is "no limit of its own"; the local cloud limits no bandwidth.
_BANDWIDTH = Setting(
    default=-1,
    check=lambda value: isinstance(value, int) and (value == -1 or 1 <= value <= 5120),
    want="-1 or from 1 to 5120",
)
# -520 is the provider's "the backend's own port".
_CHECK_PORT = Setting(
    default=-520,
    check=lambda value: isinstance(value, int) and (value == -520 or 1 <= value <= 65535),
    want="from 1 to 65535",
)

_FORWARDING: Mapping[str, Setting] = {
    "Description": Setting(default=""),
    "Bandwidth": _BANDWIDTH,
    "Scheduler": choice("wrr", *SCHEDULERS),
    "VServerGroupId": Setting(default=""),
    "BackendServerPort": number(0, 1, 65535),
    "HealthCheckURI": path(),
    "HealthCheckDomain": domain(OWN_ADDRESS),
    "HealthCheckConnectPort": _CHECK_PORT,
    "HealthCheckInterval": number(2, 1, 50),
    "HealthyThreshold": number(3, 2, 10),
    "UnhealthyThreshold": number(3, 2, 10),
    "HealthCheckHttpCode": Setting(
        default="http_2xx", check=_are_status_classes, want=f"a list of {', '.join(STATUS_CLASSES)}"
    ),
    "HealthCheckMethod": choice("head", "head", "get"),
    "AclStatus": choice("off", *_SWITCH),
    "AclType": choice("", "white", "black"),
    # Several are joined by commas.
    "AclId": text(max_length=400),
}

_REQUESTS: Mapping[str, Setting] = {
    **_FORWARDING,
    "HealthCheck": choice("on", *_SWITCH),
    "HealthCheckTimeout": number(5, 1, 300),
    "StickySession": choice("off", *_SWITCH),
    "StickySessionType": choice("", "insert", "server"),
    "Cookie": key(200),
    "CookieTimeout": number(0, 1, 86400),
    "IdleTimeout": number(15, 1, 60),
    "RequestTimeout": number(60, 1, 180),
    "Gzip": choice("on", *_SWITCH),
    "XForwardedFor": choice("on", *_SWITCH),
    "XForwardedFor_SLBIP": choice("off", *_SWITCH),
    "XForwardedFor_SLBID": choice("off", *_SWITCH),
    "XForwardedFor_proto": choice("off", *_SWITCH),
    "XForwardedFor_SLBPORT": choice("off", *_SWITCH),
    "XForwardedFor_ClientSrcPort": choice("off", *_SWITCH),
}

RULE: Mapping[str, Setting] = {
    "ListenerSync": choice("on", *_SWITCH),
    **{
        name: _REQUESTS[name]
        for name in (
            "Scheduler",
            "StickySession",
            "StickySessionType",
            "Cookie",
            "CookieTimeout",
            "HealthCheck",
            "HealthCheckURI",
            "HealthCheckDomain",
            "HealthCheckConnectPort",
            "HealthCheckHttpCode",
            "HealthCheckInterval",
            "HealthCheckTimeout",
            "HealthCheckMethod",
            "HealthyThreshold",
            "UnhealthyThreshold",
        )
    },
}
"""What a forwarding rule may have of its own."""

HTTP: Mapping[str, Setting] = {
    **_REQUESTS,
    "ListenerForward": choice("off", *_SWITCH),
    "ForwardPort": number(0, 1, 65535),
}

HTTPS: Mapping[str, Setting] = {
    **_REQUESTS,
    "ServerCertificateId": text(max_length=200),
    "CACertificateId": text(max_length=200),
    "TLSCipherPolicy": text(DEFAULT_POLICY),
    "EnableHttp2": choice("on", *_SWITCH),
}

TCP: Mapping[str, Setting] = {
    **_FORWARDING,
    "HealthCheck": choice("on", *_SWITCH),
    "HealthCheckType": choice("tcp", "tcp", "http"),
    "HealthCheckConnectTimeout": number(5, 1, 300),
    "EstablishedTimeout": number(900, 10, 900),
    "PersistenceTimeout": number(0, 0, 3600),
    "ConnectionDrain": choice("off", *_SWITCH),
    "ConnectionDrainTimeout": number(0, 10, 900),
    "ProxyProtocolV2Enabled": Setting(default=False),
    "MasterSlaveServerGroupId": Setting(default=""),
    "SynProxy": choice("disable", "enable", "disable"),
}

UDP: Mapping[str, Setting] = {
    **{
        name: setting
        for name, setting in _FORWARDING.items()
        if name not in ("HealthCheckURI", "HealthCheckDomain", "HealthCheckHttpCode", "HealthCheckMethod")
    },
    "HealthCheck": choice("on", *_SWITCH),
    "HealthCheckInterval": number(5, 1, 50),
    "HealthCheckConnectTimeout": number(10, 1, 300),
    "HealthCheckReq": text(max_length=64),
    "HealthCheckExp": text(max_length=64),
    "ProxyProtocolV2Enabled": Setting(default=False),
    "MasterSlaveServerGroupId": Setting(default=""),
}

BY_PROTOCOL: Mapping[str, Mapping[str, Setting]] = {"http": HTTP, "https": HTTPS, "tcp": TCP, "udp": UDP}

# The names that some actions use in place of the usual one.
_ALIASES = {
    "healthCheckInterval": "HealthCheckInterval",
    "healthCheckReq": "HealthCheckReq",
    "healthCheckExp": "HealthCheckExp",
    "HealthCheckSwitch": "HealthCheck",
}


def read_settings(
    request: Request, protocol: str, old: Mapping[str, object] | None = None
) -> dict[str, object]:
    """Read a listener's settings.

    Args:
        request: The call that makes or changes it.
        protocol: The listener's protocol.
        old: What it had; the defaults where it is None.

    Raises:
        ApiError: `InvalidParameter` for a value that is not allowed, `MissingParameter` for sticky sessions without
            their type or its cookie, access control without its list, a redirect without its port or TLS without a
            certificate,
            `InvalidParameter` for two server groups, `UnsupportedOperation` for what the local cloud does not serve.
    """
    known = BY_PROTOCOL[protocol]
    given = checked(known, {_ALIASES.get(name, name): value for name, value in request.params.items()})
    settings = defaults(known) | dict(old or {}) | given
    settings |= _group_ids(request, known, given)
    if protocol == "udp" and settings["ProxyProtocolV2Enabled"]:
        raise not_served("the proxy protocol for datagrams")
    check_stickiness(settings)
    _check_access(settings)
    if settings.get("ListenerForward") == "on" and not settings["ForwardPort"]:
        raise missing_parameter("ForwardPort")
    if protocol == "https" and not settings["ServerCertificateId"]:
        raise missing_parameter("ServerCertificateId")
    if settings.get("ConnectionDrain") == "on" and not settings["ConnectionDrainTimeout"]:
        raise missing_parameter("ConnectionDrainTimeout")
    return settings


def _group_ids(
    request: Request, known: Mapping[str, Setting], given: Mapping[str, object]
) -> dict[str, object]:
    """Give the server groups that a call leaves a listener without: a group of one sort replaces that of the other.

    Raises:
        ApiError: `InvalidParameter` for one of each sort.
    """
    sorts = {"VServerGroupId": "VServerGroup", "MasterSlaveServerGroupId": "MasterSlaveServerGroup"}
    wanted = [name for name, switch in sorts.items() if name in given and request.text(switch) != "off"]
    if len(wanted) > 1:
        raise invalid_parameter("MasterSlaveServerGroupId", given["MasterSlaveServerGroupId"], "of one sort")
    gone = [
        name
        for name, switch in sorts.items()
        if request.text(switch) == "off" or (wanted and name not in wanted)
    ]
    return {name: "" for name in gone if name in known}


def _check_access(settings: Mapping[str, object]) -> None:
    for name in ("AclType", "AclId") if settings["AclStatus"] == "on" else ():
        if not settings[name]:
            raise missing_parameter(name)


def check_stickiness(settings: Mapping[str, object]) -> None:
    """Check that sticky sessions have what their type needs.

    Raises:
        ApiError: `MissingParameter`.
    """
    if settings.get("StickySession") != "on":
        return
    if not settings["StickySessionType"]:
        raise missing_parameter("StickySessionType")
    needed = "CookieTimeout" if settings["StickySessionType"] == "insert" else "Cookie"
    if not settings[needed]:
        raise missing_parameter(needed)
