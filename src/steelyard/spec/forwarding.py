"""Rules of an application load balancer: requests of some paths or hosts go to another port of the nodes."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Annotated, Any

from steelyard.spec import rule
from steelyard.spec.balancer import ABILITIES, mend
from steelyard.spec.mistake import Finding
from steelyard.spec.nearest import listed
from steelyard.spec.part import Part
from steelyard.spec.rule import Text, WholeNumber

MAX_RULES = 40
"""Fewer than the 100 that a listener of the standard edition takes (from memory of ALB's page on quotas)."""

_PLACE = ("load_balancer", "rules")
_PATTERN_HINT = "`*` stands for any characters, `?` for one"


class RuleSpec(Part):
    """Requests that go to another port of the nodes than the gateways'. A rule before another is tried before it.

    Attributes:
        name: Part of its resources' names.
        hosts: Hosts that it is for, `*` for any characters; every one where there is none.
        paths: Paths that it is for, `*` for any characters; every one where there is none.
        port: Port of the nodes that takes these requests; a node is healthy there while it takes connections.
        protocol: What the nodes speak there: `http`, `https` with any certificate, or `grpc` without TLS. The last two
            need listeners of `https`.
    """

    name: Annotated[Text, rule.name_of(32, "metrics")]
    hosts: tuple[
        Annotated[
            Text,
            rule.matching(
                r"[a-z0-9*?.-]{3,128}", f"a host in small letters; {_PATTERN_HINT}", "*.example.com"
            ),
        ],
        ...,
    ] = ()
    paths: tuple[
        Annotated[
            Text,
            rule.matching(
                r"/[A-Za-z0-9$_.+/&~@:'*?-]{0,127}",
                f"a path of up to 128 characters that begins with /; {_PATTERN_HINT}",
                "/metrics/*",
            ),
        ],
        ...,
    ] = ()
    port: Annotated[WholeNumber, rule.port(1024)]
    protocol: Annotated[Text, rule.one_of("http", "https", "grpc")] = "http"


def forwarding_findings(raw: Mapping[str, Any]) -> Iterator[Finding]:
    """Give what rules and the slow start ask for and is not what the kind can do, or fits nowhere, with its mend.

    Args:
        raw: The spec's values as YAML or JSON gives them, with every key there.
    """
    balancer = _mapping(raw.get("load_balancer"))
    kind, rules = balancer.get("kind"), _list(balancer.get("rules"))
    yield from slow_start_findings(kind, balancer.get("slow_start_s"), balancer.get("scheduler"))
    protocols = [_mapping(one).get("protocol") for one in _list(balancer.get("listeners"))]
    yield from rule_findings(kind, [_mapping(one) for one in rules], protocols)


def slow_start_findings(kind: Any, slow_start_s: Any, scheduler: Any) -> Iterator[Finding]:
    """Give what is wrong with a slow start.

    Args:
        kind: The load balancer's kind.
        slow_start_s: Seconds over which a new node's share grows; 0 for none.
        scheduler: How a node is chosen.
    """
    ability = ABILITIES.get(kind) if isinstance(kind, str) else None
    if ability is None or not isinstance(slow_start_s, int) or not slow_start_s:
        return
    path = ("load_balancer", "slow_start_s")
    if ability.slow_start_s is None:
        able = [name for name, other in ABILITIES.items() if other.slow_start_s]
        message = f"a {kind} load balancer sends a new node its whole share at once"
        yield Finding(path=path, message=message, hint=f"use 0{mend(able)}")
        return
    shortest, longest = ability.slow_start_s
    if not shortest <= slow_start_s <= longest:
        message = f"{slow_start_s} s is outside {shortest} to {longest} s"
        hint = f"the nearest is {max(shortest, min(longest, slow_start_s))}; 0 is no slow start"
        yield Finding(path=path, message=message, hint=hint)
    if isinstance(scheduler, str) and scheduler in ability.schedulers and scheduler != "wrr":
        message = f"nodes start slowly with the scheduler `wrr` alone, and this is `{scheduler}`"
        yield Finding(path=path, message=message, hint="use `scheduler: wrr`, or 0")


def rule_findings(
    kind: Any, rules: list[Mapping[str, Any]], listener_protocols: list[Any]
) -> Iterator[Finding]:
    """Give what is wrong with rules.

    Args:
        kind: The load balancer's kind.
        rules: The rules' settings by their names.
        listener_protocols: What the listeners speak.
    """
    ability = ABILITIES.get(kind) if isinstance(kind, str) else None
    if ability is None or not rules:
        return
    if not ability.has_rules:
        able = [name for name, other in ABILITIES.items() if other.has_rules]
        message = f"a {kind} load balancer sends all requests to the gateways"
        yield Finding(path=_PLACE, message=message, hint=f"leave the rules out{mend(able)}")
        return
    if len(rules) > MAX_RULES:
        message = f"there are {len(rules)} rules, and {MAX_RULES} are the most"
        yield Finding(path=_PLACE, message=message, hint="one rule takes several paths and hosts")
    seen: dict[str, int] = {}
    for i, one in enumerate(rules):
        name = one.get("name")
        if isinstance(name, str) and name in seen:
            message = f"`{name}` stands twice; it is rules[{seen[name]}] already"
            yield Finding(path=(*_PLACE, i, "name"), message=message, hint="give each rule a name of its own")
        elif isinstance(name, str):
            seen[name] = i
        if not _list(one.get("hosts")) and not _list(one.get("paths")):
            message = "a rule for every host and every path would leave nothing to the gateways"
            yield Finding(path=(*_PLACE, i), message=message, hint="give `paths` or `hosts`")
        yield from _protocol_findings(i, one.get("protocol"), listener_protocols)


def _protocol_findings(i: int, protocol: Any, listener_protocols: list[Any]) -> Iterator[Finding]:
    plain = [one for one in listener_protocols if one == "http"]
    if protocol in ("https", "grpc") and plain:
        message = f"a listener of http sends no requests to nodes that speak {protocol}"
        yield Finding(
            path=(*_PLACE, i, "protocol"),
            message=message,
            hint=f"let every listener speak {listed(['https'])}, or use http",
        )


def _mapping(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}


def _list(value: Any) -> list[Any]:
    return list(value) if isinstance(value, list | tuple) else []
