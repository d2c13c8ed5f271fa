"""One training process of a job: started, read and ended on its own node."""

from __future__ import annotations

import asyncio
import contextlib
import ctypes
import json
import os
import signal
import subprocess
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

MAX_LINE_BYTES = 16 * 1024
"""A longer line of a process's output is cut into pieces of this length, in bytes."""

_MAX_BUFFERED_BYTES = 1024 * 1024
_READ_BYTES = 64 * 1024
_GATHER_S = 0.05
_EVENTS_POLL_S = 0.1
_DRAIN_S = 1.0
_PR_SET_PDEATHSIG = 1


@dataclass(frozen=True, kw_only=True)
class WorkerReport:
    """What a process has written since the last report.

    Attributes:
        lines: Lines of its output, without their line ends.
        events: Its training events.
        exit_code: None until it has ended and everything was reported; below zero the number of the signal.
    """

    lines: Sequence[str]
    events: Sequence[Mapping[str, Any]]
    exit_code: int | None


def die_with_parent() -> Callable[[], None]:
    """Return a function for `preexec_fn`: the child is killed when the thread that started it ends.

    Source: prctl(2), PR_SET_PDEATHSIG.
    """
    libc = ctypes.CDLL(None)  # loaded here: nothing is to be loaded between fork and exec

    def ask_kernel() -> None:
        libc.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)

    return ask_kernel


class WorkerProcess:
    """A training process in a process group of its own, with its output and its events.

    It is killed when the thread that called `start` ends, and its group is ended with it: nothing of it is left.

    Args:
        command: What to run.
        folder: Its working directory.
        environment: All of its environment.
        events_path: File to which it appends its events, one JSON object a line; None where they are not wanted.
    """

    def __init__(
        self,
        command: Sequence[str],
        *,
        folder: Path,
        environment: Mapping[str, str],
        events_path: Path | None,
    ) -> None:
        self._command = list(command)
        self._folder = folder
        self._environment = dict(environment)
        self._events_path = events_path
        self._events_offset = 0
        self._lines: deque[str] = deque()
        self._events: deque[Mapping[str, Any]] = deque()
        self._num_buffered_bytes = 0
        self._max_buffered_bytes = _MAX_BUFFERED_BYTES
        self._changed = asyncio.Event()
        self._has_room = asyncio.Event()
        self._is_done = asyncio.Event()
        self._process: subprocess.Popen[bytes] | None = None
        self._watch: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Start the process, from the event loop that will watch it.

        Raises:
            OSError: It cannot be started.
        """
        self._process = subprocess.Popen(
            self._command,
            cwd=self._folder,
            env=self._environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            start_new_session=True,
            preexec_fn=die_with_parent(),
        )
        self._watch = asyncio.create_task(self._run(self._process))

    async def report(self, max_wait_s: float) -> WorkerReport:
        """Return what the process has written, as soon as there is something.

        Args:
            max_wait_s: How long to wait for it, in seconds; then the report is empty.
        """
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._changed.wait(), max_wait_s)
            if not self._is_done.is_set():
                await asyncio.sleep(_GATHER_S)  # one report for lines that come together
        is_done = self._is_done.is_set()
        report = WorkerReport(
            lines=tuple(self._lines),
            events=tuple(self._events),
            exit_code=self._process.returncode if is_done and self._process else None,
        )
        self._lines.clear()
        self._events.clear()
        self._num_buffered_bytes = 0
        self._has_room.set()
        if not is_done:
            self._changed.clear()
        return report

    async def stop(self, grace_s: float) -> None:
        """End the process and its group.

        Args:
            grace_s: Time between SIGTERM and SIGKILL, in seconds.
        """
        if self._process is None or self._is_done.is_set():
            return
        self._signal(signal.SIGTERM)
        try:
            await asyncio.wait_for(self._is_done.wait(), grace_s)
        except TimeoutError:
            self._signal(signal.SIGKILL)
            await self._is_done.wait()

    def _signal(self, number: signal.Signals) -> None:
        if self._process is not None:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self._process.pid, number)

    async def _run(self, process: subprocess.Popen[bytes]) -> None:
        pump = asyncio.create_task(self._pump(process))
        events = asyncio.create_task(self._follow_events())
        await _end_of(process)
        # What the pipe still holds is little, and is taken out whether or not anybody reads.
        self._max_buffered_bytes += _MAX_BUFFERED_BYTES
        self._has_room.set()
        await asyncio.wait([pump], timeout=_DRAIN_S)
        self._signal(signal.SIGKILL)  # what the script left in its group would hold the pipe open
        await asyncio.wait([pump], timeout=_DRAIN_S)
        for task in (pump, events):
            task.cancel()
        await asyncio.gather(pump, events, return_exceptions=True)
        self._read_events()
        self._is_done.set()
        self._changed.set()

    async def _pump(self, process: subprocess.Popen[bytes]) -> None:
        assert process.stdout is not None
        loop = asyncio.get_running_loop()
        reader = asyncio.StreamReader(limit=_READ_BYTES)
        transport, _ = await loop.connect_read_pipe(
            lambda: asyncio.StreamReaderProtocol(reader), process.stdout
        )
        rest = b""
        try:
            while chunk := await reader.read(_READ_BYTES):
                *lines, rest = (rest + chunk).split(b"\n")
                for line in lines:
                    self._add_line(line)
                if len(rest) > MAX_LINE_BYTES:
                    self._add_line(rest)
                    rest = b""
                if self._num_buffered_bytes > self._max_buffered_bytes:
                    self._has_room.clear()
                    await self._has_room.wait()
        finally:
            if rest:
                self._add_line(rest)
            transport.close()

    def _add_line(self, line: bytes) -> None:
        text = line.removesuffix(b"\r")
        for start in range(0, max(len(text), 1), MAX_LINE_BYTES):
            self._lines.append(text[start : start + MAX_LINE_BYTES].decode("utf-8", "replace"))
        self._num_buffered_bytes += len(text) + 1
        self._changed.set()

    async def _follow_events(self) -> None:
        while self._events_path is not None:
            await asyncio.sleep(_EVENTS_POLL_S)
            self._read_events()

    def _read_events(self) -> None:
        if self._events_path is None:
            return
        try:
            with self._events_path.open("rb") as file:
                file.seek(self._events_offset)
                body = file.read()
        except FileNotFoundError:
            return
        complete = body[: body.rfind(b"\n") + 1]
        self._events_offset += len(complete)
        for line in complete.splitlines():
            try:
                event = json.loads(line)
            except ValueError:
                continue  # not an event; a script that writes such a line loses it, not the job
            if isinstance(event, dict):
                self._events.append(event)
                self._changed.set()


async def _end_of(process: subprocess.Popen[bytes]) -> None:
    """Wait for a process in no thread: the few of the event loop may all be taken."""
    ended = asyncio.Event()
    descriptor = os.pidfd_open(process.pid)
    loop = asyncio.get_running_loop()
    loop.add_reader(descriptor, ended.set)
    try:
        await ended.wait()
    finally:
        loop.remove_reader(descriptor)
        os.close(descriptor)
    process.wait()
