"""Whether policies allow a call: the rules of RAM's policy documents. Pure.

A statement applies where its action, its resource and all of its conditions fit; with `NotAction` and `NotResource` it
is for all others (help page "Policy structure and syntax"). A call is allowed where some statement allows it and none
denies it (help page "Policy evaluation"). The condition operators are those of the help page "Conditional operator";
others make an Allow not apply and a Deny apply.
"""

from __future__ import annotations

import operator
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from enum import Enum
from ipaddress import ip_address, ip_network
from typing import Any

from steelyard.localcloud.services.ram.check import as_list, parse_statements
from steelyard.localcloud.wildcard import wildcard


class Decision(Enum):
    """What policies say to a call."""

    ALLOWED = "allowed"
    DENIED = "denied by a statement"
    NOT_ALLOWED = "allowed by no statement"


@dataclass(frozen=True, kw_only=True)
class Call:
    """What is asked of policies.

    Attributes:
        action: `<product>:<action>`, e.g. `ecs:DescribeInstances`.
        resources: Names of all that it touches, e.g. `acs:ecs:cn-hangzhou:123:instance/i-1`; each has to be allowed.
        context: Values of condition keys; a key of which nothing is known is absent.
        resource_tags: Tags of those resources that have any, by the resource's name.
    """

    action: str
    resources: Sequence[str]
    context: Mapping[str, Collection[str]]
    resource_tags: Mapping[str, Mapping[str, str]] = field(default_factory=dict)

    def context_of(self, resource: str) -> Mapping[str, Collection[str]]:
        """Give the values of condition keys for one resource, its tags among them."""
        tags = self.resource_tags.get(resource, {})
        return {**self.context, **{f"acs:resourcetag/{key}".lower(): {tags[key]} for key in tags}}


def decide(documents: Iterable[str], call: Call) -> Decision:
    """Decide over a call by the policy documents of who makes it."""
    return decide_over([one for document in documents for one in parse_statements(document)], call)


def decide_over(statements: Iterable[Mapping[str, Any]], call: Call) -> Decision:
    """Decide over a call by statements that are for who makes it."""
    concerned = [one for one in statements if _is_for(one, "Action", call.action)]
    verdict = Decision.ALLOWED
    for resource in call.resources:
        fitting = [one for one in concerned if _is_for(one, "Resource", resource)]
        context = call.context_of(resource)
        if any(one["Effect"] == "Deny" and holds(one, context, unknown=True) for one in fitting):
            return Decision.DENIED
        if not any(one["Effect"] == "Allow" and holds(one, context, unknown=False) for one in fitting):
            verdict = Decision.NOT_ALLOWED
    return verdict


def _is_for(statement: Mapping[str, Any], element: str, text: str) -> bool:
    if f"Not{element}" in statement:
        return not fits(as_list(statement[f"Not{element}"]), text)
    return fits(as_list(statement.get(element)), text)


def fits(patterns: Iterable[object], text: str) -> bool:
    """Tell whether a text is one of those that patterns name, in which `*` and `?` stand for others."""
    return any(wildcard(str(pattern), ignores_case=True).fullmatch(text) for pattern in patterns)


def holds(statement: Mapping[str, Any], context: Mapping[str, Collection[str]], *, unknown: bool) -> bool:
    """Tell whether a statement's conditions hold.

    Args:
        statement: The statement.
        context: Values of condition keys, by their name in small letters.
        unknown: What is told where an operator is not one of those below.
    """
    conditions = statement.get("Condition") or {}
    for name, keys in conditions.items():
        test = _OPERATORS.get(str(name))
        if test is None:
            return unknown
        for key, wanted in keys.items():
            seen = context.get(str(key).lower(), ())
            if not test(seen, [str(value) for value in as_list(wanted)]):
                return False
    return True


def _any(same: Callable[[str, str], bool]) -> Callable[[Collection[str], Sequence[str]], bool]:
    return lambda seen, wanted: any(same(one, want) for one in seen for want in wanted)


def _none(same: Callable[[str, str], bool]) -> Callable[[Collection[str], Sequence[str]], bool]:
    return lambda seen, wanted: not any(same(one, want) for one in seen for want in wanted)


def _compared(
    read: Callable[[str], float], compare: Callable[[float, float], bool]
) -> Callable[[str, str], bool]:
    def test(one: str, other: str) -> bool:
        try:
            return compare(read(one), read(other))
        except ValueError:
            return False

    return test


def _time(text: str) -> float:
    when = datetime.fromisoformat(text)
    return (when if when.tzinfo else when.replace(tzinfo=UTC)).timestamp()


def _in_range(address: str, block: str) -> bool:
    try:
        return ip_address(address) in ip_network(block, strict=False)
    except ValueError:
        return False


def _same(one: str, other: str) -> bool:
    return one == other


def _same_letters(one: str, other: str) -> bool:
    return one.lower() == other.lower()


def _like(text: str, pattern: str) -> bool:
    return wildcard(pattern).fullmatch(text) is not None


_COMPARISONS: Mapping[str, Callable[[float, float], bool]] = {
    "Equals": operator.eq,
    "LessThan": operator.lt,
    "LessThanEquals": operator.le,
    "GreaterThan": operator.gt,
    "GreaterThanEquals": operator.ge,
}
_OPERATORS: Mapping[str, Callable[[Collection[str], Sequence[str]], bool]] = {
    "StringEquals": _any(_same),
    "StringNotEquals": _none(_same),
    "StringEqualsIgnoreCase": _any(_same_letters),
    "StringNotEqualsIgnoreCase": _none(_same_letters),
    "StringLike": _any(_like),
    "StringNotLike": _none(_like),
    "Bool": _any(_same_letters),
    "IpAddress": _any(_in_range),
    "NotIpAddress": _none(_in_range),
    **{
        f"{kind}{name}": _any(_compared(read, compare))
        for kind, read in (("Numeric", float), ("Date", _time))
        for name, compare in _COMPARISONS.items()
    },
    "NumericNotEquals": _none(_compared(float, operator.eq)),
    "DateNotEquals": _none(_compared(_time, operator.eq)),
}
