"""Members in the load balancers' server groups, by the load balancers' own actions."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from steelyard.localcloud.cloud import Cloud
from steelyard.localcloud.service import Request, Service
from steelyard.localcloud.services.ess import errors
from steelyard.localcloud.services.ess.models import Member, ScalingGroup
from steelyard.localcloud.services.zonal.state import ZonalState
from steelyard.localcloud.wire.error import ApiError, not_served

Row = Mapping[str, object]

_CODES = {"CLB": "slb", "VServerGroup": "slb", "NLB": "nlb", "ALB": "alb"}


class Backends:
    """Adds members to and removes them from what a scaling group is attached to.

    Its calls are parts of the transaction that is open.

    Args:
        cloud: Whose load balancers they are.
    """

    def __init__(self, cloud: Cloud) -> None:
        self._cloud = cloud

    def check(self, row: Row) -> None:
        """Check that a server group is there.

        Raises:
            ApiError: `InvalidServerGroupId.NotFound`, or `UnsupportedOperation` for a kind that is not served.
        """
        service = self._cloud.services.get(_CODES.get(str(row["Type"]), ""))
        if service is None:
            raise not_served(f"server groups of type {row['Type']}")
        is_default = row["Type"] == "CLB"
        records = getattr(service, "load_balancers" if is_default else "server_groups")
        name = str(row["LoadBalancerId" if is_default else "ServerGroupId"])
        if records.get(name) is None:
            raise errors.server_group_not_found(name)

    def add(self, group: ScalingGroup, member: Member) -> None:
        """Send traffic to a member.

        Raises:
            ApiError: As the load balancer answers.
        """
        for row in group.server_groups:
            self.add_to(row, member)

    def remove(self, group: ScalingGroup, instance_id: str) -> None:
        """Send no more traffic to a member; one that is not there any more is fine.

        Raises:
            ApiError: As the load balancer answers.
        """
        for row in group.server_groups:
            self.remove_from(row, instance_id)

    def idle(self, group: ScalingGroup, member: Member) -> None:
        """Send no new traffic to a member that stays where it is: its weight is 0.

        Raises:
            ApiError: As the load balancer answers.
        """
        for row in group.server_groups:
            self._weigh(row, member.id, 0)

    def resume(self, group: ScalingGroup, member: Member) -> None:
        """Send traffic again to a member that had no weight, or add it where somebody took it out.

        Raises:
            ApiError: As the load balancer answers.
        """
        for row in group.server_groups:
            if _is_classic(row):
                # A classic load balancer does not tell whether the server is there.
                self.add_to(row, member)
            if not self._weigh(row, member.id, _weight(row, member)):
                self.add_to(row, member)

    def _weigh(self, row: Row, instance_id: str, weight: int) -> bool:
        """Set an instance's weight in one server group; tell whether it is there."""
        try:
            self.call(row, *_weighing(row, instance_id, weight))
        except ApiError as err:
            if err.status != 404 and "NotFound" not in err.code:
                raise
            return False
        return True

    def add_to(self, row: Row, member: Member) -> None:
        """Add a member to one server group; one that is there already is fine."""
        instance_id, weight = member.id, _weight(row, member)
        try:
            if not _is_classic(row):
                server = {"ServerType": "Ecs", "ServerId": instance_id, "Port": row["Port"], "Weight": weight}
                params = {"ServerGroupId": row["ServerGroupId"], "Servers": [server]}
                self.call(row, "AddServersToServerGroup", params)
            else:
                self.call(row, _classic_action("Add", row), _classic(row, instance_id, {"Weight": weight}))
        except ApiError as err:
            if "AlreadyExist" not in err.code:
                raise

    def remove_from(self, row: Row, instance_id: str) -> None:
        """Remove an instance from one server group."""
        try:
            if not _is_classic(row):
                server = {"ServerType": "Ecs", "ServerId": instance_id, "Port": row["Port"]}
                params = {"ServerGroupId": row["ServerGroupId"], "Servers": [server]}
                self.call(row, "RemoveServersFromServerGroup", params)
            else:
                self.call(row, _classic_action("Remove", row), _classic(row, instance_id, {}))
        except ApiError as err:
            # The server group is gone, or the instance is not in it.
            if err.status != 404 and "NotFound" not in err.code:
                raise

    def listeners_of(self, row: Row) -> list[str]:
        """Give the ids of the listeners of load balancers that send traffic to a server group of an NLB or ALB."""
        service = self._zonal(row)
        users = service.users_of(str(row["ServerGroupId"]))
        return [listener.id for user in users for listener in service.listeners_of(user)]

    def servers_of(self, row: Row) -> list[tuple[str, int]]:
        """Give id and port of each server of a server group of an NLB or ALB."""
        group = self._zonal(row).server_groups.get(str(row["ServerGroupId"]))
        servers = () if group is None else group.servers
        return [(str(server["ServerId"]), int(str(server["Port"]))) for server in servers]

    def _zonal(self, row: Row) -> ZonalState[Any, Any, Any]:
        service = self._cloud.services[_CODES[str(row["Type"])]]
        assert isinstance(service, ZonalState)
        return service

    def call(self, row: Row, action: str, params: Mapping[str, object]) -> Mapping[str, Any]:
        """Call an action of the product that a server group is of, and give its answer.

        Raises:
            ApiError: As the load balancer answers.
        """
        service = self._cloud.services.get(_CODES[str(row["Type"])])
        handler = type(service).handlers().get(action) if isinstance(service, Service) else None
        if handler is None:
            raise not_served(f"server groups of type {row['Type']}")
        request = Request(
            action=action,
            params=params,
            region_id=self._cloud.identity.region_id,
            dry_run=False,
            request_id="",
            caller=self._cloud.identity.root_key(),
        )
        answer: Mapping[str, Any] = getattr(service, handler[1])(request)
        return answer


def _is_classic(row: Row) -> bool:
    return row["Type"] not in ("NLB", "ALB")


def _weight(row: Row, member: Member) -> int:
    is_own = member.is_weighed or row["Weight"] is None
    return member.weight if is_own else int(str(row["Weight"]))


def _weighing(row: Row, instance_id: str, weight: int) -> tuple[str, dict[str, object]]:
    """Give the action that sets a server's weight, and its parameters."""
    if not _is_classic(row):
        server = {"ServerType": "Ecs", "ServerId": instance_id, "Port": row["Port"], "Weight": weight}
        params = {"ServerGroupId": row["ServerGroupId"], "Servers": [server]}
        return "UpdateServerGroupServersAttribute", params
    action = "SetBackendServers" if row["Type"] == "CLB" else "SetVServerGroupAttribute"
    return action, _classic(row, instance_id, {"Weight": weight})


def _classic_action(verb: str, row: Row) -> str:
    return f"{verb}BackendServers" if row["Type"] == "CLB" else f"{verb}VServerGroupBackendServers"


def _classic(row: Row, instance_id: str, more: Mapping[str, object]) -> dict[str, object]:
    server = {"ServerId": instance_id, "Type": "ecs", **more}
    if row["Type"] == "CLB":
        return {"LoadBalancerId": row["LoadBalancerId"], "BackendServers": json.dumps([server])}
    server["Port"] = row["Port"]
    return {"VServerGroupId": row["ServerGroupId"], "BackendServers": json.dumps([server])}
