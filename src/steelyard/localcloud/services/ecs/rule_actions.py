from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from ipaddress import IPv4Network, IPv6Network

from steelyard.localcloud.page import token_page
from steelyard.localcloud.service import Request, action
from steelyard.localcloud.services.ecs import errors, part_errors
from steelyard.localcloud.services.ecs.models import SecurityGroup
from steelyard.localcloud.services.ecs.state import EcsState
from steelyard.localcloud.text import utc_text, whole_number
from steelyard.localcloud.wire.error import invalid_parameter, missing_parameter, not_served

INGRESS, EGRESS = "ingress", "egress"
MAX_RULES = 200
_MAX_PERMISSIONS = 100
"""Rules that one call brings at most (parameter description of `Permissions`)."""
_PAGE = range(10, 1000 + 1)
"""Rules on a page; another number is taken for the nearest (help page of DescribeSecurityGroupAttribute)."""

_PROTOCOLS = ("TCP", "UDP", "ICMP", "ICMPV6", "GRE", "ALL")
_PORTS = re.compile(r"(-?\d{1,5})/(-?\d{1,5})")
_PEERS = {
    INGRESS: ("SourceCidrIp", "Ipv6SourceCidrIp", "SourceGroupId", "SourcePrefixListId"),
    EGRESS: ("DestCidrIp", "Ipv6DestCidrIp", "DestGroupId", "DestPrefixListId"),
}
_SIDES = {INGRESS: "Source", EGRESS: "Dest"}
_ALL_PEERS = (*_PEERS[INGRESS], *_PEERS[EGRESS])
# What makes two rules one.
_IDENTITY = ("Direction", "IpProtocol", "PortRange", "SourcePortRange", "Policy", "Priority", *_ALL_PEERS)

Rule = Mapping[str, object]


class RuleActions(EcsState):
    """The rules of security groups."""

    @action("DescribeSecurityGroupAttribute")
    def describe_security_group_attribute(self, request: Request) -> dict[str, object]:
        """Give a security group's rules, of both directions or one; an unknown `NicType` is left aside."""
        group = self.security_group(request)
        direction = request.text("Direction") or "all"
        rules = [
            {**rule, **self._names(rule)} for rule in group.rules if direction in ("all", rule["Direction"])
        ]
        page, token = token_page(request, rules, default=500, nearest=_PAGE)
        return {
            "NextToken": token,
            "SecurityGroupId": group.id,
            "SecurityGroupName": group.name,
            "Description": group.description,
            "VpcId": group.vpc_id,
            "RegionId": group.region_id,
            "InnerAccessPolicy": group.inner_access_policy,
            "Permissions": {"Permission": list(page)},
        }

    def _names(self, rule: Rule) -> dict[str, object]:
        """Give the names of the groups and prefix lists that a rule names by their ids."""
        names: dict[str, object] = {}
        for side in ("Source", "Dest"):
            for what, records in (("Group", self.security_groups), ("PrefixList", self.prefix_lists)):
                named = str(rule.get(f"{side}{what}Id") or "")
                record = records.get(named) if named else None
                names[f"{side}{what}Name"] = record.name if record is not None else ""
        return names

    @action("AuthorizeSecurityGroup")
    def authorize_security_group(self, request: Request) -> dict[str, object]:
        """Add ingress rules; one that is there already is fine."""
        return self._authorize(request, INGRESS)

    @action("AuthorizeSecurityGroupEgress")
    def authorize_security_group_egress(self, request: Request) -> dict[str, object]:
        """Add egress rules; one that is there already is fine."""
        return self._authorize(request, EGRESS)

    @action("RevokeSecurityGroup")
    def revoke_security_group(self, request: Request) -> dict[str, object]:
        """Remove ingress rules, by their ids or by what they say; one that is not there is fine."""
        return self._revoke(request, INGRESS)

    @action("RevokeSecurityGroupEgress")
    def revoke_security_group_egress(self, request: Request) -> dict[str, object]:
        """Remove egress rules, by their ids or by what they say; one that is not there is fine."""
        return self._revoke(request, EGRESS)

    @action("ModifySecurityGroupRule")
    def modify_security_group_rule(self, request: Request) -> dict[str, object]:
        """Change an ingress rule."""
        return self._modify(request, INGRESS)

    @action("ModifySecurityGroupEgressRule")
    def modify_security_group_egress_rule(self, request: Request) -> dict[str, object]:
        """Change an egress rule."""
        return self._modify(request, EGRESS)

    def _authorize(self, request: Request, direction: str) -> dict[str, object]:
        group = self.security_group(request)
        rules, permissions = list(group.rules), _permissions(request)
        if len(permissions) > _MAX_PERMISSIONS:
            raise invalid_parameter("Permissions", len(permissions), f"at most {_MAX_PERMISSIONS} rules")
        for given in permissions:
            rule = self._rule(given, direction, group.region_id)
            self._check_is_other(group, rule, direction)
            if any(_same(rule, other) for other in rules):
                continue
            now = utc_text(self.cloud.clock())
            rules.append({**rule, "SecurityGroupRuleId": self.cloud.new_id("sgr"), "CreateTime": now})
        num_rules = sum(map(self._weight, rules))
        if self.cloud.terms.has_quotas and num_rules > MAX_RULES:
            raise part_errors.too_many_rules()
        self.security_groups.put(replace(group, rules=tuple(rules)))
        return {}

    def _revoke(self, request: Request, direction: str) -> dict[str, object]:
        group = self.security_group(request)
        rule_ids = request.texts("SecurityGroupRuleId")
        if rule_ids:
            kept = [rule for rule in group.rules if rule["SecurityGroupRuleId"] not in rule_ids]
        else:
            unwanted = [self._rule(given, direction, group.region_id) for given in _permissions(request)]
            kept = [rule for rule in group.rules if not any(_same(rule, other) for other in unwanted)]
        self.security_groups.put(replace(group, rules=tuple(kept)))
        return {}

    def _modify(self, request: Request, direction: str) -> dict[str, object]:
        group = self.security_group(request)
        old = _find(group, request, direction)
        if old is None:
            raise errors.rule_not_found()
        given = {**old, **{name: value for name, value in request.params.items() if value is not None}}
        changed_peer = any(request.params.get(name) for name in _PEERS[direction])
        if changed_peer:
            given = {name: value for name, value in given.items() if name not in _ALL_PEERS}
            given |= {name: request.params[name] for name in _PEERS[direction] if request.params.get(name)}
        kept = {name: old[name] for name in ("SecurityGroupRuleId", "CreateTime")}
        new = {**self._rule(given, direction, group.region_id), **kept}
        self._check_is_other(group, new, direction)
        rules = tuple(new if rule is old else rule for rule in group.rules)
        self.security_groups.put(replace(group, rules=rules))
        return {}

    def _weight(self, rule: Rule) -> int:
        """Give how many rules one counts for: as many as a prefix list that it names may have entries."""
        named = str(rule["SourcePrefixListId"] or rule["DestPrefixListId"])
        prefix_list = self.prefix_lists.get(named) if named else None
        return prefix_list.max_entries if prefix_list is not None else 1

    def _rule(self, given: Mapping[str, object], direction: str, region_id: str) -> dict[str, object]:
        """Check a rule and give it as the API answers it."""
        if given.get("PortRangeListId"):
            raise not_served("lists of ports (PortRangeListId)")
        protocol = str(given.get("IpProtocol") or "").upper()
        if not protocol:
            raise missing_parameter("IpProtocol")
        if protocol not in _PROTOCOLS:
            raise errors.value_not_supported("IpProtocol", protocol)
        peers = {name: str(given[name]) for name in _PEERS[direction] if given.get(name)}
        if not peers:
            raise part_errors.missing_peer(_SIDES[direction])
        for name, peer in peers.items():
            self._check_peer(name, peer, region_id)
        policy = str(given.get("Policy") or "accept").capitalize()
        if policy not in ("Accept", "Drop"):
            raise errors.value_not_supported("Policy", policy)
        priority = str(given.get("Priority") or "1")
        if (whole_number(priority) or 0) not in range(1, 100 + 1):
            raise errors.value_not_supported("Priority", priority)
        return {
            "Direction": direction,
            "IpProtocol": protocol,
            "PortRange": _port_range(protocol, str(given.get("PortRange") or "")),
            "SourcePortRange": str(given.get("SourcePortRange") or "-1/-1"),
            "NicType": "intranet",
            "Policy": policy,
            "Priority": priority,
            "Description": str(given.get("Description") or ""),
            **dict.fromkeys(_ALL_PEERS, ""),
            **peers,
        }

    def _check_is_other(self, group: SecurityGroup, rule: Rule, direction: str) -> None:
        """Check that a rule names another group than its own, whose members the inner access policy is for."""
        if rule[f"{_SIDES[direction]}GroupId"] == group.id:
            raise part_errors.rule_names_its_own_group(_SIDES[direction])

    def _check_peer(self, name: str, peer: str, region_id: str) -> None:
        if name.endswith("PrefixListId"):
            self.prefix_list(peer, region_id)
        elif name.endswith("GroupId"):
            self.security_group_by_id(peer)
        elif name.endswith("CidrIp"):
            try:
                (IPv6Network if name.startswith("Ipv6") else IPv4Network)(peer, strict=False)
            except ValueError:
                raise errors.malformed(name) from None


def _permissions(request: Request) -> Sequence[Mapping[str, object]]:
    """Give the rules of a call: in `Permissions`, or one in the parameters themselves."""
    return request.records("Permissions") or [request.params]


def _port_range(protocol: str, text: str) -> str:
    if protocol not in ("TCP", "UDP"):
        if text not in ("", "-1/-1"):
            raise errors.malformed("PortRange")
        return "-1/-1"
    if not text:
        raise missing_parameter("PortRange")
    match = _PORTS.fullmatch(text)
    if match is None or not 1 <= int(match[1]) <= int(match[2]) <= 65535:
        raise errors.malformed("PortRange")
    return text


def _same(rule: Rule, other: Rule) -> bool:
    return all(rule.get(name) == other.get(name) for name in _IDENTITY)


def _find(group: SecurityGroup, request: Request, direction: str) -> Rule | None:
    """Find the rule that a call names by its id or, as the API's older form does, by protocol, ports and peer."""
    rule_id = request.text("SecurityGroupRuleId")
    if rule_id:
        rules = (rule for rule in group.rules if rule["SecurityGroupRuleId"] == rule_id)
        return next((rule for rule in rules if rule["Direction"] == direction), None)
    names = ("IpProtocol", "PortRange", *_PEERS[direction])
    wanted = {name: request.text(name) for name in names if request.text(name)}
    wanted["IpProtocol"] = wanted.get("IpProtocol", "").upper()
    for rule in group.rules:
        if rule["Direction"] == direction and all(rule.get(name) == want for name, want in wanted.items()):
            return rule
    return None
