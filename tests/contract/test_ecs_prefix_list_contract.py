"""Prefix lists, and rules of security groups that name them, by the vendor's SDK."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from alibabacloud_ecs20140526 import models
from alibabacloud_ecs20140526.client import Client
from contract_fleet import REGION, Fleet
from contract_sdk import refused

Entry = models.CreatePrefixListRequestEntry
Added, Removed = models.ModifyPrefixListRequestAddEntry, models.ModifyPrefixListRequestRemoveEntry


class Lists:
    """Prefix lists of a test, with calls on them."""

    def __init__(self, client: Client) -> None:
        self.client = client
        self.ids: list[str] = []

    def make(self, *cidrs: str, **settings: object) -> str:
        request = models.CreatePrefixListRequest(
            **{
                "region_id": REGION,
                "prefix_list_name": "offices",
                "address_family": "IPv4",
                "max_entries": 10,
                "entry": [Entry(cidr=cidr, description="one") for cidr in cidrs],
                **settings,
            }
        )
        self.ids.append(self.client.create_prefix_list(request).body.prefix_list_id)
        return self.ids[-1]

    def list(self, **filters: object):
        request = models.DescribePrefixListsRequest(region_id=REGION, **filters)
        return self.client.describe_prefix_lists(request).body.prefix_lists.prefix_list

    def one(self, prefix_list_id: str):
        request = models.DescribePrefixListAttributesRequest(region_id=REGION, prefix_list_id=prefix_list_id)
        return self.client.describe_prefix_list_attributes(request).body

    def cidrs(self, prefix_list_id: str) -> list[str]:
        return [entry.cidr for entry in self.one(prefix_list_id).entries.entry]

    def users(self, prefix_list_id: str) -> list[tuple[str, str]]:
        request = models.DescribePrefixListAssociationsRequest(
            region_id=REGION, prefix_list_id=prefix_list_id
        )
        found = self.client.describe_prefix_list_associations(request).body.prefix_list_associations
        return [(one.resource_id, one.resource_type) for one in found.prefix_list_association]

    def change(self, prefix_list_id: str, **settings: object) -> None:
        self.client.modify_prefix_list(
            models.ModifyPrefixListRequest(region_id=REGION, prefix_list_id=prefix_list_id, **settings)
        )

    def delete(self, prefix_list_id: str) -> None:
        self.client.delete_prefix_list(
            models.DeletePrefixListRequest(region_id=REGION, prefix_list_id=prefix_list_id)
        )

    def clear(self) -> None:
        while page := [one.prefix_list_id for one in self.list(prefix_list_id=self.ids)] if self.ids else []:
            for prefix_list_id in page:
                self.delete(prefix_list_id)


@pytest.fixture
def lists(ecs_client: Client) -> Iterator[Lists]:
    made = Lists(ecs_client)
    yield made
    made.clear()


@pytest.fixture
def named(lists: Lists, fleet: Fleet) -> Iterator[str]:
    """A prefix list that rules of the fleet's group name, until the test is over."""
    prefix_list_id = lists.make("10.9.0.0/16")
    authorize(fleet, source_prefix_list_id=prefix_list_id)
    yield prefix_list_id
    fleet.ecs_client.delete_security_group(
        models.DeleteSecurityGroupRequest(region_id=REGION, security_group_id=fleet.group_id)
    )


def authorize(fleet: Fleet, **peer: str) -> None:
    rule = models.AuthorizeSecurityGroupRequestPermissions(ip_protocol="tcp", port_range="80/80", **peer)
    fleet.ecs_client.authorize_security_group(
        models.AuthorizeSecurityGroupRequest(
            region_id=REGION, security_group_id=fleet.group_id, permissions=[rule]
        )
    )


def rules(fleet: Fleet):
    request = models.DescribeSecurityGroupAttributeRequest(
        region_id=REGION, security_group_id=fleet.group_id, direction="all"
    )
    return fleet.ecs_client.describe_security_group_attribute(request).body.permissions.permission


class TestPrefixList:
    def test_holds_ranges_in_their_shortest_form(self, lists):
        tag = [models.CreatePrefixListRequestTag(key="env", value="test")]
        prefix_list_id = lists.make("10.0.0.0/8", "192.0.2.7", description="text", tag=tag)
        told = lists.one(prefix_list_id)
        assert (told.prefix_list_name, told.address_family, told.max_entries) == ("offices", "IPv4", 10)
        assert [(entry.cidr, entry.description) for entry in told.entries.entry] == [
            ("10.0.0.0/8", "one"),
            ("192.0.2.7/32", "one"),
        ]
        (listed,) = lists.list(prefix_list_id=[prefix_list_id])
        assert (listed.description, listed.association_count) == ("text", 0)
        assert [(one.tag_key, one.tag_value) for one in listed.tags.tag] == [("env", "test")]
        six = lists.make("2001:fd01:0:0:0:0:0:0/32", address_family="IPv6", prefix_list_name="six")
        assert lists.cidrs(six) == ["2001:fd01::/32"]

    def test_is_found_by_each_filter(self, lists):
        prefix_list_id = lists.make(prefix_list_name="wanted", resource_group_id="rg-1")
        for filters, is_there in (
            ({"prefix_list_name": "wanted"}, True),
            ({"prefix_list_name": "other"}, False),
            ({"address_family": "IPv6"}, False),
            ({"resource_group_id": "rg-1"}, True),
            ({"tag": [models.DescribePrefixListsRequestTag(key="env")]}, False),
        ):
            found = {one.prefix_list_id for one in lists.list(**filters)}
            assert (prefix_list_id in found) is is_there, filters
        with refused("InvalidParameter", text="MaxResults"):
            lists.list(max_results=101)

    def test_gains_and_loses_entries(self, lists):
        prefix_list_id = lists.make("10.0.0.0/8", "10.0.0.0/16")
        lists.change(
            prefix_list_id,
            prefix_list_name="other",
            description="why",
            remove_entry=[Removed(cidr="10.0.0.0/16")],
            add_entry=[Added(cidr="172.16.0.0/12", description="two"), Added(cidr="10.0.0.0/8")],
        )
        told = lists.one(prefix_list_id)
        assert (told.prefix_list_name, told.description) == ("other", "why")
        assert [(entry.cidr, entry.description) for entry in told.entries.entry] == [
            ("10.0.0.0/8", ""),
            ("172.16.0.0/12", "two"),
        ]

    @pytest.mark.parametrize(
        ("settings", "code", "text"),
        [
            ({"max_entries": 0}, "InvalidParameter", "MaxEntries"),
            ({"max_entries": 201}, "InvalidParameter", "MaxEntries"),
            (
                {"max_entries": 1, "entry": [Entry(cidr="10.0.0.0/8"), Entry(cidr="10.0.0.0/9")]},
                "InvalidParameter",
                "1",
            ),
            ({"entry": [Entry(cidr="10.0.0.1/8")]}, "InvalidParameter", "Cidr"),
            ({"entry": [Entry(cidr="fd00::/8")]}, "InvalidParameter", "IPv4"),
            ({"entry": [Entry(cidr="10.0.0.1"), Entry(cidr="10.0.0.1/32")]}, "InvalidParameter", "once"),
            ({"entry": [Entry(description="no range")]}, "MissingParameter", "Cidr"),
            (
                {"entry": [Entry(cidr="10.0.0.1", description="https://x")]},
                "InvalidDescription.Malformed",
                "",
            ),
            ({"address_family": "IPv5"}, "InvalidAddressFamily.ValueNotSupported", ""),
            ({"prefix_list_name": "com.aliyun.x"}, "InvalidPrefixListName.Malformed", ""),
        ],
    )
    def test_that_breaks_the_rules_is_refused(self, lists, settings, code, text):
        with refused(code, text=text):
            lists.make(**settings)

    def test_loses_no_entry_that_is_not_there_or_comes_again(self, lists):
        prefix_list_id = lists.make("10.0.0.0/8")
        with refused("InvalidParameter", text="RemoveEntry"):
            lists.change(prefix_list_id, remove_entry=[Removed(cidr="10.0.0.0/9")])
        with refused("InvalidParameter", text="RemoveEntry"):
            lists.change(
                prefix_list_id,
                remove_entry=[Removed(cidr="10.0.0.0/8")],
                add_entry=[Added(cidr="10.0.0.0/8")],
            )
        assert lists.cidrs(prefix_list_id) == ["10.0.0.0/8"]

    def test_that_is_not_there_is_told(self, lists):
        for call in (lists.one, lists.users, lists.delete, lists.change):
            with refused("InvalidPrefixListId.NotFound", 404):
                call("pl-nowhere")

    def test_are_a_hundred_in_a_region(self, lists):
        with refused("QuotaExceed.PrefixList", 403):
            for _ in range(101):
                lists.make()


class TestRules:
    def test_name_one_by_its_id_and_are_told_with_its_name(self, fleet, lists, named):
        (rule,) = rules(fleet)
        assert (rule.source_prefix_list_id, rule.source_prefix_list_name) == (named, "offices")
        assert lists.users(named) == [(fleet.group_id, "securitygroup")]
        assert lists.list(prefix_list_id=[named])[0].association_count == 1

    def test_keep_one_from_being_deleted(self, fleet, lists, named):
        with refused("NotAllowed.AssociationExist"):
            lists.delete(named)
        fleet.ecs_client.revoke_security_group(
            models.RevokeSecurityGroupRequest(
                region_id=REGION,
                security_group_id=fleet.group_id,
                security_group_rule_id=[rules(fleet)[0].security_group_rule_id],
            )
        )
        lists.delete(named)
        assert lists.list(prefix_list_id=[named]) == []

    def test_count_as_many_as_a_list_may_have_entries(self, fleet, lists):
        large = lists.make(max_entries=200, prefix_list_name="large")
        authorize(fleet, source_cidr_ip="10.0.0.0/8")
        with refused("AuthorizationLimitExceed", 403):
            authorize(fleet, source_prefix_list_id=large)

    def test_name_none_that_is_not_there(self, fleet):
        with refused("InvalidPrefixListId.NotFound", 404):
            authorize(fleet, source_prefix_list_id="pl-nowhere")
