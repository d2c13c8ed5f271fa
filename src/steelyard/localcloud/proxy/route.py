"""Rules that send HTTP requests of one listener to different servers, and how they are said to HAProxy. Pure."""

from __future__ import annotations

import re
import string
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal, TypeAlias

MatchKind = Literal["host", "path", "header", "query", "cookie", "method", "source"]

# What of a request is looked at; `{}` stands for the name of a header, a parameter or a cookie.
_SAMPLES: dict[MatchKind, str] = {
    "host": "req.hdr(host),field(1,:)",
    "path": "path",
    "header": "req.fhdr({})",
    "query": "urlp({}),url_dec",
    "cookie": "req.cook({})",
    "method": "method",
    "source": "src",
}
_VARIABLES = {"${host}": "%[req.hdr(host),field(1,:)]", "${path}": "%[path]", "${query}": "%[query]"}
_MAX_LIMITED = 10_000  # Clients of a rule whose requests are counted.
_PLAIN = frozenset(string.ascii_letters + string.digits + "_-./:^$*+?|,=~@&;")


@dataclass(frozen=True, kw_only=True)
class Match:
    """One thing that a request may be.

    Attributes:
        kind: What of the request is looked at.
        pattern: What it has to be: for `source` a CIDR block, else a text in which `*` stands for any characters and
            `?` for any one. A path that begins with `~` is a regular expression, one with `~*` of any case.
        key: Name of the header, parameter or cookie; empty for the other kinds.
    """

    kind: MatchKind
    pattern: str
    key: str = ""


@dataclass(frozen=True, kw_only=True)
class SetHeader:
    """Sets a header of the request.

    Attributes:
        name: The header.
        value: Its value in HAProxy's format.
    """

    name: str
    value: str


@dataclass(frozen=True, kw_only=True)
class RemoveHeader:
    """Removes a header of the request."""

    name: str


@dataclass(frozen=True, kw_only=True)
class Limit:
    """Lets so many requests through in a second, and answers the others with 503.

    Attributes:
        per_s: Requests of all clients; 0 for no bound.
        client_per_s: Those of one client's address; 0 for no bound.
    """

    per_s: int
    client_per_s: int


@dataclass(frozen=True, kw_only=True)
class Rewrite:
    """Changes what is asked for. `${host}`, `${path}` and `${query}` stand for the request's own; None changes nothing.

    Attributes:
        path: The path.
        query: The query.
        host: The host.
    """

    path: str | None = None
    query: str | None = None
    host: str | None = None


@dataclass(frozen=True, kw_only=True)
class Redirect:
    """Sends the client elsewhere.

    Attributes:
        status: The answer's status.
        location: Where to, without the query; `${host}` and `${path}` stand for the request's own.
        query: The query, without its question mark; `${query}` stands for the request's own, empty is none.
    """

    status: int
    location: str
    query: str


@dataclass(frozen=True, kw_only=True)
class Reply:
    """Answers without a server."""

    status: int
    content_type: str
    content: str


@dataclass(frozen=True, kw_only=True)
class Forward:
    """Sends the request to a pool.

    Attributes:
        targets: Names of pools, each with its share of the requests.
    """

    targets: tuple[tuple[str, int], ...]


RouteAction: TypeAlias = SetHeader | RemoveHeader | Limit | Rewrite | Redirect | Reply | Forward


@dataclass(frozen=True, kw_only=True)
class Route:
    """One rule: what is done with the requests that meet all of its conditions and none of an earlier rule.

    Attributes:
        conditions: Each is met by a request that is one of its things.
        actions: What is done, in this order; the last one says where the request goes.
    """

    conditions: tuple[tuple[Match, ...], ...]
    actions: tuple[RouteAction, ...]


def request_lines(routes: Sequence[Route], name: str) -> list[str]:
    """Give the lines that find the rule of a request and change the request by it.

    The rule is found before anything is changed: later rules never see what an earlier one has rewritten.

    Args:
        routes: The rules.
        name: The listener's name.
    """
    lines = [line for number, route in enumerate(routes) for line in _choice(number, route)]
    for number, route in enumerate(routes):
        lines += [
            f"http-request {line}"
            for action in route.actions
            for line in _request_action(action, _name(number), _table(name, number))
        ]
    return lines


def limit_lines(routes: Sequence[Route], name: str) -> list[str]:
    """Give the sections in which the requests of limited rules are counted.

    Args:
        routes: The rules.
        name: The listener's name.
    """
    limited = [
        (_table(name, number), action)
        for number, route in enumerate(routes)
        for action in route.actions
        if isinstance(action, Limit)
    ]
    lines: list[str] = []
    for table, limit in limited:
        for bound, kind in ((limit.per_s, "integer"), (limit.client_per_s, "ip")):
            keys = f"type {kind} size {_MAX_LIMITED} expire 10s store http_req_rate(1s)"
            lines += [f"backend {table}:{kind}", f"  stick-table {keys}"] if bound else []
    return lines


def pool_lines(routes: Sequence[Route], own_pool: str) -> list[str]:
    """Give the lines that choose the pool of a request.

    Args:
        routes: The rules.
        own_pool: The listener's own pool, which takes what no line sends elsewhere.
    """
    lines = []
    for number, route in enumerate(routes):
        for action in route.actions:
            if isinstance(action, Forward):
                lines += _pools(number, action, own_pool)
    return lines


def _table(name: str, number: int) -> str:
    return f"limits:{name}:{number}"


def _name(number: int) -> str:
    return f"is-route-{number}"


def _choice(number: int, route: Route) -> Iterator[str]:
    names = [f"route-{number}-{index}" for index in range(len(route.conditions))]
    for name, condition in zip(names, route.conditions, strict=True):
        # Lines of one name are alternatives.
        yield from (f"acl {name} {_test(match)}" for match in condition)
    yield f"acl {_name(number)} var(txn.route) -m int {number}"
    unless_found = "!{ var(txn.route) -m found }"
    yield f"http-request set-var(txn.route) int({number}) if {' '.join([unless_found, *names])}"


def _test(match: Match) -> str:
    sample = _SAMPLES[match.kind].format(match.key)
    if match.kind == "source":
        return f"{sample} {match.pattern}"
    pattern, flags = match.pattern, " -i" if match.kind == "host" else ""
    if match.kind == "path" and pattern.startswith("~"):
        is_any_case = pattern.startswith("~*")
        regex = pattern[2:] if is_any_case else pattern[1:]
        return f"{sample} -m reg{' -i' if is_any_case else ''} -- {word(regex)}"
    if not set(pattern) & set("*?"):
        return f"{sample} -m str{flags} -- {word(pattern)}"
    return f"{sample} -m reg{flags} -- {word(_regex(pattern))}"


def _regex(pattern: str) -> str:
    parts = {"*": ".*", "?": "."}
    return f"^{''.join(parts.get(char) or re.escape(char) for char in pattern)}$"


def _request_action(action: RouteAction, condition: str, table: str) -> list[str]:
    when = f"if {condition}"
    match action:
        case SetHeader():
            return [f"set-header {action.name} {action.value} {when}"]
        case RemoveHeader():
            return [f"del-header {action.name} {when}"]
        case Limit():
            return _limit(action, when, table)
        case Rewrite():
            # The host comes last: the others may name the old one.
            parts = (("set-path", action.path), ("set-query", action.query), ("set-header Host", action.host))
            return [f"{what} {formatted(text)} {when}" for what, text in parts if text is not None]
        case Reply(status=204) | Reply(content=""):
            # HAProxy takes no content with the one, as HTTP has it, and no type without content.
            return [f"return status {action.status} {when}"]
        case Reply():
            content = f"content-type {word(action.content_type)} string {word(action.content)}"
            return [f"return status {action.status} {content} {when}"]
        case Redirect():
            return _redirect(action, when)
        case Forward():
            total = sum(weight for _, weight in action.targets)
            return [f"set-var(txn.pick) rand({total}) {when}"] if len(action.targets) > 1 else []


def _limit(limit: Limit, when: str, table: str) -> list[str]:
    bounds = ((limit.per_s, "int(0)", f"{table}:integer"), (limit.client_per_s, "src", f"{table}:ip"))
    held = [one for one in bounds if one[0]]
    # Those that are refused do not count.
    denied = [
        f"deny deny_status 503 {when} {{ {key},table_http_req_rate({name}) ge {n} }}" for n, key, name in held
    ]
    return denied + [
        f"track-sc{counter} {key} table {name} {when}" for counter, (_, key, name) in enumerate(held)
    ]


def _redirect(action: Redirect, when: str) -> list[str]:
    bare = f"redirect code {action.status} location {formatted(action.location)}"
    if not action.query:
        return [f"{bare} {when}"]
    whole = f"{bare}?{formatted(action.query)} {when}"
    if action.query != "${query}":
        return [whole]
    return [f"{whole} {{ query -m len gt 0 }}", f"{bare} {when}"]


def _pools(number: int, action: Forward, own_pool: str) -> list[str]:
    lines, end = [], 0
    # The listener's own pool comes last: it takes what no line sends elsewhere, and a line for it would be a loop.
    targets = sorted(action.targets, key=lambda target: target[0] == own_pool)
    for index, (pool, weight) in enumerate(targets):
        end += weight
        is_last = index == len(targets) - 1
        if pool == own_pool:
            continue
        picked = "" if is_last else f" {{ var(txn.pick) -m int lt {end} }}"
        lines.append(f"use_backend {pool} if {_name(number)}{picked}")
    return lines


def formatted(text: str) -> str:
    """Write a text with the variables of a request in HAProxy's format, as one word of its configuration."""
    parts = re.split(r"(\$\{(?:host|path|query)\})", text)
    return "".join(_VARIABLES.get(part) or literal(part) for part in parts if part) or literal("")


def literal(text: str) -> str:
    """Write a text in HAProxy's format as what it is, as one word of its configuration."""
    return word(text.replace("%", "%%"))


def word(text: str) -> str:
    """Write a text as one word of HAProxy's configuration."""
    chars = map(chr, text.encode())
    return "".join(char if char in _PLAIN else f"\\x{ord(char):02x}" for char in chars) or '""'
