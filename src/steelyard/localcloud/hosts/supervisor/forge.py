"""The process from which supervisors are forked; its one argument is the socket on which orders come."""

from __future__ import annotations

import array
import ctypes
import gc
import json
import os
import signal
import socket
import sys
import traceback

from steelyard.localcloud.hosts.supervisor import MOST_CLAIMS
from steelyard.localcloud.hosts.supervisor.boot import run_supervisor
from steelyard.localcloud.hosts.supervisor.pipe import READ_BYTES, put

MOST_FILES = 8 + MOST_CLAIMS
TITLE = ["-m", "steelyard.localcloud.hosts.supervisor"]
"""How a supervisor's command line begins after the interpreter, for `ps` and for the cloud's own search."""


def run_forge(channel: int) -> int:
    """Fork a supervisor for each order, until the cloud is gone; return an exit code."""
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # Nobody waits for supervisors: the cloud watches them.
    gc.freeze()
    connection = socket.socket(fileno=channel)
    room = socket.CMSG_SPACE(MOST_FILES * array.array("i").itemsize)
    while True:
        message, ancillary, _, _ = connection.recvmsg(READ_BYTES * 4, room)
        if not message:
            return 0
        files = array.array("i")
        for _, _, data in ancillary:
            files.frombytes(data)
        pid = os.fork()
        if pid == 0:
            code = 1
            try:
                connection.close()
                code = become(json.loads(message), list(files))
            except BaseException:  # noqa: BLE001 - whatever it is, this process must not go on as a second forge
                put(2, traceback.format_exc().encode())
            finally:
                os._exit(code)
        for file in files:
            os.close(file)
        connection.send(json.dumps({"pid": pid}).encode())


def become(order: dict[str, object], files: list[int]) -> int:
    """Be the supervisor that was ordered, in a process that was just forked; return its exit code."""
    os.setsid()
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    for number, file in enumerate(files[:3]):
        os.dup2(file, number, inheritable=number > 0)
        os.close(file)
    environment, arguments, directory = order["environment"], order["arguments"], order["directory"]
    assert isinstance(environment, dict)
    assert isinstance(arguments, list)
    os.environ.clear()
    os.environ.update(environment)
    os.chdir(str(directory))
    take_title(arguments)
    return run_supervisor([_named(one, files) for one in arguments])


def _named(argument: str, files: list[int]) -> str:
    """Write descriptors for the places of files that were handed over: `@3`, or `@3-5` for several."""
    name, _, places = argument.partition("=@")
    if name not in ("--mounts", "--network", "--claims") or not places:
        return argument
    first, _, last = places.partition("-")
    return f"{name}={','.join(map(str, files[int(first) : int(last or first) + 1]))}"


def take_title(arguments: list[str]) -> None:
    """Write other arguments over those that the system shows of this process, as far as there is room.

    The forge is started with a long argument for the sake of this room. Fields 48 and 49 of proc(5)'s stat say where.
    """
    with open("/proc/self/stat", "rb") as file:
        fields = file.read().rpartition(b")")[2].split()
    start, end = int(fields[45]), int(fields[46])
    if end - start > 1:
        title = "\0".join([sys.executable, *TITLE, *arguments]).encode()[: end - start - 1]
        ctypes.memmove(start, title.ljust(end - start, b"\0"), end - start)
