"""Which client's address stays on which server of a pool, as HAProxy tells and takes it. Pure.

A worker that a reload starts knows nothing of it: HAProxy hands tables over between peers on ports alone.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping

from steelyard.localcloud.proxy.config import ProxyConfig
from steelyard.localcloud.proxy.health import Column

_ENTRY = re.compile(r"0x\S+: key=(\S+) .*\bserver_id=(\d+)")

Rows = Mapping[tuple[str, str], list[str]]


def settled_clients(table: str, pool: str, rows: Rows) -> dict[str, str]:
    """Read the answer to `show table POOL`.

    Args:
        table: The answer.
        pool: The pool's name.
        rows: The servers, by `server_rows`.

    Returns:
        The server's name by the client's address.
    """
    names = {row[Column.ID]: row[Column.NAME] for row in rows.values() if row[Column.POOL] == pool}
    entries = (match for line in table.splitlines() if (match := _ENTRY.match(line)))
    return {entry[1]: names[entry[2]] for entry in entries if entry[2] in names}


def settling_commands(clients: Mapping[str, str], pool: str, rows: Rows) -> Iterator[str]:
    """Give the commands that settle clients again; those whose server is gone choose anew.

    Args:
        clients: As `settled_clients` gives them.
        pool: The pool's name.
        rows: The servers that are there now, by `server_rows`.
    """
    numbers = {row[Column.NAME]: row[Column.ID] for row in rows.values() if row[Column.POOL] == pool}
    for address, name in clients.items():
        if name in numbers:
            yield f"set table {pool} key {address} data.server_id {numbers[name]}"


def unsettling_commands(config: ProxyConfig, rows: Rows) -> Iterator[str]:
    """Give the commands that let clients choose anew whose server has no weight: it takes no new traffic.

    Args:
        config: What is in force.
        rows: The servers, by `server_rows`.
    """
    for pool in config.pools:
        for server in pool.servers if pool.source_persistence_s else ():
            row = rows.get((pool.name, server.name))
            if row is not None and not server.weight:
                yield f"clear table {pool.name} data.server_id eq {row[Column.ID]}"
