"""A load balancer's data plane: an HAProxy that is kept at what a configuration says."""

from __future__ import annotations

import logging
import os
from collections.abc import Iterable
from pathlib import Path

from steelyard.errors import LocalCloudError
from steelyard.localcloud.hosts.supervised import AT_LARGE, Placement
from steelyard.localcloud.proxy.config import (
    ProxyConfig,
    ServerPool,
    left_by_cookie,
    pem_files,
    render_config,
    server_names,
    server_namespaces,
)
from steelyard.localcloud.proxy.drain import Drains, Watch
from steelyard.localcloud.proxy.health import (
    parse_statistics,
    render_state,
    server_rows,
    unhealthy_s,
)
from steelyard.localcloud.proxy.persistence import (
    settled_clients,
    settling_commands,
    unsettling_commands,
)
from steelyard.localcloud.proxy.process import HaproxyProcess
from steelyard.localcloud.proxy.runtime import RuntimeRefusal, ServerReconciler
from steelyard.localcloud.traffic.kept import KeptProcess
from steelyard.localcloud.traffic.server_status import ServerStatus

_MIN_LOOK_S, _MAX_LOOK_S = 1.0, 10.0

logger = logging.getLogger(__name__)


class ProxyBalancer(KeptProcess[HaproxyProcess, ProxyConfig]):
    """Runs one HAProxy while there is a listener, and changes it without losing a request.

    The configuration is the truth: the file on disk is always that of the last `apply`. Servers and weights change
    over the runtime interface, listeners by a reload that hands the open sockets and the servers' health over. An
    HAProxy that dies is started again.

    Args:
        name: The load balancer's id.
        directory: Folder of its files; made where it is missing.
        placement: Where its processes live.
    """

    def __init__(self, name: str, directory: Path, placement: Placement = AT_LARGE) -> None:
        super().__init__(name, directory, placement)
        self._config_path = directory / "haproxy.cfg"
        self._state_path = directory / "servers.state"
        self._pem_folder = directory / "certificates"
        # Processes with mounts of their own see the namespaces in which their servers are.
        self._doors = name if placement.mounts is not None else ""
        self._drains = Drains(self._cut, self._lock)
        self._watch = Watch(self._cut_unhealthy)

    def apply(self, config: ProxyConfig) -> None:
        """Bring HAProxy to a configuration, and wait until it is in force.

        Raises:
            LocalCloudError: If HAProxy cannot be started, e.g. because a port is taken, or refuses the configuration.
        """
        with self._lock:
            self._fulfil(config)
            timeouts = [timeout_s for _, timeout_s in _drained(config)]
            period_s = min(max(min(timeouts) / 10, _MIN_LOOK_S), _MAX_LOOK_S) if timeouts else None
            self._watch.keep(period_s if self._has_work(config) else None)

    def statuses(self) -> dict[tuple[str, str], ServerStatus]:
        """Return the status of each server by pool's and server's name; empty where nothing runs.

        Raises:
            LocalCloudError: If HAProxy does not answer.
        """
        with self._lock:
            if self._process is None or self._wish is None or not self._process.is_running:
                return {}
            found = parse_statistics(self._process.command("show stat"))
            names = server_names(self._wish)
        return {name: status for name, status in found.items() if name in names}

    def _cut(self, pool: str, server: str) -> None:
        """Close the connections to a server that was removed and has not come back."""
        with self._lock:
            process, config = self._process, self._wish
            if process is None or config is None or not process.is_running:
                return
            if (pool, server) in server_names(config):
                return
            try:
                process.close_with(pool, server)
            except LocalCloudError as err:
                logger.error("connections of %s to %s stay: %s", self._name, server, err)

    def _cut_unhealthy(self) -> None:
        """Close the connections to servers that have failed their checks for the time of their pool."""
        with self._lock:
            process, config = self._process, self._wish
            if process is None or config is None or not process.is_running:
                return
            try:
                rows = _rows(process)
                for pool, timeout_s in _drained(config):
                    for server in pool.servers:
                        row = rows.get((pool.name, server.name))
                        if row is not None and unhealthy_s(row) > timeout_s:
                            process.close_with(pool.name, server.name)
            except LocalCloudError as err:
                logger.error("connections of %s to unhealthy servers stay: %s", self._name, err)

    def _has_work(self, wish: ProxyConfig) -> bool:
        return bool(wish.listeners)

    def _end(self) -> None:
        self._drains.cancel()
        self._watch.keep(None)
        super()._end()

    def _new_process(self) -> HaproxyProcess:
        return HaproxyProcess(self._name, self._directory, self._config_path, self._on_end, self._placement)

    def _begin(self, process: HaproxyProcess, wish: ProxyConfig) -> None:
        self._write(wish, {})
        process.start()

    def _change(self, process: HaproxyProcess, wish: ProxyConfig) -> None:
        previous = self._wish
        if previous is None or _bare(previous) != _bare(wish):
            self._reload(process, wish)
        elif self._reconcile(process, [previous], wish):
            self._keep(process, previous, wish)
        else:
            self._reload(process, wish)
        if any(pool.source_persistence_s for pool in wish.pools):
            process.commands(unsettling_commands(wish, _rows(process)))
        self._drains.begin(previous, wish)

    def _keep(self, process: HaproxyProcess, previous: ProxyConfig, wish: ProxyConfig) -> None:
        """Write down what was changed at run time; what cannot be written, for want of room, is not kept running."""
        try:
            self._write(wish, _rows(process))
        except LocalCloudError:
            self._reconcile(process, [wish, previous], previous)
            raise

    def _reconcile(self, process: HaproxyProcess, known: Iterable[ProxyConfig], wish: ProxyConfig) -> bool:
        """Change the servers that HAProxy knows, and weights, at run time; False where it refuses."""
        namespaces = dict(item for config in known for item in server_namespaces(config).items())
        try:
            rows = _rows(process)
            ServerReconciler(process.command, namespaces).reconcile(wish, rows)
        except RuntimeRefusal as refusal:
            logger.info("%s reloads, because HAProxy refused a change at run time: %s", self._name, refusal)
            return False
        return True

    def _reload(self, process: HaproxyProcess, wish: ProxyConfig) -> None:
        rows = _rows(process)
        self._write(wish, rows)
        pools = [pool.name for pool in wish.pools if pool.source_persistence_s]
        clients = {pool: settled_clients(process.command(f"show table {pool}"), pool, rows) for pool in pools}
        try:
            process.reload()
        except LocalCloudError:
            if self._wish is not None:
                self._write(self._wish, {})
            raise
        # Whatever fails from here on, this is in force.
        previous, self._wish = self._wish, wish
        if self._doors:
            process.close_entrances()
        if any(clients.values()):
            rows = _rows(process)
            for pool in pools:
                process.commands(settling_commands(clients[pool], pool, rows))
        self._remove_stale_pem(wish)
        # No connection goes on through what is not there any more.
        if gone := _served_at(previous) - _served_at(wish):
            process.close_at(gone)
        if gone := _listeners(previous) - _listeners(wish):
            process.close_through(gone)

    def _write(self, config: ProxyConfig, rows: dict[tuple[str, str], list[str]]) -> None:
        texts = {
            **{self._pem_folder / name: text for name, text in pem_files(config).items()},
            self._config_path: render_config(
                config, str(self._state_path), str(self._pem_folder), self._doors
            ),
            self._state_path: render_state(config, rows),
        }
        try:
            for path, text in texts.items():
                path.parent.mkdir(mode=0o700, exist_ok=True)
                _write_whole(path, text)
        except OSError as err:
            raise LocalCloudError(f"files of {self._name} cannot be written: {err}") from err

    def _remove_stale_pem(self, config: ProxyConfig) -> None:
        """Remove the keys that are no longer used: HAProxy's older workers hold theirs in memory."""
        for path in set(self._pem_folder.glob("*.pem")) - {self._pem_folder / n for n in pem_files(config)}:
            path.unlink()


def _rows(process: HaproxyProcess) -> dict[tuple[str, str], list[str]]:
    return server_rows(process.command("show servers state"))


def _served_at(config: ProxyConfig | None) -> set[str]:
    return set() if config is None else {*config.addresses, *(place.address for place in config.inner)}


def _listeners(config: ProxyConfig | None) -> set[str]:
    return set() if config is None else {listener.name for listener in config.listeners}


def _drained(config: ProxyConfig) -> list[tuple[ServerPool, int]]:
    """Give the pools whose unhealthy servers keep their connections for a time, with that time in seconds."""
    return [
        (one, one.drain_timeout_s) for one in config.pools if one.check and one.drain_timeout_s is not None
    ]


def _bare(config: ProxyConfig) -> tuple[object, ...]:
    """Give what takes a reload where it changes."""
    backups = [{one.name for one in pool.servers if one.is_backup} for pool in config.pools]
    return config.with_servers(lambda servers: ()), list(map(left_by_cookie, config.pools)), backups


def _write_whole(path: Path, text: str) -> None:
    """Write a file in one step, for its owner alone: keys are among them, and nobody else's business."""
    draft = path.with_suffix(".draft")
    draft.unlink(missing_ok=True)
    with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
        file.write(text)
    draft.replace(path)
