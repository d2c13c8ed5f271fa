"""The gateway's side of Ray: starts the bridge, knows how it is, starts another when it dies, and calls through it."""

from __future__ import annotations

import asyncio
import dataclasses
import logging
import socket
import subprocess
import sys
from collections.abc import Mapping
from contextlib import suppress
from typing import Any

from steelyard.errors import GatewayError
from steelyard.node.frame import pack_frame, read_frame
from steelyard.node.health import Health
from steelyard.node.process_tree import end_descendants, reap_orphans
from steelyard.node.ray_bridge import BridgeConfig
from steelyard.training.worker import die_with_parent

logger = logging.getLogger(__name__)

_FIRST_PAUSE_S = 1.0
_LONGEST_PAUSE_S = 30.0
_END_TIMEOUT_S = 8.0
_CLEAR_GRACE_S = 0.5


class RayProcess:
    """The process that holds this node's part of Ray.

    Args:
        config: What it starts.
        environment: All of its environment.
        health: Told how it is.
    """

    def __init__(self, config: BridgeConfig, environment: Mapping[str, str], health: Health) -> None:
        self._config = config
        self._environment = dict(environment)
        self._health = health
        self._process: subprocess.Popen[bytes] | None = None
        self._connection: socket.socket | None = None
        self._writer: asyncio.StreamWriter | None = None
        self._answers: dict[int, asyncio.Future[dict[str, Any]]] = {}
        self._next_id = 0
        self.num_restarts = 0

    def launch(self) -> None:
        """Start the process; `run` then takes care of it."""
        ours, theirs = socket.socketpair()
        with theirs:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "steelyard.node.ray_bridge", str(theirs.fileno())],
                env=self._environment,
                stdin=subprocess.DEVNULL,
                pass_fds=[theirs.fileno()],
                start_new_session=True,
                preexec_fn=die_with_parent(),
            )
        with suppress(ConnectionError):  # it may have ended already, which `run` sees
            ours.sendall(pack_frame(dataclasses.asdict(self._config)))
        self._connection = ours

    async def run(self) -> None:
        """Keep the process running for ever: when it ends, clear up what it left and start another."""
        pause_s = _FIRST_PAUSE_S
        while True:
            if self._process is None:
                self.launch()
            was_ready = await self._serve()
            pause_s = _FIRST_PAUSE_S if was_ready else pause_s
            self._health.set_reason(f"Ray ended and is started again in {pause_s:.0f} s")
            await asyncio.to_thread(end_descendants, grace_s=_CLEAR_GRACE_S)
            await asyncio.sleep(pause_s)
            pause_s = min(2 * pause_s, _LONGEST_PAUSE_S)
            self.num_restarts += 1

    async def call(self, method: str, *, timeout_s: float = 10.0, **arguments: Any) -> Any:
        """Call the job queue.

        Args:
            method: An operation of `JobService`.
            timeout_s: How long to wait for its answer, in seconds.
            arguments: The operation's.

        Raises:
            GatewayError: The job queue refused, cannot be reached, or did not answer in time.
        """
        if self._writer is None:
            raise GatewayError(f"this node is not ready: {self._health.reason}", status=503)
        self._next_id += 1
        call_id = self._next_id
        answer = self._answers[call_id] = asyncio.get_running_loop().create_future()
        try:
            # No wait_for: Python 3.11's takes an answer that comes as it is cancelled, and goes on.
            async with asyncio.timeout(timeout_s):
                self._writer.write(pack_frame({"id": call_id, "method": method, "arguments": arguments}))
                await self._writer.drain()
                message = await answer
        except TimeoutError:
            raise GatewayError(
                f"the job queue on the head did not answer within {timeout_s:.0f} s", status=503
            ) from None
        except ConnectionError as error:
            raise GatewayError(f"Ray on this node has ended: {error}", status=503) from error
        finally:
            self._answers.pop(call_id, None)
        if "error" in message:
            raise GatewayError(**message["error"])
        return message["result"]

    def reap(self) -> None:
        """Collect the exit codes of what this process inherited as a subreaper; for SIGCHLD."""
        reap_orphans(keep=None if self._process is None else self._process.pid)

    async def stop(self) -> None:
        """End the process, and with it Ray."""
        if self._process is None:
            return
        self._process.terminate()
        try:
            async with asyncio.timeout(_END_TIMEOUT_S):
                await asyncio.to_thread(self._process.wait)
        except TimeoutError:
            self._process.kill()

    async def _serve(self) -> bool:
        """Read what the process says until it ends; return whether it was ready at some time."""
        assert self._connection is not None
        assert self._process is not None
        reader, writer = await asyncio.open_connection(sock=self._connection)
        was_ready = False
        try:
            while (message := await read_frame(reader)) is not None:
                if "state" in message:
                    was_ready |= message["state"] == "ready"
                    self._writer = writer if was_ready else None
                    self._note(message["state"], message["detail"])
                else:
                    self._give(message)
        finally:
            self._writer = None
            writer.close()
            self._connection = None
            self._fail_answers()
        await self._wait_for_exit()
        return was_ready

    async def _wait_for_exit(self) -> None:
        assert self._process is not None
        try:
            async with asyncio.timeout(_END_TIMEOUT_S):
                code = await asyncio.to_thread(self._process.wait)
            logger.warning("Ray's process ended with exit code %s", code)
        except TimeoutError:
            logger.warning("Ray's process does not end; it is killed")
            self._process.kill()
            await asyncio.to_thread(self._process.wait)
        self._process = None

    def _note(self, state: str, detail: str) -> None:
        if state == "ready":
            self._health.set_reason(None)
        else:
            self._health.set_reason(detail)

    def _give(self, message: dict[str, Any]) -> None:
        answer = self._answers.get(message.pop("id", 0))
        if answer is not None and not answer.done():
            answer.set_result(message)

    def _fail_answers(self) -> None:
        for answer in self._answers.values():
            if not answer.done():
                answer.set_exception(ConnectionError("Ray's process ended"))


def bridge_environment(base: Mapping[str, str], ray_variables: Mapping[str, str]) -> dict[str, str]:
    """Return the environment of the bridge: the node's own, without settings of another Ray."""
    kept = {name: value for name, value in base.items() if not name.startswith("RAY_")}
    if "LD_PRELOAD" in base and "LD_PRELOAD" in ray_variables:
        return (
            kept | dict(ray_variables) | {"LD_PRELOAD": f"{ray_variables['LD_PRELOAD']}:{base['LD_PRELOAD']}"}
        )
    return kept | dict(ray_variables)
