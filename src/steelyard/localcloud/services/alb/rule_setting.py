"""What the conditions and actions of a rule may be; they are kept as the API has them, defaults filled in."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from ipaddress import IPv4Network
from typing import Any

from steelyard.localcloud.services.alb.models import Action, Condition
from steelyard.localcloud.services.alb.setting import mapping
from steelyard.localcloud.text import whole_number
from steelyard.localcloud.wire.error import invalid_parameter, missing_parameter, not_served

_MAX_TARGETS = 5
_MAX_QPS = 1_000_000
_METHODS = ("GET", "POST", "PUT", "DELETE", "HEAD", "OPTIONS", "PATCH")
_CONTENT_TYPES = ("text/plain", "text/css", "text/html", "application/javascript", "application/json")
_KEY = re.compile(r"[A-Za-z0-9_-]{1,40}\Z")
_HEADER_VALUE = re.compile(r"[\x21-\x7e](?:[\x20-\x7e]{0,126}[\x21-\x7e])?\Z")
_TEXT = re.compile(r"[\x21-\x7e]{1,256}\Z")
_SYSTEM_VALUES = ("ClientSrcPort", "ClientSrcIp", "Protocol", "SLBId", "SLBPort")
_OWN_HEADERS = (
    *("slb-id", "slb-ip", "x-forwarded-for", "x-forwarded-proto", "x-forwarded-eip", "x-forwarded-port"),
    *("x-forwarded-client-srcport", "connection", "upgrade", "content-length", "transfer-encoding"),
    *("keep-alive", "te", "host", "cookie", "remoteip", "authority"),
)
LAST_TYPES = ("ForwardGroup", "Redirect", "FixedResponse")
"""The actions of which a rule has one, at its end."""


def read_conditions(items: Sequence[Mapping[str, Any]]) -> tuple[Condition, ...]:
    """Read a rule's conditions.

    Raises:
        ApiError: `MissingParameter` or `InvalidParameter` for what is not allowed, `UnsupportedOperation` for
            conditions on answers.
    """
    if not items:
        raise missing_parameter("RuleConditions")
    return tuple(_condition(item) for item in items)


def read_actions(items: Sequence[Mapping[str, Any]]) -> tuple[Action, ...]:
    """Read a rule's actions, and bring them into their order.

    Raises:
        ApiError: `MissingParameter` or `InvalidParameter` for what is not allowed, `UnsupportedOperation` for what the
            local cloud does not serve.
    """
    if not items:
        raise missing_parameter("RuleActions")
    actions = sorted((_action(item) for item in items), key=lambda action: int(action["Order"]))
    if len({action["Order"] for action in actions}) < len(actions):
        raise invalid_parameter("RuleActions.Order", [one["Order"] for one in actions], "one for each action")
    types = [str(action["Type"]) for action in actions]
    if types[-1] not in LAST_TYPES or any(kind in LAST_TYPES for kind in types[:-1]):
        raise invalid_parameter(
            "RuleActions.Type", types, f"with one of {', '.join(LAST_TYPES)}, and it last"
        )
    if types.count("TrafficLimit") > 1:
        raise invalid_parameter("RuleActions.Type", types, "one TrafficLimit")
    if "Rewrite" in types and types[-1] != "ForwardGroup":
        raise invalid_parameter("RuleActions.Type", types, "a Rewrite together with a ForwardGroup")
    return tuple(actions)


def _condition(item: Mapping[str, Any]) -> Condition:
    kind = str(item.get("Type") or "")
    if kind in ("ResponseHeader", "ResponseStatusCode"):
        raise not_served("rules for answers")
    # The page of the parameter writes `SourceIP`, its list of types `SourceIp`.
    reader = _CONDITIONS.get("SourceIp" if kind == "SourceIP" else kind)
    if reader is None:
        raise invalid_parameter("RuleConditions.Type", kind, f"one of {', '.join(_CONDITIONS)}")
    name = f"{'SourceIp' if kind == 'SourceIP' else kind}Config"
    config = mapping(item.get(name))
    if not config.get("Values"):
        raise missing_parameter(f"RuleConditions.{name}.Values")
    return {"Type": kind, name: reader(config, f"RuleConditions.{name}")}


def _texts(config: Mapping[str, Any], name: str) -> dict[str, Any]:
    for value in config["Values"]:
        _check_text(value, f"{name}.Values")
    return {"Values": list(config["Values"])}


def _paths(config: Mapping[str, Any], name: str) -> dict[str, Any]:
    for value in config["Values"]:
        _check_text(value, f"{name}.Values")
        if value.startswith("~"):
            _check_regex(value.lstrip("~*"), f"{name}.Values")
        elif not value.startswith("/"):
            raise invalid_parameter(
                f"{name}.Values", value, "a path that begins with / (or, a pattern, with ~)"
            )
    return {"Values": list(config["Values"])}


def _header(config: Mapping[str, Any], name: str) -> dict[str, Any]:
    key = str(config.get("Key") or "")
    if not _KEY.match(key) or key.lower() in ("cookie", "host"):
        raise invalid_parameter(f"{name}.Key", key, "a header of 1 to 40 characters, not Cookie or Host")
    for value in config["Values"]:
        if not _HEADER_VALUE.match(str(value)):
            want = "1 to 128 printable characters, a blank neither first nor last"
            raise invalid_parameter(f"{name}.Values", value, want)
    return {"Key": key, "Values": list(config["Values"])}


def _pairs(config: Mapping[str, Any], name: str) -> dict[str, Any]:
    pairs = [
        {"Key": str(pair.get("Key") or ""), "Value": str(pair.get("Value") or "*")}
        for pair in config["Values"]
    ]
    for pair in pairs:
        # HAProxy looks one name up; wildcards in names are not served.
        if not _KEY.match(pair["Key"]):
            raise invalid_parameter(f"{name}.Values.Key", pair["Key"], "letters, digits, - and _ alone, here")
        _check_text(pair["Value"], f"{name}.Values.Value")
    return {"Values": pairs}


def _methods(config: Mapping[str, Any], name: str) -> dict[str, Any]:
    for value in config["Values"]:
        if value not in _METHODS:
            raise invalid_parameter(f"{name}.Values", value, f"one of {', '.join(_METHODS)}")
    return {"Values": list(config["Values"])}


def _ranges(config: Mapping[str, Any], name: str) -> dict[str, Any]:
    for value in config["Values"]:
        check_range(value, f"{name}.Values")
    return {"Values": list(config["Values"])}


_CONDITIONS: Mapping[str, Callable[[Mapping[str, Any], str], dict[str, Any]]] = {
    "Host": _texts,
    "Path": _paths,
    "Header": _header,
    "QueryString": _pairs,
    "Cookie": _pairs,
    "Method": _methods,
    "SourceIp": _ranges,
}


def _action(item: Mapping[str, Any]) -> Action:
    kind, order = str(item.get("Type") or ""), item.get("Order")
    if kind in ("TrafficMirror", "Cors"):
        raise not_served(f"actions of the type {kind}")
    reader = _ACTIONS.get(kind)
    if reader is None:
        raise invalid_parameter("RuleActions.Type", kind, f"one of {', '.join(_ACTIONS)}")
    if not isinstance(order, int) or not 1 <= order <= 50000:
        raise invalid_parameter("RuleActions.Order", order, "from 1 to 50000")
    config = item.get(f"{kind}Config")
    if not isinstance(config, Mapping):
        raise missing_parameter(f"RuleActions.{kind}Config")
    return {"Type": kind, "Order": order, f"{kind}Config": reader(config, f"RuleActions.{kind}Config")}


def _forward(config: Mapping[str, Any], name: str) -> dict[str, Any]:
    tuples = config.get("ServerGroupTuples") or []
    if mapping(config.get("ServerGroupStickySession")).get("Enabled"):
        raise not_served("stickiness between server groups")
    if not 1 <= len(tuples) <= _MAX_TARGETS:
        raise invalid_parameter(
            f"{name}.ServerGroupTuples", len(tuples), f"1 to {_MAX_TARGETS} server groups"
        )
    targets = []
    for item in tuples:
        weight = item.get("Weight", 100 if len(tuples) == 1 else None)
        if weight is None:
            raise missing_parameter(f"{name}.ServerGroupTuples.Weight")
        if not isinstance(weight, int) or not 0 <= weight <= 100:
            raise invalid_parameter(f"{name}.ServerGroupTuples.Weight", weight, "from 0 to 100")
        targets.append({"ServerGroupId": str(item.get("ServerGroupId") or ""), "Weight": weight})
    if not any(target["Weight"] for target in targets):
        raise invalid_parameter(
            f"{name}.ServerGroupTuples.Weight", 0, "above 0 for one server group at least"
        )
    return {"ServerGroupTuples": targets}


def _redirect(config: Mapping[str, Any], name: str) -> dict[str, Any]:
    known = {
        "Protocol": "${protocol}",
        "Host": "${host}",
        "Port": "${port}",
        "Path": "${path}",
        "Query": "${query}",
    }
    values = _filled(config, known, name)
    code = str(config.get("HttpCode") or "301")
    if code not in ("301", "302", "303", "307", "308"):
        raise invalid_parameter(f"{name}.HttpCode", code, "301, 302, 303, 307 or 308")
    if values["Protocol"] not in ("${protocol}", "HTTP", "HTTPS"):
        raise invalid_parameter(f"{name}.Protocol", values["Protocol"], "HTTP or HTTPS")
    port = values["Port"]
    if port != "${port}" and (whole_number(port) or 0) not in range(1, 63335 + 1):
        raise invalid_parameter(f"{name}.Port", port, "from 1 to 63335")
    if values == known:
        raise invalid_parameter(name, "the request's own address", "another one")
    return {**values, "HttpCode": code}


def _rewrite(config: Mapping[str, Any], name: str) -> dict[str, Any]:
    return _filled(config, {"Host": "${host}", "Path": "${path}", "Query": "${query}"}, name)


def _filled(config: Mapping[str, Any], known: Mapping[str, str], name: str) -> dict[str, str]:
    values = {key: str(config.get(key) or default) for key, default in known.items()}
    for key, value in values.items():
        _check_text(value, f"{name}.{key}")
    if "Path" in values and not values["Path"].startswith(("/", "${path}")):
        raise invalid_parameter(f"{name}.Path", values["Path"], "a path that begins with /")
    return values


def _fixed(config: Mapping[str, Any], name: str) -> dict[str, Any]:
    code, content = str(config.get("HttpCode") or ""), str(config.get("Content") or "")
    content_type = str(config.get("ContentType") or "text/plain")
    if not re.fullmatch(r"[245][0-9]{2}", code):
        raise invalid_parameter(f"{name}.HttpCode", code, "2xx, 4xx or 5xx")
    if content_type not in _CONTENT_TYPES:
        raise invalid_parameter(f"{name}.ContentType", content_type, f"one of {', '.join(_CONTENT_TYPES)}")
    if not content.isascii() or len(content) > 1024 or "\0" in content:
        raise invalid_parameter(f"{name}.Content", content[:40], "up to 1 KB of ASCII")
    return {"HttpCode": code, "ContentType": content_type, "Content": content}


def _insert(config: Mapping[str, Any], name: str) -> dict[str, Any]:
    key, value = _own_key(config, name), str(config.get("Value") or "")
    value_type = str(config.get("ValueType") or "UserDefined")
    if value_type == "SystemDefined" and value not in _SYSTEM_VALUES:
        raise invalid_parameter(f"{name}.Value", value, f"one of {', '.join(_SYSTEM_VALUES)}")
    if value_type == "ReferenceHeader" and not _KEY.match(value):
        raise invalid_parameter(f"{name}.Value", value, "the name of a header")
    if value_type == "UserDefined" and not re.fullmatch(r"[\x20-\x7e]{1,128}", value):
        raise invalid_parameter(f"{name}.Value", value, "1 to 128 characters that can be printed")
    if value_type not in ("SystemDefined", "ReferenceHeader", "UserDefined"):
        choices = "UserDefined, ReferenceHeader or SystemDefined"
        raise invalid_parameter(f"{name}.ValueType", value_type, choices)
    return {"Key": key, "Value": value, "ValueType": value_type}


def _remove(config: Mapping[str, Any], name: str) -> dict[str, Any]:
    return {"Key": _own_key(config, name)}


def _limit(config: Mapping[str, Any], name: str) -> dict[str, Any]:
    # The Terraform provider sends 0 for what is not set.
    bounds = {key: config.get(key) or 0 for key in ("QPS", "PerIpQps")}
    for key, value in bounds.items():
        if not isinstance(value, int) or not 0 <= value <= _MAX_QPS:
            raise invalid_parameter(f"{name}.{key}", value, f"from 1 to {_MAX_QPS}")
    if not any(bounds.values()):
        raise missing_parameter(f"{name}.QPS")
    if bounds["QPS"] and bounds["PerIpQps"] >= bounds["QPS"]:
        raise invalid_parameter(f"{name}.PerIpQps", bounds["PerIpQps"], "less than QPS")
    return bounds


def _own_key(config: Mapping[str, Any], name: str) -> str:
    key = str(config.get("Key") or "")
    if not _KEY.match(key) or key.lower() in _OWN_HEADERS:
        raise invalid_parameter(
            f"{name}.Key", key, "a header of 1 to 40 characters that is not the balancer's own"
        )
    return key


_ACTIONS: Mapping[str, Callable[[Mapping[str, Any], str], dict[str, Any]]] = {
    "ForwardGroup": _forward,
    "Redirect": _redirect,
    "FixedResponse": _fixed,
    "Rewrite": _rewrite,
    "InsertHeader": _insert,
    "RemoveHeader": _remove,
    "TrafficLimit": _limit,
}


def check_range(value: object, name: str) -> None:
    """Check that a value is an IPv4 address or range.

    Raises:
        ApiError: `InvalidParameter`.
    """
    try:
        IPv4Network(str(value))
    except ValueError as err:
        raise invalid_parameter(name, value, "an IPv4 address or range") from err


def _check_text(value: object, name: str) -> None:
    if not _TEXT.match(str(value)):
        raise invalid_parameter(name, value, "1 to 256 printable characters without blanks")


def _check_regex(pattern: str, name: str) -> None:
    try:
        re.compile(pattern)
    except re.error as err:
        raise invalid_parameter(name, pattern, f"a regular expression ({err})") from err
