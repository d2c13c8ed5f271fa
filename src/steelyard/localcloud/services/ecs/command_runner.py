"""Runs commands on instances, and writes what becomes of them."""

from __future__ import annotations

import base64
import threading
from dataclasses import dataclass, replace
from pathlib import Path

from steelyard.errors import LocalCloudError
from steelyard.localcloud.cloud import Cloud
from steelyard.localcloud.hosts.host import Errand, Host
from steelyard.localcloud.record import Records
from steelyard.localcloud.services.ecs.command import (
    FAILED,
    MAX_OUTPUT_BYTES,
    RUNNING,
    SUCCESS,
    TERMINATED,
    TIMEOUT,
    CommandRun,
)


@dataclass(kw_only=True)
class _Active:
    """A command that runs.

    Attributes:
        timer: Ends it when its time is up.
        verdict: What its status will be, where something ended it.
    """

    timer: threading.Timer
    verdict: str = ""


class CommandRunner:
    """Runs commands, each as a real process in its instance.

    Args:
        cloud: Whose instances they are.
        host: Where those run.
        runs: The records, which it finishes.
    """

    def __init__(self, cloud: Cloud, host: Host, runs: Records[CommandRun]) -> None:
        self._cloud = cloud
        self._host = host
        self._runs = runs
        self._lock = threading.Lock()
        self._active: dict[str, _Active] = {}
        self._closing = threading.Event()

    def resume(self) -> None:
        """Finish what ran when the last cloud ended, since it ended with that."""
        with self._cloud.transaction():
            for run in self._runs.list():
                if run.status == RUNNING:
                    told = "The local cloud ended while the command ran."
                    self._finish(run, FAILED, None, b"", "ClientNotRunning", told)

    def close(self) -> None:
        """Watch no more, and leave the records as they are; the host ends what runs."""
        with self._lock:
            self._closing.set()
            active = list(self._active.values())
        for one in active:
            one.timer.cancel()

    def start(self, run: CommandRun, script: str, working_dir: str, timeout_s: int) -> None:
        """Start a command whose record is kept; one that cannot be started is finished at once."""
        folder = Path(working_dir) if working_dir else None
        if folder is not None and not folder.is_dir():
            told = f"The working directory does not exist: {working_dir}."
            self._settle(run.id, FAILED, None, b"", "DirectoryNotExists", told)
            return
        errand = Errand(id=_errand_id(run.id), script=script.encode(), working_directory=folder)
        timer = threading.Timer(timeout_s, self.end, [run.id, TIMEOUT])
        timer.name, timer.daemon = f"timeout-{run.id}", True
        with self._lock:
            if self._closing.is_set():
                return
            self._active[run.id] = active = _Active(timer=timer)
        kept = self._runs.get(run.id)
        if kept is not None and kept.status != RUNNING:  # It was stopped before its turn came.
            self._forget(run.id)
            return
        try:
            self._host.run(run.instance_id, errand, lambda code, output: self._ended(run.id, code, output))
        except LocalCloudError as err:
            self._settle(run.id, FAILED, None, b"", "InstanceNotRunning", str(err))
            self._forget(run.id)
            return
        with self._lock:
            if run.id in self._active:  # Else it has ended already.
                timer.start()
            is_ended = bool(active.verdict)
        if is_ended:  # The host may not have known it yet.
            self._host.end_run(_errand_id(run.id))

    def end(self, run_id: str, verdict: str) -> None:
        """Kill a command; one that waits for its turn is not started any more.

        Args:
            run_id: Its record.
            verdict: What its status will be.
        """
        if not self._note_verdict(run_id, verdict):
            self._settle(run_id, verdict, None, b"")
            if not self._note_verdict(run_id, verdict):  # Else its turn came meanwhile.
                return
        self._host.end_run(_errand_id(run_id))

    def _note_verdict(self, run_id: str, verdict: str) -> bool:
        """Note what a command's status will be; False where it has not begun, or its end is written."""
        with self._lock:
            active = self._active.get(run_id)
            if active is not None:
                active.verdict = active.verdict or verdict
        return active is not None

    def output(self, run: CommandRun) -> CommandRun:
        """Give a run with what it has written so far."""
        if run.status != RUNNING:
            return run
        return _with_output(run, self._host.run_output(_errand_id(run.id)))

    def _ended(self, run_id: str, exit_code: int | None, output: bytes) -> None:
        with self._lock:
            active = self._active.get(run_id)
        verdict = active.verdict if active is not None else ""
        if exit_code is not None and not verdict:
            self._settle(run_id, SUCCESS if exit_code == 0 else FAILED, exit_code, output)
        elif verdict == TIMEOUT:
            told = "The command was ended when its time was up."
            self._settle(run_id, TIMEOUT, None, output, "TaskTimeout", told)
        elif verdict == TERMINATED:
            self._settle(run_id, TERMINATED, None, output)
        else:
            told = "The instance ended while the command ran."
            self._settle(run_id, FAILED, None, output, "InstanceNotRunning", told)
        self._forget(run_id)

    def _forget(self, run_id: str) -> None:
        """Watch a command no more."""
        with self._lock:
            active = self._active.pop(run_id, None)
        if active is not None:
            active.timer.cancel()

    def _settle(
        self, run_id: str, status: str, exit_code: int | None, output: bytes, code: str = "", info: str = ""
    ) -> None:
        if self._closing.is_set():
            return

        def settle() -> None:
            run = self._runs.get(run_id)
            if run is not None and run.status == RUNNING:
                self._finish(run, status, exit_code, output, code, info)

        self._cloud.insist(settle, self._closing)

    def _finish(
        self, run: CommandRun, status: str, exit_code: int | None, output: bytes, code: str, info: str
    ) -> None:
        finished = replace(
            _with_output(run, output),
            status=status,
            exit_code=exit_code,
            finished_at=self._cloud.clock(),
            error_code=code,
            error_info=info,
        )
        self._runs.put(finished)


def _with_output(run: CommandRun, output: bytes) -> CommandRun:
    kept = output[-MAX_OUTPUT_BYTES:]
    return replace(run, output=base64.b64encode(kept).decode(), dropped=len(output) - len(kept))


def _errand_id(run_id: str) -> str:
    """Give a run's id as a folder can be called."""
    return run_id.replace("/", "-")
