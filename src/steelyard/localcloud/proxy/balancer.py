"""A load balancer's data plane: an HAProxy that is kept at what a configuration says."""

from __future__ import annotations

import logging
import os
import shutil
import threading
import time
from pathlib import Path

from steelyard.errors import LocalCloudError
from steelyard.localcloud.hosts.supervised import AT_LARGE, Placement
from steelyard.localcloud.proxy.config import ProxyConfig, pem_files, render_config, server_names
from steelyard.localcloud.proxy.drain import Drains
from steelyard.localcloud.proxy.health import ServerStatus, parse_statistics, render_state, server_rows
from steelyard.localcloud.proxy.process import HaproxyProcess
from steelyard.localcloud.proxy.runtime import RuntimeRefusal, ServerReconciler

_MIN_LIFE_S = 5.0

logger = logging.getLogger(__name__)


class ProxyBalancer:
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
        self._placement = placement
        self._name = name
        self._directory = directory
        self._config_path = directory / "haproxy.cfg"
        self._state_path = directory / "servers.state"
        self._pem_folder = directory / "certificates"
        self._config: ProxyConfig | None = None
        self._process: HaproxyProcess | None = None
        self._started_at = 0.0
        self._lock = threading.RLock()
        self._drains = Drains(self._cut)

    def apply(self, config: ProxyConfig) -> None:
        """Bring HAProxy to a configuration, and wait until it is in force.

        Raises:
            LocalCloudError: If HAProxy cannot be started, e.g. because a port is taken, or refuses the configuration.
        """
        with self._lock:
            if not config.listeners:
                self._end()
            elif self._process is None or not self._process.is_running:
                self._start(config)
            else:
                self._change(self._process, config)
                self._drains.begin(self._config, config)
            self._config = config

    def statuses(self) -> dict[tuple[str, str], ServerStatus]:
        """Return the status of each server by pool's and server's name; empty where nothing runs.

        Raises:
            LocalCloudError: If HAProxy does not answer.
        """
        with self._lock:
            if self._process is None or self._config is None or not self._process.is_running:
                return {}
            found = parse_statistics(self._process.command("show stat"))
            names = server_names(self._config)
        return {name: status for name, status in found.items() if name in names}

    def process_ids(self) -> list[int]:
        """Return the ids of the processes that run for it."""
        process = self._process
        return process.process_ids() if process is not None else []

    def stop(self) -> None:
        """End HAProxy with all of its connections, and wait until it is gone."""
        with self._lock:
            self._end()

    def discard(self) -> None:
        """Stop, and remove the files."""
        self.stop()
        shutil.rmtree(self._directory, ignore_errors=True)

    def _cut(self, pool: str, server: str) -> None:
        """Close the connections to a server that was removed and has not come back."""
        with self._lock:
            process, config = self._process, self._config
            if process is None or config is None or not process.is_running:
                return
            if (pool, server) in server_names(config):
                return
            try:
                process.command(f"shutdown sessions server {pool}/{server}")
            except LocalCloudError as err:
                logger.error("connections of %s to %s stay: %s", self._name, server, err)

    def _end(self) -> None:
        self._drains.cancel()
        process, self._process = self._process, None
        if process is not None:
            process.stop()

    def _start(self, config: ProxyConfig) -> None:
        self._directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._write(config, {})
        process = HaproxyProcess(
            self._name, self._directory, self._config_path, self._on_end, self._placement
        )
        process.start()
        self._process, self._started_at = process, time.monotonic()

    def _change(self, process: HaproxyProcess, config: ProxyConfig) -> None:
        if self._config == config:
            return
        has_same_listeners = self._config is not None and _bare(self._config) == _bare(config)
        if has_same_listeners:
            try:
                rows = server_rows(process.command("show servers state"))
                ServerReconciler(process.command).reconcile(config, rows)
            except RuntimeRefusal as refusal:
                logger.info(
                    "%s reloads, because HAProxy refused a change at run time: %s", self._name, refusal
                )
                has_same_listeners = False
        previous = self._config
        self._write(config, server_rows(process.command("show servers state")))
        if has_same_listeners:
            return
        try:
            process.reload()
        except LocalCloudError:
            if previous is not None:
                self._write(previous, {})
            raise
        self._remove_stale_pem(config)

    def _write(self, config: ProxyConfig, rows: dict[tuple[str, str], list[str]]) -> None:
        pem = pem_files(config)
        if pem:
            self._pem_folder.mkdir(mode=0o700, exist_ok=True)
        for path, text in (
            *((self._pem_folder / name, text) for name, text in pem.items()),
            (self._config_path, render_config(config, str(self._state_path), str(self._pem_folder))),
            (self._state_path, render_state(config, rows)),
        ):
            draft = path.with_suffix(".draft")
            draft.unlink(missing_ok=True)
            # Keys are among them, and nobody else's business.
            with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
                file.write(text)
            draft.replace(path)

    def _remove_stale_pem(self, config: ProxyConfig) -> None:
        """Remove the keys that are no longer used: HAProxy's older workers hold theirs in memory."""
        for path in set(self._pem_folder.glob("*.pem")) - {self._pem_folder / n for n in pem_files(config)}:
            path.unlink()

    def _on_end(self) -> None:
        with self._lock:
            process, config = self._process, self._config
            if process is None or process.is_running or config is None:
                return  # It was stopped, or is running again already.
            self._process = None
            if time.monotonic() - self._started_at < _MIN_LIFE_S:
                logger.error("the load balancer %s died soon after its start and stays down", self._name)
                return
            logger.warning("the load balancer %s died and is started again", self._name)
            try:
                self._start(config)
            except LocalCloudError as err:
                logger.error("the load balancer %s stays down: %s", self._name, err)


def _bare(config: ProxyConfig) -> ProxyConfig:
    return config.with_servers(lambda servers: ())
