"""Disks and network interfaces: what an instance has that can be taken from it and given to another."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

from steelyard.deploy.engine.provider import Values
from steelyard.deploy.provider.api import ECS, Api
from steelyard.deploy.provider.resource_type import ResourceType, shown, wire


@dataclass(frozen=True, kw_only=True)
class PartKind:
    """A kind of part.

    Attributes:
        label: What errors call it.
        key: Pulumi's name of its id.
        id_name: The API's name of its id.
        suffix: What the actions are called by, after `Attach` and `Detach`.
        used_status: Its status on an instance; `Available` elsewhere.
        busy: Codes that pass while it, or its instance, is on the way elsewhere.
        describe: Gives its row, None where there is none.
    """

    label: str
    key: str
    id_name: str
    suffix: str
    used_status: str
    busy: Collection[str]
    describe: Callable[[Api, str], Mapping[str, Any] | None]

    def wait_status(self, api: Api, part_id: str, status: str) -> None:
        """Wait until one has a status."""

        def look() -> bool | None:
            row = self.describe(api, part_id)
            return True if row is not None and row.get("Status") == status else None

        api.wait(look, what=f"{self.label} {part_id} to be {status}")


class PartAttachment(ResourceType):
    """A part on an instance; its id is `<part>:<instance>`."""

    deletes_before_replace = True
    kind: ClassVar[PartKind]
    settings: ClassVar[Mapping[str, str]] = {}
    """What it is made with besides its ends: Pulumi's name -> the API's."""
    answers: ClassVar[Mapping[str, str]] = {}
    """What is read besides its ends: Pulumi's name -> the API's."""

    def create(self, api: Api, inputs: Values) -> str:
        """AttachDisk or AttachNetworkInterface, then wait until it is in use."""
        kind = self.kind
        names = {kind.key: kind.id_name, "instanceId": "InstanceId", **self.settings}
        api.call(ECS, f"Attach{kind.suffix}", wire(inputs, names), retry_on=tuple(kind.busy))
        part_id = str(inputs[kind.key])
        attachment_id = f"{part_id}:{inputs['instanceId']}"
        api.operation.allocated(attachment_id)
        kind.wait_status(api, part_id, kind.used_status)
        return attachment_id

    def read(self, api: Api, resource_id: str) -> Values | None:
        """DescribeDisks or DescribeNetworkInterfaces."""
        part_id, instance_id = resource_id.split(":")
        row = self.kind.describe(api, part_id)
        if row is None or row.get("InstanceId") != instance_id:
            return None
        return {self.kind.key: part_id, "instanceId": instance_id, **shown(row, self.answers)}

    def delete(self, api: Api, resource_id: str, inputs: Values) -> None:
        """DetachDisk or DetachNetworkInterface, then wait until it is free."""
        kind = self.kind
        part_id, instance_id = resource_id.split(":")
        params = {kind.id_name: part_id, "InstanceId": instance_id}
        api.call(ECS, f"Detach{kind.suffix}", params, retry_on=tuple(kind.busy))
        kind.wait_status(api, part_id, "Available")
