"""File systems of NAS for the contract tests, by the vendor's SDK."""

from __future__ import annotations

from pathlib import Path

from alibabacloud_nas20170626 import models
from alibabacloud_nas20170626.client import Client
from contract_fleet import REGION
from contract_sdk import wait_for

from steelyard.localcloud.daemon import CloudInfo


class Files:
    """Makes file systems, mount targets and permission groups, and clears them away.

    Args:
        client: The vendor's client.
    """

    def __init__(self, client: Client) -> None:
        self.client = client
        self._file_system_ids: set[str] = set()
        self._groups: list[tuple[str, str]] = []

    def make(self, *, waits: bool = True, **settings: object) -> str:
        """Create a file system and, unless told otherwise, wait until it runs."""
        request = models.CreateFileSystemRequest(
            **{"protocol_type": "NFS", "storage_type": "Performance", **settings}
        )
        made = self.client.create_file_system(request).body.file_system_id
        self._file_system_ids |= {made}
        if waits:
            wait_for(lambda: self.describe(made).status, lambda status: status == "Running")
        return made

    def find(self, **filters: object):
        request = models.DescribeFileSystemsRequest(page_size=100, **filters)
        return self.client.describe_file_systems(request).body.file_systems.file_system

    def describe(self, file_system_id: str):
        return self.find(file_system_id=file_system_id)[0]

    def delete(self, file_system_id: str) -> None:
        self.client.delete_file_system(models.DeleteFileSystemRequest(file_system_id=file_system_id))

    def open(
        self, file_system_id: str, vpc_id: str, vswitch_id: str, *, waits: bool = True, **settings: object
    ) -> str:
        """Create a mount target and, unless told otherwise, wait until it is active."""
        request = models.CreateMountTargetRequest(
            **{
                "file_system_id": file_system_id,
                "network_type": "Vpc",
                "vpc_id": vpc_id,
                "v_switch_id": vswitch_id,
                "access_group_name": "DEFAULT_VPC_GROUP_NAME",
                **settings,
            }
        )
        domain = self.client.create_mount_target(request).body.mount_target_domain
        if waits:
            wait_for(lambda: self.target(file_system_id, domain).status, lambda status: status == "Active")
        return domain

    def targets(self, file_system_id: str, **filters: object):
        request = models.DescribeMountTargetsRequest(file_system_id=file_system_id, **filters)
        return self.client.describe_mount_targets(request).body.mount_targets.mount_target

    def target(self, file_system_id: str, domain: str):
        (found,) = self.targets(file_system_id, mount_target_domain=domain)
        return found

    def change_target(self, file_system_id: str, domain: str, **settings: object) -> None:
        self.client.modify_mount_target(
            models.ModifyMountTargetRequest(
                file_system_id=file_system_id, mount_target_domain=domain, **settings
            )
        )

    def close(self, file_system_id: str, domain: str) -> None:
        """Delete a mount target and wait until it is gone."""
        self.client.delete_mount_target(
            models.DeleteMountTargetRequest(file_system_id=file_system_id, mount_target_domain=domain)
        )
        wait_for(
            lambda: self.targets(file_system_id, mount_target_domain=domain), lambda targets: not targets
        )

    def make_group(self, name: str, file_system_type: str = "standard", **settings: object) -> str:
        request = models.CreateAccessGroupRequest(
            **{
                "access_group_name": name,
                "access_group_type": "Vpc",
                "file_system_type": file_system_type,
                **settings,
            }
        )
        made = self.client.create_access_group(request).body.access_group_name
        self._groups.append((made, file_system_type))
        return made

    def groups(self, **filters: object):
        request = models.DescribeAccessGroupsRequest(page_size=100, **filters)
        return self.client.describe_access_groups(request).body.access_groups.access_group

    def delete_group(self, name: str, file_system_type: str = "standard") -> None:
        request = models.DeleteAccessGroupRequest(access_group_name=name, file_system_type=file_system_type)
        self.client.delete_access_group(request)

    def let_in(self, group: str, source: str, **settings: object) -> str:
        """Create a rule; returns its id."""
        request = models.CreateAccessRuleRequest(access_group_name=group, source_cidr_ip=source, **settings)
        return self.client.create_access_rule(request).body.access_rule_id

    def rules(self, group: str, **filters: object):
        request = models.DescribeAccessRulesRequest(access_group_name=group, **filters)
        return self.client.describe_access_rules(request).body.access_rules.access_rule

    def tags(self, file_system_id: str) -> dict[str, str]:
        request = models.ListTagResourcesRequest(resource_type="filesystem", resource_id=[file_system_id])
        rows = self.client.list_tag_resources(request).body.tag_resources.tag_resource
        return {row.tag_key: row.tag_value for row in rows}

    def clear(self) -> None:
        """Delete all that was made, and wait until it is gone."""
        standing = {found.file_system_id: found for found in self.find()}
        for file_system_id in self._file_system_ids:
            if file_system_id not in standing or standing[file_system_id].status == "Deleting":
                continue
            wait_for(lambda one=file_system_id: self.describe(one).status, lambda status: status == "Running")
            for target in self.targets(file_system_id):
                wait_for(
                    lambda one=file_system_id, domain=target.mount_target_domain: (
                        self.target(one, domain).status
                    ),
                    lambda status: status != "Pending",
                )
                self.close(file_system_id, target.mount_target_domain)
            self.delete(file_system_id)
        wait_for(
            lambda: {found.file_system_id for found in self.find()},
            lambda left: not left & self._file_system_ids,
        )
        for name, file_system_type in self._groups:
            if any(
                group.access_group_name == name for group in self.groups(file_system_type=file_system_type)
            ):
                self.delete_group(name, file_system_type)


def zones(client: Client, file_system_type: str = "standard"):
    request = models.DescribeZonesRequest(region_id=REGION, file_system_type=file_system_type)
    return client.describe_zones(request).body.zones.zone


def folder(cloud: CloudInfo, file_system_id: str) -> Path:
    """Give the folder that a file system is."""
    return Path(cloud.data_dir, "nas", "file-systems", file_system_id)


def door(cloud: CloudInfo, domain: str) -> Path:
    """Give the link by which instances see a mount target's file system."""
    return Path(cloud.data_dir, "nas", "mount-targets", domain)
