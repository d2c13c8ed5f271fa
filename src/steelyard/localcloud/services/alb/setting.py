"""What a server group and a listener may be set to, and what they are where nobody says."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

from steelyard.localcloud.proxy.tls_policy import DEFAULT_POLICY
from steelyard.localcloud.setting import (
    SERVER_IP,
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

Settings = Mapping[str, object]

_GRPC_WORDS = ("gRPC", "GRPC")
"""The API's word, and the one that the Terraform provider takes alone; what was sent is answered."""

_GROUP: Mapping[str, Setting] = {
    "Protocol": choice("HTTP", "HTTP", "HTTPS", *_GRPC_WORDS),
    "Scheduler": choice("Wrr", "Wrr", "Wlc", "Sch", "Uch"),
    "ServerGroupType": choice("Instance", "Instance", "Ip", "Fc"),
    "CrossZoneEnabled": Setting(default=True),
    "Ipv6Enabled": Setting(default=False),
    "UpstreamKeepaliveEnabled": Setting(default=False),
    "ServiceName": Setting(default=""),
    "ResourceGroupId": Setting(default=""),
}
_GROUP_PARTS: Mapping[str, Mapping[str, Setting]] = {
    "ConnectionDrainConfig": {
        "ConnectionDrainEnabled": Setting(default=False),
        "ConnectionDrainTimeout": number(300, 0, 900),
    },
    "SlowStartConfig": {
        "SlowStartEnabled": Setting(default=False),
        "SlowStartDuration": number(30, 30, 900),
    },
    "StickySessionConfig": {
        "StickySessionEnabled": Setting(default=False),
        "StickySessionType": choice("Insert", "Insert", "Server"),
        "Cookie": Setting(
            default="",
            check=lambda value: str(value).isascii() and str(value).isalnum() and len(str(value)) <= 200,
            want="up to 200 letters and digits",
        ),
        "CookieTimeout": number(1000, 1, 86400),
    },
    "UchConfig": {
        "Type": choice("", "QueryString"),
        "Value": key(128),
    },
}
_UNSERVED_GROUP: Mapping[tuple[str, object], str] = {
    ("ServerGroupType", "Ip"): "server groups of addresses",
    ("ServerGroupType", "Fc"): "server groups of functions",
    ("Ipv6Enabled", True): "IPv6 server groups",
    ("CrossZoneEnabled", False): "server groups that keep to a zone",
    ("UpstreamKeepaliveEnabled", True): "connections to servers that are kept",
}
_GRPC = {"HealthCheckCodes": ["0"], "HealthCheckMethod": "POST"}
"""What a check by gRPC has where nobody says."""
_GRPC_RANGE = re.compile(r"([0-9]{1,2})(?:-([0-9]{1,2}))?\Z")
_MAX_GRPC_RANGES = 20
_CHECK: Mapping[str, Setting] = {
    "HealthCheckEnabled": Setting(default=True),
    "HealthCheckProtocol": choice("HTTP", "HTTP", "HTTPS", "TCP", *_GRPC_WORDS),
    "HealthCheckConnectPort": number(0, 0, 65535),
    "HealthCheckTimeout": number(5, 1, 300),
    "HealthCheckInterval": number(2, 1, 50),
    "HealthyThreshold": number(3, 2, 10),
    "UnhealthyThreshold": number(3, 2, 10),
    "HealthCheckPath": path(),
    "HealthCheckHost": domain(SERVER_IP),
    "HealthCheckMethod": choice("HEAD", "GET", "HEAD", "POST"),
    "HealthCheckHttpVersion": choice("HTTP1.1", "HTTP1.0", "HTTP1.1"),
    "HealthCheckCodes": Setting(
        default=["http_2xx"],
        check=lambda value: isinstance(value, list) and bool(value),
        want=f"a list of {', '.join(STATUS_CLASSES)}, or of gRPC's codes",
    ),
}
_LISTENER: Mapping[str, Setting] = {
    "IdleTimeout": number(15, 1, 600),
    "RequestTimeout": number(60, 1, 600),
    "ListenerDescription": Setting(default=""),
    "GzipEnabled": Setting(default=True),
    "Http2Enabled": Setting(default=True),
    "SecurityPolicyId": text(DEFAULT_POLICY),
    "CaEnabled": Setting(default=False),
}
_FORWARDED: Mapping[str, Setting] = {
    "XForwardedForEnabled": Setting(default=True),
    "XForwardedForProcessingMode": choice("append", "append", "remove"),
    "XForwardedForProtoEnabled": Setting(default=False),
    "XForwardedForSLBIdEnabled": Setting(default=False),
    "XForwardedForSLBPortEnabled": Setting(default=False),
    "XForwardedForClientSrcPortEnabled": Setting(default=False),
    "XForwardedForHostEnabled": Setting(default=False),
    "XForwardedForClientSourceIpsEnabled": Setting(default=False),
    "XForwardedForClientCertSubjectDNEnabled": Setting(default=False),
    "XForwardedForClientCertIssuerDNEnabled": Setting(default=False),
    "XForwardedForClientCertFingerprintEnabled": Setting(default=False),
    "XForwardedForClientCertClientVerifyEnabled": Setting(default=False),
}
_UNSERVED_FORWARDED = (
    "XForwardedForClientSourceIpsEnabled",
    "XForwardedForClientCertSubjectDNEnabled",
    "XForwardedForClientCertIssuerDNEnabled",
    "XForwardedForClientCertFingerprintEnabled",
    "XForwardedForClientCertClientVerifyEnabled",
)


def read_group(params: Settings, old: Settings | None = None) -> dict[str, object]:
    """Read a server group's settings.

    Args:
        params: The call's parameters.
        old: What they were; the defaults where it is None.

    Raises:
        ApiError: `MissingParameter` or `InvalidParameter` for a value that is not allowed, `UnsupportedOperation` for
            what the local cloud does not serve.
    """
    settings = defaults(_GROUP) | dict(old or {}) | checked(_GROUP, params)
    for name, known in _GROUP_PARTS.items():
        settings[name] = _part(params, name, known, old)
    for (name, value), what in _UNSERVED_GROUP.items():
        if settings[name] == value:
            raise not_served(what)
    sticky, slow, uch = (
        mapping(settings[name]) for name in ("StickySessionConfig", "SlowStartConfig", "UchConfig")
    )
    is_server_cookie = sticky["StickySessionEnabled"] and sticky["StickySessionType"] == "Server"
    if is_server_cookie and not sticky["Cookie"]:
        raise missing_parameter("StickySessionConfig.Cookie")
    if slow["SlowStartEnabled"] and settings["Scheduler"] != "Wrr":
        raise invalid_parameter("SlowStartConfig.SlowStartEnabled", True, "for the Scheduler Wrr alone")
    if settings["Scheduler"] == "Uch" and not uch["Value"]:
        raise missing_parameter("UchConfig")
    return settings


def read_check(given: Settings, old: Settings | None = None) -> dict[str, object]:
    """Read the settings of a health check.

    Args:
        given: What was sent of them.
        old: What they were; the defaults where it is None.

    Raises:
        ApiError: `InvalidParameter` for a value that is not allowed.
    """
    values = checked(_CHECK, given)
    check = defaults(_CHECK) | dict(old or {}) | values
    is_grpc = check["HealthCheckProtocol"] in _GRPC_WORDS
    if is_grpc != ((old or {}).get("HealthCheckProtocol") in _GRPC_WORDS):
        # Neither's codes and methods mean anything to the other.
        check |= {**(_GRPC if is_grpc else {name: _CHECK[name].default for name in _GRPC}), **values}
    codes = check["HealthCheckCodes"]
    assert isinstance(codes, list | tuple)
    if is_grpc:
        grpc_codes(codes)
    elif not set(codes) <= set(STATUS_CLASSES):
        raise invalid_parameter("HealthCheckCodes", codes, f"a list of {', '.join(STATUS_CLASSES)}")
    return check


def grpc_codes(ranges: Sequence[str]) -> tuple[int, ...]:
    """Give the statuses of gRPC that some ranges, such as `0` and `4-12`, name.

    Raises:
        ApiError: `InvalidParameter`.
    """
    found: set[int] = set()
    for part in ranges:
        match = _GRPC_RANGE.match(str(part).strip())
        codes = range(int(match[1]), int(match[2] or match[1]) + 1) if match else range(0)
        if not codes or len(ranges) > _MAX_GRPC_RANGES:
            want = f"up to {_MAX_GRPC_RANGES} of gRPC's codes from 0 to 99, or ranges of them"
            raise invalid_parameter("HealthCheckCodes", list(ranges), want)
        found.update(codes)
    return tuple(sorted(found))


def read_listener(params: Settings, old: Settings | None = None) -> dict[str, object]:
    """Read a listener's settings.

    Args:
        params: The call's parameters.
        old: What they were; the defaults where it is None.

    Raises:
        ApiError: `InvalidParameter` for a value that is not allowed, `UnsupportedOperation` for what the local cloud
            does not serve.
    """
    settings = defaults(_LISTENER) | dict(old or {}) | checked(_LISTENER, params)
    forwarded = _part(params, "XForwardedForConfig", _FORWARDED, old)
    settings["XForwardedForConfig"] = forwarded
    if settings["CaEnabled"]:
        raise not_served("certificates of clients")
    if mapping(params.get("QuicConfig")).get("QuicUpgradeEnabled"):
        raise not_served("QUIC")
    for name in _UNSERVED_FORWARDED:
        if forwarded[name]:
            raise not_served(name.removesuffix("Enabled"))
    return settings


def mapping(value: object) -> Settings:
    """Give a nested setting; an empty one where there is none."""
    assert value is None or isinstance(value, Mapping)
    return value or {}


def _part(
    params: Settings, name: str, known: Mapping[str, Setting], old: Settings | None
) -> dict[str, object]:
    before = mapping((old or {}).get(name))
    return defaults(known) | dict(before) | checked(known, mapping(params.get(name)))
