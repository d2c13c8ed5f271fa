"""From a rule of a listener to what HAProxy does with the requests that it fits. Pure."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from steelyard.localcloud.proxy.route import (
    Forward,
    Limit,
    Match,
    MatchKind,
    Redirect,
    RemoveHeader,
    Reply,
    Rewrite,
    Route,
    RouteAction,
    SetHeader,
    literal,
)
from steelyard.localcloud.services.alb.models import Action, Condition, Listener, Rule

_KINDS: Mapping[str, MatchKind] = {
    "Host": "host",
    "Path": "path",
    "Header": "header",
    "QueryString": "query",
    "Cookie": "cookie",
    "Method": "method",
    "SourceIp": "source",
}
_USUAL_PORTS = {"http": "80", "https": "443"}


def plan_route(rule: Rule, listener: Listener, pool_name: Callable[[str], str]) -> Route:
    """Plan a rule.

    Args:
        rule: The rule.
        listener: The listener that it belongs to.
        pool_name: Gives the name of the pool that holds a server group's servers.
    """
    return Route(
        conditions=tuple(_matches(condition) for condition in rule.conditions),
        actions=tuple(_action(action, rule, listener, pool_name) for action in rule.actions),
    )


def _matches(condition: Condition) -> tuple[Match, ...]:
    name = "SourceIp" if condition["Type"] == "SourceIP" else str(condition["Type"])
    kind, config = _KINDS[name], condition[f"{name}Config"]
    if kind in ("query", "cookie"):
        return tuple(Match(kind=kind, key=pair["Key"], pattern=pair["Value"]) for pair in config["Values"])
    return tuple(
        Match(kind=kind, key=str(config.get("Key", "")), pattern=str(value)) for value in config["Values"]
    )


def _action(action: Action, rule: Rule, listener: Listener, pool_name: Callable[[str], str]) -> RouteAction:
    kind = action["Type"]
    config: Mapping[str, Any] = action[f"{kind}Config"]
    if kind == "ForwardGroup":
        targets = [(pool_name(one["ServerGroupId"]), int(one["Weight"])) for one in rule.targets]
        return Forward(targets=tuple(target for target in targets if target[1]))
    if kind == "Redirect":
        return _redirect(config, listener)
    if kind == "FixedResponse":
        return Reply(
            status=int(config["HttpCode"]), content_type=config["ContentType"], content=config["Content"]
        )
    if kind == "Rewrite":
        host, path, query = (
            None if config[name] == f"${{{name.lower()}}}" else _known(config[name], listener)
            for name in ("Host", "Path", "Query")
        )
        return Rewrite(host=host, path=path, query=query)
    if kind == "TrafficLimit":
        return Limit(per_s=int(config["QPS"]), client_per_s=int(config["PerIpQps"]))
    if kind == "RemoveHeader":
        return RemoveHeader(name=config["Key"])
    return SetHeader(name=config["Key"], value=_header_value(config, listener))


def _redirect(config: Mapping[str, Any], listener: Listener) -> Redirect:
    protocol = _known(config["Protocol"], listener).lower()
    port = _known(config["Port"], listener)
    # A port that belongs to the protocol goes without saying.
    shown_port = "" if port == _USUAL_PORTS[protocol] else f":{port}"
    return Redirect(
        status=int(config["HttpCode"]),
        location=f"{protocol}://{_known(config['Host'], listener)}{shown_port}{_known(config['Path'], listener)}",
        query=_known(config["Query"], listener),
    )


def _header_value(config: Mapping[str, Any], listener: Listener) -> str:
    value = str(config["Value"])
    if config["ValueType"] == "ReferenceHeader":
        return f"%[req.hdr({value})]"
    if config["ValueType"] == "UserDefined":
        return literal(value)
    system = {
        "ClientSrcPort": "%[src_port]",
        "ClientSrcIp": "%[src]",
        "Protocol": listener.protocol,
        "SLBId": listener.load_balancer_id,
        "SLBPort": str(listener.port),
    }
    return system[value]


def _known(text: str, listener: Listener) -> str:
    """Put in what is known of a listener's requests before they come."""
    protocol, port = listener.protocol.lower(), str(listener.port)
    return text.replace("${protocol}", protocol).replace("${port}", port)
