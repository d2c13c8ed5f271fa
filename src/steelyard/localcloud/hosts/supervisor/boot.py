"""A supervisor from its arguments to its end."""

from __future__ import annotations

import ctypes
import fcntl
import os
import shutil
import time

from steelyard.localcloud.hosts.supervisor.console import Console
from steelyard.localcloud.hosts.supervisor.family import POLL_S, become_subreaper
from steelyard.localcloud.hosts.supervisor.init import Init
from steelyard.localcloud.hosts.supervisor.keeper import LINK, Keeper, open_door, tell
from steelyard.localcloud.hosts.supervisor.pipe import Pipes, put

CLONE_FLAGS = {"mounts": 0x20000, "network": 0x40000000}  # CLONE_NEWNS, CLONE_NEWNET of linux/sched.h
PREDECESSOR_TIMEOUT_S = 30.0


class Options:
    """The leading options of a supervisor's arguments.

    Args:
        arguments: All of its arguments.

    Attributes:
        claims: Descriptors that it keeps open.
        groups: Control groups that it joins, and removes at its end.
        namespaces: Descriptor by kind of those that it enters.
        patience_s: Seconds for which it lives on without a cloud.
        rest: The arguments after the options.
    """

    def __init__(self, arguments: list[str]) -> None:
        self.claims: list[int] = []
        self.groups: list[str] = []
        self.namespaces: dict[str, int] = {}
        self.patience_s = 0.0
        self.rest = list(arguments)
        while self.rest and self.rest[0].startswith("--"):
            name, _, value = self.rest.pop(0)[2:].partition("=")
            if name == "cgroup":
                self.groups.append(value)
            elif name == "claims":
                self.claims = [int(one) for one in value.split(",")]
            elif name == "patience":
                self.patience_s = float(value)
            else:
                self.namespaces[name] = int(value)

    def settle(self) -> None:
        """Move this process to the namespaces and control groups."""
        folder = os.getcwd()  # To enter mounts is to start over at their root.
        for group in self.groups:
            with open(group + "/cgroup.procs", "w") as file:
                file.write("0")  # The process that writes.
        libc = ctypes.CDLL(None, use_errno=True)
        for name, descriptor in self.namespaces.items():
            if libc.setns(descriptor, CLONE_FLAGS[name]) != 0:
                raise OSError(ctypes.get_errno(), f"setns({name}) failed")
            os.close(descriptor)
        os.chdir(folder)

    def leave(self) -> None:
        """Move this process, the last one in its control groups, to their parents, and remove the groups."""
        for group in self.groups:
            try:
                with open(os.path.dirname(group) + "/cgroup.procs", "w") as file:
                    file.write("0")
                os.rmdir(group)
            except OSError as error:
                put(2, f"[supervisor] {group} is left: {error.strerror}\n".encode())


def take_lock(path: str) -> bool:
    """Hold the lock for this process and its forks; False if a predecessor keeps it."""
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
    deadline = time.monotonic() + PREDECESSOR_TIMEOUT_S
    while True:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if time.monotonic() > deadline:
                return False
            time.sleep(POLL_S)
        else:
            return True


def run_supervisor(arguments: list[str]) -> int:
    """Run a supervisor; see the package's docstring for the arguments.

    Returns:
        The exit code.
    """
    options = Options(arguments)
    options.settle()
    home = os.getcwd()
    console_path, lock_path, scratch, mode, *command = options.rest
    become_subreaper()
    console = Console(console_path)
    if not take_lock(lock_path):
        tell(f"barred {lock_path} is still held by a predecessor")
        return 1
    folder = os.path.dirname(lock_path)
    door = open_door(folder)
    pipes = Pipes()
    pid = os.fork()
    if pid == 0:
        # Whoever waits for the keeper's end, or for an address that it gives up, must not wait for this process.
        for descriptor in (door.detach(), LINK, *options.claims):
            os.close(descriptor)
        pipes.leave_to_init()
        os.chdir(home)
        Init(command=command, stays=mode == "stay", pipes=pipes, scratch=scratch).run()
        return 0
    pipes.leave_to_keeper()
    Keeper(
        init=pid,
        pipes=pipes,
        console=console,
        door=door,
        folder=folder,
        claims=options.claims,
        patience_s=options.patience_s,
    ).run()
    options.leave()
    shutil.rmtree(scratch, ignore_errors=True)
    return 0
