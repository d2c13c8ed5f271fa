"""The server group that a cluster's load balancer has, as the head sees it and sets its weights.

Sources: DescribeVServerGroupAttribute and SetVServerGroupAttribute of SLB 2014-05-15, ListServerGroupServers and
UpdateServerGroupServersAttribute of NLB 2022-04-30. How many servers a call takes (20 and 40) is from memory of their
help pages.
"""

from __future__ import annotations

import json
from argparse import ArgumentTypeError
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Protocol

from steelyard.node.cloud_api import Api
from steelyard.product import Product

_SLB = Product(code="slb", version="2014-05-15")
_NLB = Product(code="nlb", version="2022-04-30")
_PAGE = "100"


@dataclass(frozen=True, kw_only=True)
class GroupMember:
    """A server of the group.

    Attributes:
        server_id: Instance id.
        port: Port that it serves on.
        weight: Share of the requests, 0 to 100.
        type: `ecs`, in the spelling of the product.
        description: What the group says of it.
    """

    server_id: str
    port: int
    weight: int
    type: str
    description: str = ""


class ServerGroup(Protocol):
    """A server group of one kind of load balancer."""

    max_servers: ClassVar[int]
    """How many servers' weights one call sets."""

    def members(self) -> Sequence[GroupMember]:
        """Ask for its servers.

        Raises:
            NodeError: The cloud refuses or does not answer.
        """

    def set_weights(self, members: Sequence[GroupMember]) -> None:
        """Set the weights of servers that are in it, in one call.

        Raises:
            NodeError: The cloud refuses or does not answer.
        """


@dataclass(frozen=True)
class ClassicServerGroup:
    """That of a classic load balancer.

    Attributes:
        api: Calls the cloud as the node's role.
        group_id: Its id.
    """

    max_servers: ClassVar[int] = 20

    api: Api
    group_id: str

    def members(self) -> Sequence[GroupMember]:
        """See `ServerGroup.members`."""
        answer = self.api.call(_SLB, "DescribeVServerGroupAttribute", {"VServerGroupId": self.group_id})
        rows = (answer.get("BackendServers") or {}).get("BackendServer") or []
        return [_member(row, "Type") for row in rows]

    def set_weights(self, members: Sequence[GroupMember]) -> None:
        """See `ServerGroup.set_weights`."""
        servers = [_fields(member, "Type") for member in members]
        params = {"VServerGroupId": self.group_id, "BackendServers": json.dumps(servers)}
        self.api.call(_SLB, "SetVServerGroupAttribute", params)


@dataclass(frozen=True)
class NetworkServerGroup:
    """That of a network load balancer.

    Attributes:
        api: Calls the cloud as the node's role.
        group_id: Its id.
    """

    max_servers: ClassVar[int] = 40

    api: Api
    group_id: str

    def members(self) -> Sequence[GroupMember]:
        """See `ServerGroup.members`."""
        found: list[GroupMember] = []
        params = {"ServerGroupId": self.group_id, "MaxResults": _PAGE}
        while True:
            answer = self.api.call(_NLB, "ListServerGroupServers", params)
            found += [_member(row, "ServerType") for row in answer.get("Servers") or []]
            if not answer.get("NextToken"):
                return found
            params = {**params, "NextToken": str(answer["NextToken"])}

    def set_weights(self, members: Sequence[GroupMember]) -> None:
        """See `ServerGroup.set_weights`."""
        params = {"ServerGroupId": self.group_id}
        for i, member in enumerate(members, start=1):
            fields = _fields(member, "ServerType")
            params |= {f"Servers.{i}.{name}": str(value) for name, value in fields.items()}
        self.api.call(_NLB, "UpdateServerGroupServersAttribute", params)


def server_group(kind: str, group_id: str, api: Api) -> ServerGroup:
    """Return the server group of a kind of load balancer.

    Args:
        kind: `classic` or `network`.
        group_id: Its id.
        api: Calls the cloud as the node's role.
    """
    if kind == "classic":
        return ClassicServerGroup(api, group_id)
    return NetworkServerGroup(api, group_id)


def server_group_name(text: str) -> tuple[str, str]:
    """Read `KIND:ID` of the command line.

    Raises:
        ArgumentTypeError: It is something else.
    """
    kind, _, group_id = text.partition(":")
    if kind not in ("classic", "network") or not group_id:
        raise ArgumentTypeError(f"{text!r} is neither classic:ID nor network:ID")
    return kind, group_id


def _member(row: Mapping[str, Any], type_key: str) -> GroupMember:
    return GroupMember(
        server_id=str(row["ServerId"]),
        port=int(row["Port"]),
        weight=int(row["Weight"]),
        type=str(row[type_key]),
        description=str(row.get("Description") or ""),
    )


def _fields(member: GroupMember, type_key: str) -> dict[str, Any]:
    fields = {
        "ServerId": member.server_id,
        "Port": member.port,
        "Weight": member.weight,
        type_key: member.type,
    }
    return {**fields, "Description": member.description} if member.description else fields
