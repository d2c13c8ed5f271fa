"""Linux namespaces held by file descriptors, so that the kernel removes them with the process that made them.

Every call here works on a thread of its own, since a namespace is a thread's (namespaces(7)): the process itself
stays where it is, and no thread can come back to the wrong place.
"""

from __future__ import annotations

import ctypes
import fcntl
import os
import socket
import struct
import threading
from collections.abc import Callable, Collection
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

CLONE_FS, CLONE_NEWNS, CLONE_NEWNET = 0x200, 0x20000, 0x40000000  # linux/sched.h
_MS_BIND, _MS_REC, _MS_SLAVE, _MNT_DETACH = 0x1000, 0x4000, 0x80000, 2  # linux/mount.h
_SO_NETNS_COOKIE = 71  # asm-generic/socket.h
_NS_GET_NSTYPE = 0xB703  # linux/nsfs.h
_OWN_NETWORK, _OWN_MOUNTS = "/proc/thread-self/ns/net", "/proc/thread-self/ns/mnt"
NAMES = Path("/var/run/netns")
"""Where HAProxy and iproute2 look network namespaces up by name."""

T = TypeVar("T")


def on_own_thread(call: Callable[[], T]) -> T:
    """Run a call on a fresh thread, wait for it, and give what it returns or raises."""
    results: list[T] = []
    faults: list[BaseException] = []

    def run() -> None:
        try:
            results.append(call())
        except BaseException as fault:  # noqa: BLE001 - it is raised again where it was waited for
            faults.append(fault)

    thread = threading.Thread(target=run, name="namespace")
    thread.start()
    thread.join()
    if faults:
        raise faults[0]
    return results[0]


def inside(call: Callable[[], T], *, network: int | None = None, mounts: int | None = None) -> T:
    """Run a call in other namespaces.

    Args:
        call: What to do there; a socket that it makes stays there for good.
        network: Descriptor of a network namespace; the process's own where it is None.
        mounts: Descriptor of a mount namespace; the process's own where it is None.

    Raises:
        OSError: The kernel does not let this process enter.
    """

    def run() -> T:
        if mounts is not None:
            _check(_libc().unshare(CLONE_FS), "unshare(CLONE_FS)")
            _check(_libc().setns(mounts, CLONE_NEWNS), "setns(mounts)")
        if network is not None:
            _check(_libc().setns(network, CLONE_NEWNET), "setns(network)")
        return call()

    return on_own_thread(run)


def new_network() -> int:
    """Make a network namespace; it lives as long as a process in it, a name or the descriptor that is returned.

    Raises:
        OSError: The kernel does not let this process make one.
    """

    def run() -> int:
        _check(_libc().unshare(CLONE_NEWNET), "unshare(CLONE_NEWNET)")
        return os.open(_OWN_NETWORK, os.O_RDONLY | os.O_CLOEXEC)

    return on_own_thread(run)


def new_mounts() -> int:
    """Make a mount namespace whose folder of network namespaces is its own, and return its descriptor.

    A fresh `/run` covers the machine's: names given there die with the last process, and what runs inside does not
    meet the machine's init system, which an instance would else take for its own. What the machine mounts later is
    seen inside, never the other way round.

    Raises:
        OSError: The kernel does not let this process make one.
    """

    def run() -> int:
        _check(_libc().unshare(CLONE_NEWNS), "unshare(CLONE_NEWNS)")
        _mount("none", "/", "", _MS_REC | _MS_SLAVE)
        _mount("tmpfs", os.path.realpath(NAMES.parent), "tmpfs", 0, "mode=755")
        NAMES.mkdir(mode=0o755)
        _hide_resolver(NAMES.parent / "resolv.conf")
        return os.open(_OWN_MOUNTS, os.O_RDONLY | os.O_CLOEXEC)

    return on_own_thread(run)


def mounts_of(pid: int) -> int:
    """Open the mount namespace that a process is in.

    Raises:
        OSError: It is gone, or not this user's.
    """
    return os.open(f"/proc/{pid}/ns/mnt", os.O_RDONLY | os.O_CLOEXEC)


def give_name(name: str, network: int, mounts: int) -> None:
    """Name a network namespace inside of a mount namespace.

    Raises:
        OSError: The name is taken.
    """

    def run() -> None:
        path = NAMES / name
        path.touch(exist_ok=False)
        _mount(f"/proc/self/fd/{network}", str(path), "", _MS_BIND)

    inside(run, mounts=mounts)


def named_networks(mounts: int) -> dict[str, int]:
    """Open every network namespace that has a name inside of a mount namespace, and give the descriptors by name.

    A name that was about to be given or taken when its process was killed names nothing, and is removed.

    Raises:
        OSError: The kernel does not let this process enter.
    """

    def run() -> dict[str, int]:
        found = {}
        for path in NAMES.iterdir():
            descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
            if _is_network(descriptor):
                found[path.name] = descriptor
            else:
                os.close(descriptor)
                path.unlink()
        return found

    return inside(run, mounts=mounts)


def take_name(name: str, mounts: int) -> None:
    """Take a name away; one that is not there is fine."""

    def run() -> None:
        path = NAMES / name
        with suppress(FileNotFoundError):
            _check(_libc().umount2(str(path).encode(), _MNT_DETACH), f"umount({path})")
            path.unlink()

    inside(run, mounts=mounts)


@dataclass(frozen=True, kw_only=True)
class NetworkId:
    """What tells a network namespace from every other one.

    Attributes:
        inode: Its inode number, which a later namespace may get.
        cookie: Its number since the machine's start, never used again; 0 on a kernel before 5.14.
    """

    inode: int
    cookie: int


def network_id(network: int) -> NetworkId:
    """Identify a network namespace by an open descriptor of it."""

    def run() -> int:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe, suppress(OSError):
            return struct.unpack("=Q", probe.getsockopt(socket.SOL_SOCKET, _SO_NETNS_COOKIE, 8))[0]
        return 0

    return NetworkId(inode=os.fstat(network).st_ino, cookie=inside(run, network=network))


def find_networks(wanted: Collection[NetworkId]) -> list[str]:
    """Find who keeps network namespaces alive, as far as this process may look.

    Args:
        wanted: The namespaces.

    Returns:
        One text for each process that holds one, and for each name that is mounted.
    """
    names = {f"net:[{network.inode}]": network for network in wanted}
    if not names:
        return []
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):
            for link in (process / "ns/net", *(process / "fd").iterdir()):
                name = os.readlink(link)
                if name in names and _is_same(link, names[name]):
                    found.append(f"{name} in process {process.name}")
    lines = Path("/proc/self/mountinfo").read_text(encoding="utf-8").splitlines()
    return found + [line.split()[4] for line in lines if any(name in line for name in names)]


def _is_network(descriptor: int) -> bool:
    try:
        return fcntl.ioctl(descriptor, _NS_GET_NSTYPE) == CLONE_NEWNET
    except OSError:
        return False


def _is_same(link: Path, wanted: NetworkId) -> bool:
    descriptor = os.open(link, os.O_RDONLY | os.O_CLOEXEC)
    try:
        return network_id(descriptor) == wanted
    finally:
        os.close(descriptor)


def _hide_resolver(empty: Path) -> None:
    # Without a server in the file the one of this machine is asked, which is not there, and says so at once; the one
    # in the file may have an address of a VPC, and is waited for.
    resolver = Path("/etc/resolv.conf")
    if resolver.exists():
        empty.touch()
        _mount(str(empty), os.path.realpath(resolver), "", _MS_BIND)


def _mount(source: str, target: str, kind: str, flags: int, options: str = "") -> None:
    result = _libc().mount(
        source.encode(), target.encode(), kind.encode(), ctypes.c_ulong(flags), options.encode()
    )
    _check(result, f"mount({target})")


def _libc() -> ctypes.CDLL:
    return ctypes.CDLL(None, use_errno=True)


def _check(result: int, what: str) -> None:
    if result != 0:
        number = ctypes.get_errno()
        raise OSError(number, f"{what}: {os.strerror(number)}")
