from __future__ import annotations

from pathlib import Path

import pytest

from steelyard.errors import LocalCloudError
from steelyard.localcloud.hosts.host import Machine
from steelyard.localcloud.hosts.limit import ControlGroups, remove_groups

MACHINE = Machine(
    instance_id="i-1", address="127.0.0.9", user_data=b"", metadata_url="", vcpus=8, memory_mib=2048
)


@pytest.fixture
def version_1(tmp_path):
    for name in ("cpu", "memory"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "cgroup.procs").touch()
    return tmp_path


@pytest.fixture
def version_2(tmp_path):
    (tmp_path / "cgroup.controllers").write_text("cpuset cpu io memory pids\n")
    return tmp_path


def read(*parts: str | Path) -> str:
    return Path(*parts).read_text()


def test_version_1_has_a_group_for_each_controller(version_1):
    cpu, memory = ControlGroups.find(version_1).make(MACHINE)
    assert (read(cpu, "cpu.cfs_quota_us"), read(cpu, "cpu.cfs_period_us")) == ("800000", "100000")
    assert read(memory, "memory.limit_in_bytes") == str(2 << 30)


def test_version_2_has_one_group(version_2):
    (group,) = ControlGroups.find(version_2).make(MACHINE)
    assert read(group, "cpu.max") == "800000 100000"
    assert read(group, "memory.max") == str(2 << 30)
    assert read(version_2, "cgroup.subtree_control") == "+cpu +memory"


def test_a_missing_controller_is_named(tmp_path):
    (tmp_path / "cgroup.controllers").write_text("cpu\n")
    with pytest.raises(LocalCloudError, match=r"\['memory'\]"):
        ControlGroups.find(tmp_path)


def test_groups_that_a_killed_supervisor_left_are_removed(version_1, tmp_path):
    data_dir = tmp_path / "data"
    (data_dir / "instances" / "i-1").mkdir(parents=True)
    empty, used = version_1 / "cpu" / "steelyard-i-1", version_1 / "memory" / "steelyard-i-1"
    empty.mkdir()
    (used / "below").mkdir(parents=True)
    (left,) = remove_groups(data_dir, version_1)
    assert left.startswith(f"control group {used}")
    assert not empty.exists()
