"""Runs a Pulumi program on a thread and a loop of its own, and watches over it."""

from __future__ import annotations

import asyncio
import logging
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from typing import Any

from pulumi.runtime import config as pulumi_config
from pulumi.runtime import settings, stack

from steelyard.deploy.engine.program_context import ProgramContext

log = logging.getLogger(__name__)

Program = Callable[[], Any]
"""An inline Pulumi program: called without arguments, it declares resources and exports; may be async."""

_TICK_S = 0.2
_GRACE_S = 2.0


class ProgramRun:
    """One execution of a program against a monitor.

    The SDK keeps its settings in context variables, so that runs in several threads do not meet.

    Args:
        program: The program.
        context: What it runs in.
    """

    def __init__(self, program: Program, context: ProgramContext) -> None:
        self._program = program
        self._context = context
        self._run = context.run
        self._ended = threading.Event()
        self._error: BaseException | None = None
        self._loop = asyncio.new_event_loop()
        self._task: asyncio.Task[None] | None = None

    def execute(self) -> None:
        """Run the program to its end.

        Raises:
            DeployError: If the program hangs.
            KeyboardInterrupt: When what was going on has ended and is in the state.
            BaseException: What a resource, the program or one of its applies raised, as it was raised.
        """
        thread = threading.Thread(target=self._work, name="pulumi-program", daemon=True)
        thread.start()
        try:
            while not self._ended.wait(_TICK_S):
                self._context.refuse_idling()
        except BaseException:
            self._stop()
            raise
        thread.join()
        failure = self._run.error or self._error
        if failure is not None:
            raise failure

    def _stop(self) -> None:
        """Let what is being done end, and leave the program."""
        self._run.cancel()
        if self._task is not None:
            with suppress(RuntimeError):  # the program may end at this very moment, and its loop with it
                self._loop.call_soon_threadsafe(self._task.cancel)
        while self._run.num_active:
            self._ended.wait(_TICK_S)
        # Code of the program that blocks cannot be ended: its thread dies with the process.
        self._ended.wait(_GRACE_S)

    def _work(self) -> None:
        executor = ThreadPoolExecutor(self._run.parallel, thread_name_prefix="pulumi-rpc")
        self._loop.set_default_executor(executor)
        self._loop.set_exception_handler(_on_loop_error)
        try:
            self._task = self._loop.create_task(self._main())
            self._loop.run_until_complete(self._task)
        except BaseException as err:  # noqa: BLE001  handed to the thread that waits, whatever it is
            self._error = err
        finally:
            self._loop.run_until_complete(_cancel_all(self._loop))
            self._loop.run_until_complete(self._loop.shutdown_default_executor())
            self._loop.close()
            self._ended.set()

    async def _main(self) -> None:
        settings.reset_options(project=self._run.project, stack=self._run.stack, preview=self._run.is_preview)
        settings.configure(
            settings.Settings(
                project=self._run.project,
                stack=self._run.stack,
                monitor=self._context.monitor,
                engine=self._context.engine,
                parallel=self._run.parallel,
                dry_run=self._run.is_preview,
                root_directory=str(Path.cwd()),
            )
        )
        pulumi_config.set_all_config(dict(self._context.config), list(self._context.secret_keys))
        await stack.run_in_stack(self._program)


async def _cancel_all(loop: asyncio.AbstractEventLoop) -> None:
    rest = [task for task in asyncio.all_tasks(loop) if task is not asyncio.current_task()]
    for task in rest:
        task.cancel()
    await asyncio.gather(*rest, return_exceptions=True)


def _on_loop_error(loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
    """Keep asyncio from printing the hundreds of futures that fail in the wake of one failure."""
    log.debug("%s: %r", context.get("message"), context.get("exception"))
