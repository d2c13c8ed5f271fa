"""Disks and network interfaces that come and go."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator

import pytest
from alibabacloud_ecs20140526 import models
from alibabacloud_ecs20140526.client import Client as EcsClient
from contract_fleet import REGION, Fleet
from contract_sdk import refused
from own_range import inner, served

ZONE = "cn-hangzhou-h"


def disks(client: EcsClient, **filters: object):
    request = models.DescribeDisksRequest(region_id=REGION, **filters)
    return client.describe_disks(request).body.disks.disk


def disk(client: EcsClient, disk_id: str):
    (found,) = disks(client, disk_ids=json.dumps([disk_id]))
    return found


@pytest.fixture
def make_disk(ecs_client: EcsClient, fleet: Fleet) -> Iterator[Callable[..., str]]:
    """Create disks, and delete those that are left when the fleet's instances are gone."""
    made: list[str] = []

    def make(size: int = 100, **settings: object) -> str:
        request = models.CreateDiskRequest(
            **{"region_id": REGION, "zone_id": ZONE, "size": size, "disk_category": "cloud_essd", **settings}
        )
        made.append(ecs_client.create_disk(request).body.disk_id)
        return made[-1]

    yield make
    release(fleet)
    for found in disks(ecs_client, disk_ids=json.dumps(made)) if made else []:
        ecs_client.delete_disk(models.DeleteDiskRequest(disk_id=found.disk_id))


def release(fleet: Fleet) -> None:
    for instance_id in fleet.instance_ids:
        if fleet.status(instance_id) != "gone":
            fleet.delete(instance_id)
    for instance_id in fleet.instance_ids:
        fleet.wait_status(instance_id, "gone")
    fleet.instance_ids.clear()


class TestPages:
    def test_tokens_lead_through_all_in_pages_of_ten_at_least(self, ecs_client, make_disk):
        tag = [models.CreateDiskRequestTag(key="pages", value="here")]
        ids = [make_disk(tag=tag) for _ in range(12)]
        wanted = {
            "region_id": REGION,
            "tag": [models.DescribeDisksRequestTag(key="pages", value="here")],
            "max_results": 3,
        }
        first = ecs_client.describe_disks(models.DescribeDisksRequest(**wanted)).body
        assert [one.disk_id for one in first.disks.disk] == ids[:10]
        rest = ecs_client.describe_disks(
            models.DescribeDisksRequest(**wanted, next_token=first.next_token)
        ).body
        assert ([one.disk_id for one in rest.disks.disk], rest.next_token) == (ids[10:], "")

    def test_what_cannot_be_is_refused(self, ecs_client):
        for wrong in (
            {"max_results": 0},
            {"next_token": "tomorrow"},
            {"next_token": "-1", "max_results": 10},
        ):
            with refused("InvalidParameter"):
                disks(ecs_client, **wrong)
        for wrong in ({"page_size": 101}, {"page_size": 0}, {"page_number": 0}):
            with refused("InvalidParameter", text="Page"):
                disks(ecs_client, **wrong)


class TestDisks:
    def test_one_goes_to_an_instance_and_back(self, ecs_client, fleet: Fleet, make_disk):
        disk_id = make_disk(500, encrypted=True, disk_name="data", performance_level="PL2")
        found = disk(ecs_client, disk_id)
        assert (found.status, found.type, found.size, found.encrypted) == ("Available", "data", 500, True)
        assert (found.performance_level, found.portable) == ("PL2", True)
        (instance_id,) = fleet.run()
        pair = {"disk_id": disk_id, "instance_id": instance_id}

        ecs_client.attach_disk(models.AttachDiskRequest(**pair))

        found = disk(ecs_client, disk_id)
        assert (found.status, found.instance_id, found.device) == ("In_use", instance_id, "/dev/xvdb")
        assert [one.type for one in disks(ecs_client, instance_id=instance_id)] == ["system", "data"]
        with refused("IncorrectDiskStatus", 403):
            ecs_client.attach_disk(models.AttachDiskRequest(**pair))
        with refused("IncorrectDiskStatus", 403):
            ecs_client.delete_disk(models.DeleteDiskRequest(disk_id=disk_id))
        ecs_client.detach_disk(models.DetachDiskRequest(**pair))
        assert disk(ecs_client, disk_id).status == "Available"
        with refused("InvalidDisk.AlreadyDetached", 404):
            ecs_client.detach_disk(models.DetachDiskRequest(**pair))

    def test_it_goes_with_its_instance_only_where_that_was_said(self, ecs_client, fleet: Fleet, make_disk):
        stays, goes = make_disk(), make_disk()
        (instance_id,) = fleet.run()
        for disk_id, deletes in ((stays, False), (goes, True)):
            ecs_client.attach_disk(
                models.AttachDiskRequest(
                    disk_id=disk_id, instance_id=instance_id, delete_with_instance=deletes
                )
            )
        release(fleet)
        left = disks(ecs_client, disk_ids=json.dumps([stays, goes]))
        assert [(one.disk_id, one.status) for one in left] == [(stays, "Available")]

    def test_an_encrypted_data_disk_comes_with_an_instance(self, ecs_client, fleet: Fleet):
        data = models.RunInstancesRequestDataDisk(
            size=50, category="cloud_auto", encrypted="true", delete_with_instance=False
        )
        (instance_id,) = fleet.run(data_disk=[data])
        (found,) = disks(ecs_client, instance_id=instance_id, disk_type="data")
        assert (found.size, found.category, found.encrypted, found.delete_with_instance) == (
            50,
            "cloud_auto",
            True,
            False,
        )
        release(fleet)
        assert disk(ecs_client, found.disk_id).status == "Available"
        ecs_client.delete_disk(models.DeleteDiskRequest(disk_id=found.disk_id))
        assert disks(ecs_client, disk_ids=json.dumps([found.disk_id])) == []

    def test_it_grows_and_changes_its_name(self, ecs_client, make_disk):
        disk_id = make_disk(40)
        ecs_client.resize_disk(models.ResizeDiskRequest(disk_id=disk_id, new_size=80, type="online"))
        ecs_client.modify_disk_attribute(
            models.ModifyDiskAttributeRequest(region_id=REGION, disk_id=disk_id, disk_name="larger")
        )
        found = disk(ecs_client, disk_id)
        assert (found.size, found.disk_name) == (80, "larger")
        with refused("InvalidDiskSize.TooSmall", text="20 < 80"):
            ecs_client.resize_disk(models.ResizeDiskRequest(disk_id=disk_id, new_size=20))

    def test_tags_and_filters(self, ecs_client, make_disk):
        disk_id = make_disk(encrypted=True, tag=[models.CreateDiskRequestTag(key="team", value="vision")])
        make_disk()
        tag = models.DescribeDisksRequestTag(key="team", value="vision")
        assert [one.disk_id for one in disks(ecs_client, tag=[tag])] == [disk_id]
        found = disks(ecs_client, status="Available", encrypted=True, disk_type="data")
        assert disk_id in [one.disk_id for one in found]
        assert all(one.encrypted for one in found)

    def test_refusals(self, ecs_client, fleet: Fleet, make_disk):
        with refused("MissingParameter", text="Size"):
            make_disk(None)
        with refused("InvalidZoneId.NotFound", 404):
            make_disk(zone_id="cn-hangzhou-z")
        with refused("InvalidDiskId.NotFound", 404):
            ecs_client.delete_disk(models.DeleteDiskRequest(disk_id="d-none"))
        (instance_id,) = fleet.run()
        far = make_disk(zone_id="cn-hangzhou-i")
        with refused("ResourcesNotInSameZone", 403):
            ecs_client.attach_disk(models.AttachDiskRequest(disk_id=far, instance_id=instance_id))
        (system,) = disks(ecs_client, instance_id=instance_id)
        with refused("DiskTypeViolation", 403):
            ecs_client.detach_disk(models.DetachDiskRequest(disk_id=system.disk_id, instance_id=instance_id))
        near = make_disk()
        with refused("InvalidDevice.InUse", 403):
            ecs_client.attach_disk(
                models.AttachDiskRequest(disk_id=near, instance_id=instance_id, device="/dev/xvda")
            )
        with refused("InvalidInstanceId.NotFound", 404):
            ecs_client.attach_disk(models.AttachDiskRequest(disk_id=near, instance_id="i-none"))


def interfaces(client: EcsClient, **filters: object):
    request = models.DescribeNetworkInterfacesRequest(region_id=REGION, **filters)
    return client.describe_network_interfaces(request).body.network_interface_sets.network_interface_set


@pytest.fixture
def make_interface(ecs_client: EcsClient, fleet: Fleet) -> Iterator[Callable[..., object]]:
    """Create network interfaces, and delete those that are left when the fleet's instances are gone."""
    made: list[str] = []

    def make(**settings: object):
        request = models.CreateNetworkInterfaceRequest(
            **{
                "region_id": REGION,
                "v_switch_id": fleet.vswitch_id,
                "security_group_ids": [fleet.group_id],
                **settings,
            }
        )
        answer = ecs_client.create_network_interface(request).body
        made.append(answer.network_interface_id)
        return answer

    yield make
    release(fleet)
    for found in interfaces(ecs_client, network_interface_id=made) if made else []:
        delete_interface(ecs_client, found.network_interface_id)


def delete_interface(client: EcsClient, interface_id: str) -> None:
    client.delete_network_interface(
        models.DeleteNetworkInterfaceRequest(region_id=REGION, network_interface_id=interface_id)
    )


class TestNetworkInterfaces:
    def test_one_goes_to_an_instance_and_back(self, ecs_client, fleet: Fleet, make_interface):
        made = make_interface(network_interface_name="second", description="for data")
        assert made.private_ip_address.startswith(served("0."))
        (instance_id,) = fleet.run()
        pair = {
            "region_id": REGION,
            "network_interface_id": made.network_interface_id,
            "instance_id": instance_id,
        }

        ecs_client.attach_network_interface(models.AttachNetworkInterfaceRequest(**pair))

        found = interfaces(ecs_client, instance_id=instance_id)
        assert [one.type for one in found] == ["Primary", "Secondary"]
        assert (found[1].status, found[1].network_interface_name) == ("InUse", "second")
        told = fleet.instance(instance_id).network_interfaces.network_interface
        assert [one.primary_ip_address for one in told] == [one.private_ip_address for one in found]
        with refused("InvalidOperation.InvalidEniState"):
            delete_interface(ecs_client, made.network_interface_id)
        with refused("InvalidOperation.DetachPrimaryEniNotAllowed"):
            primary = {**pair, "network_interface_id": found[0].network_interface_id}
            ecs_client.detach_network_interface(models.DetachNetworkInterfaceRequest(**primary))
        ecs_client.detach_network_interface(models.DetachNetworkInterfaceRequest(**pair))
        delete_interface(ecs_client, made.network_interface_id)
        assert interfaces(ecs_client, network_interface_id=[made.network_interface_id]) == []

    def test_its_address_is_its_own_and_comes_free_again(self, ecs_client, fleet: Fleet, make_interface):
        made = make_interface(primary_ip_address=inner("0.77"))
        with refused("InvalidPrivateIpAddress.Duplicated", 403):
            fleet.run(status="", private_ip_address=inner("0.77"))
        delete_interface(ecs_client, made.network_interface_id)
        fleet.run(private_ip_address=inner("0.77"))

    def test_it_goes_with_its_instance_unless_it_is_to_stay(self, ecs_client, fleet: Fleet, make_interface):
        goes, stays = make_interface(), make_interface(delete_on_release=False)
        (instance_id,) = fleet.run()
        for made in (goes, stays):
            ecs_client.attach_network_interface(
                models.AttachNetworkInterfaceRequest(
                    region_id=REGION,
                    network_interface_id=made.network_interface_id,
                    instance_id=instance_id,
                )
            )
        release(fleet)
        ids = [goes.network_interface_id, stays.network_interface_id]
        left = interfaces(ecs_client, network_interface_id=ids)
        assert [(one.network_interface_id, one.status) for one in left] == [
            (stays.network_interface_id, "Available")
        ]

    def test_groups_change_of_either_kind(self, ecs_client, fleet: Fleet, make_interface):
        other = ecs_client.create_security_group(
            models.CreateSecurityGroupRequest(region_id=REGION, vpc_id=fleet.vpc_id)
        ).body.security_group_id
        made = make_interface()
        (instance_id,) = fleet.run()
        (primary,) = interfaces(ecs_client, instance_id=instance_id)
        for interface_id in (made.network_interface_id, primary.network_interface_id):
            ecs_client.modify_network_interface_attribute(
                models.ModifyNetworkInterfaceAttributeRequest(
                    region_id=REGION,
                    network_interface_id=interface_id,
                    security_group_id=[other],
                    network_interface_name="renamed",
                )
            )
        assert fleet.instance(instance_id).security_group_ids.security_group_id == [other]
        found = interfaces(ecs_client, security_group_id=other)
        assert {one.network_interface_name for one in found} == {"renamed"}
        assert len(found) == 2
        release(fleet)
        with refused("DependencyViolation", 403):
            ecs_client.delete_security_group(
                models.DeleteSecurityGroupRequest(region_id=REGION, security_group_id=other)
            )

    def test_rdma_is_for_the_types_that_have_it(self, ecs_client, fleet: Fleet):
        wanted = models.RunInstancesRequestNetworkInterface(
            instance_type="Primary", network_interface_traffic_mode="HighPerformance"
        )
        with refused("InvalidInstanceType.NotSupportERI", 403, "gn7i"):
            fleet.run(status="", network_interface=[wanted])
        (instance_id,) = fleet.run(instance_type="ecs.gn8is.2xlarge", network_interface=[wanted])
        (primary,) = interfaces(ecs_client, instance_id=instance_id)
        assert primary.network_interface_traffic_mode == "HighPerformance"
        request = models.DescribeInstanceTypesRequest(instance_types=["ecs.gn8is.2xlarge"])
        (row,) = ecs_client.describe_instance_types(request).body.instance_types.instance_type
        assert row.eri_quantity == 1

    def test_refusals(self, ecs_client, fleet: Fleet, make_interface, make_vswitch):
        with refused("InvalidVSwitchId.NotFound", 404):
            make_interface(v_switch_id="vsw-none")
        with refused("MissingParameter", text="SecurityGroupId"):
            make_interface(security_group_ids=None)
        (instance_id,) = fleet.run()
        far_vswitch = make_vswitch(fleet.vpc_id, inner("2.0/24"), zone_id="cn-hangzhou-i")
        far = make_interface(v_switch_id=far_vswitch)
        with refused("InvalidOperation.AvailabilityZoneMismatch", 403):
            ecs_client.attach_network_interface(
                models.AttachNetworkInterfaceRequest(
                    region_id=REGION,
                    network_interface_id=far.network_interface_id,
                    instance_id=instance_id,
                )
            )
        with refused("InvalidEniId.NotFound", 404):
            delete_interface(ecs_client, "eni-none")
        with refused("InvalidEcsId.NotFound", 404):
            ecs_client.attach_network_interface(
                models.AttachNetworkInterfaceRequest(
                    region_id=REGION,
                    network_interface_id=far.network_interface_id,
                    instance_id="i-none",
                )
            )
