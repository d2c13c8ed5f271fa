"""Which back end a local cloud runs its instances on: asked for at its start, checked against the machine, kept."""

from __future__ import annotations

import fcntl
import json
import os
import socket
import struct
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Literal, Self, get_args

from steelyard.errors import LocalCloudError, UsageError
from steelyard.localcloud.hosts.host import Host, Wiring
from steelyard.localcloud.hosts.limit import ControlGroups
from steelyard.localcloud.hosts.loopback import LoopbackHost
from steelyard.localcloud.kept_file import load_kept, stop_hint, write_kept

HostName = Literal["loopback", "namespace"]
HostRequest = Literal["auto", "loopback", "namespace"]
_FILE_NAME = "host.json"
_GET_FLAGS, _SET_FLAGS, _IS_UP = 0x8913, 0x8914, 1  # SIOCGIFFLAGS, SIOCSIFFLAGS, IFF_UP: netdevice(7)


@dataclass(frozen=True, kw_only=True)
class HostChoice:
    """How instances run.

    Attributes:
        name: The back end.
        has_limits: Whether instances are held to the CPUs and the memory of their types.
    """

    name: HostName = "loopback"
    has_limits: bool = False

    def __post_init__(self) -> None:
        if self.name not in get_args(HostName):
            raise ValueError(f"there is no host {self.name!r}")

    @classmethod
    def load(cls, data_dir: Path) -> Self:
        """Give what was chosen for a cloud's data folder; the default where nothing was."""
        return load_kept(data_dir / _FILE_NAME, cls)

    @property
    def enforces_security_groups(self) -> bool:
        """Whether security groups' rules are in force, and not only kept and answered."""
        return self.name == "namespace"


def choose(
    data_dir: Path, *, name: HostRequest | None, has_limits: bool | None, is_running: bool
) -> HostChoice:
    """Choose how a cloud's instances run from its next start on.

    Args:
        data_dir: The cloud's data folder; made where it is missing.
        name: The back end, `auto` for the best that the machine has; what was chosen before where it is None, and
            `auto` where nothing was.
        has_limits: Whether there are limits; what was chosen before where it is None.
        is_running: Whether the cloud runs, so that nothing can be changed.

    Raises:
        UsageError: The cloud runs, or has instances or load balancers, on another back end.
        LocalCloudError: The machine does not have what is asked for.
    """
    before = HostChoice.load(data_dir)
    wanted = replace(
        before,
        name=_resolve(name, data_dir, before, is_running=is_running),
        has_limits=before.has_limits if has_limits is None else has_limits,
    )
    if wanted.name == "namespace" and not is_running:
        raise_loopback()
    if wanted == before and (is_running or (data_dir / _FILE_NAME).exists()):
        return before
    if is_running:
        raise UsageError(
            f"the local cloud runs on {describe(before)}, not on {describe(wanted)}", hint=stop_hint(data_dir)
        )
    if wanted.name != before.name:
        _refuse_move(data_dir, before)
    if wanted.name == "namespace" and "namespace" in (name, before.name):  # Else it was found by a trial.
        refuse_namespaces()
    if wanted.has_limits:
        ControlGroups.find()
    write_kept(data_dir / _FILE_NAME, json.dumps(asdict(wanted)))
    return wanted


def _refuse_move(data_dir: Path, before: HostChoice) -> None:
    """Refuse another back end to a cloud whose instances and load balancers have addresses of this one.

    Raises:
        UsageError: It has such.
    """
    if _has_addresses(data_dir):
        raise UsageError(
            f"the local cloud has instances or load balancers whose addresses are those of the {before.name} host",
            hint="delete them first; `steelyard down` does so for a cluster",
        )


def _resolve(name: HostRequest | None, data_dir: Path, before: HostChoice, *, is_running: bool) -> HostName:
    is_settled = is_running or _has_addresses(data_dir) or (name is None and (data_dir / _FILE_NAME).exists())
    if name in ("loopback", "namespace"):
        return name
    if is_settled:
        return before.name
    return "loopback" if missing_part() else "namespace"


def describe(choice: HostChoice) -> str:
    """Say a choice in words."""
    enforced = "enforced" if choice.enforces_security_groups else "kept, not enforced"
    limits = "held to their types" if choice.has_limits else "not limited"
    return f"the {choice.name} host (security groups {enforced}, CPU and memory {limits})"


def make_host(data_dir: Path) -> Host:
    """Make the host that was chosen for a cloud's data folder.

    Raises:
        LocalCloudError: The machine does not have what was chosen.
    """
    choice = HostChoice.load(data_dir)
    limits = ControlGroups.find() if choice.has_limits else None
    directory = data_dir / "instances"
    if choice.name == "loopback":
        return LoopbackHost(directory, limits)
    refuse_namespaces()
    # Imported here: pyroute2 takes a quarter of a second, which the loopback host need not wait for.
    from steelyard.localcloud.hosts.namespaced import NamespaceHost

    return NamespaceHost(directory, limits)


def refuse_namespaces() -> None:
    """Try what the namespace host needs, in namespaces that are gone at once.

    Raises:
        LocalCloudError: One of them is missing on this machine; the message says which.
    """
    reason = missing_part()
    if reason:
        raise LocalCloudError(
            f"the namespace host cannot run here: {reason}",
            hint="use the loopback host, which runs everywhere: steelyard cloud start --host loopback",
        )


def missing_part() -> str:
    """Name what the namespace host lacks on this machine; the empty text where it lacks nothing."""
    if os.geteuid() != 0:
        return "it needs root, or a shell in a user namespace of its own: unshare -Urn"
    from steelyard.localcloud.hosts import kernel
    from steelyard.localcloud.hosts.packet_filter import FilterRule, PacketFilter
    from steelyard.localcloud.hosts.router import Router

    try:
        mounts = kernel.new_mounts()
        try:
            router = Router.make("probe", mounts)
            try:
                rules = (FilterRule(accepts=True, protocol="tcp", ports=(1, 2), set_name="probe"),)
                everything = PacketFilter(ingress=rules, sets={"probe": frozenset({"10.0.0.2"})})
                wiring = Wiring(routes=("10.0.0.0/8",), devices={"probe": ("10.0.0.3",)})
                router.plug("probe", "10.0.0.1", wiring, everything)
            finally:
                router.close()
        finally:
            os.close(mounts)
    except OSError as err:
        return f"the kernel refuses namespaces, veth, routing tables or nftables: {err}"
    return ""


def raise_loopback() -> None:
    """Bring up the loopback interface of this process's network; in a namespace by `unshare -Urn` it is down.

    Raises:
        LocalCloudError: It is down, and this process may not change that.
    """
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as channel:
        request = struct.pack("16sH14x", b"lo", 0)
        try:
            (flags,) = struct.unpack_from("H", fcntl.ioctl(channel, _GET_FLAGS, request), 16)
            if not flags & _IS_UP:
                fcntl.ioctl(channel, _SET_FLAGS, struct.pack("16sH14x", b"lo", flags | _IS_UP))
        except OSError as err:
            raise LocalCloudError(
                f"the loopback interface is down: {err}", hint="bring it up: ip link set lo up"
            ) from err


def _has_addresses(data_dir: Path) -> bool:
    folders: Sequence[str] = ("instances", "load-balancers")
    return any(next((data_dir / folder).glob("*/"), None) is not None for folder in folders)
