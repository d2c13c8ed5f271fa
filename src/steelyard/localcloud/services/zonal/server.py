"""The servers of a server group as calls carry them."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from steelyard.localcloud.service import Request
from steelyard.localcloud.services.ecs.models import RUNNING, Instance
from steelyard.localcloud.services.zonal import errors
from steelyard.localcloud.services.zonal.models import Server, ServerGroup
from steelyard.localcloud.wire.error import invalid_parameter, missing_parameter, not_served

MAX_SERVERS_A_CALL = 200
_DEFAULT_WEIGHT = 100
_UNSERVED_TYPES = ("Eni", "Eci", "Ip", "Fc")


class ServerReader:
    """Reads and checks the servers that a call names.

    Args:
        group: The server group that it is about.
        find_instance: Gives an instance, None where there is none of this id.
    """

    def __init__(self, group: ServerGroup, find_instance: Callable[[str], Instance | None]) -> None:
        self._group = group
        self._find_instance = find_instance

    def added(self, request: Request, parameter: str = "Servers") -> tuple[Server, ...]:
        """Give the group's servers with those that the call adds in a parameter.

        Raises:
            ApiError: `ResourceNotFound.BackendServer`, `ResourceAlreadyExist.BackendServer`, `ResourceNotInVpc`,
                `IncorrectStatus.BackendServer` or `InvalidParameter`.
        """
        servers = {key_of(server): server for server in self._group.servers}
        for item in _items(request, parameter):
            server = {
                "ServerId": str(item["ServerId"]),
                "ServerType": "Ecs",
                "Port": _number(item, "Port", 1, 65535),
                "Weight": _number(item, "Weight", 0, 100, _DEFAULT_WEIGHT),
                "Description": str(item.get("Description") or ""),
            }
            self._check_instance(str(item["ServerId"]))
            if key_of(server) in servers:
                raise errors.server_exists(str(server["ServerId"]), server["Port"])
            servers[key_of(server)] = server
        return tuple(servers.values())

    def changed(self, request: Request) -> tuple[Server, ...]:
        """Give the group's servers with the weights and descriptions that the call changes.

        Raises:
            ApiError: `ResourceNotFound.BackendServer` or `InvalidParameter`.
        """
        servers = {key_of(server): server for server in self._group.servers}
        for item in _items(request):
            key = self._known_key(item, servers)
            change: dict[str, object] = {}
            if item.get("Weight") is not None:
                change["Weight"] = _number(item, "Weight", 0, 100)
            if item.get("Description") is not None:
                change["Description"] = str(item["Description"])
            servers[key] = {**servers[key], **change}
        return tuple(servers.values())

    def remaining(self, request: Request, parameter: str = "Servers") -> tuple[Server, ...]:
        """Give the group's servers without those that the call removes in a parameter.

        Raises:
            ApiError: `ResourceNotFound.BackendServer` or `InvalidParameter`.
        """
        servers = {key_of(server): server for server in self._group.servers}
        for item in _items(request, parameter):
            del servers[self._known_key(item, servers)]
        return tuple(servers.values())

    def _known_key(
        self, item: Mapping[str, object], servers: Mapping[tuple[object, object], Server]
    ) -> tuple[object, object]:
        key = (item["ServerId"], _number(item, "Port", 1, 65535))
        if key not in servers:
            raise errors.not_found("BackendServer")
        return key

    def _check_instance(self, server_id: str) -> None:
        instance = self._find_instance(server_id)
        if instance is None:
            raise errors.not_found("BackendServer")
        if instance.vpc_id != self._group.vpc_id:
            raise errors.different_vpc("BackendServer")
        if instance.status != RUNNING:
            raise errors.incorrect_status("BackendServer", f"{server_id} is {instance.status}")


def key_of(server: Server) -> tuple[object, object]:
    """Give what tells one server of a group from another: its id and its port."""
    return server["ServerId"], server["Port"]


def _items(request: Request, parameter: str = "Servers") -> list[dict[str, object]]:
    items = request.records(parameter)
    if not items:
        raise missing_parameter(parameter)
    if len(items) > MAX_SERVERS_A_CALL:
        raise errors.too_many_servers(len(items), MAX_SERVERS_A_CALL)
    for item in items:
        if not item.get("ServerId"):
            raise missing_parameter(f"{parameter}.ServerId")
        # Where the schema lets it be left out, it is.
        server_type = item.get("ServerType", "Ecs")
        if server_type in _UNSERVED_TYPES:
            raise not_served(f"backend servers of type {server_type}")
        if server_type != "Ecs":
            raise invalid_parameter(f"{parameter}.ServerType", server_type, "Ecs, Eni, Eci or Ip")
    return items


def _number(item: Mapping[str, object], name: str, low: int, high: int, default: int | None = None) -> int:
    value = item.get(name, default)
    if value is None:
        raise missing_parameter(f"Servers.{name}")
    if not isinstance(value, int) or not low <= value <= high:
        raise invalid_parameter(f"Servers.{name}", value, f"from {low} to {high}")
    return value
