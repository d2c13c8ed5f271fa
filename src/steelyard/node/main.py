"""`steelyard-node`: makes an instance a node of a cluster, until it is told to stop."""

from __future__ import annotations

import asyncio
import logging
import os
import shutil
import signal
import socket
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from steelyard import settings
from steelyard.errors import GatewayError, NodeError, SteelyardError
from steelyard.metadata import MetadataClient
from steelyard.node.cloud_api import CloudApi
from steelyard.node.config import NodeConfig, parse_arguments
from steelyard.node.figures import own_figures
from steelyard.node.health import Health, HealthStatus
from steelyard.node.identity import Identity, wait_for_identity
from steelyard.node.metric_reporter import MetricReporter, ReportTarget
from steelyard.node.process_tree import become_subreaper, descendants, end, end_descendants, with_variable
from steelyard.node.ray_bridge import BridgeConfig
from steelyard.node.ray_cluster import (
    IMITATED_SPEED_LABEL,
    INSTANCE_TYPE_LABEL,
    NODE_ID_LABEL,
    TAKES_WORK_LABEL,
    RayConfig,
    ray_environment,
    ray_token,
)
from steelyard.node.ray_process import RayProcess, bridge_environment
from steelyard.node.scale_in_watcher import ScaleInWatcher
from steelyard.node.server_group import server_group
from steelyard.node.shim import compile_shim
from steelyard.node.spot_watcher import SpotWatcher, grace_s
from steelyard.node.weight_controller import WeightController

if TYPE_CHECKING:
    import uvicorn

    from steelyard.node.gateway.counters import Counters

logger = logging.getLogger(__name__)

_HEAD_DRAIN_TIMEOUT_S = 6.0
_WORKER_DRAIN_TIMEOUT_S = 1.5
_WORKER_GRACE_S = 3.0
_STREAMS_GRACE_S = 1
_BACKLOG = 1024
_NOTICE_PAUSE_S = 2.0
_RETIRE_TIMEOUT_S = 60.0


def read_token(path: Path) -> str:
    """Return the bearer token that a file holds.

    Raises:
        NodeError: There is none.
    """
    try:
        token = path.read_text().strip()
    except OSError as error:
        raise NodeError(f"the token file {path} cannot be read: {error.strerror}") from error
    if not token:
        raise NodeError(f"the token file {path} is empty")
    return token


class Node:
    """A node: its gateway, and Ray below it.

    Args:
        config: What it is started with.
        environment: The environment variables, for what it starts.
    """

    def __init__(self, config: NodeConfig, environment: Mapping[str, str]) -> None:
        self._config = config
        self._environment = environment
        self._health = Health(on_change=self._on_health)
        self._identity: Identity | None = None
        self._is_shimmed = False
        self._counters: Counters | None = None

    async def run(self) -> None:
        """Run until SIGTERM or SIGINT; what was started is ended then.

        Raises:
            NodeError: The node cannot start.
        """
        stop = asyncio.Event()
        for number in (signal.SIGTERM, signal.SIGINT):
            asyncio.get_running_loop().add_signal_handler(number, stop.set)
        token = read_token(self._config.token_file)
        client = MetadataClient(self._config.metadata_url)
        identity = self._identity = await asyncio.to_thread(wait_for_identity, client)
        listener = _listen(identity.private_ip, self._config.gateway_port)
        temp_dir = Path(tempfile.mkdtemp(prefix="sy-"))
        try:
            with listener:
                ray_process = self._create_ray_process(identity, token, temp_dir)
                ray_process.launch()
                asyncio.get_running_loop().add_signal_handler(signal.SIGCHLD, ray_process.reap)
                server = self._create_server(identity, ray_process, token)
                await self._serve(server, listener, ray_process, stop)
        finally:
            left = await asyncio.to_thread(end_descendants, grace_s=0.5)
            if left:
                logger.error("still alive: %s", ", ".join(str(process.pid) for process in left))
            shutil.rmtree(temp_dir, ignore_errors=True)

    async def _serve(
        self, server: uvicorn.Server, listener: socket.socket, ray_process: RayProcess, stop: asyncio.Event
    ) -> None:
        watching = asyncio.gather(
            self._leave_on_notice(ray_process),
            self._leave_on_scale_in(ray_process),
            self._follow_speed(ray_process),
            self._report_figures(ray_process),
        )
        serving = asyncio.create_task(server.serve(sockets=[listener]))
        keeping = asyncio.create_task(ray_process.run())
        stopping = asyncio.create_task(stop.wait())
        done, _ = await asyncio.wait({serving, keeping, stopping}, return_when=asyncio.FIRST_COMPLETED)
        self._health.drain()
        watching.cancel()
        if stopping in done:
            await self._drain(ray_process)
        keeping.cancel()
        server.should_exit = True
        await ray_process.stop()
        await asyncio.gather(serving, watching, return_exceptions=True)
        for task in done - {stopping}:
            task.result()

    async def _leave_on_notice(self, ray_process: RayProcess) -> None:
        """Take no more jobs once the cloud wants the instance back, and let its workers end the step they are in."""
        assert self._identity is not None
        node_id = self._identity.node_id
        end = await SpotWatcher(MetadataClient(self._config.metadata_url)).notice()
        left_s = grace_s(end, datetime.now(UTC))
        logger.warning("node %s is taken back at %s: its workers have %.0f s", node_id, end, left_s)
        self._health.drain(f"draining: the instance is taken back at {end:%Y-%m-%dT%H:%M:%SZ}")
        while True:  # a job queue that is started anew, or another Ray of this node, knows nothing of it
            left_s = grace_s(end, datetime.now(UTC))
            timeout_s = left_s + _HEAD_DRAIN_TIMEOUT_S
            await self._tell_leaving(ray_process, "drain", timeout_s=timeout_s, grace_s=left_s)
            await asyncio.sleep(_NOTICE_PAUSE_S)

    async def _leave_on_scale_in(self, ray_process: RayProcess) -> None:
        """Take no more jobs once the scaling group takes the node away, and tell it when no job needs the node."""
        if not self._config.is_elastic:
            return
        assert self._identity is not None
        node_id = self._identity.node_id
        watcher = ScaleInWatcher(
            self._cloud_api(self._identity), node_id=node_id, cluster=self._config.cluster
        )
        waits = await watcher.notice()
        logger.warning("node %s is taken away by its scaling group", node_id)
        self._health.drain("draining: the scaling group takes the instance away")
        is_complete = False
        while True:  # see `_leave_on_notice`
            jobs = await self._tell_leaving(ray_process, "retire", timeout_s=_RETIRE_TIMEOUT_S)
            if jobs == [] and not is_complete:
                is_complete = True
                try:
                    await watcher.complete(waits)
                except NodeError as error:
                    logger.warning(
                        "the scaling group was not told that the node has drained: %s", error.message
                    )
            await asyncio.sleep(_NOTICE_PAUSE_S)

    async def _tell_leaving(self, ray_process: RayProcess, method: str, **arguments: float) -> Any:
        """Tell the job queue that this node leaves, and return its answer; None where it does not hear it."""
        assert self._identity is not None
        try:
            return await ray_process.call(method, node_id=self._identity.node_id, **arguments)
        except GatewayError as error:
            logger.warning("the job queue was not told that the node leaves: %s", error.message)
            return None

    async def _follow_speed(self, ray_process: RayProcess) -> None:
        """Set the weights in the load balancer's server group by the measured speed, where that was asked for."""
        if self._config.server_group is None:
            return
        from steelyard.node.gateway.weight_gauges import WeightGauges

        assert self._identity is not None
        assert self._counters is not None
        group = server_group(*self._config.server_group, self._cloud_api(self._identity))
        await WeightController(ray_process, group, WeightGauges(self._counters.registry)).run()

    async def _report_figures(self, ray_process: RayProcess) -> None:
        """Report the node's figures to CloudMonitor, and on the head the cluster's, where that was asked for."""
        report = self._config.report
        if report is None:
            return
        identity = self._identity
        assert identity is not None
        target = ReportTarget(
            cluster=self._config.cluster,
            group=report.node_group,
            node_id=identity.node_id,
            monitor_group_id=report.monitor_group,
            every_s=report.every_s,
        )
        # On the local cloud, whose address the node is told, all instances stand on one machine.
        shares_machine = identity.shares_machine or bool(self._config.cloud_endpoint)
        reporter = MetricReporter(
            self._cloud_api(identity),
            target=target,
            own=own_figures(identity, shares_machine=shares_machine),
            queue=ray_process if self._config.role == "head" else None,
        )
        await reporter.run()

    def _cloud_api(self, identity: Identity) -> CloudApi:
        """Return a way to the cloud of its own: it is for one caller at a time."""
        return CloudApi(
            MetadataClient(self._config.metadata_url),
            region_id=identity.region_id,
            endpoint=self._config.cloud_endpoint,
        )

    async def _drain(self, ray_process: RayProcess) -> None:
        """Have the queue end this node's jobs, and end their workers here even where it does not answer."""
        assert self._identity is not None
        # The head waits for the records of its jobs' ends; a worker's are written by the head while it goes on.
        timeout_s = _HEAD_DRAIN_TIMEOUT_S if self._config.role == "head" else _WORKER_DRAIN_TIMEOUT_S
        try:
            await ray_process.call("drain", timeout_s=timeout_s, node_id=self._identity.node_id)
        except GatewayError as error:
            logger.info("jobs on this node are ended without the job queue: %s", error.message)
        workers = with_variable(descendants(), settings.JOB_ID)
        await asyncio.to_thread(end, workers, grace_s=_WORKER_GRACE_S)

    def _create_ray_process(self, identity: Identity, token: str, temp_dir: Path) -> RayProcess:
        config = self._config
        token_file = temp_dir / "token"
        token_file.touch(mode=0o600)
        token_file.write_text(ray_token(token))
        config.data_dir.mkdir(parents=True, exist_ok=True, mode=0o700)
        shim = compile_shim(config.data_dir / "shim")
        self._is_shimmed = shim is not None
        variables = ray_environment(token_file=token_file, shim=shim, address=identity.private_ip)
        variables[settings.WORK_DIR] = str(config.data_dir / "work")
        ray = RayConfig(
            role=config.role,
            address=identity.private_ip,
            head_address=config.head_address or identity.private_ip,
            temp_dir=str(temp_dir / "ray"),
            labels=_labels(identity, takes_work=config.takes_work),
            shares_machine=identity.shares_machine,
        )
        bridge = BridgeConfig(
            ray=ray,
            data_dir=str(config.data_dir / "jobs"),
        )
        return RayProcess(bridge, bridge_environment(self._environment, variables), self._health)

    def _create_server(self, identity: Identity, ray_process: RayProcess, token: str) -> uvicorn.Server:
        # Imported here, so that Ray's process starts before this one loads the web framework.
        from steelyard.node.gateway.app import create_app
        from steelyard.node.gateway.context import Gateway
        from steelyard.node.gateway.counters import create_counters
        from steelyard.node.gateway.server import create_server

        self._counters = create_counters()
        gateway = Gateway(
            identity=identity,
            role=self._config.role,
            health=self._health,
            queue=ray_process,
            counters=self._counters,
            is_shimmed=self._is_shimmed,
        )
        return create_server(create_app(gateway, token), grace_s=_STREAMS_GRACE_S)

    def _on_health(self, status: HealthStatus) -> None:
        if not status.is_healthy or self._identity is None:
            return
        where = (
            "to the private address alone" if self._is_shimmed else "to every interface: no C compiler here"
        )
        logger.info(
            "node %s is ready after %.1f s: %s of %s, gateway http://%s:%d, Ray is bound %s",
            self._identity.node_id,
            time.monotonic() - self._config.started_at,
            self._config.role,
            self._config.cluster,
            self._identity.private_ip,
            self._config.gateway_port,
            where,
        )


def _labels(identity: Identity, *, takes_work: bool) -> dict[str, str]:
    labels = {NODE_ID_LABEL: identity.node_id, INSTANCE_TYPE_LABEL: identity.instance_type}
    if not takes_work:
        labels[TAKES_WORK_LABEL] = "no"
    if identity.imitated_speed is not None:
        labels[IMITATED_SPEED_LABEL] = repr(identity.imitated_speed)
    return labels


def _listen(address: str, port: int) -> socket.socket:
    try:
        return socket.create_server((address, port), backlog=_BACKLOG)
    except OSError as error:
        raise NodeError(
            f"the gateway cannot listen on {address}:{port}: {error.strerror}",
            hint="is another steelyard-node running on this instance?",
        ) from error


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a node; the exit code is 0 where it was told to stop."""
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s: %(message)s")
    config = parse_arguments(sys.argv[1:] if arguments is None else arguments, os.environ)
    become_subreaper()
    try:
        asyncio.run(Node(config, os.environ).run())
    except SteelyardError as error:
        logger.error("%s%s", error.message, f" ({error.hint})" if error.hint else "")
        return error.exit_code
    return 0


if __name__ == "__main__":
    sys.exit(main())
