"""The state of HAProxy's servers: as it answers it, and as it takes it over from a file."""

from __future__ import annotations

import csv
from collections.abc import Mapping, Sequence
from enum import IntEnum

from steelyard.localcloud.proxy.config import ProxyConfig, ServerPool
from steelyard.localcloud.traffic.server_status import Health, ServerStatus

# Columns of `show servers state`, version 1 (HAProxy management guide, chapter 9.3).
_STATE_FIELDS = (
    "be_id be_name srv_id srv_name srv_addr srv_op_state srv_admin_state srv_uweight srv_iweight "
    "srv_time_since_last_change srv_check_status srv_check_result srv_check_health srv_check_state "
    "srv_agent_state bk_f_forced_id srv_f_forced_id srv_fqdn srv_port srvrecord srv_use_ssl srv_check_port "
    "srv_check_addr srv_agent_addr srv_agent_port"
)
_UNCHECKED = ("", "INI", "UNK")


class Column(IntEnum):
    """Where a row of `server_rows` holds what."""

    POOL = 1
    ID = 2
    NAME = 3
    ADDRESS = 4
    STATE = 5
    ADMIN_STATE = 6
    WEIGHT = 7
    AGE = 9
    AGENT_STATE = 14
    PORT = 18


_UNKNOWN = (*("-",) * Column.STATE, "0", "0", "0", "0", "0", "1", "0", "0", "6")
"""What a row holds of a server that nothing is known of: stopped, to be checked, and not yet looked at."""


def parse_statistics(text: str) -> dict[tuple[str, str], ServerStatus]:
    """Read the answer to `show stat`.

    Returns:
        Status by pool's and server's name; the pools' own rows are left out.
    """
    found: dict[tuple[str, str], ServerStatus] = {}
    for row in csv.DictReader(text.removeprefix("# ").splitlines()):
        if row["svname"] in ("FRONTEND", "BACKEND"):
            continue
        reason = (row["check_status"] or "").removeprefix("* ")
        found[row["pxname"], row["svname"]] = ServerStatus(
            health=_health(row["status"], reason, is_new=not int(row["chkfail"] or 0)),
            weight=int(row["weight"] or 0),
            reason=reason,
            num_sessions=int(row["stot"] or 0),
        )
    return found


def _health(status: str, reason: str, *, is_new: bool) -> Health:
    """Judge a server by its status and its last check.

    Args:
        status: HAProxy's word for its state, with how far it is on its way up.
        reason: HAProxy's word for the outcome of the last check.
        is_new: Whether no check has failed while it was up. On its way up it then has passed fewer than it takes.
    """
    is_rising = is_new and status.startswith("DOWN ") and reason.endswith("OK")
    if status.startswith("no check") or reason in _UNCHECKED or is_rising:
        return Health.UNAVAILABLE
    if status.startswith(("UP", "DRAIN", "NOLB")):
        return Health.NORMAL
    return Health.ABNORMAL


def server_rows(text: str) -> dict[tuple[str, str], list[str]]:
    """Read the answer to `show servers state`.

    Returns:
        The columns of each server's row, by pool's and server's name.
    """
    rows = [line.split() for line in text.splitlines()[1:] if line and not line.startswith("#")]
    return {(row[Column.POOL], row[Column.NAME]): row for row in rows}


def unhealthy_s(row: list[str]) -> int:
    """Tell for how many seconds a server has been unhealthy, by its row of `server_rows`; 0 for one that is not."""
    return int(row[Column.AGE]) if (row[Column.STATE], row[Column.ADMIN_STATE]) == ("0", "0") else 0


def render_state(config: ProxyConfig, rows: Mapping[tuple[str, str], list[str]]) -> str:
    """Write the file from which HAProxy takes its servers' state when it starts or reloads.

    A server that a row is known of keeps its health. Any other starts unhealthy, and so does one that comes back from
    maintenance: without this file HAProxy would send traffic to it until its first check failed. All else is the
    configuration's: HAProxy would prefer older weights, ports of checks and the end of TLS from here.

    Args:
        config: What will be loaded.
        rows: The state before, by `server_rows`.
    """
    lines = ["1", f"# {_STATE_FIELDS}"]
    for pool in config.pools:
        if pool.check is None:
            continue
        for number, server in enumerate(pool.servers, 1):
            row = rows.get((pool.name, server.name), _UNKNOWN)
            lines.append(_state_line(pool, number, row if row[Column.ADMIN_STATE] == "0" else _UNKNOWN))
    return "\n".join(lines) + "\n"


def _state_line(pool: ServerPool, number: int, known: Sequence[str]) -> str:
    server = pool.servers[number - 1]
    weight, uses_tls = str(server.weight), str(int(pool.server_protocol == "tls"))
    head = ["1", pool.name, str(number), server.name, server.address]
    state = [known[Column.STATE], "0", weight, weight, *known[Column.AGE : Column.AGENT_STATE]]
    tail = ["0", "0", "0", "-", str(server.port), "-", uses_tls, "0", "-", "-", "0"]
    return " ".join([*head, *state, *tail])
