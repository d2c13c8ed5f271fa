"""What load balancers' health checks find of a scaling group's members."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final

from steelyard.localcloud.services.ess.backends import Backends, Row
from steelyard.localcloud.services.ess.models import ScalingGroup
from steelyard.localcloud.wire.error import ApiError

CHECKED_KINDS: Final = ("NLB", "ALB")
"""Kinds of server groups whose checks count: classic ones' do not (help page of CreateScalingGroup)."""

_UNHEALTHY = "Unhealthy"


class BalancerHealth:
    """Asks the load balancers, by their own actions, what they find of servers; it is called without a transaction.

    Args:
        backends: Calls the load balancers.
    """

    def __init__(self, backends: Backends) -> None:
        self._backends = backends

    def verdicts(self, group: ScalingGroup) -> Mapping[str, bool]:
        """Give whether each server passes all checks; a server that no check has judged yet is not among them.

        One that fails a check of any listener does not pass, whatever the others find.
        """
        found: dict[str, bool] = {}
        for row in group.server_groups:
            if row["Type"] not in CHECKED_KINDS:
                continue
            for server_id, passes in self._of_server_group(row):
                found[server_id] = passes and found.get(server_id, True)
        return found

    def _of_server_group(self, row: Row) -> Iterator[tuple[str, bool]]:
        group_id = str(row["ServerGroupId"])
        # Before the answers, which tell of those alone that are not healthy: one that comes later is in none of them.
        servers = self._backends.servers_of(row)
        for info in self._infos(row):
            if info["ServerGroupId"] != group_id:
                continue
            told = {(one["ServerId"], one["Port"]): one["Status"] for one in info["NonNormalServers"]}
            for server_id, port in servers:
                status = told.get((server_id, port))
                if status in (None, _UNHEALTHY):
                    yield server_id, status is None

    def _infos(self, row: Row) -> Iterator[Mapping[str, Any]]:
        """Give what each listener that uses a server group, itself or by a rule, says of its servers."""
        for listener_id in self._backends.listeners_of(row):
            try:
                answer = self._backends.call(
                    row, "GetListenerHealthStatus", {"ListenerId": listener_id, "IncludeRule": True}
                )
            except ApiError:
                continue  # it has gone meanwhile, or does not answer: then it has found nothing
            for entry in (*answer["ListenerHealthStatus"], *answer.get("RuleHealthStatus", ())):
                yield from entry["ServerGroupInfos"]
