"""Forwarding rules: requests of a domain or a path that go to a server group of their own."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

from steelyard.localcloud.record import Record
from steelyard.localcloud.service import Request
from steelyard.localcloud.services.slb import errors
from steelyard.localcloud.services.slb.setting import RULE
from steelyard.localcloud.setting import checked, defaults

MAX_RULES_A_CALL = 10

DOMAIN = re.compile(r"(\*\.)?([A-Za-z0-9-]+\.)+[A-Za-z0-9-]{1,}")
"""What a domain is, `*.` before it for all below."""
_URL = re.compile(r"/[A-Za-z0-9/.%?#&=_~@:+,;!$*()'-]{1,79}")


@dataclass(frozen=True, kw_only=True)
class Rule(Record):
    """A forwarding rule of an HTTP or HTTPS listener.

    Attributes:
        domain: The requests' host, `*.` before it for all below; empty for any.
        url: The beginning of the requests' path; empty for any.
        settings: The rule's own scheduler, sticky session and health check, in force while `ListenerSync` is off.
    """

    kind: ClassVar[str] = "slb_rule"

    load_balancer_id: str
    listener_id: str
    port: int
    name: str
    domain: str
    url: str
    server_group_id: str
    settings: Mapping[str, object]

    @property
    def rank(self) -> tuple[bool, bool, int, int]:
        """Its place among the rules of a listener: a domain before none, a whole one before `*.`, long before short."""
        return not self.domain, self.domain.startswith("*"), -len(self.domain), -len(self.url)

    def to_answer(self) -> dict[str, object]:
        """Give the fields that DescribeRules and DescribeRuleAttribute share."""
        return {
            **self.settings,
            "RuleId": self.id,
            "RuleName": self.name,
            "Domain": self.domain,
            "Url": self.url,
            "VServerGroupId": self.server_group_id,
            "LoadBalancerId": self.load_balancer_id,
            "ListenerPort": str(self.port),
        }


@dataclass(frozen=True, kw_only=True)
class RuleDraft:
    """A rule as a call asks for it."""

    name: str
    domain: str
    url: str
    server_group_id: str
    settings: Mapping[str, object]


def read_rules(request: Request) -> list[RuleDraft]:
    """Read the rules that a call creates: JSON text in one parameter.

    Raises:
        ApiError: `RuleListMalformed`, `DomainMalformed`, `UrlMalformed` or `InvalidParameter`.
    """
    items = read_json_list(request.text("RuleList"))
    if items is None or not 1 <= len(items) <= MAX_RULES_A_CALL:
        raise errors.rule_list_malformed()
    return [_draft(item) for item in items]


def read_json_list(text: str) -> list[object] | None:
    """Read a JSON list, or one with single quotes, as the Terraform provider writes it; None where it is none."""
    for attempt in (text, text.replace("'", '"')):
        try:
            value = json.loads(attempt)
        except ValueError:
            continue
        return value if isinstance(value, list) else None
    return None


def _draft(item: object) -> RuleDraft:
    if not isinstance(item, Mapping):
        raise errors.rule_list_malformed()
    domain, url, group_id = (str(item.get(key) or "") for key in ("Domain", "Url", "VServerGroupId"))
    if not group_id or not (domain or url):
        raise errors.rule_list_malformed()
    if domain and not DOMAIN.fullmatch(domain):
        raise errors.domain_malformed(domain)
    if url and not _URL.fullmatch(url):
        raise errors.url_malformed(url)
    return RuleDraft(
        name=str(item.get("RuleName") or ""),
        domain=domain,
        url=url,
        server_group_id=group_id,
        settings=defaults(RULE) | checked(RULE, item),
    )
