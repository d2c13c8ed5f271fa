"""What the file storage makes of a data folder that an earlier cloud left."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from clocked_cloud import Clock, call, standing_cloud

from steelyard.localcloud.cloud import Cloud
from steelyard.localcloud.services.nas.actions import NasService
from steelyard.localcloud.services.vpc.actions import VpcService

DEADLINE_S = 30.0


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def cloud(tmp_path: Path, clock: Clock) -> Iterator[Cloud]:
    with standing_cloud(tmp_path, clock, VpcService, NasService) as cloud:
        yield cloud


@pytest.fixture
def nas(cloud: Cloud) -> NasService:
    service = cloud.services["nas"]
    assert isinstance(service, NasService)
    return service


@pytest.fixture
def made(nas: NasService, clock: Clock) -> str:
    """A file system that runs."""
    answer = call(nas, "create_file_system", ProtocolType="NFS", StorageType="Performance")
    clock.now += 1
    return str(answer["FileSystemId"])


@pytest.fixture
def domain(cloud: Cloud, nas: NasService, clock: Clock, made: str) -> str:
    """An active mount target of it."""
    vpc = cloud.services["vpc"]
    vpc_id = call(vpc, "create_vpc", CidrBlock="10.0.0.0/8")["VpcId"]
    clock.now += 1
    place = {"VpcId": vpc_id, "CidrBlock": "10.0.0.0/24", "ZoneId": "cn-hangzhou-h"}
    vswitch_id = call(vpc, "create_vswitch", **place)["VSwitchId"]
    target = {"FileSystemId": made, "NetworkType": "Vpc", "VpcId": vpc_id, "VSwitchId": vswitch_id}
    domain = str(call(nas, "create_mount_target", **target)["MountTargetDomain"])
    clock.now += 1
    return domain


def folder(cloud: Cloud, file_system_id: str) -> Path:
    return cloud.data_dir / "nas" / "file-systems" / file_system_id


def test_what_is_in_a_file_system_is_there_after_a_restart(cloud, nas, made, domain):
    folder(cloud, made).joinpath("kept").write_text("1")
    nas.start()
    assert nas.shares.door(domain).joinpath("kept").read_text() == "1"


def test_a_deletion_that_was_cut_off_goes_on(cloud, nas, made):
    folder(cloud, made).joinpath("kept").write_text("1")
    nas.file_systems.put(replace(nas.file_systems.get(made), is_deleting=True))
    nas.start()
    deadline = time.monotonic() + DEADLINE_S
    while nas.file_systems.get(made) is not None:
        assert time.monotonic() < deadline
        time.sleep(0.01)
    assert not folder(cloud, made).exists()


def test_what_no_record_names_is_removed_and_what_one_names_is_made(cloud, nas, made, domain):
    folder(cloud, "0000000000").mkdir()
    nas.shares.open("gone.nas.aliyuncs.com", made)
    folder(cloud, made).rmdir()
    nas.shares.close(domain)
    nas.start()
    assert [path.name for path in folder(cloud, made).parent.iterdir()] == [made]
    assert [path.name for path in nas.shares.door(domain).parent.iterdir()] == [domain]
    assert nas.shares.door(domain).is_dir()


def test_a_mount_target_that_was_closed_stays_closed(nas, made, domain):
    call(nas, "modify_mount_target", FileSystemId=made, MountTargetDomain=domain, Status="Inactive")
    nas.start()
    assert not nas.shares.door(domain).exists()


def test_a_mount_target_is_as_the_last_of_several_calls_left_it(cloud, nas, made, domain):
    def change(status: str) -> None:
        call(nas, "modify_mount_target", FileSystemId=made, MountTargetDomain=domain, Status=status)

    with cloud.transaction():
        cloud.after_commit(lambda: change("Active"))
        change("Inactive")
    assert nas.mount_targets.get(domain).is_active
    assert nas.shares.door(domain).is_dir()
    with cloud.transaction():
        cloud.after_commit(lambda: change("Inactive"))
        change("Active")
    assert not nas.shares.door(domain).exists()


def test_what_is_in_a_file_system_is_counted_aside(cloud, nas, made):
    folder(cloud, made).joinpath("kept").write_bytes(b"0" * 10)
    assert nas.meter.size(made) == 0
    deadline = time.monotonic() + DEADLINE_S
    while nas.meter.size(made) != 10:
        assert time.monotonic() < deadline
        time.sleep(0.01)
