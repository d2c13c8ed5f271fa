from __future__ import annotations

from ipaddress import IPv4Network

from recording_monitor import Recording, record

from steelyard.components.firewall import Firewall, FirewallArgs


def declared(*admin_cidrs: str) -> Recording:
    args = FirewallArgs(cluster="demo", vpc_id="vpc-1", gateway_port=8000, admin_cidrs=admin_cidrs)
    return record(lambda: Firewall("wall", args))


def sources(recording: Recording) -> dict[str, tuple[str, str]]:
    rules = recording.of_type(":SecurityGroupRule")
    return {one.name: (one.inputs["portRange"], one.inputs["cidrIp"]) for one in rules}


def test_only_members_and_the_load_balancer_are_let_in_by_default() -> None:
    assert sources(declared()) == {
        "wall-gateway": ("8000/8000", "100.64.0.0/10"),
    }


def test_members_are_let_in_by_the_groups_own_policy_since_no_rule_may_name_its_own_group() -> None:
    recording = declared()
    assert recording.the(":SecurityGroup").inputs["innerAccessPolicy"] == "Accept"
    assert not [
        one for one in recording.of_type(":SecurityGroupRule") if "sourceSecurityGroupId" in one.inputs
    ]


def test_administrators_reach_ssh_and_the_gateways_from_their_ranges_alone() -> None:
    assert sources(declared("203.0.113.7/32", "198.51.100.0/24")) == {
        "wall-gateway": ("8000/8000", "100.64.0.0/10"),
        "wall-admin-ssh-203.0.113.7-32": ("22/22", "203.0.113.7/32"),
        "wall-admin-gateway-203.0.113.7-32": ("8000/8000", "203.0.113.7/32"),
        "wall-admin-ssh-198.51.100.0-24": ("22/22", "198.51.100.0/24"),
        "wall-admin-gateway-198.51.100.0-24": ("8000/8000", "198.51.100.0/24"),
    }


def test_taking_one_range_away_leaves_the_rules_of_the_others() -> None:
    both, one = declared("203.0.113.7/32", "198.51.100.0/24").shape(), declared("198.51.100.0/24").shape()
    assert {urn: both[urn] for urn in one} == one


def test_nothing_is_open_to_the_world(demo: Recording) -> None:
    for rule in demo.of_type(":SecurityGroupRule"):
        assert rule.inputs["type"] == "ingress"
        assert "ipv6CidrIp" not in rule.inputs
        if "cidrIp" in rule.inputs:
            assert IPv4Network(rule.inputs["cidrIp"]).prefixlen >= 8
    for node in demo.of_type(":Instance"):
        assert node.inputs["internetMaxBandwidthOut"] == 0
    assert demo.the(":ApplicationLoadBalancer").inputs["addressType"] == "intranet"


def test_each_rule_names_the_network_that_the_provider_asks_for(demo: Recording) -> None:
    for rule in demo.of_type(":SecurityGroupRule"):
        assert (rule.inputs["nicType"], rule.inputs["policy"]) == ("intranet", "accept")
        assert rule.deletes_before_replace
