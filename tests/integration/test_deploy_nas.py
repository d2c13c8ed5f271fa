"""File systems of NAS through the embedded engine and provider, against a real local cloud."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pulumi
import pulumi_alicloud as alicloud

from steelyard.deploy import AlicloudProvider, Stack
from steelyard.deploy.provider.api import NAS, Api
from steelyard.localcloud.daemon import CloudInfo

TARGET = "alicloud:nas/mountTarget:MountTarget"


def files(
    *,
    description: str = "one",
    label: str = "one",
    storage_type: str = "Performance",
    group: str = "nodes",
    source: str = "10.10.0.0/16",
    priority: int | None = None,
    status: str | None = None,
) -> Callable[[], None]:
    """Return a program with a file system that a network may mount."""

    def program() -> None:
        network = alicloud.vpc.Network("network", cidr_block="10.10.0.0/16")
        switch = alicloud.vpc.Switch(
            "switch", vpc_id=network.id, cidr_block="10.10.0.0/24", zone_id="cn-hangzhou-h"
        )
        system = alicloud.nas.FileSystem(
            "files",
            protocol_type="NFS",
            storage_type=storage_type,
            encrypt_type=1,
            description=description,
            tags={"label": label},
        )
        made = alicloud.nas.AccessGroup(
            "group",
            access_group_name=group,
            access_group_type="Vpc",
            description=description,
        )
        alicloud.nas.AccessRule(
            "rule", access_group_name=made.access_group_name, source_cidr_ip=source, priority=priority
        )
        target = alicloud.nas.MountTarget(
            "target",
            file_system_id=system.id,
            access_group_name=made.access_group_name,
            network_type="Vpc",
            vpc_id=network.id,
            vswitch_id=switch.id,
            status=status,
        )
        pulumi.export("files", system.id)
        pulumi.export("target", target.mount_target_domain)

    return program


def one(api: Api, action: str, params: Mapping[str, Any], outer: str, inner: str) -> Mapping[str, Any]:
    (found,) = api.call(NAS, action, params)[outer][inner]
    return found


def test_a_file_system_is_made_as_it_was_declared_and_a_second_run_changes_nothing(
    stack: Stack, provider: AlicloudProvider, api: Api
) -> None:
    first = stack.up(files(), provider)
    again = stack.up(files(), provider)
    refreshed = stack.refresh(provider)
    made, domain = first.outputs["files"].value, first.outputs["target"].value
    found = one(api, "DescribeFileSystems", {"FileSystemId": made}, "FileSystems", "FileSystem")
    target = one(api, "DescribeMountTargets", {"FileSystemId": made}, "MountTargets", "MountTarget")
    rule = one(api, "DescribeAccessRules", {"AccessGroupName": "nodes"}, "AccessRules", "AccessRule")

    assert again.num_by_op == {"same": 6}
    assert set(refreshed.num_by_op) == {"same"}
    assert (found["Status"], found["EncryptType"], found["Description"]) == ("Running", 1, "one")
    assert found["Tags"]["Tag"] == [{"Key": "label", "Value": "one"}]
    assert (target["MountTargetDomain"], target["Status"], target["AccessGroup"]) == (
        domain,
        "Active",
        "nodes",
    )
    assert (rule["SourceCidrIp"], rule["RWAccess"], rule["UserAccess"], rule["Priority"]) == (
        "10.10.0.0/16",
        "RDWR",
        "no_squash",
        1,
    )


def test_settings_change_in_place(stack: Stack, provider: AlicloudProvider, api: Api) -> None:
    before = stack.up(files(), provider)
    changed = files(description="two", label="two", source="10.10.0.0/24", priority=5, status="Inactive")
    after = stack.up(changed, provider)
    made = after.outputs["files"].value
    found = one(api, "DescribeFileSystems", {"FileSystemId": made}, "FileSystems", "FileSystem")
    rule = one(api, "DescribeAccessRules", {"AccessGroupName": "nodes"}, "AccessRules", "AccessRule")

    assert after.num_by_op == {"same": 2, "update": 4}
    assert made == before.outputs["files"].value
    assert (found["Description"], found["Tags"]["Tag"]) == ("two", [{"Key": "label", "Value": "two"}])
    assert found["MountTargets"]["MountTarget"][0]["Status"] == "Inactive"
    assert (rule["SourceCidrIp"], rule["Priority"]) == ("10.10.0.0/24", 5)
    assert stack.up(changed, provider).num_by_op == {"same": 6}
    back = stack.up(files(), provider)
    assert back.num_by_op == {"same": 2, "update": 4}
    found = one(api, "DescribeFileSystems", {"FileSystemId": made}, "FileSystems", "FileSystem")
    assert found["MountTargets"]["MountTarget"][0]["Status"] == "Active"


def test_another_storage_type_replaces_the_file_system_with_its_mount_target(
    stack: Stack, provider: AlicloudProvider, api: Api, info: CloudInfo
) -> None:
    before = stack.up(files(), provider)
    after = stack.up(files(storage_type="Capacity"), provider)
    gone, made = before.outputs["files"].value, after.outputs["files"].value

    assert gone != made
    assert after.outputs["target"].value.startswith(made)
    folders = {path.name for path in Path(info.data_dir, "nas", "file-systems").iterdir()}
    assert made in folders
    assert gone not in folders


def test_another_name_replaces_the_permission_group_with_its_rule(
    stack: Stack, provider: AlicloudProvider, api: Api
) -> None:
    stack.up(files(), provider)
    stack.up(files(group="others"), provider)
    names = [
        row["AccessGroupName"]
        for row in api.call(NAS, "DescribeAccessGroups", {})["AccessGroups"]["AccessGroup"]
    ]
    assert names == ["DEFAULT_VPC_GROUP_NAME", "others"]
    rule = one(api, "DescribeAccessRules", {"AccessGroupName": "others"}, "AccessRules", "AccessRule")
    assert rule["SourceCidrIp"] == "10.10.0.0/16"


def test_what_somebody_else_deleted_is_made_again(stack: Stack, provider: AlicloudProvider, api: Api) -> None:
    first = stack.up(files(), provider)
    made, domain = first.outputs["files"].value, first.outputs["target"].value
    target = {"FileSystemId": made, "MountTargetDomain": domain}
    api.call(NAS, "DeleteMountTarget", target)
    api.wait(
        lambda: not api.call(NAS, "DescribeMountTargets", target)["MountTargets"]["MountTarget"] or None,
        what="the mount target's end",
    )
    stack.refresh(provider)
    again = stack.up(files(), provider)
    assert again.num_by_op == {"same": 5, "create": 1}
    assert again.outputs["target"].value != domain


def test_nothing_is_left_of_what_is_destroyed(
    stack: Stack, provider: AlicloudProvider, api: Api, info: CloudInfo
) -> None:
    stack.up(files(), provider)
    stack.destroy(provider)
    assert api.call(NAS, "DescribeFileSystems", {})["FileSystems"]["FileSystem"] == []
    assert list(Path(info.data_dir, "nas").glob("*/*")) == []
