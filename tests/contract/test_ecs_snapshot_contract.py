"""Snapshots of disks, and disks that are made of them, by the vendor's SDK."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator

import pytest
from alibabacloud_ecs20140526 import models
from alibabacloud_ecs20140526.client import Client
from contract_fleet import REGION, Fleet
from contract_sdk import refused, wait_for, wait_refusal

ZONE = "cn-hangzhou-h"


class Vault:
    """Snapshots of a test, with calls on them."""

    def __init__(self, client: Client) -> None:
        self.client = client
        self.ids: list[str] = []

    def take(self, disk_id: str, **settings: object) -> str:
        """Make a snapshot, and wait until it is there."""
        snapshot_id = self.begin(disk_id, **settings)
        wait_for(lambda: self.one(snapshot_id).status, lambda status: status == "accomplished")
        return snapshot_id

    def begin(self, disk_id: str, **settings: object) -> str:
        request = models.CreateSnapshotRequest(disk_id=disk_id, **settings)
        self.ids.append(self.client.create_snapshot(request).body.snapshot_id)
        return self.ids[-1]

    def list(self, **filters: object):
        request = models.DescribeSnapshotsRequest(region_id=REGION, **filters)
        return self.client.describe_snapshots(request).body.snapshots.snapshot

    def one(self, snapshot_id: str):
        (found,) = self.list(snapshot_ids=json.dumps([snapshot_id]))
        return found

    def change(self, snapshot_id: str, **settings: object) -> None:
        self.client.modify_snapshot_attribute(
            models.ModifySnapshotAttributeRequest(snapshot_id=snapshot_id, **settings)
        )

    def delete(self, snapshot_id: str, *, force: bool | None = None) -> None:
        self.client.delete_snapshot(models.DeleteSnapshotRequest(snapshot_id=snapshot_id, force=force))

    def clear(self) -> None:
        left = {one.snapshot_id for page in range(1, 5) for one in self.list(page_size=100, page_number=page)}
        for snapshot_id in left.intersection(self.ids):
            self.delete(snapshot_id, force=True)


@pytest.fixture
def vault(ecs_client: Client) -> Iterator[Vault]:
    made = Vault(ecs_client)
    yield made
    made.clear()


@pytest.fixture
def make_disk(ecs_client: Client) -> Iterator[Callable[..., str]]:
    made: list[str] = []

    def make(**settings: object) -> str:
        request = models.CreateDiskRequest(
            **{"region_id": REGION, "zone_id": ZONE, "disk_category": "cloud_essd", **settings}
        )
        made.append(ecs_client.create_disk(request).body.disk_id)
        return made[-1]

    yield make
    for disk_id in made:
        ecs_client.delete_disk(models.DeleteDiskRequest(disk_id=disk_id))


def disks(fleet: Fleet, **filters: object):
    request = models.DescribeDisksRequest(region_id=REGION, **filters)
    return fleet.ecs_client.describe_disks(request).body.disks.disk


@pytest.fixture
def system_disk(fleet: Fleet):
    (instance_id,) = fleet.run(status="")
    (found,) = disks(fleet, instance_id=instance_id)
    return found


class TestSnapshot:
    def test_is_made_of_a_disk_that_an_instance_has_and_tells_of_it(self, vault, system_disk):
        tag = [models.CreateSnapshotRequestTag(key="env", value="test")]
        snapshot_id = vault.begin(
            system_disk.disk_id, snapshot_name="before", description="text", retention_days=7, tag=tag
        )
        assert vault.one(snapshot_id).status in ("progressing", "accomplished")
        found = wait_for(lambda: vault.one(snapshot_id), lambda one: one.status == "accomplished")
        assert (found.snapshot_name, found.description, found.retention_days) == ("before", "text", 7)
        assert (found.source_disk_id, found.source_disk_type) == (system_disk.disk_id, "system")
        assert (found.source_disk_size, found.progress, found.available) == ("40", "100%", True)
        assert (found.snapshot_type, found.category, found.usage) == ("user", "standard", "none")
        assert [(one.tag_key, one.tag_value) for one in found.tags.tag] == [("env", "test")]

    def test_is_found_by_each_filter(self, vault, system_disk):
        snapshot_id = vault.take(system_disk.disk_id, snapshot_name="wanted")
        instance_id = system_disk.instance_id
        tag = models.DescribeSnapshotsRequestTag
        for filters, is_there in (
            ({"disk_id": system_disk.disk_id}, True),
            ({"instance_id": instance_id}, True),
            ({"instance_id": "i-nowhere"}, False),
            ({"snapshot_name": "wanted"}, True),
            ({"snapshot_name": "Wanted"}, False),
            ({"status": "accomplished"}, True),
            ({"status": "failed"}, False),
            ({"status": "all"}, True),
            ({"source_disk_type": "System"}, True),
            ({"source_disk_type": "data"}, False),
            ({"snapshot_type": "auto"}, False),
            ({"usage": "none"}, True),
            ({"encrypted": True}, False),
            ({"tag": [tag(key="env")]}, False),
        ):
            found = {one.snapshot_id for one in vault.list(**filters)}
            assert (snapshot_id in found) is is_there, filters

    def test_changes_its_name_and_is_kept_for_longer_but_not_for_less(self, vault, system_disk):
        snapshot_id = vault.take(system_disk.disk_id, retention_days=3)
        vault.change(snapshot_id, snapshot_name="other", description="why", retention_days=5)
        found = vault.one(snapshot_id)
        assert (found.snapshot_name, found.description, found.retention_days) == ("other", "why", 5)
        for days in (4, 0, 65537):
            with refused("InvalidParameter", text="RetentionDays"):
                vault.change(snapshot_id, retention_days=days)
        with refused("InvalidSnapshotName.Malformed"):
            vault.change(snapshot_id, snapshot_name="auto-1")

    def test_outlives_its_disk(self, vault, fleet, system_disk):
        snapshot_id = vault.take(system_disk.disk_id)
        fleet.delete(system_disk.instance_id)
        fleet.wait_status(system_disk.instance_id, "gone")
        assert vault.one(snapshot_id).source_disk_id == system_disk.disk_id
        vault.delete(snapshot_id)
        assert vault.list(snapshot_ids=json.dumps([snapshot_id])) == []
        with refused("InvalidSnapshotId.NotFound", 404):
            vault.delete(snapshot_id)
        with refused("InvalidSnapshotId.NotFound", 404):
            vault.change(snapshot_id, snapshot_name="late")

    def test_of_what_has_never_held_anything_is_refused(self, vault, make_disk):
        with refused("IncorrectDiskStatus.NeverAttached", 403):
            vault.take(make_disk(size=20))
        with refused("InvalidDiskId.NotFound", 404):
            vault.take("d-nowhere")

    def test_are_so_many_of_a_disk(self, vault, system_disk):
        for _ in range(256):
            vault.begin(system_disk.disk_id)
        with refused("QuotaExceed.Snapshot", 403):
            vault.begin(system_disk.disk_id)
        assert len(vault.list(disk_id=system_disk.disk_id, max_results=100)) == 100

    def test_of_another_sort_is_refused_by_name(self, vault, system_disk):
        with refused("UnsupportedOperation", text="Flash"):
            vault.begin(system_disk.disk_id, category="Flash")
        with refused("UnsupportedOperation", text="StorageLocationArn"):
            vault.begin(system_disk.disk_id, storage_location_arn="acs:oss")

    def test_comes_into_a_resource_group_and_is_tagged(self, vault, system_disk, ecs_client):
        snapshot_id = vault.take(system_disk.disk_id)
        ecs_client.join_resource_group(
            models.JoinResourceGroupRequest(
                region_id=REGION,
                resource_type="snapshot",
                resource_id=snapshot_id,
                resource_group_id="rg-1",
            )
        )
        ecs_client.tag_resources(
            models.TagResourcesRequest(
                region_id=REGION,
                resource_type="snapshot",
                resource_id=[snapshot_id],
                tag=[models.TagResourcesRequestTag(key="env", value="prod")],
            )
        )
        found = vault.one(snapshot_id)
        assert (found.resource_group_id, found.tags.tag[0].tag_value) == ("rg-1", "prod")


class TestDiskOfSnapshot:
    def test_is_at_least_as_large_and_keeps_the_snapshot_in_use(self, vault, fleet, system_disk, make_disk):
        snapshot_id = vault.take(system_disk.disk_id)
        for size, becomes in ((None, 40), (20, 40), (100, 100)):
            disk_id = make_disk(snapshot_id=snapshot_id, size=size)
            (found,) = disks(fleet, disk_ids=json.dumps([disk_id]))
            assert (found.size, found.source_snapshot_id) == (becomes, snapshot_id)
        assert len(disks(fleet, snapshot_id=snapshot_id)) == 3
        assert vault.one(snapshot_id).usage == "disk"
        with refused("SnapshotCreatedDisk", 403):
            vault.delete(snapshot_id)
        vault.delete(snapshot_id, force=True)

    def test_comes_with_an_instance(self, vault, fleet, system_disk):
        snapshot_id = vault.take(system_disk.disk_id)
        data = [models.RunInstancesRequestDataDisk(snapshot_id=snapshot_id)]
        (instance_id,) = fleet.run(status="", data_disk=data)
        _, found = disks(fleet, instance_id=instance_id)
        assert (found.size, found.source_snapshot_id) == (40, snapshot_id)
        missing = [models.RunInstancesRequestDataDisk(snapshot_id="s-nowhere")]
        with refused("InvalidSnapshotId.NotFound", 404):
            fleet.run(status="", data_disk=missing)

    def test_needs_a_snapshot_that_is_there_and_done(self, vault, system_disk, make_disk):
        with refused("InvalidSnapshotId.NotFound", 404):
            make_disk(snapshot_id="s-nowhere")
        wait_refusal(
            "InvalidSnapshotId.NotReady",
            lambda: vault.begin(system_disk.disk_id),
            lambda snapshot_id: make_disk(snapshot_id=snapshot_id),
        )


class TestWhatIsKeptOfADisk:
    def test_is_told_as_it_was_set(self, fleet, make_disk, ecs_client):
        disk_id = make_disk(
            disk_category="cloud_auto", size=100, bursting_enabled=True, provisioned_iops=1000
        )

        def found():
            return disks(fleet, disk_ids=json.dumps([disk_id]))[0]

        assert (found().bursting_enabled, found().provisioned_iops) == (True, 1000)
        ecs_client.modify_disk_attribute(
            models.ModifyDiskAttributeRequest(
                disk_id=disk_id,
                delete_auto_snapshot=False,
                enable_auto_snapshot=False,
                bursting_enabled=False,
            )
        )
        told = found()
        assert (told.delete_auto_snapshot, told.enable_auto_snapshot, told.bursting_enabled) == (
            False,
            False,
            False,
        )
        assert disk_id in {one.disk_id for one in disks(fleet, enable_auto_snapshot=False, page_size=100)}
        ecs_client.modify_disk_spec(models.ModifyDiskSpecRequest(disk_id=disk_id, provisioned_iops=2000))
        assert found().provisioned_iops == 2000

    @pytest.mark.parametrize(
        ("settings", "code", "text"),
        [
            ({"size": 100, "bursting_enabled": True}, "InvalidDisk.BurstingEnabled.ValueNotSupported", ""),
            ({"size": 100, "provisioned_iops": 100}, "InvalidDisk.ProvisionedIops.ValueNotSupported", ""),
            ({"size": 19, "disk_category": "cloud_efficiency"}, "InvalidParameter", "Size"),
            ({"size": 32769, "disk_category": "cloud_ssd"}, "InvalidParameter", "Size"),
            ({"size": 100, "multi_attach": "Enabled"}, "UnsupportedOperation", "MultiAttach"),
            ({"size": 100, "storage_set_id": "ss-1"}, "UnsupportedOperation", "StorageSetId"),
            ({}, "MissingParameter", "Size"),
        ],
    )
    def test_what_a_disk_cannot_be_is_refused(self, make_disk, settings, code, text):
        with refused(code, text=text):
            make_disk(**settings)

    def test_what_an_existing_one_cannot_become_is_refused(self, make_disk, ecs_client):
        disk_id = make_disk(size=100)
        with refused("InvalidBurstingEnabled.ValueNotSupported"):
            ecs_client.modify_disk_attribute(
                models.ModifyDiskAttributeRequest(disk_id=disk_id, bursting_enabled=True)
            )
        with refused("MissingParameter", text="DiskId"):
            ecs_client.modify_disk_attribute(models.ModifyDiskAttributeRequest(disk_name="nobody"))

    def test_a_policy_of_snapshots_is_refused_by_name(self, fleet):
        policy = models.RunInstancesRequestSystemDisk(auto_snapshot_policy_id="sp-1")
        with refused("UnsupportedOperation", text="SystemDisk.AutoSnapshotPolicyId"):
            fleet.run(status="", system_disk=policy)

    def test_the_disks_of_an_instance_have_its_tags(self, fleet):
        tag = [models.RunInstancesRequestTag(key="team", value="blue")]
        data = [models.RunInstancesRequestDataDisk(size=20)]
        (instance_id,) = fleet.run(status="", tag=tag, data_disk=data)
        found = disks(fleet, instance_id=instance_id, tag=[models.DescribeDisksRequestTag(key="team")])
        assert [one.type for one in found] == ["system", "data"]
