"""Runs a Pulumi program in a process of its own, as Pulumi's CLI does."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import threading
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from steelyard.deploy.engine import program_host
from steelyard.deploy.engine.program_context import ProgramContext
from steelyard.deploy.engine.service import MonitorService
from steelyard.deploy.report import Message
from steelyard.errors import DeployError

_TICK_S = 0.1
_GRACE_S = 2.0


@dataclass(frozen=True, kw_only=True)
class ProcessProgram:
    """A program that is a project's own: a file or a folder, run by the project's interpreter.

    Attributes:
        interpreter: The Python that has what the project imports, Pulumi's SDK among it.
        folder: Working directory, and first on `sys.path`.
        entry: File that is run, or folder with a `__main__.py`.
        root: Folder of `Pulumi.yaml`.
    """

    interpreter: Path
    folder: Path
    entry: Path
    root: Path


class ProcessRun:
    """One execution of a program in a child process against a monitor.

    Args:
        program: The program.
        context: What it runs in.
    """

    def __init__(self, program: ProcessProgram, context: ProgramContext) -> None:
        self._program = program
        self._context = context
        self._run = context.run

    def execute(self) -> None:
        """Run the program to its end.

        Raises:
            DeployError: If the program fails or hangs, or its interpreter has no Pulumi SDK.
            KeyboardInterrupt: When what was going on has ended and is in the state.
            BaseException: What a resource raised, as it was raised.
        """
        with MonitorService(
            self._context.monitor, self._context.engine, parallel=self._run.parallel
        ) as service:
            child = self._start()
            listener = threading.Thread(target=self._listen, args=(child.stdout,), daemon=True)
            listener.start()
            try:
                self._order(child, service.address)
                exit_code = self._wait(child)
            except BaseException:
                self._run.cancel()
                while self._run.num_active:
                    listener.join(_TICK_S)
                raise
            finally:
                _end(child)
                listener.join(_GRACE_S)
        failure = self._run.error or (service.refusal if exit_code else None)
        if failure is not None:
            raise failure
        if exit_code:
            raise self._failure(exit_code)

    def _start(self) -> subprocess.Popen[bytes]:
        return subprocess.Popen(
            [str(self._program.interpreter), program_host.__file__],
            cwd=self._program.folder,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            # Ctrl-C is for this process, which lets what is being done end first.
            start_new_session=True,
        )

    def _order(self, child: subprocess.Popen[bytes], address: str) -> None:
        """Tell the child what to run; the configuration, secrets among it, shows in no list of processes."""
        order = {
            "address": address,
            "folder": str(self._program.folder),
            "entry": str(self._program.entry),
            "root": str(self._program.root),
            "project": self._run.project,
            "stack": self._run.stack,
            "parallel": self._run.parallel,
            "is_preview": self._run.is_preview,
            "config": dict(self._context.config),
            "secret_keys": list(self._context.secret_keys),
        }
        assert child.stdin is not None
        # A child that ended at once tells why by its exit code.
        with suppress(BrokenPipeError):
            child.stdin.write(json.dumps(order).encode() + b"\n")
            child.stdin.flush()

    def _listen(self, output: IO[bytes]) -> None:
        with output:
            for line in output:
                text = line.decode(errors="replace").rstrip()
                self._run.reporter.log(Message(severity="info", text=text))

    def _wait(self, child: subprocess.Popen[bytes]) -> int:
        while True:
            try:
                return child.wait(_TICK_S)
            except subprocess.TimeoutExpired:
                pass
            self._context.refuse_idling()

    def _failure(self, exit_code: int) -> DeployError:
        if exit_code == program_host.NO_SDK_EXIT_CODE:
            return DeployError(
                f"{self._program.interpreter} has no Pulumi SDK",
                "install what the project needs: pip install -r requirements.txt",
            )
        errors = [message.text for message in self._run.reporter.messages if message.severity == "error"]
        if not errors:
            return DeployError(f"the program ended with exit code {exit_code}", "see what it printed")
        *before, last = errors[-1].strip().splitlines()
        return DeployError(f"the program failed: {last}", "\n".join(before))


def _end(child: subprocess.Popen[bytes]) -> None:
    """End the child and what it started: its end of input first, then by force."""
    if child.stdin is not None:
        with suppress(BrokenPipeError):
            child.stdin.close()
    try:
        child.wait(_GRACE_S)
    except subprocess.TimeoutExpired:
        os.killpg(child.pid, signal.SIGKILL)
        child.wait()
