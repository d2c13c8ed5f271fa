"""The process that holds this node's part of Ray, and carries calls between the gateway and the job queue.

It is apart from the gateway's process because Ray ends the process that is connected to it when its raylet dies:
the gateway goes on answering, and starts another of these. `python -m steelyard.node.ray_bridge FD`, where FD is a
socket: the first message in is the configuration, the messages out are `{"state", "detail"}` and answers to calls.
"""

from __future__ import annotations

import asyncio
import logging
import os
import signal
import socket
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from steelyard.errors import NodeError, SteelyardError
from steelyard.node.frame import pack_frame, read_frame, read_frame_now
from steelyard.node.ray_cluster import NAMESPACE, QUEUE_NAME, RayConfig, is_head_replaced, start_ray

logger = logging.getLogger(__name__)

_PING_PAUSE_S = 1.0
_PING_TIMEOUT_S = 5.0
_FIND_PAUSE_S = 0.1


@dataclass(frozen=True, kw_only=True)
class BridgeConfig:
    """What the gateway's process tells this one to start.

    Attributes:
        ray: This node's part of Ray.
        data_dir: Where the head keeps jobs.
    """

    ray: RayConfig
    data_dir: str


class Bridge:
    """Serves one gateway.

    Args:
        config: What to start.
        connection: The socket to the gateway's process.
    """

    def __init__(self, config: BridgeConfig, connection: socket.socket) -> None:
        self._config = config
        self._connection = connection
        self._writer: asyncio.StreamWriter | None = None
        self._node: Any = None
        self._queue: Any = None
        self._calls: set[asyncio.Task[None]] = set()

    def start(self) -> None:
        """Start Ray, connect to it, and find the job queue; the head makes it.

        Raises:
            NodeError: Ray did not come up.
        """
        import ray

        self._node = start_ray(self._config.ray, self._report)
        self._report("connecting to Ray")
        ray.init(
            address=self._config.ray.gcs_address,
            namespace=NAMESPACE,
            _node_ip_address=self._config.ray.address,
            log_to_driver=False,
            configure_logging=False,
        )
        self._report("waiting for the job queue")
        self._queue = self._make_queue() if self._config.ray.role == "head" else None

    async def serve(self) -> None:
        """Answer calls until the gateway's process closes the socket, asks to end, or the raylet dies.

        Raises:
            NodeError: The raylet died.
        """
        loop = asyncio.get_running_loop()
        stop = asyncio.Event()
        loop.add_signal_handler(signal.SIGTERM, stop.set)
        reader, self._writer = await asyncio.open_connection(sock=self._connection)
        tasks = {
            asyncio.create_task(self._serve_calls(reader)),
            asyncio.create_task(self._watch()),
            asyncio.create_task(stop.wait()),
        }
        try:
            done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
            for task in done:
                task.result()
        finally:
            for task in tasks | self._calls:
                task.cancel()
            await asyncio.gather(*tasks, *self._calls, return_exceptions=True)
            self._writer.close()

    def close(self) -> None:
        """End Ray's daemons."""
        if self._node is not None:
            self._node.kill_all_processes(check_alive=False, allow_graceful=True)

    def _make_queue(self) -> Any:
        import ray
        from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

        from steelyard.node.job.actor import JobQueueActor

        strategy = NodeAffinitySchedulingStrategy(ray.get_runtime_context().get_node_id(), soft=False)
        actor = ray.remote(JobQueueActor).options(
            name=QUEUE_NAME,
            namespace=NAMESPACE,
            lifetime="detached",
            get_if_exists=True,
            num_cpus=0,
            max_restarts=-1,
            max_concurrency=1000,
            scheduling_strategy=strategy,
        )
        return actor.remote(self._config.data_dir)

    async def _find_queue(self) -> Any:
        import ray

        while True:
            try:
                return ray.get_actor(QUEUE_NAME, namespace=NAMESPACE)
            except ValueError:
                await asyncio.sleep(_FIND_PAUSE_S)

    async def _watch(self) -> None:
        """Say how the node is whenever that changes: it is ready while the job queue answers it."""
        if self._queue is None:
            self._queue = await self._find_queue()
        last: tuple[str, str] | None = None
        while True:
            state = await self._look()
            if state != last:
                await self._post({"state": state[0], "detail": state[1]})
                last = state
            if state[0] != "ready" and await asyncio.to_thread(is_head_replaced, self._node):
                raise NodeError("the head was started anew; Ray on this node joins it again")
            await asyncio.sleep(_PING_PAUSE_S)

    async def _look(self) -> tuple[str, str]:
        import ray

        self._check_daemons()
        try:
            async with asyncio.timeout(_PING_TIMEOUT_S):
                await self._ask("ping", {"ray_node_id": self._node.node_id})
        except TimeoutError:
            return "unhealthy", f"the job queue on the head did not answer within {_PING_TIMEOUT_S:.0f} s"
        except ray.exceptions.RayError as error:
            return "unhealthy", f"the job queue on the head does not answer: {type(error).__name__}"
        return "ready", ""

    def _check_daemons(self) -> None:
        for process_type, process in self._node.dead_processes():
            raise NodeError(f"Ray's {process_type} ended with exit code {process.returncode}")

    async def _serve_calls(self, reader: asyncio.StreamReader) -> None:
        while (message := await read_frame(reader)) is not None:
            task = asyncio.create_task(self._serve_call(message))
            self._calls.add(task)
            task.add_done_callback(self._calls.discard)

    async def _serve_call(self, message: Mapping[str, Any]) -> None:
        import ray

        try:
            answer = await self._ask(message["method"], message["arguments"])
        except ray.exceptions.RayError as error:
            text = f"the job queue on the head does not answer: {type(error).__name__}"
            answer = {
                "error": {"message": text, "hint": "is the head up? See `steelyard status`", "status": 503}
            }
        await self._post({"id": message["id"], **answer})

    async def _ask(self, method: str, arguments: Mapping[str, Any]) -> dict[str, Any]:
        answer: dict[str, Any] = await self._queue.call.remote(method, dict(arguments))
        return answer

    async def _post(self, message: Mapping[str, Any]) -> None:
        assert self._writer is not None
        self._writer.write(pack_frame(message))
        await self._writer.drain()

    def _report(self, detail: str) -> None:
        self._connection.sendall(pack_frame({"state": "starting", "detail": detail}))


def _read_config(connection: socket.socket) -> BridgeConfig:
    with connection.makefile("rb") as file:
        message = read_frame_now(file)
    if message is None:
        raise NodeError("the gateway's process ended before it told what to start")
    return BridgeConfig(**{**message, "ray": RayConfig(**message["ray"])})


def main() -> int:
    """Run a bridge; the exit code is 0 where it was asked to end."""
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s: %(message)s")
    descriptor = int(sys.argv[1])
    os.set_inheritable(descriptor, False)
    connection = socket.socket(fileno=descriptor)
    connection.setblocking(True)
    bridge: Bridge | None = None
    try:
        bridge = Bridge(_read_config(connection), connection)
        bridge.start()
        asyncio.run(bridge.serve())
    except SteelyardError as error:
        logger.error("%s%s", error.message, f" ({error.hint})" if error.hint else "")
        return 1
    finally:
        if bridge is not None:
            bridge.close()
    return 0


if __name__ == "__main__":
    exit_code = main()
    logging.shutdown()
    os._exit(exit_code)  # Ray's own farewell waits for seconds on a head that is gone
