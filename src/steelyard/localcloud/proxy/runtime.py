"""Change of a running HAProxy's servers without a reload."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace

from steelyard.localcloud.proxy.config import ProxyConfig, Server, ServerPool, server_arguments
from steelyard.localcloud.proxy.health import Column

_FORCED_MAINTENANCE = 0x01


class RuntimeRefusal(Exception):
    """HAProxy refused a command; a reload does what it would have done."""


class ServerReconciler:
    """Brings the servers of a running HAProxy to those of a configuration.

    Args:
        command: Carries out one command and gives its answer.
        namespaces: From which network namespaces its servers are reached, which HAProxy does not tell.
    """

    def __init__(self, command: Callable[[str], str], namespaces: Mapping[tuple[str, str], str]) -> None:
        self._command = command
        self._namespaces = namespaces

    def reconcile(self, config: ProxyConfig, rows: Mapping[tuple[str, str], list[str]]) -> None:
        """Add, remove and weigh servers; listeners are left as they are.

        What comes and what gets more goes before what gets less and what leaves: in between there is a server, too.

        Args:
            config: What shall be; its listeners are those of the running HAProxy.
            rows: What is, by `server_rows`.

        Raises:
            RuntimeRefusal: If HAProxy refuses a command.
        """
        for pool in config.pools:
            known = {server: row for (name, server), row in rows.items() if name == pool.name}
            for server in sorted(pool.servers, key=lambda one: _gets_less(one, known.get(one.name))):
                row = known.get(server.name)
                if row is None:
                    self._add(pool, server)
                else:
                    self._update(pool, server, row)
            for name in known.keys() - {server.name for server in pool.servers}:
                self._remove(f"{pool.name}/{name}")

    def _add(self, pool: ServerPool, server: Server) -> None:
        path = f"{pool.name}/{server.name}"
        idle = replace(server, weight=0)
        answer = self._command(f"add server {path} {server_arguments(pool, idle)}")
        if "registered" not in answer:
            raise RuntimeRefusal(answer)
        self._open(pool, path, server.weight)

    def _update(self, pool: ServerPool, server: Server, row: list[str]) -> None:
        path = f"{pool.name}/{server.name}"
        place = row[Column.ADDRESS], row[Column.PORT], self._namespaces.get((pool.name, server.name), "")
        if place != (server.address, str(server.port), server.namespace):
            raise RuntimeRefusal(f"{path} has moved to {server.address}:{server.port} {server.namespace}")
        if int(row[Column.ADMIN_STATE]) & _FORCED_MAINTENANCE:
            # It was removed while it still had connections, and comes back.
            self._do(f"set server {path} weight 0")
            self._open(pool, path, server.weight)
        elif int(row[Column.WEIGHT]) != server.weight:
            self._do(f"set server {path} weight {server.weight}")

    def _open(self, pool: ServerPool, path: str, weight: int) -> None:
        # Leaving maintenance counts as healthy, so the weight comes last: until the health check has found the
        # server healthy, it must not get a request.
        if pool.check is not None:
            self._do(f"enable health {path}")
        self._do(f"enable server {path}")
        if pool.check is not None:
            self._do(f"set server {path} health down")
        self._do(f"set server {path} weight {weight}")

    def _remove(self, path: str) -> None:
        self._do(f"set server {path} state maint")
        # Refused while connections are open; then it stays in maintenance, and the next change tries again.
        self._command(f"del server {path}")

    def _do(self, text: str) -> None:
        answer = self._command(text)
        if answer:
            raise RuntimeRefusal(f"{text}: {answer}")


def _gets_less(server: Server, row: list[str] | None) -> bool:
    return row is not None and server.weight < int(row[Column.WEIGHT])
