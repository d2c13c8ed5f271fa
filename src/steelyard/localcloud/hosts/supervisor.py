"""The processes that stand between the local cloud and a command, so that nothing of the command outlives it.

Forked by the *forge*, a process that the cloud starts by path and without site-packages and that shares its memory with
all of them; its one argument is the socket on which orders come. A supervisor's arguments are::

    [--mounts=FD] [--network=FD] [--cgroup=DIR]...
        CONSOLE LOCK SCRATCH (stay|follow) [COMMAND ARG ...]

It is two processes. The *keeper*, a child of the forge, copies the command's output to the bounded CONSOLE file and
takes one order from its standard input: a number of seconds of grace, then the end. The *init*, a child of the
keeper, starts the command and is the parent to which all of its orphans fall. Both are child subreapers
(prctl(2), PR_SET_CHILD_SUBREAPER), so a daemon that forks twice and leaves its session is still found. Each of the
three links is a pipe: if the cloud dies, the keeper reads the end of its input; if the keeper dies, the init does;
if the init dies, its orphans fall to the keeper. Whoever notices ends the whole tree at once.

With `stay` the tree lives on after the command has ended, as a machine does after a boot script; with `follow` it
ends with it. LOCK is held for as long as either process lives: a successor waits for it. SCRATCH is removed at the
end. The options name where the tree shall live: namespaces that the cloud hands down as open files, and control
groups, which are removed at the end. Lines on standard output tell the cloud `started`, `refused REASON` and
`exited CODE`; its end says that nothing is left.
"""

from __future__ import annotations

import ctypes
import errno
import fcntl
import os
import select
import signal
import sys
import time

PR_SET_CHILD_SUBREAPER = 36  # linux/prctl.h
CLONE_FLAGS = {"mounts": 0x20000, "network": 0x40000000}  # CLONE_NEWNS, CLONE_NEWNET of linux/sched.h
CONSOLE_LIMIT_BYTES = 1 << 20
READ_BYTES = 1 << 16
MOST_FILES = 8
PREDECESSOR_TIMEOUT_S = 30.0
BUSY_TIMEOUT_S = 2.0
POLL_S = 0.01


class Console:
    """A log file that keeps its newest bytes: it is halved whenever it exceeds its limit.

    Args:
        path: The file; appended to where it exists.
        limit_bytes: The size that is never exceeded by more than one write.
    """

    def __init__(self, path: str, limit_bytes: int = CONSOLE_LIMIT_BYTES) -> None:
        self.path = path
        self.limit_bytes = limit_bytes
        self.descriptor = self._open(path)

    def write(self, data: bytes) -> None:
        """Append the bytes; a full disk costs the log, not the machine."""
        try:
            os.write(self.descriptor, data)
            size = os.fstat(self.descriptor).st_size
            if size > self.limit_bytes:
                self._halve(size)
        except OSError as error:
            tell(f"console {error.strerror}")

    def _halve(self, size: int) -> None:
        # The new file takes the old one's name in one step, so a reader never sees half of it.
        kept = os.pread(self.descriptor, self.limit_bytes // 2, size - self.limit_bytes // 2)
        successor = self._open(self.path + ".new")
        os.write(successor, kept)
        os.rename(self.path + ".new", self.path)
        os.close(self.descriptor)
        self.descriptor = successor

    @staticmethod
    def _open(path: str) -> int:
        return os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o600)


def become_subreaper() -> None:
    """Make this process the parent of every orphan among its descendants."""
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0) != 0:
        raise OSError(ctypes.get_errno(), "prctl(PR_SET_CHILD_SUBREAPER) failed")


def descendants() -> list[int]:
    """Return the ids of every process below this one."""
    if not os.path.exists(f"/proc/self/task/{os.getpid()}/children"):
        return search()  # The kernel was built without CONFIG_PROC_CHILDREN.
    found: list[int] = []
    unseen = [os.getpid()]
    while unseen:
        below = children_of(unseen.pop())
        found += below
        unseen += below
    return found


def children_of(pid: int) -> list[int]:
    """Return the ids of a process's children, whichever of its threads has them; none if it has ended."""
    found: list[int] = []
    try:
        for thread in os.listdir(f"/proc/{pid}/task"):
            with open(f"/proc/{pid}/task/{thread}/children", "rb") as file:
                found += map(int, file.read().split())
    except (FileNotFoundError, ProcessLookupError):
        pass  # It ended while we looked; its children are ours by now, and seen at the next look.
    return found


def search() -> list[int]:
    """Return the ids of every living process below this one, from one look at all processes of the machine."""
    children: dict[int, list[int]] = {}
    for name in os.listdir("/proc"):
        if not name.isdigit():
            continue
        try:
            with open(f"/proc/{name}/stat", "rb") as file:
                # The command name may hold spaces and parentheses; the fields after the last one do not.
                state, parent = file.read().rpartition(b")")[2].split()[:2]
        except (OSError, ValueError):
            continue  # It ended while we looked.
        if state != b"Z":
            children.setdefault(int(parent), []).append(int(name))
    found: list[int] = []
    unseen = [os.getpid()]
    while unseen:
        below = children.get(unseen.pop(), [])
        found += below
        unseen += below
    return found


def send(number: int) -> None:
    """Send the signal to every descendant."""
    for pid in descendants():
        try:
            os.kill(pid, number)
        except ProcessLookupError:
            continue


def reap() -> dict[int, int] | None:
    """Collect every child that has ended.

    Returns:
        Exit code by process id, minus the signal's number for a child that was killed; None if no child is left.
    """
    ended: dict[int, int] = {}
    while True:
        try:
            pid, status = os.waitpid(-1, os.WNOHANG)
        except ChildProcessError:
            return ended or None
        if pid == 0:
            return ended
        ended[pid] = os.waitstatus_to_exitcode(status)


def end_descendants(grace_s: float) -> None:
    """End every descendant: SIGTERM and the grace first where there is one, then SIGKILL until none is left."""
    if grace_s > 0:
        send(signal.SIGTERM)
        send(signal.SIGCONT)
        deadline = time.monotonic() + grace_s
        while time.monotonic() < deadline:
            if reap() is None:
                return
            time.sleep(POLL_S)
    while True:
        # Again and again: a process may have forked between the look at /proc and the signal.
        send(signal.SIGKILL)
        if reap() is None:
            return
        time.sleep(POLL_S)


def remove(path: str) -> None:
    """Remove the folder and all in it; one that is gone is fine."""
    import shutil  # Imported here, because the boot waits for this module.

    shutil.rmtree(path, ignore_errors=True)


def put(descriptor: int, data: bytes) -> None:
    """Write to a pipe whose reader may be gone."""
    try:
        os.write(descriptor, data)
    except BrokenPipeError:
        return


def tell(text: str) -> None:
    """Tell the cloud, which may be gone."""
    put(1, text.encode() + b"\n")


def watch_children() -> int:
    """Return a descriptor that becomes readable whenever a child has ended."""
    readable, writable = os.pipe()
    os.set_blocking(readable, False)
    os.set_blocking(writable, False)
    signal.signal(signal.SIGCHLD, lambda number, frame: None)
    signal.set_wakeup_fd(writable, warn_on_full_buffer=False)
    return readable


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


def start(command: list[str], output: int) -> int:
    """Start the command in a session of its own; return its process id, 0 where it could not be started."""
    deadline = time.monotonic() + BUSY_TIMEOUT_S
    while True:
        try:
            pid = spawn(command, output)
        except OSError as error:
            # A process that the cloud was just forking may hold the fresh script open for writing.
            if error.errno == errno.ETXTBSY and time.monotonic() < deadline:
                time.sleep(POLL_S)
                continue
            put(output, f"[supervisor] {command[0]} could not be started: {error.strerror}\n".encode())
            tell(f"refused {error.strerror}")
            return 0
        tell("started")
        return pid


def spawn(command: list[str], output: int) -> int:
    """Start the command once; return its process id."""
    return os.posix_spawn(
        command[0],
        command,
        os.environ,
        file_actions=[
            (os.POSIX_SPAWN_OPEN, 0, "/dev/null", os.O_RDONLY, 0),
            (os.POSIX_SPAWN_DUP2, output, 1),
            (os.POSIX_SPAWN_DUP2, output, 2),
        ],
        setsid=True,
        setsigdef=[signal.SIGPIPE, signal.SIGXFSZ],  # The interpreter ignores them; its children must not.
    )


def run_init(command: list[str], stays: bool, orders: int, output: int, scratch: str) -> None:
    """Start the command, reap orphans, and end the tree when it is ordered or the keeper is gone."""
    become_subreaper()
    children_ended = watch_children()
    pid = start(command, output) if command else 0
    if not command:
        tell("started")
    if not pid and not stays:
        return
    while True:
        ready, _, _ = select.select([orders, children_ended], [], [])
        if children_ended in ready:
            os.read(children_ended, READ_BYTES)
            code = (reap() or {}).get(pid)
            if code is not None:
                put(output, f"[supervisor] {command[0]} ended with exit code {code}\n".encode())
                tell(f"exited {code}")
                if not stays:
                    end_descendants(0)
                    return
        if orders in ready:
            order = os.read(orders, READ_BYTES)
            end_descendants(float(order) if order else 0)
            if not order:
                remove(scratch)  # The keeper, whose task it is, is gone.
            return


def run_keeper(init: int, orders: int, output: int, console: Console) -> None:
    """Copy the output and pass the order on, until the init has ended; then end what it may have left."""
    children_ended = watch_children()
    # The init may have ended before the handler stood: the first look comes without a signal.
    sources, has_ended = [0, output, children_ended], init in (reap() or {})
    while not has_ended:
        ready, _, _ = select.select(sources, [], [])
        if output in ready:
            data = os.read(output, READ_BYTES)
            if data:
                console.write(data)
            else:
                sources.remove(output)
        if 0 in ready:
            order = os.read(0, READ_BYTES)
            sources.remove(0)
            put(orders, order or b"0")
        if children_ended in ready:
            os.read(children_ended, READ_BYTES)
            has_ended = init in (reap() or {})
    end_descendants(0)
    while select.select([output], [], [], 0)[0] and (data := os.read(output, READ_BYTES)):
        console.write(data)


def settle(arguments: list[str]) -> tuple[list[str], list[str]]:
    """Move this process to the namespaces and control groups that the leading options name.

    Returns:
        The control groups, and the arguments after the options.
    """
    groups = []
    while arguments and arguments[0].startswith("--"):
        name, _, value = arguments.pop(0)[2:].partition("=")
        if name == "cgroup":
            with open(value + "/cgroup.procs", "w") as file:
                file.write("0")  # The process that writes.
            groups.append(value)
            continue
        libc = ctypes.CDLL(None, use_errno=True)
        if libc.setns(int(value), CLONE_FLAGS[name]) != 0:
            raise OSError(ctypes.get_errno(), f"setns({name}) failed")
        os.close(int(value))
    return groups, arguments


def leave(groups: list[str]) -> None:
    """Move this process, the last one in its control groups, to their parents, and remove the groups."""
    for group in groups:
        try:
            with open(os.path.dirname(group) + "/cgroup.procs", "w") as file:
                file.write("0")
            os.rmdir(group)
        except OSError as error:
            put(2, f"[supervisor] {group} is left: {error.strerror}\n".encode())


def main(arguments: list[str]) -> int:
    """Run the supervisor; see the module's docstring for the arguments."""
    folder = os.getcwd()  # To enter mounts is to start over at their root.
    groups, arguments = settle(arguments)
    os.chdir(folder)
    console_path, lock_path, scratch, mode, *command = arguments
    become_subreaper()
    console = Console(console_path)
    if not take_lock(lock_path):
        tell(f"refused {lock_path} is still held by a predecessor")
        return 1
    read_output, write_output = os.pipe()
    read_orders, write_orders = os.pipe()
    init = os.fork()
    if init == 0:
        os.close(read_output)
        os.close(write_orders)
        run_init(command, mode == "stay", read_orders, write_output, scratch)
        return 0
    os.close(write_output)
    os.close(read_orders)
    run_keeper(init, write_orders, read_output, console)
    leave(groups)
    remove(scratch)
    return 0


def take_title(arguments: list[str]) -> None:
    """Write other arguments over those that the system shows of this process, as far as there is room.

    The forge is started with a long argument for the sake of this room. Fields 48 and 49 of proc(5)'s stat say where.
    """
    with open("/proc/self/stat", "rb") as file:
        fields = file.read().rpartition(b")")[2].split()
    start, end = int(fields[45]), int(fields[46])
    if end - start > 1:
        title = "\0".join([sys.executable, __file__, *arguments]).encode()[: end - start - 1]
        ctypes.memmove(start, title.ljust(end - start, b"\0"), end - start)


def become(order: dict, files: list[int]) -> int:
    """Be the supervisor that was ordered, in a process that was just forked; return its exit code."""
    os.setsid()
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    for number, file in enumerate(files[:3]):
        os.dup2(file, number)
        os.close(file)
    os.environ.clear()
    os.environ.update(order["environment"])
    os.chdir(order["directory"])
    take_title(order["arguments"])
    # A file that was handed over is named by its place among them.
    named = [
        f"{one.partition('@')[0]}{files[int(one.partition('@')[2])]}"
        if one.startswith(("--mounts=@", "--network=@"))
        else one
        for one in order["arguments"]
    ]
    return main(named)


def run_forge(channel: int) -> int:
    """Fork a supervisor for each order, until the cloud is gone."""
    import array
    import gc
    import json
    import socket

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
                import traceback

                put(2, traceback.format_exc().encode())
            finally:
                os._exit(code)
        for file in files:
            os.close(file)
        connection.send(json.dumps({"pid": pid}).encode())


if __name__ == "__main__":
    sys.exit(run_forge(int(sys.argv[1].partition("=")[2])))
