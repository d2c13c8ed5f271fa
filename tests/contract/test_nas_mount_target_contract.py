"""Mount targets of NAS, through the vendor's SDK, and what goes after what."""

from __future__ import annotations

import pytest
from alibabacloud_nas20170626 import models
from alibabacloud_vpc20160428 import models as vpc_models
from contract_files import door, folder
from contract_sdk import refused, wait_for, wait_refusal


def test_a_mount_target_is_pending_and_then_active(files, network):
    made = files.make()
    domain = files.open(made, *network, waits=False)
    assert domain.startswith(made)
    assert domain.endswith(".cn-hangzhou.nas.aliyuncs.com")
    assert files.target(made, domain).status in ("Pending", "Active")
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


def test_a_file_system_that_is_about_to_come_takes_no_mount_target_yet(files, network):
    wait_refusal(
        "OperationDenied.InvalidState",
        lambda: files.make(waits=False),
        lambda made: files.open(made, *network),
    )


def test_a_mount_target_that_is_about_to_come_or_go_waits_for_its_turn(files, network, nas_client):
    made = files.make()

    def delete(domain: str) -> None:
        nas_client.delete_mount_target(
            models.DeleteMountTargetRequest(file_system_id=made, mount_target_domain=domain)
        )

    def begin() -> str:
        wait_for(lambda: files.targets(made), lambda targets: not targets)
        return files.open(made, *network, waits=False)

    def begin_to_delete() -> str:
        domain = files.open(made, *network)
        delete(domain)
        return domain

    wait_refusal("OperationDenied.InvalidState", begin, delete)
    (target,) = files.targets(made)
    wait_for(lambda: files.target(made, target.mount_target_domain).status, lambda seen: seen == "Active")
    delete(target.mount_target_domain)
    wait_for(lambda: files.targets(made), lambda targets: not targets)
    wait_refusal("OperationDenied.InvalidState", begin_to_delete, delete)
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
