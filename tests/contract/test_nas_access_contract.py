"""Permission groups of NAS and their rules, through the vendor's SDK."""

from __future__ import annotations

import pytest
from alibabacloud_nas20170626 import models
from contract_sdk import refused


def test_a_permission_group_is_made_described_and_changed(files, nas_client):
    name = files.make_group("nodes", description="of-one-cluster")
    (found,) = files.groups(access_group_name=name)
    assert (found.access_group_type, found.file_system_type, found.description) == (
        "Vpc",
        "standard",
        "of-one-cluster",
    )
    nas_client.modify_access_group(
        models.ModifyAccessGroupRequest(access_group_name=name, description="of-two")
    )
    assert files.groups(access_group_name=name)[0].description == "of-two"


def test_the_types_of_file_systems_have_groups_of_their_own(files):
    files.make_group("same", "standard")
    files.make_group("same", "extreme")
    files.delete_group("same", "extreme")
    assert "same" in [group.access_group_name for group in files.groups()]
    with refused("InvalidAccessGroup.NotFound", 404):
        files.groups(access_group_name="same", file_system_type="extreme")


@pytest.mark.parametrize(
    ("settings", "code", "status", "text"),
    [
        ({"name": "no"}, "InvalidParameter", 400, "AccessGroupName"),
        ({"name": "1st"}, "InvalidParameter", 400, "AccessGroupName"),
        ({"name": "DEFAULT_VPC_GROUP_NAME"}, "InvalidAccessGroup.AlreadyExisted", 403, ""),
        ({"name": "nodes", "access_group_type": "Classic"}, "UnsupportedOperation", 400, "classic"),
        ({"name": "nodes", "access_group_type": "Else"}, "InvalidParameter", 400, "AccessGroupType"),
        ({"name": "nodes", "file_system_type": "cpfs"}, "UnsupportedOperation", 400, "CPFS"),
        ({"name": "nodes", "description": "?"}, "InvalidDescription.InvalidFormat", 404, ""),
    ],
)
def test_a_permission_group_that_cannot_be_is_refused(files, settings, code, status, text):
    with refused(code, status, text):
        files.make_group(**settings)


def test_a_permission_group_is_there_once(files):
    files.make_group("nodes")
    with refused("InvalidAccessGroup.AlreadyExisted", 403):
        files.make_group("nodes")


def test_the_default_permission_group_lets_everybody_in_and_stays_as_it_is(files, nas_client):
    name = "DEFAULT_VPC_GROUP_NAME"
    (rule,) = files.rules(name)
    assert (rule.source_cidr_ip, rule.rwaccess, rule.user_access) == ("0.0.0.0/0", "RDWR", "no_squash")
    with refused("OperationDenied.DefaultAccessGroupCannotDelete", 403):
        files.delete_group(name)
    with refused("OperationDenied.DefaultAccessGroupCannotModify", 403):
        nas_client.modify_access_group(
            models.ModifyAccessGroupRequest(access_group_name=name, description="mine")
        )
    with refused("OperationDenied.DefaultAccessGroupCannotModify", 403):
        files.let_in(name, "10.0.0.0/8")


def test_rules_are_made_changed_and_deleted(files, nas_client):
    group = files.make_group("nodes")
    first = files.let_in(group, "10.0.0.0/8")
    second = files.let_in(
        group, "10.79.0.9", rwaccess_type="RDONLY", user_access_type="all_squash", priority=7
    )
    assert first != second
    (found,) = files.rules(group, access_rule_id=second)
    assert (found.source_cidr_ip, found.rwaccess, found.user_access, found.priority) == (
        "10.79.0.9",
        "RDONLY",
        "all_squash",
        7,
    )
    nas_client.modify_access_rule(
        models.ModifyAccessRuleRequest(
            access_group_name=group, access_rule_id=second, source_cidr_ip="10.1.0.0/16", priority=2
        )
    )
    (found,) = files.rules(group, access_rule_id=second)
    assert (found.source_cidr_ip, found.priority, found.rwaccess) == ("10.1.0.0/16", 2, "RDONLY")
    nas_client.delete_access_rule(
        models.DeleteAccessRuleRequest(access_group_name=group, access_rule_id=second)
    )
    assert [rule.access_rule_id for rule in files.rules(group)] == [first]


@pytest.mark.parametrize(
    ("settings", "code", "text"),
    [
        ({"source": "10.0.0.0/40"}, "InvalidParameter", "SourceCidrIp"),
        ({"source": ""}, "InvalidParameter", "SourceCidrIp"),
        ({"source": "", "ipv_6source_cidr_ip": "::/0"}, "UnsupportedOperation", "IPv6"),
        ({"source": "10.0.0.1", "priority": 101}, "InvalidParameter", "Priority"),
        ({"source": "10.0.0.1", "rwaccess_type": "WRONLY"}, "InvalidParameter", "RWAccessType"),
        ({"source": "10.0.0.1", "user_access_type": "squash"}, "InvalidParameter", "UserAccessType"),
    ],
)
def test_a_rule_that_cannot_be_is_refused(files, settings, code, text):
    group = files.make_group("nodes")
    with refused(code, text=text):
        files.let_in(group, **settings)


def test_a_group_or_a_rule_that_is_not_there_is_not_found(files, nas_client):
    group = files.make_group("nodes")
    for call in (
        lambda: files.groups(access_group_name="nobody"),
        lambda: files.rules("nobody"),
        lambda: files.let_in("nobody", "10.0.0.0/8"),
        lambda: files.delete_group("nobody"),
        lambda: nas_client.modify_access_group(models.ModifyAccessGroupRequest(access_group_name="nobody")),
    ):
        with refused("InvalidAccessGroup.NotFound", 404):
            call()
    rule = {"access_group_name": group, "access_rule_id": "9"}
    for call in (
        lambda: files.rules(group=group, access_rule_id="9"),
        lambda: nas_client.modify_access_rule(models.ModifyAccessRuleRequest(**rule)),
        lambda: nas_client.delete_access_rule(models.DeleteAccessRuleRequest(**rule)),
    ):
        with refused("InvalidAccessRule.NotFound", 404):
            call()


def test_a_twenty_first_permission_group_of_a_region_is_refused(files):
    for number in range(20):
        files.make_group(f"group-{number}")
    with refused("OperationDenied.AccessGroupCountsExceeded", 403, "maximum 20"):
        files.make_group("group-20")
    files.make_group("of-another-type", "extreme")


def test_a_three_hundred_and_first_rule_of_a_permission_group_is_refused(files):
    group = files.make_group("nodes")
    for number in range(300):
        files.let_in(group, f"10.{number // 256}.{number % 256}.0/24")
    with refused("OperationDenied.AccessRuleCountsExceeded", 403, "maximum 300"):
        files.let_in(group, "10.200.0.0/16")
