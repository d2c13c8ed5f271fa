"""File systems, mount targets and permission groups of NAS, through the vendor's SDK."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from alibabacloud_nas20170626 import models
from alibabacloud_nas20170626.client import Client
from alibabacloud_vpc20160428 import models as vpc_models
from contract_files import Files, zones
from contract_sdk import call_generic, refused, sdk_config, wait_for


@pytest.fixture
def client(local_cloud) -> Client:
    return Client(sdk_config(local_cloud))


@pytest.fixture
def network(make_vpc, make_vswitch) -> tuple[str, str]:
    """A VPC and a VSwitch of it."""
    vpc_id = make_vpc("10.79.0.0/16")
    return vpc_id, make_vswitch(vpc_id, "10.79.0.0/24")


@pytest.fixture
def files(client, network) -> Iterator[Files]:
    files = Files(client)
    yield files
    files.clear()


def folder(local_cloud, file_system_id: str) -> Path:
    return Path(local_cloud.data_dir, "nas", "file-systems", file_system_id)


def door(local_cloud, domain: str) -> Path:
    return Path(local_cloud.data_dir, "nas", "mount-targets", domain)


# File systems


def test_a_file_system_is_pending_and_then_runs_as_it_was_asked_for(files):
    made = files.make(
        waits=False,
        description="checkpoints",
        encrypt_type=1,
        zone_id="cn-hangzhou-i",
        storage_type="Capacity",
        tag=[models.CreateFileSystemRequestTag(key="team", value="one")],
    )
    assert files.describe(made).status == "Pending"
    found = wait_for(lambda: files.describe(made), lambda one: one.status == "Running")
    assert (found.file_system_type, found.protocol_type, found.storage_type) == (
        "standard",
        "NFS",
        "Capacity",
    )
    assert (found.description, found.encrypt_type, found.zone_id) == ("checkpoints", 1, "cn-hangzhou-i")
    assert [(tag.key, tag.value) for tag in found.tags.tag] == [("team", "one")]
    assert found.capacity == 10 * 1024 * 1024
    assert found.mount_targets.mount_target == []


def test_file_systems_are_listed_by_what_is_asked_for(files, network):
    one, other = files.make(), files.make(storage_type="Premium")
    files.open(one, *network)

    def ids(**filters: object) -> set[str]:
        return {found.file_system_id for found in files.find(**filters)} & {one, other}

    assert ids() == {one, other}
    assert ids(storage_type="Premium") == {other}
    assert ids(vpc_id=network[0]) == {one}
    assert ids(file_system_type="extreme") == set()


def test_a_file_system_is_a_folder_that_goes_with_it(local_cloud, files):
    made = files.make()
    place = folder(local_cloud, made)
    place.joinpath("deep").mkdir()
    place.joinpath("deep", "kept").write_bytes(b"0" * 1000)
    wait_for(lambda: files.describe(made).metered_size, lambda size: size == 1000)
    files.delete(made)
    wait_for(lambda: [one.file_system_id for one in files.find()], lambda ids: made not in ids)
    assert not place.exists()


def test_a_file_system_that_goes_is_deleting_and_cannot_be_worked_on(local_cloud, files, network):
    made = files.make()
    for number in range(300):
        folder(local_cloud, made).joinpath(str(number)).mkdir()
    files.delete(made)
    # It may be gone by now; as long as it is there, it says so.
    assert {one.status for one in files.find() if one.file_system_id == made} <= {"Deleting"}
    wait_for(lambda: [one.file_system_id for one in files.find()], lambda ids: made not in ids)
    with refused("InvalidFileSystem.NotFound", 404):
        files.open(made, *network)


def test_a_description_changes_and_stays_where_none_is_sent(files, client):
    made = files.make(description="first")
    client.modify_file_system(models.ModifyFileSystemRequest(file_system_id=made, description="second"))
    client.modify_file_system(models.ModifyFileSystemRequest(file_system_id=made))
    assert files.describe(made).description == "second"


def test_an_extreme_file_system_has_a_capacity_that_grows(files, client):
    made = files.make(
        file_system_type="extreme", storage_type="standard", capacity=100, zone_id="cn-hangzhou-h"
    )
    assert made.startswith("extreme-")
    client.upgrade_file_system(models.UpgradeFileSystemRequest(file_system_id=made, capacity=200))
    assert files.describe(made).capacity == 200
    with refused("InvalidParameter", text="above 200"):
        client.upgrade_file_system(models.UpgradeFileSystemRequest(file_system_id=made, capacity=200))


def test_a_file_system_paid_for_by_use_has_no_capacity_to_upgrade(files, client):
    made = files.make()
    with refused("InvalidFileSystemType.NotSupported", 403):
        client.upgrade_file_system(models.UpgradeFileSystemRequest(file_system_id=made, capacity=200))


@pytest.mark.parametrize(
    ("settings", "code", "status", "text"),
    [
        ({"storage_type": "advance"}, "InvalidParameter.StorageType", 400, "Performance"),
        ({"protocol_type": "cpfs"}, "InvalidParameter.ProtocalType", 400, "NFS, SMB"),
        ({"zone_id": "cn-hangzhou-z"}, "InvalidAZone.NotFound", 404, ""),
        ({"description": "http://x"}, "InvalidDescription.InvalidFormat", 404, ""),
        ({"description": "two words"}, "InvalidDescription.InvalidFormat", 404, ""),
        ({"encrypt_type": 3}, "InvalidParameter", 400, "EncryptType"),
        ({"encrypt_type": 2, "kms_key_id": "k"}, "UnsupportedOperation", 400, "KMS"),
        ({"charge_type": "Subscription"}, "UnsupportedOperation", 400, "subscription"),
        ({"snapshot_id": "s-1"}, "UnsupportedOperation", 400, "snapshots"),
        ({"file_system_type": "cpfs"}, "UnsupportedOperation", 400, "CPFS"),
        ({"file_system_type": "bmcpfs"}, "UnsupportedOperation", 400, "CPFS"),
        ({"file_system_type": "tape"}, "InvalidParameter", 400, "FileSystemType"),
        ({"file_system_type": "extreme", "storage_type": "standard"}, "MissingParameter", 400, "ZoneId"),
        (
            {"file_system_type": "extreme", "storage_type": "standard", "zone_id": "cn-hangzhou-h"},
            "MissingParameter",
            400,
            "Capacity",
        ),
        (
            {
                "file_system_type": "extreme",
                "storage_type": "standard",
                "zone_id": "cn-hangzhou-h",
                "capacity": 99,
            },
            "InvalidParameter",
            400,
            "from 100",
        ),
    ],
)
def test_a_file_system_that_cannot_be_is_refused(files, settings, code, status, text):
    with refused(code, status, text):
        files.make(**settings)


def test_a_file_system_that_is_not_there_is_not_found(files, client):
    name = {"file_system_id": "0000000000"}
    calls = (
        lambda: files.find(**name),
        lambda: files.targets("0000000000"),
        lambda: files.delete("0000000000"),
        lambda: client.modify_file_system(models.ModifyFileSystemRequest(**name)),
        lambda: client.upgrade_file_system(models.UpgradeFileSystemRequest(capacity=200, **name)),
        lambda: client.describe_nfs_acl(models.DescribeNfsAclRequest(**name)),
        lambda: client.describe_smb_acl(models.DescribeSmbAclRequest(**name)),
        lambda: client.get_recycle_bin_attribute(models.GetRecycleBinAttributeRequest(**name)),
    )
    for call in calls:
        with refused("InvalidFileSystem.NotFound", 404):
            call()


def test_access_lists_and_the_recycle_bin_are_off(files, client):
    made = files.make()
    acl = client.describe_nfs_acl(models.DescribeNfsAclRequest(file_system_id=made)).body.acl
    smb_acl = client.describe_smb_acl(models.DescribeSmbAclRequest(file_system_id=made)).body.acl
    bin_ = client.get_recycle_bin_attribute(models.GetRecycleBinAttributeRequest(file_system_id=made)).body
    assert (acl.enabled, smb_acl.enabled) == (False, False)
    assert (bin_.recycle_bin_attribute.status, bin_.recycle_bin_attribute.size) == ("Disable", 0)


def test_a_repeated_call_makes_one_file_system(files):
    token = {"client_token": "nas-once"}
    assert files.make(**token) == files.make(**token)
    with refused("IdempotentParameterMismatch"):
        files.make(storage_type="Capacity", **token)


def test_a_dry_run_makes_nothing(local_cloud, files):
    before = {one.file_system_id for one in files.find()}
    with refused("DryRunOperation"):
        files.make(dry_run=True)
    assert {one.file_system_id for one in files.find()} == before
    assert {path.name for path in folder(local_cloud, "x").parent.iterdir()} == before


def test_file_systems_of_other_regions_are_not_here(local_cloud, files):
    made = files.make()
    rows = call_generic(local_cloud, "DescribeFileSystems", {"RegionId": "cn-beijing"}, version="2017-06-26")[
        "FileSystems"
    ]["FileSystem"]
    assert made not in [row["FileSystemId"] for row in rows]


def test_a_twenty_first_file_system_of_a_region_is_refused(files):
    for _ in range(20 - len(files.find())):
        files.make(waits=False)
    with refused("OperationDenied.FileSystemCountsExceeded", 403, "maximum 20"):
        files.make()


# Tags


def test_tags_are_set_listed_and_removed(files, client):
    made = files.make()
    target = {"resource_type": "filesystem", "resource_id": [made]}
    tags = [models.TagResourcesRequestTag(key=key, value="v") for key in ("one", "two")]
    client.tag_resources(models.TagResourcesRequest(tag=tags, **target))
    assert files.tags(made) == {"one": "v", "two": "v"}
    client.untag_resources(models.UntagResourcesRequest(tag_key=["one"], **target))
    assert files.tags(made) == {"two": "v"}
    found = files.find(tag=[models.DescribeFileSystemsRequestTag(key="two", value="v")])
    assert [one.file_system_id for one in found] == [made]


def test_tags_of_what_is_not_there_are_refused(client):
    tags = [models.TagResourcesRequestTag(key="one", value="v")]
    with refused("InvalidResourceId.NotFound", 404):
        client.tag_resources(
            models.TagResourcesRequest(resource_type="filesystem", resource_id=["0000000000"], tag=tags)
        )
    with refused("InvalidResourceType.NotFound", 404):
        client.tag_resources(models.TagResourcesRequest(resource_type="tape", resource_id=["x"], tag=tags))


# Mount targets


def test_a_mount_target_is_pending_and_then_active(files, network):
    made = files.make()
    domain = files.open(made, *network, waits=False)
    assert domain.startswith(made)
    assert domain.endswith(".cn-hangzhou.nas.aliyuncs.com")
    assert files.target(made, domain).status == "Pending"
    found = wait_for(lambda: files.target(made, domain), lambda one: one.status == "Active")
    assert (found.vpc_id, found.vsw_id, found.network_type) == (*network, "Vpc")
    assert found.access_group == "DEFAULT_VPC_GROUP_NAME"
    (row,) = files.describe(made).mount_targets.mount_target
    assert (row.mount_target_domain, row.status) == (domain, "Active")


def test_a_mount_target_that_is_not_there_is_listed_as_none_and_cannot_be_changed(files):
    made = files.make()
    assert files.targets(made, mount_target_domain="x.nas.aliyuncs.com") == []
    with refused("InvalidMountTarget.NotFound", 404):
        files.close(made, "x.nas.aliyuncs.com")
    with refused("InvalidMountTarget.NotFound", 404):
        files.change_target(made, "x.nas.aliyuncs.com", status="Inactive")


def test_a_mount_target_that_is_about_to_come_or_go_waits_for_its_turn(files, network, client):
    made = files.make(waits=False)
    with refused("OperationDenied.InvalidState", 403, "Pending"):
        files.open(made, *network)
    wait_for(lambda: files.describe(made).status, lambda status: status == "Running")
    domain = files.open(made, *network, waits=False)
    delete = models.DeleteMountTargetRequest(file_system_id=made, mount_target_domain=domain)
    with refused("OperationDenied.InvalidState", 403, "Pending"):
        client.delete_mount_target(delete)
    wait_for(lambda: files.target(made, domain).status, lambda status: status == "Active")
    client.delete_mount_target(delete)
    with refused("OperationDenied.InvalidState", 403, "Deleting"):
        client.delete_mount_target(delete)
    wait_for(lambda: files.targets(made), lambda targets: not targets)


def test_a_mount_target_needs_a_vpc_and_a_vswitch_that_are_there(files, network, make_vpc):
    made, (vpc_id, vswitch_id) = files.make(), network
    with refused("MissingParameter.VpcId"):
        files.open(made, "", vswitch_id)
    with refused("MissingParameter.VSwitchId"):
        files.open(made, vpc_id, "")
    with refused("InvalidVpc.NotFound", 404):
        files.open(made, "vpc-none", vswitch_id)
    with refused("InvalidVSwitchId.NotFound", 404):
        files.open(made, vpc_id, "vsw-none")
    with refused("InvalidVSwitchId.NotFound", 404):
        files.open(made, make_vpc("10.80.0.0/16"), vswitch_id)
    with refused("InvalidAccessGroup.NotFound", 404):
        files.open(made, vpc_id, vswitch_id, access_group_name="nobody")


@pytest.mark.parametrize(
    ("settings", "code", "text"),
    [
        ({"network_type": "Classic"}, "UnsupportedOperation", "classic"),
        ({"network_type": "Else"}, "InvalidParameter", "NetworkType"),
        ({"enable_ipv_6": True}, "UnsupportedOperation", "IPv6"),
        ({"security_group_id": "sg-1"}, "UnsupportedOperation", "security groups"),
    ],
)
def test_a_mount_target_that_cannot_be_is_refused(files, network, settings, code, text):
    with refused(code, text=text):
        files.open(files.make(), *network, **settings)


def test_a_file_system_has_two_mount_targets_at_most(files, network):
    made = files.make()
    for _ in range(2):
        files.open(made, *network)
    with refused("OperationDenied.MountTargetCountsExceeded", 403, "maximum 2"):
        files.open(made, *network)


def test_what_is_mounted_ends_with_its_mount_target(local_cloud, files, network):
    made = files.make()
    domain = files.open(made, *network)
    seen = door(local_cloud, domain)
    seen.joinpath("kept").write_text("1")
    files.change_target(made, domain, status="Inactive")
    assert files.target(made, domain).status == "Inactive"
    assert not seen.exists()
    files.change_target(made, domain, status="Active")
    assert seen.joinpath("kept").read_text() == "1"
    files.close(made, domain)
    assert not seen.is_symlink()
    assert folder(local_cloud, made).joinpath("kept").read_text() == "1"


def test_a_mount_target_changes_to_what_there_is_alone(files, network):
    made = files.make()
    domain = files.open(made, *network)
    files.make_group("other-nodes")
    files.change_target(made, domain, access_group_name="other-nodes")
    assert files.target(made, domain).access_group == "other-nodes"
    with refused("InvalidAccessGroup.NotFound", 404):
        files.change_target(made, domain, access_group_name="nobody")
    with refused("InvalidParameter", text="Active"):
        files.change_target(made, domain, status="Open")


def test_an_extreme_file_systems_mount_target_cannot_be_inactive(files, network):
    made = files.make(
        file_system_type="extreme", storage_type="advance", capacity=100, zone_id="cn-hangzhou-h"
    )
    domain = files.open(made, *network)
    assert domain.endswith(".cn-hangzhou.extreme.nas.aliyuncs.com")
    with refused("InvalidParameter", text="Status"):
        files.change_target(made, domain, status="Inactive")


# What depends on what


def test_a_file_system_goes_after_its_mount_targets(files, network):
    made = files.make()
    domain = files.open(made, *network)
    with refused("OperationDenied.MountTargetNotEmpty", 403):
        files.delete(made)
    files.close(made, domain)
    files.delete(made)


def test_a_vswitch_goes_after_its_mount_targets_and_counts_their_addresses(files, network, vpc_client):
    made, vswitch_id = files.make(), network[1]
    request = vpc_models.DescribeVSwitchAttributesRequest(v_switch_id=vswitch_id)

    def num_free() -> int:
        return vpc_client.describe_vswitch_attributes(request).body.available_ip_address_count

    before = num_free()
    domain = files.open(made, *network)
    assert num_free() == before - 1
    with refused("DependencyViolation.MountTarget"):
        vpc_client.delete_vswitch(vpc_models.DeleteVSwitchRequest(v_switch_id=vswitch_id))
    files.close(made, domain)
    assert num_free() == before


def test_a_permission_group_goes_after_its_mount_targets_and_with_its_rules(files, network):
    group = files.make_group("nodes-alone")
    files.let_in(group, "10.0.0.0/8")
    made = files.make()
    domain = files.open(made, *network, access_group_name=group)
    (found,) = files.groups(access_group_name=group)
    assert (found.rule_count, found.mount_target_count) == (1, 1)
    with refused("InvalidAccessGroup.AlreadyAttached", 403):
        files.delete_group(group)
    files.close(made, domain)
    files.delete_group(group)
    files.make_group(group)
    assert files.rules(group) == []


# Permission groups and rules


def test_a_permission_group_is_made_described_and_changed(files, client):
    name = files.make_group("nodes", description="of-one-cluster")
    (found,) = files.groups(access_group_name=name)
    assert (found.access_group_type, found.file_system_type, found.description) == (
        "Vpc",
        "standard",
        "of-one-cluster",
    )
    client.modify_access_group(models.ModifyAccessGroupRequest(access_group_name=name, description="of-two"))
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


def test_the_default_permission_group_lets_everybody_in_and_stays_as_it_is(files, client):
    name = "DEFAULT_VPC_GROUP_NAME"
    (rule,) = files.rules(name)
    assert (rule.source_cidr_ip, rule.rwaccess, rule.user_access) == ("0.0.0.0/0", "RDWR", "no_squash")
    with refused("OperationDenied.DefaultAccessGroupCannotDelete", 403):
        files.delete_group(name)
    with refused("OperationDenied.DefaultAccessGroupCannotModify", 403):
        client.modify_access_group(
            models.ModifyAccessGroupRequest(access_group_name=name, description="mine")
        )
    with refused("OperationDenied.DefaultAccessGroupCannotModify", 403):
        files.let_in(name, "10.0.0.0/8")


def test_rules_are_made_changed_and_deleted(files, client):
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
    client.modify_access_rule(
        models.ModifyAccessRuleRequest(
            access_group_name=group, access_rule_id=second, source_cidr_ip="10.1.0.0/16", priority=2
        )
    )
    (found,) = files.rules(group, access_rule_id=second)
    assert (found.source_cidr_ip, found.priority, found.rwaccess) == ("10.1.0.0/16", 2, "RDONLY")
    client.delete_access_rule(models.DeleteAccessRuleRequest(access_group_name=group, access_rule_id=second))
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


def test_a_group_or_a_rule_that_is_not_there_is_not_found(files, client):
    group = files.make_group("nodes")
    for call in (
        lambda: files.groups(access_group_name="nobody"),
        lambda: files.rules("nobody"),
        lambda: files.let_in("nobody", "10.0.0.0/8"),
        lambda: files.delete_group("nobody"),
        lambda: client.modify_access_group(models.ModifyAccessGroupRequest(access_group_name="nobody")),
    ):
        with refused("InvalidAccessGroup.NotFound", 404):
            call()
    rule = {"access_group_name": group, "access_rule_id": "9"}
    for call in (
        lambda: files.rules(group=group, access_rule_id="9"),
        lambda: client.modify_access_rule(models.ModifyAccessRuleRequest(**rule)),
        lambda: client.delete_access_rule(models.DeleteAccessRuleRequest(**rule)),
    ):
        with refused("InvalidAccessRule.NotFound", 404):
            call()


# Where there are file systems


def test_regions_and_zones_are_listed(client):
    body = client.describe_regions(models.DescribeRegionsRequest(page_size=100)).body
    assert "cn-hangzhou" in [region.region_id for region in body.regions.region]
    found = {zone.zone_id: zone for zone in zones(client)}
    assert "nfs" in found["cn-hangzhou-h"].performance.protocol
    kinds = {pair.storage_type for pair in found["cn-hangzhou-h"].instance_types.instance_type}
    assert kinds == {"Performance", "Capacity", "Premium"}
    assert {pair.protocol_type for pair in zones(client, "extreme")[0].instance_types.instance_type} == {
        "nfs"
    }
