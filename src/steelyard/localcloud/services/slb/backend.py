"""Lists of backend servers as calls carry them: JSON text in one parameter, numbers as numbers or as text."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping

from steelyard.localcloud.service import Request
from steelyard.localcloud.services.ecs.models import RUNNING, Instance
from steelyard.localcloud.services.slb import errors
from steelyard.localcloud.services.slb.models import Server
from steelyard.localcloud.text import whole_number
from steelyard.localcloud.wire.error import invalid_parameter, missing_parameter, not_served

MAX_SERVERS_A_CALL = 20
_MAX_WEIGHT = 100
_DEFAULT_WEIGHT = 100


class BackendReader:
    """Reads and checks lists of backend servers.

    Args:
        find_instance: Gives an instance, None where there is none of this id.
        has_ports: Whether the servers have ports of their own, as those of a server group have.
    """

    def __init__(self, find_instance: Callable[[str], Instance | None], *, has_ports: bool) -> None:
        self._find_instance = find_instance
        self._has_ports = has_ports

    def read_pair(self, request: Request, name: str) -> list[Server]:
        """Read the two servers of a primary/secondary group, which may be given later.

        Raises:
            ApiError: Those of `read_new`, and `InvalidParameter` where they are not one `Master` and one `Slave`.
        """
        servers = self.read_new(request, name)
        roles = [str(item.get("ServerType")) for item in self._items(request, name)]
        if sorted(roles) not in ([], ["Master", "Slave"]):
            raise invalid_parameter(f"{name}.ServerType", roles, "one Master and one Slave")
        return [{**server, "ServerType": role} for server, role in zip(servers, roles, strict=True)]

    def read_new(self, request: Request, name: str = "BackendServers") -> list[Server]:
        """Read servers that are to be added: they run, and their weight is 100 where none is given.

        Raises:
            ApiError: `InvalidParameter`, `MissingParameter` or `InvalidServerId.NotFound`.
        """
        servers: list[Server] = []
        for item in self._items(request, name):
            server_id = _server_id(item)
            instance = self._find_instance(server_id)
            if instance is None:
                raise errors.server_not_found(server_id)
            if instance.status != RUNNING:
                raise errors.server_not_running(server_id, instance.status)
            server: dict[str, object] = {
                "ServerId": server_id,
                "Weight": _number(item, "Weight", 0, _MAX_WEIGHT, _DEFAULT_WEIGHT),
                "Type": _type(item),
                "Description": str(item.get("Description") or ""),
            }
            if self._has_ports:
                server["Port"] = _number(item, "Port", 1, 65535)
            servers.append(server)
        return servers

    def read_changes(self, request: Request, name: str = "BackendServers") -> list[Server]:
        """Read servers that are there already, with what of them is to change.

        Raises:
            ApiError: `InvalidParameter` or `MissingParameter`.
        """
        changes: list[Server] = []
        for item in self._items(request, name):
            change: dict[str, object] = {"ServerId": _server_id(item)}
            if self._has_ports:
                change["Port"] = _number(item, "Port", 1, 65535)
            if item.get("Weight") not in (None, ""):
                change["Weight"] = _number(item, "Weight", 0, _MAX_WEIGHT)
            if item.get("Description") is not None:
                change["Description"] = str(item["Description"])
            changes.append(change)
        return changes

    def read_keys(self, request: Request, name: str = "BackendServers") -> list[Server]:
        """Read servers that are to go, for which an id (and a port) is enough; plain ids are taken, too.

        Raises:
            ApiError: `InvalidParameter` or `MissingParameter`.
        """
        keys: list[Server] = []
        for item in self._items(request, name):
            key: dict[str, object] = {"ServerId": _server_id(item)}
            if self._has_ports:
                key["Port"] = _number(item, "Port", 1, 65535)
            keys.append(key)
        return keys

    def _items(self, request: Request, name: str) -> list[Mapping[str, object]]:
        text = request.text(name)
        if not text:
            return []
        try:
            value = json.loads(text)
        except ValueError:
            value = None
        if not isinstance(value, list):
            raise invalid_parameter(name, text, "a JSON list of servers")
        items = [{"ServerId": item} if isinstance(item, str) else item for item in value]
        if not all(isinstance(item, dict) for item in items):
            raise invalid_parameter(name, text, "a JSON list of servers")
        if len(items) > MAX_SERVERS_A_CALL:
            raise invalid_parameter(name, f"{len(items)} servers", f"at most {MAX_SERVERS_A_CALL} in a call")
        return items


def key_of(server: Server) -> tuple[object, object]:
    """Give what tells one server of a group from another: its id and its port, None for default servers."""
    return server["ServerId"], server.get("Port")


def merged(servers: tuple[Server, ...], added: list[Server]) -> tuple[Server, ...]:
    """Add servers; one that is there already takes the new weight and description."""
    by_key = {key_of(server): server for server in servers}
    for server in added:
        by_key[key_of(server)] = server
    return tuple(by_key.values())


def changed(servers: tuple[Server, ...], changes: list[Server]) -> tuple[Server, ...]:
    """Change servers' weights and descriptions; one that is not there is left aside."""
    by_key = {key_of(change): change for change in changes}
    return tuple({**server, **by_key.get(key_of(server), {})} for server in servers)


def without(servers: tuple[Server, ...], keys: list[Server]) -> tuple[Server, ...]:
    """Remove servers; one that is not there is left aside, as on the cloud."""
    gone = {key_of(key) for key in keys}
    return tuple(server for server in servers if key_of(server) not in gone)


def _server_id(item: Mapping[str, object]) -> str:
    server_id = str(item.get("ServerId") or "")
    if not server_id:
        raise missing_parameter("BackendServers.ServerId")
    return server_id


def _type(item: Mapping[str, object]) -> str:
    server_type = str(item.get("Type") or "ecs").lower()
    if server_type in ("eni", "eci"):
        raise not_served(f"backend servers of type {server_type}")
    if server_type != "ecs":
        raise invalid_parameter("Type", server_type, "ecs, eni or eci")
    return server_type


def _number(item: Mapping[str, object], name: str, low: int, high: int, default: int | None = None) -> int:
    value = item.get(name)
    if value in (None, ""):
        if default is None:
            raise missing_parameter(f"BackendServers.{name}")
        return default
    number = whole_number(str(value))
    if number is None or not low <= number <= high:
        raise invalid_parameter(f"BackendServers.{name}", value, f"from {low} to {high}")
    return number
