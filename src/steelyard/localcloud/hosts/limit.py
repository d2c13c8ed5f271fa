"""CPU and memory limits of instances by control groups: version 2 where it has the controllers, else version 1."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Self

from steelyard.errors import LocalCloudError
from steelyard.localcloud.hosts.host import Machine

ROOT = Path("/sys/fs/cgroup")
_PREFIX = "steelyard-"
_PERIOD_US = 100_000
_CONTROLLERS = ("cpu", "memory")


class ControlGroups:
    """Makes the control groups of instances; each is removed by the supervisor of its instance.

    Args:
        folders: Folder of each controller, `cpu` and `memory`; one and the same in version 2.
    """

    def __init__(self, folders: Mapping[str, Path]) -> None:
        self._folders = folders

    @classmethod
    def find(cls, root: Path = ROOT) -> Self:
        """Find the machine's control groups.

        Raises:
            LocalCloudError: There are none that this process may use.
        """
        hint = "start the local cloud without --limits, or as root on a machine with control groups"
        unified = root / "cgroup.controllers"
        if unified.exists():
            offered = unified.read_text(encoding="ascii").split()
            folders = {name: root for name in _CONTROLLERS if name in offered}
        else:
            folders = {name: root / name for name in _CONTROLLERS if (root / name / "cgroup.procs").exists()}
        missing = [name for name in _CONTROLLERS if name not in folders]
        if missing:
            raise LocalCloudError(
                f"limits need the control groups {missing}, which are not under {root}", hint
            )
        for folder in folders.values():
            if not os.access(folder, os.W_OK):
                raise LocalCloudError(f"limits need to write to {folder}, which this user may not", hint)
        return cls(folders)

    @property
    def is_unified(self) -> bool:
        """Whether they are of version 2."""
        return len(set(self._folders.values())) == 1

    def make(self, machine: Machine) -> tuple[Path, ...]:
        """Make the groups that hold an instance to its type's CPUs and memory.

        Raises:
            LocalCloudError: The kernel refuses it.
        """
        groups = {name: folder / f"{_PREFIX}{machine.instance_id}" for name, folder in self._folders.items()}
        quota, memory = str(machine.vcpus * _PERIOD_US), str(machine.memory_mib << 20)
        try:
            if self.is_unified:
                (self._folders["cpu"] / "cgroup.subtree_control").write_text("+cpu +memory", encoding="ascii")
            for group in set(groups.values()):
                group.mkdir(exist_ok=True)
            if self.is_unified:
                (groups["cpu"] / "cpu.max").write_text(f"{quota} {_PERIOD_US}", encoding="ascii")
                (groups["memory"] / "memory.max").write_text(memory, encoding="ascii")
            else:
                (groups["cpu"] / "cpu.cfs_period_us").write_text(str(_PERIOD_US), encoding="ascii")
                (groups["cpu"] / "cpu.cfs_quota_us").write_text(quota, encoding="ascii")
                (groups["memory"] / "memory.limit_in_bytes").write_text(memory, encoding="ascii")
        except OSError as err:
            raise LocalCloudError(f"{machine.instance_id} could not be limited: {err}") from err
        return tuple(dict.fromkeys(groups.values()))


def remove_groups(data_dir: Path, root: Path = ROOT) -> list[str]:
    """Remove the groups of instances whose supervisors were killed, and give those that are still in use.

    Args:
        data_dir: The cloud's data folder, in which no supervisor runs any more.
        root: Where the control groups are.
    """
    left = []
    for instance in data_dir.glob("instances/*"):
        for folder in (root, *(root / name for name in _CONTROLLERS)):
            group = folder / f"{_PREFIX}{instance.name}"
            try:
                group.rmdir()
            except (FileNotFoundError, NotADirectoryError):
                continue
            except OSError as err:
                left.append(f"control group {group}: {err.strerror}")
    return left
