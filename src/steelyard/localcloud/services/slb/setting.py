"""The settings of listeners: what they are called, what they may be, and what they are where nobody says."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from steelyard.localcloud.service import Request
from steelyard.localcloud.wire.error import invalid_parameter, missing_parameter, not_served

SCHEDULERS = ("wrr", "wlc", "rr", "sch")
_SWITCH = ("on", "off")
_STATUS_CLASSES = ("http_2xx", "http_3xx", "http_4xx", "http_5xx")


@dataclass(frozen=True, kw_only=True)
class Setting:
    """One setting.

    Attributes:
        default: Its value where it is not sent.
        check: Tells whether a value is allowed.
        want: What is allowed, in words.
    """

    default: object
    check: Callable[[object], bool] = lambda value: True
    want: str = ""


def _number(default: int, low: int, high: int) -> Setting:
    return Setting(
        default=default,
        check=lambda value: isinstance(value, int) and low <= value <= high,
        want=f"from {low} to {high}",
    )


def _choice(default: str, *choices: str) -> Setting:
    return Setting(default=default, check=lambda value: value in choices, want=f"one of {', '.join(choices)}")


def _text(default: str = "", max_length: int = 80) -> Setting:
    # A line break or a blank would end a word of HAProxy's configuration.
    return Setting(
        default=default,
        check=lambda value: (
            len(str(value)) <= max_length and str(value).isprintable() and " " not in str(value)
        ),
        want=f"up to {max_length} characters without blanks",
    )


def _is_uri(value: object) -> bool:
    text = str(value)
    return (
        text.startswith("/") and len(text) <= 80 and text.isascii() and not set(text) & set(" \t\r\n\"'\\#")
    )


def _are_status_classes(value: object) -> bool:
    return all(part in _STATUS_CLASSES for part in str(value).split(","))


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
    "Scheduler": _choice("wrr", *SCHEDULERS),
    "VServerGroupId": Setting(default=""),
    "BackendServerPort": _number(0, 1, 65535),
    "HealthCheckURI": Setting(default="/", check=_is_uri, want="a path of up to 80 characters"),
    "HealthCheckDomain": _text(),
    "HealthCheckConnectPort": _CHECK_PORT,
    "HealthCheckInterval": _number(2, 1, 50),
    "HealthyThreshold": _number(3, 2, 10),
    "UnhealthyThreshold": _number(3, 2, 10),
    "HealthCheckHttpCode": Setting(
        default="http_2xx", check=_are_status_classes, want=f"a list of {', '.join(_STATUS_CLASSES)}"
    ),
    "HealthCheckMethod": _choice("head", "head", "get"),
    "AclStatus": _choice("off", *_SWITCH),
}

HTTP: Mapping[str, Setting] = {
    **_FORWARDING,
    "HealthCheck": _choice("on", *_SWITCH),
    "HealthCheckTimeout": _number(5, 1, 300),
    "StickySession": _choice("off", *_SWITCH),
    "StickySessionType": _choice("", "insert", "server"),
    "Cookie": _text(max_length=200),
    "CookieTimeout": _number(0, 1, 86400),
    "IdleTimeout": _number(15, 1, 60),
    "RequestTimeout": _number(60, 1, 180),
    "Gzip": _choice("on", *_SWITCH),
    "XForwardedFor": _choice("on", *_SWITCH),
    "XForwardedFor_SLBIP": _choice("off", *_SWITCH),
    "XForwardedFor_SLBID": _choice("off", *_SWITCH),
    "XForwardedFor_proto": _choice("off", *_SWITCH),
    "XForwardedFor_SLBPORT": _choice("off", *_SWITCH),
    "XForwardedFor_ClientSrcPort": _choice("off", *_SWITCH),
    "ListenerForward": _choice("off", *_SWITCH),
}

TCP: Mapping[str, Setting] = {
    **_FORWARDING,
    "HealthCheck": _choice("on", *_SWITCH),
    "HealthCheckType": _choice("tcp", "tcp", "http"),
    "HealthCheckConnectTimeout": _number(5, 1, 300),
    "EstablishedTimeout": _number(900, 10, 900),
    "PersistenceTimeout": _number(0, 0, 3600),
    "ConnectionDrain": _choice("off", *_SWITCH),
    "ConnectionDrainTimeout": _number(0, 10, 900),
    "ProxyProtocolV2Enabled": Setting(default=False),
    "MasterSlaveServerGroupId": Setting(default=""),
    "SynProxy": _choice("disable", "enable", "disable"),
}

BY_PROTOCOL: Mapping[str, Mapping[str, Setting]] = {"http": HTTP, "tcp": TCP}

# The names that some actions use in place of the usual one.
_ALIASES = {"healthCheckInterval": "HealthCheckInterval", "HealthCheckSwitch": "HealthCheck"}
_UNSERVED: Mapping[str, tuple[object, str]] = {
    "AclStatus": ("on", "access control lists of listeners"),
    "ListenerForward": ("on", "redirects to HTTPS listeners"),
    "ProxyProtocolV2Enabled": (True, "the proxy protocol"),
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
            their type or its cookie, `UnsupportedOperation` for what the local cloud does not serve.
    """
    known = BY_PROTOCOL[protocol]
    given = {
        _ALIASES.get(name, name): value
        for name, value in request.params.items()
        if _ALIASES.get(name, name) in known and value not in (None, "")
    }
    for name, value in given.items():
        if not known[name].check(value):
            raise invalid_parameter(name, value, known[name].want)
    settings = {name: setting.default for name, setting in known.items()} | dict(old or {}) | given
    if request.text("VServerGroup") == "off":
        settings["VServerGroupId"] = ""
    for name, (value, what) in _UNSERVED.items():
        if settings.get(name) == value:
            raise not_served(what)
    if settings.get("MasterSlaveServerGroupId"):
        raise not_served("primary/secondary server groups")
    _check_stickiness(settings)
    return settings


def _check_stickiness(settings: Mapping[str, object]) -> None:
    if settings.get("StickySession") != "on":
        return
    if not settings["StickySessionType"]:
        raise missing_parameter("StickySessionType")
    needed = "CookieTimeout" if settings["StickySessionType"] == "insert" else "Cookie"
    if not settings[needed]:
        raise missing_parameter(needed)
