"""Lists of what was made within a time, by the vendor's SDKs."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator

import pytest
from alibabacloud_ecs20140526 import models as ecs
from alibabacloud_vpc20160428 import models as vpc
from contract_fleet import REGION, Fleet
from contract_sdk import refused

IMAGE_OF_2023 = "ubuntu_20_04_x64_20G_alibase_20230316.vhd"
Finder = Callable[..., "set[str]"]


def minute(seconds_from_now: float) -> str:
    return time.strftime("%Y-%m-%dT%H:%MZ", time.gmtime(time.time() + seconds_from_now))


@pytest.fixture
def instance_id(fleet: Fleet) -> str:
    (instance_id,) = fleet.run(status="")
    return instance_id


@pytest.fixture
def find_disks(ecs_client, instance_id: str) -> Finder:
    def find(*filters: tuple[str, str], **wanted: str) -> set[str]:
        given = [ecs.DescribeDisksRequestFilter(key=key, value=value) for key, value in filters]
        request = ecs.DescribeDisksRequest(region_id=REGION, filter=given, **wanted)
        return {disk.instance_id for disk in ecs_client.describe_disks(request).body.disks.disk}

    return find


@pytest.fixture
def find_addresses(vpc_client) -> Iterator[tuple[str, Finder]]:
    request = vpc.AllocateEipAddressRequest(region_id=REGION)
    allocation_id = vpc_client.allocate_eip_address(request).body.allocation_id

    def find(*filters: tuple[str, str], **wanted: object) -> set[str]:
        given = [vpc.DescribeEipAddressesRequestFilter(key=key, value=value) for key, value in filters]
        request = vpc.DescribeEipAddressesRequest(region_id=REGION, filter=given, page_size=100, **wanted)
        found = vpc_client.describe_eip_addresses(request).body.eip_addresses.eip_address
        return {one.allocation_id for one in found}

    yield allocation_id, find
    vpc_client.release_eip_address(
        vpc.ReleaseEipAddressRequest(region_id=REGION, allocation_id=allocation_id)
    )


def test_disks_are_found_by_when_they_were_made_and_how_fast_they_are(find_disks, instance_id):
    assert instance_id in find_disks(("CreationStartTime", minute(-3600)))
    assert find_disks(("CreationStartTime", minute(3600))) == set()
    assert instance_id in find_disks(performance_level="PL1")
    assert instance_id not in find_disks(performance_level="PL0")
    assert find_disks(kmskey_id="key-none") == find_disks(lock_reason="financial") == set()
    with refused("InvalidParameter", text="Filter.N.Key"):
        find_disks(("CreationEndTime", minute(0)))
    with refused("InvalidParameter", text="Filter.N.Value"):
        find_disks(("CreationStartTime", "yesterday"))


def test_snapshots_are_found_by_when_they_were_made(ecs_client, fleet, instance_id):
    disks = ecs_client.describe_disks(ecs.DescribeDisksRequest(region_id=REGION, instance_id=instance_id))
    (disk,) = disks.body.disks.disk
    snapshot = ecs_client.create_snapshot(ecs.CreateSnapshotRequest(disk_id=disk.disk_id)).body.snapshot_id
    try:
        for since, is_there in ((-3600, True), (3600, False)):
            given = ecs.DescribeSnapshotsRequestFilter(key="CreationStartTime", value=minute(since))
            request = ecs.DescribeSnapshotsRequest(region_id=REGION, disk_id=disk.disk_id, filter=[given])
            found = ecs_client.describe_snapshots(request).body.snapshots.snapshot
            assert [one.snapshot_id for one in found] == ([snapshot] if is_there else [])
    finally:
        ecs_client.delete_snapshot(ecs.DeleteSnapshotRequest(snapshot_id=snapshot, force=True))


def test_images_are_found_by_when_they_were_made_and_whether_instances_use_them(ecs_client, fleet):
    def find(*filters: tuple[str, str], **wanted: str) -> set[str]:
        given = [ecs.DescribeImagesRequestFilter(key=key, value=value) for key, value in filters]
        request = ecs.DescribeImagesRequest(region_id=REGION, filter=given, page_size=100, **wanted)
        return {image.image_id for image in ecs_client.describe_images(request).body.images.image}

    early, late = ("CreationStartTime", "2023-03-01T00:00Z"), ("CreationEndTime", "2023-04-01T00:00Z")
    assert find(early, late) == {IMAGE_OF_2023}
    assert IMAGE_OF_2023 not in find(("CreationStartTime", late[1]))
    (instance_id,) = fleet.run(status="")
    request = ecs.DescribeInstanceAttributeRequest(instance_id=instance_id)
    used = ecs_client.describe_instance_attribute(request).body.image_id
    assert used in find(usage="instance")
    assert used not in find(usage="none")


def test_elastic_addresses_are_found_by_when_they_were_made_and_are_never_locked(find_addresses):
    allocation_id, find = find_addresses
    assert allocation_id in find(("CreationStartTime", minute(-3600)))
    assert find(("CreationStartTime", minute(3600))) == set()
    for wanted in (
        {"lock_reason": "financial"},
        {"security_protection_enabled": True},
        {"service_managed": True},
    ):
        assert find(**wanted) == set(), wanted
    assert allocation_id in find(service_managed=False)


def test_networks_are_the_accounts_own(local_cloud, vpc_client, make_vpc, make_vswitch):
    vpc_id = make_vpc()
    vswitch_id = make_vswitch(vpc_id, "10.1.0.0/24")

    def find(owner_id: int) -> tuple[list[str], list[str]]:
        vpcs = vpc.DescribeVpcsRequest(region_id=REGION, vpc_id=vpc_id, vpc_owner_id=owner_id)
        vswitches = vpc.DescribeVSwitchesRequest(region_id=REGION, vpc_id=vpc_id, v_switch_owner_id=owner_id)
        return (
            [one.vpc_id for one in vpc_client.describe_vpcs(vpcs).body.vpcs.vpc],
            [one.v_switch_id for one in vpc_client.describe_vswitches(vswitches).body.v_switches.v_switch],
        )

    assert find(int(local_cloud.account_id)) == ([vpc_id], [vswitch_id])
    assert find(1) == ([], [])
