"""One process from which supervisors are forked, so that a thousand of them share most of their memory.

A supervisor that is started on its own is a Python interpreter twice over, 15 ms of work and 5 MiB; a forked one is a
millisecond and shares what it does not change. The forge runs while there is a supervisor, and a moment longer; if it
is killed, or ends with its cloud, the supervisors live on, and the next one gets a new forge.
"""

from __future__ import annotations

import array
import json
import logging
import socket
import subprocess
import sys
import threading
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import steelyard
from steelyard.errors import LocalCloudError

# Without site-packages, whose start-up files would cost each forge what its supervisors save.
_PROGRAM = (
    f"import sys; sys.path.append({str(Path(steelyard.__file__).parents[1])!r}); "
    "from steelyard.localcloud.hosts.supervisor.forge import run_forge; sys.exit(run_forge(int(sys.argv[1])))"
)
_MAX_ANSWER_BYTES = 4096
_ANSWER_TIMEOUT_S = 30.0
# What a forked supervisor's command line is written over, so that `ps` and the cloud's own search know it.
_TITLE_BYTES = 1024

logger = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True)
class Order:
    """A supervisor that is asked for.

    Attributes:
        arguments: Its arguments; see `supervisor`.
        environment: All of its environment.
        directory: Where it runs.
        files: Descriptors that become its standard input, output and error, and those of namespaces, which an argument
            such as `--network=@3` names by their place. Standard input is the link to the cloud.
    """

    arguments: Sequence[str]
    environment: Mapping[str, str]
    directory: str
    files: Sequence[int]


class Forge:
    """Forks supervisors; may be used from several threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._process: subprocess.Popen[bytes] | None = None
        self._channel: socket.socket | None = None
        self._num_alive = 0

    def fork(self, order: Order) -> int:
        """Start a supervisor and give its process id; `forget` it when it has ended.

        Raises:
            LocalCloudError: If no process can be started.
        """
        with self._lock:
            try:
                pid = self._ask(order)
            except (OSError, ValueError, KeyError):
                # It was killed, or did not come up: once more with a new one.
                self._end()
                try:
                    pid = self._ask(order)
                except (OSError, ValueError, KeyError) as err:
                    self._end()
                    raise LocalCloudError(f"no supervisor could be started: {err}") from err
            self._num_alive += 1
            return pid

    def forget(self) -> None:
        """Note that a supervisor has ended; the forge ends with the last one."""
        with self._lock:
            self._num_alive -= 1
            if not self._num_alive:
                self._end()

    def _ask(self, order: Order) -> int:
        if self._channel is None:
            self._begin()
        assert self._channel is not None
        message = json.dumps(
            {
                "arguments": list(order.arguments),
                "environment": dict(order.environment),
                "directory": order.directory,
            }
        )
        rights = [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", order.files))]
        self._channel.sendmsg([message.encode()], rights)
        answer = json.loads(self._channel.recv(_MAX_ANSWER_BYTES))
        return int(answer["pid"])

    def _begin(self) -> None:
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        with theirs:
            self._process = subprocess.Popen(
                [
                    sys.executable,
                    "-I",
                    "-S",
                    "-c",
                    _PROGRAM,
                    str(theirs.fileno()),
                    "-" * _TITLE_BYTES,
                ],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                cwd="/",
                env={"LANG": "C.UTF-8"},
                start_new_session=True,
                pass_fds=[theirs.fileno()],
            )
        ours.settimeout(_ANSWER_TIMEOUT_S)
        self._channel = ours

    def _end(self) -> None:
        if self._channel is not None:
            self._channel.close()
            self._channel = None
        if self._process is not None:
            with suppress(subprocess.TimeoutExpired):
                self._process.wait(_ANSWER_TIMEOUT_S)
            self._process = None
