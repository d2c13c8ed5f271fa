"""Starting this node's part of Ray: the head with the cluster's GCS, or a worker that joins it.

Ray's own `Node` is used in this process, not `ray start`: that saves the imports of Ray's command line, its API
server, its autoscaler and its client server, which nothing here needs, and leaves every daemon a child of this
process that dies with it. `Node` is private to Ray, so pyproject.toml pins the minor version; what is changed of it
stands in `_lean_node_class`.
"""

from __future__ import annotations

import hashlib
import hmac
import ipaddress
import logging
import time
import zlib
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from steelyard import settings
from steelyard.errors import NodeError

logger = logging.getLogger(__name__)

NAMESPACE = "steelyard"
"""Ray namespace of everything that Steelyard names in Ray."""

QUEUE_NAME = "job-queue"
"""Name of the actor that holds the jobs."""

NODE_ID_LABEL = "steelyard.dev/node-id"
INSTANCE_TYPE_LABEL = "steelyard.dev/instance-type"
IMITATED_SPEED_LABEL = "steelyard.dev/imitated-speed"
TAKES_WORK_LABEL = "steelyard.dev/takes-work"

_GCS_PORT = 6379
_FIRST_SHARED_PORT, _NUM_SHARED_PORTS = 20000, 10000
_SHARED_OBJECT_STORE_BYTES = 256 * 1024 * 1024
_POLL_PAUSE_S = 0.1
_LONGEST_POLL_PAUSE_S = 2.0
_HEAD_TIMEOUT_PER_CALL_S = 5.0
_SYSTEM_CONFIG = {
    "health_check_initial_delay_ms": 2000,
    "health_check_period_ms": 1000,
    "health_check_timeout_ms": 5000,
    "health_check_failure_threshold": 3,
}
"""A node that is killed is dead to Ray within about 4 s (default: 15 s and more)."""


@dataclass(frozen=True, kw_only=True)
class RayConfig:
    """What this node's part of Ray is started with.

    Attributes:
        role: `head` or `worker`.
        address: This node's private IPv4 address.
        head_address: The head's.
        temp_dir: Folder of Ray's session; short, because it holds Unix sockets.
        labels: Labels that Ray carries for this node.
        shares_machine: Whether other nodes run on the same machine.
    """

    role: str
    address: str
    head_address: str
    temp_dir: str
    labels: Mapping[str, str]
    shares_machine: bool

    @property
    def gcs_address(self) -> str:
        """Address and port of the cluster's GCS."""
        return f"{self.head_address}:{gcs_port(self.head_address)}"


def gcs_port(head_address: str) -> int:
    """Return the port of the GCS, which every node knows from the head's address alone.

    It is Ray's default; on a loopback address it comes from the address, so that the heads of several clusters on one
    machine do not take each other's port where the bind shim cannot be compiled.
    """
    if ipaddress.ip_address(head_address).is_loopback:
        return _FIRST_SHARED_PORT + zlib.crc32(head_address.encode()) % _NUM_SHARED_PORTS
    return _GCS_PORT


def ray_token(bearer_token: str) -> str:
    """Derive Ray's own token from the cluster's bearer token, which itself is never given to Ray."""
    return hmac.new(bearer_token.encode(), b"steelyard/ray", hashlib.sha256).hexdigest()


def ray_environment(*, token_file: Path, shim: Path | None, address: str) -> dict[str, str]:
    """Return the environment variables under which Ray runs, besides those it inherits.

    Args:
        token_file: File that holds Ray's token.
        shim: The bind shim's library, or None where there is none.
        address: The node's private address.
    """
    variables = {
        "RAY_AUTH_MODE": "token",
        "RAY_AUTH_TOKEN_PATH": str(token_file),
        "RAY_USAGE_STATS_ENABLED": "0",
        "RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO": "0",  # a worker without a share of Ray's GPUs sees them all the same
        "RAY_prestart_worker_first_driver": "0",  # the agent and the queue are all that runs here
        "RAY_gcs_rpc_server_reconnect_timeout_s": "20",  # a worker gives a dead head up, and waits for a new one
    }
    if shim is not None:
        variables |= {"LD_PRELOAD": str(shim), settings.BIND_ADDRESS: address}
    return variables


def start_ray(config: RayConfig, report: Callable[[str], None]) -> Any:
    """Start Ray's daemons on this node as children of this process; they die with it.

    Args:
        config: What to start.
        report: Told in words what is waited for.

    Returns:
        Ray's `Node`.

    Raises:
        NodeError: A daemon did not come up.
    """
    from ray._private.parameter import RayParams

    params_class: Any = RayParams  # its annotations do not say what it takes
    params = params_class(
        node_ip_address=config.address,
        node_name=config.address,
        temp_dir=config.temp_dir,
        labels=dict(config.labels),
        include_dashboard=False,
        include_log_monitor=False,
        no_monitor=True,
        dashboard_agent_listen_port=0,
    )
    if config.shares_machine:
        params.update(num_gpus=0, object_store_memory=_SHARED_OBJECT_STORE_BYTES)
    if config.role == "head":
        params.update(gcs_server_port=gcs_port(config.head_address), _system_config=dict(_SYSTEM_CONFIG))
    else:
        report(f"waiting for the head {config.head_address}")
        _wait_for_head(config.gcs_address)
        params.update(gcs_address=config.gcs_address)
    report("starting Ray")
    try:
        return _lean_node_class()(
            params, head=config.role == "head", shutdown_at_exit=False, spawn_reaper=True
        )
    except Exception as error:
        raise NodeError(
            f"Ray did not start on {config.address}: {error}",
            hint=f"see {config.temp_dir}/session_latest/logs",
        ) from error


def is_head_replaced(node: Any) -> bool:
    """Tell whether another head has taken the place of the one that a node joined; False where none answers.

    A raylet finds that out by itself only after half a minute.

    Args:
        node: What `start_ray` returned.
    """
    from ray import _raylet
    from ray.exceptions import RpcError

    raylet: Any = _raylet
    try:
        cluster_id = raylet.GcsClient(address=node.gcs_address).cluster_id
    except (RpcError, OSError, RuntimeError):
        return False
    return bool(cluster_id != node.cluster_id)


def _wait_for_head(gcs_address: str) -> None:
    """Wait until the head has registered itself with the GCS; Ray's own wait looks every 2 s only."""
    from ray import _raylet
    from ray.exceptions import RpcError

    raylet: Any = _raylet
    pause_s = _POLL_PAUSE_S
    while True:
        try:
            client = raylet.GcsClient(address=gcs_address)
            while not client.get_all_node_info(timeout=_HEAD_TIMEOUT_PER_CALL_S):
                time.sleep(_POLL_PAUSE_S)
            return
        except (RpcError, OSError, RuntimeError) as error:
            logger.debug("no GCS at %s yet: %s", gcs_address, error)
        time.sleep(pause_s)
        pause_s = min(1.5 * pause_s, _LONGEST_POLL_PAUSE_S)


def _lean_node_class() -> type[Any]:
    from ray._private.node import Node

    class LeanNode(Node):
        """Ray's node without API server and dashboard agent."""

        def start_api_server(self, *, include_dashboard: bool | None, raise_on_failure: bool) -> None:
            """Start none: the gateway is the API."""

        def start_raylet(self, *args: Any, **kwargs: Any) -> None:
            with _no_dashboard_agent(str(self._session_dir), str(self._node_id)):
                super().start_raylet(*args, **kwargs)

    return LeanNode


@contextmanager
def _no_dashboard_agent(session_dir: str, node_id: str) -> Iterator[None]:
    """Start raylets without a dashboard agent while this context is open.

    The agent costs over a second of CPU and 120 MB a node and opens an HTTP port on 127.0.0.1 that two nodes on one
    machine would fight for. The raylet insists on an agent command and on its port files: `cat` stands in, which ends
    when the raylet's pipe closes, with ports of -1, as Ray's minimal agent itself reports where it serves nothing.
    """
    from ray import _raylet
    from ray._private import services, utils

    raylet: Any = _raylet
    for name in ("METRICS_AGENT_PORT_NAME", "METRICS_EXPORT_PORT_NAME", "DASHBOARD_AGENT_LISTEN_PORT_NAME"):
        raylet.persist_port(session_dir, node_id, getattr(raylet, name), -1)
    start_process, find_error = services.start_ray_process, utils.get_dashboard_dependency_error
    flag = "--dashboard_agent_command="

    def start_without_agent(command: list[str], *args: Any, **kwargs: Any) -> Any:
        quiet = [f"{flag}cat" if part.startswith(flag) else part for part in command]
        return start_process(quiet, *args, **kwargs)

    services.start_ray_process = start_without_agent
    utils.get_dashboard_dependency_error = lambda: None  # finding out imports the whole dashboard
    try:
        yield
    finally:
        services.start_ray_process = start_process
        utils.get_dashboard_dependency_error = find_error
