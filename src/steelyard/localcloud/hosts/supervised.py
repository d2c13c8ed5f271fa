"""A command under its own supervisor, as the local cloud sees it."""

from __future__ import annotations

import logging
import os
import shutil
import tempfile
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import psutil

from steelyard.errors import LocalCloudError
from steelyard.localcloud.hosts.link import (
    LOCK_NAME,
    SupervisorLink,
    await_end,
    dismiss,
    hold,
    is_supervised,
)
from steelyard.localcloud.hosts.supervisor import MARK_NAME, MOST_CLAIMS

PATIENCE_S = 60.0
"""How long a tree lives on after its cloud has died, for the next cloud to take it up."""

_BOOT_ID = Path("/proc/sys/kernel/random/boot_id")
_SCRATCH_LINK = "scratch"
_MAX_TEMPORARY_LENGTH = 15
"""Of the 107 bytes of a Unix socket's path (unix(7)) Ray takes about 80, and what it stands in 12."""
_START_TIMEOUT_S = 40.0  # Above the time for which a supervisor waits for its predecessor.
_END_TIMEOUT_S = 10.0

logger = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True)
class Placement:
    """Where a tree of processes lives, besides the machine at large.

    Attributes:
        mounts: Descriptor of a mount namespace; the cloud's own where it is None.
        network: Descriptor of a network namespace; the cloud's own where it is None.
        control_groups: Folders of control groups; the supervisor removes them at the end.
        claims: Gives descriptors that the supervisor keeps open, copies that are its own: the claims of its addresses.
    """

    mounts: int | None = None
    network: int | None = None
    control_groups: tuple[Path, ...] = ()
    claims: Callable[[], Sequence[int]] = tuple

    @property
    def descriptors(self) -> list[int]:
        """The descriptors that the supervisor has to inherit."""
        return [number for number in (self.mounts, self.network) if number is not None]

    def vacate(self) -> None:
        """Remove the control groups of a tree that did not start; a supervisor, where there was one, has done so."""
        for group in self.control_groups:
            with suppress(OSError):
                group.rmdir()

    def options(self, first: int) -> list[str]:
        """Give the supervisor's options; the descriptors are named by their places, from `first` on."""
        named = {"mounts": self.mounts, "network": self.network}
        kinds = [name for name, number in named.items() if number is not None]
        entered = [f"--{name}=@{place}" for place, name in enumerate(kinds, first)]
        return [*(f"--cgroup={folder}" for folder in self.control_groups), *entered]


AT_LARGE = Placement()


def _temporary_folder() -> str:
    """Give the folder for temporary files that the environment names, or one with a shorter path."""
    folder = tempfile.gettempdir()
    return "/tmp" if len(folder) > _MAX_TEMPORARY_LENGTH and os.access("/tmp", os.W_OK | os.X_OK) else folder


def remove_scratch(data_dir: Path) -> None:
    """Remove the private folders that supervisors left because they were killed.

    Args:
        data_dir: The cloud's data folder, in which no supervisor runs any more.
    """
    for link in data_dir.glob(f"*/*/{_SCRATCH_LINK}"):
        _remove_linked(link)


def _remove_linked(link: Path) -> None:
    if link.is_symlink():
        shutil.rmtree(link.readlink(), ignore_errors=True)
        link.unlink(missing_ok=True)


class SupervisedProcess:
    """A command that runs under a supervisor, and ends with this process unless another one adopts it soon.

    Args:
        name: Short name, for the log and the thread.
        directory: Existing folder for the console, the lock and the supervisor's door.
        working_directory: Where the command runs; `directory` where it is not given.
        environment: All that the command's environment holds, besides `TMPDIR`, a private folder with a short path.
        stays: Whether the tree lives on after the command has ended.
        placement: Where it lives; its descriptors must be open until the start.
        on_end: Called once, in a thread of its own, when the supervisor and every process below it are gone.
        patience_s: Seconds for which the tree lives on after this process has died; 0 ends it at once.
    """

    def __init__(
        self,
        *,
        name: str,
        directory: Path,
        working_directory: Path | None = None,
        environment: Mapping[str, str],
        stays: bool,
        placement: Placement = AT_LARGE,
        on_end: Callable[[], None] | None = None,
        patience_s: float = PATIENCE_S,
    ) -> None:
        self.name = name
        self.console_path = directory / "console.log"
        self.exit_code: int | None = None
        self._directory = directory
        self._mark = directory / MARK_NAME
        self._patience_s = patience_s
        self._scratch_link = directory / _SCRATCH_LINK
        self._prepared: Path | None = None
        self._working_directory = working_directory or directory
        self._environment = environment
        self._mode = "stay" if stays else "follow"
        self._placement = placement
        self._on_end = on_end
        self._process: SupervisorLink | None = None
        self._lock = threading.Lock()
        self._is_cancelled = False
        self._is_barred = False
        self._started = threading.Event()
        self._ended = threading.Event()
        self._refusal = ""

    @property
    def pid(self) -> int:
        """Id of the supervisor; 0 before the start."""
        return self._process.pid if self._process else 0

    @property
    def is_running(self) -> bool:
        """Whether the supervisor or a process below it may be alive."""
        return self._process is not None and not self._ended.is_set()

    @property
    def scratch(self) -> Path:
        """The private folder for temporary files and sockets, which lives as long as the tree.

        Raises:
            LocalCloudError: If the process was not started.
        """
        return Path(os.readlink(self._scratch_link))

    def prepare(self) -> Path:
        """Make the private folder before the start, for a command whose arguments name it.

        Returns:
            The folder. One that a supervisor left, because it was killed together with the cloud, is removed.
        """
        _remove_linked(self._scratch_link)
        scratch = Path(tempfile.mkdtemp(prefix="sy-", dir=_temporary_folder()))
        self._scratch_link.symlink_to(scratch)
        self._prepared = scratch
        return scratch

    def start(self, command: list[str]) -> None:
        """Start the supervisor and wait until it has started the command.

        Args:
            command: Absolute path and arguments; empty for a machine that runs nothing.

        Raises:
            LocalCloudError: If the supervisor or, with `stays` unset, the command could not be started, or if `stop`
                was called before.
        """
        scratch = self._prepared or self.prepare()
        arguments = [self.console_path, self._directory / LOCK_NAME, scratch, self._mode, *command]
        with self._lock, self.console_path.open("ab") as console, self._claims() as claims:
            if self._is_cancelled:
                raise LocalCloudError(f"{self.name} is not started: it was stopped before")
            self.console_path.chmod(0o600)
            dismiss(self._directory)
            self._mark.write_text(_BOOT_ID.read_text(encoding="ascii"), encoding="ascii")
            entered = self._placement.descriptors
            first = 3 + len(entered)
            self._attach(
                SupervisorLink.fork(
                    arguments=[
                        *self._placement.options(3),
                        *([f"--claims=@{first}-{first + len(claims) - 1}"] if claims else []),
                        f"--patience={self._patience_s}",
                        *map(str, arguments),
                    ],
                    environment={**self._environment, "TMPDIR": str(scratch)},
                    directory=str(self._working_directory),
                    files=[console.fileno(), console.fileno(), *entered, *claims],
                )
            )
        if not self._came_up():
            raise LocalCloudError(
                f"{self.name} could not be started: {self._refusal or 'its supervisor ended'}",
                hint=f"See {self.console_path}.",
            )

    @contextmanager
    def _claims(self) -> Iterator[Sequence[int]]:
        claims = self._placement.claims()
        try:
            yield claims[:MOST_CLAIMS]
        finally:
            for claim in claims:
                os.close(claim)

    def hold_claims(self) -> None:
        """Let the supervisor hold what the placement's claims are now, and give up the others, and wait for that."""
        with self._lock:  # A start that has read them has a process by now.
            process = self._process
        # Nobody is at the door before.
        if process is None or not self._started.wait(_START_TIMEOUT_S):
            return
        with self._claims() as claims:
            if self.is_running:
                hold(self._directory, claims)

    def adopt(self) -> bool:
        """Take up the tree that an earlier process left running in the directory; False where none runs.

        One whose command could not be started is ended.
        """
        with self._lock:
            link = None if self._is_cancelled else SupervisorLink.adopt(self._directory)
            if link is None:
                return False
            self._attach(link)
        return self._came_up() and self.is_running

    @property
    def died_unseen(self) -> bool:
        """Whether a tree of the directory ended by itself since the machine's start, with no process to see it."""
        try:
            mark = self._mark.read_text(encoding="ascii")
        except FileNotFoundError:
            return False
        return mark == _BOOT_ID.read_text(encoding="ascii") and not is_supervised(self._directory)

    def stop(self, grace_s: float) -> None:
        """End the command and every process below it, and wait until they are gone.

        Args:
            grace_s: Seconds between SIGTERM and SIGKILL; 0 kills at once.

        Raises:
            LocalCloudError: If something is still alive long after the grace.
        """
        with self._lock:
            self._is_cancelled = True
            process = self._process
        if process is None:
            return
        try:
            process.order_end(grace_s)
        except OSError:
            logger.debug("the supervisor of %s has ended or has its order already", self.name)
        if self._ended.wait(grace_s + _END_TIMEOUT_S):
            return
        process.kill()  # Its init notices and ends the tree.
        if not self._ended.wait(_END_TIMEOUT_S):
            raise LocalCloudError(f"processes of {self.name} are still alive under supervisor {process.pid}")

    def wait(self, timeout_s: float) -> bool:
        """Wait until the whole tree is gone; False if it is still there after the timeout."""
        return self._ended.wait(timeout_s)

    def process_ids(self) -> list[int]:
        """Return the ids of the supervisor and of every process below it."""
        if not self.is_running:
            return []
        try:
            supervisor = psutil.Process(self.pid)
            return [self.pid, *(child.pid for child in supervisor.children(recursive=True))]
        except psutil.NoSuchProcess:
            return []

    def inner_process_ids(self) -> list[int]:
        """Return the ids of the processes that the command started: all but the two of the supervisor."""
        if not self.is_running:
            return []
        try:
            supervisor = psutil.Process(self.pid)
            own = {child.pid for child in supervisor.children()}
            return [child.pid for child in supervisor.children(recursive=True) if child.pid not in own]
        except psutil.NoSuchProcess:
            return []

    def _attach(self, link: SupervisorLink) -> None:
        self._process = link
        threading.Thread(target=self._watch, args=(link,), name=f"watch-{self.name}", daemon=True).start()

    def _came_up(self) -> bool:
        """Wait for the supervisor's first word; what did not come up is ended."""
        if self._started.wait(_START_TIMEOUT_S) and not (self._refusal and self._mode == "follow"):
            return True
        self.stop(0)
        return False

    def _watch(self, process: SupervisorLink) -> None:
        with suppress(ConnectionResetError):
            for line in process.words:
                self._hear(line.decode(errors="replace").strip())
        process.wait()
        if not self._is_barred:
            await_end(self._directory)
            self._mark.unlink(missing_ok=True)
            _remove_linked(self._scratch_link)
        self._ended.set()
        if not self._started.is_set():
            self._refusal = self._refusal or "its supervisor ended"
            self._started.set()
        if self._on_end is not None:
            self._on_end()

    def _hear(self, line: str) -> None:
        word, _, rest = line.partition(" ")
        if word == "exited":
            self.exit_code = int(rest)
        elif word in ("refused", "barred"):
            self._refusal = rest
            self._is_barred = word == "barred"
        elif word == "console":
            logger.warning("the console of %s loses output: %s", self.name, rest)
        if word in ("started", "refused", "barred"):
            self._started.set()
