"""A provider of the package `alicloud` whose cloud is a dict, for tests of the engine."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from typing import Any

from steelyard.deploy.engine.provider import Created, Operation, Provider, Rules
from steelyard.errors import PutOffError, ResourceError

NETWORK = "alicloud:vpc/network:Network"
SWITCH = "alicloud:vpc/switch:Switch"
GROUP = "alicloud:ecs/securityGroup:SecurityGroup"
INSTANCE = "alicloud:ecs/instance:Instance"

RULES = {
    NETWORK: Rules(replace_keys=frozenset({"cidrBlock"})),
    SWITCH: Rules(replace_keys=frozenset({"vpcId", "cidrBlock", "zoneId"})),
    GROUP: Rules(replace_keys=frozenset({"vpcId"})),
    INSTANCE: Rules(replace_keys=frozenset({"imageId", "userData"})),
}


class FakeCloud:
    """Keeps resources in a dict and a log of what was done; told how to fail by the test."""

    package = "alicloud"

    def __init__(self, region: str = "cn-hangzhou") -> None:
        self.region = region
        self.live: dict[str, dict[str, Any]] = {}
        self.log: list[tuple[str, str]] = []
        self.tokens: dict[str, str] = {}
        self.regions: list[str] = []
        self.refused: dict[str, str] = {}
        """Name of a resource -> code with which its creation is refused."""
        self.no_room: set[str] = set()
        """Names of resources that cannot be made for now."""
        self.breaks_after_id: set[str] = set()
        """Names of resources whose creation fails after the cloud has given the id."""
        self.loses_answer: set[str] = set()
        """Names of resources that are made, while the answer is lost."""
        self.puts_off: set[str] = set()
        """Ids that cannot be changed for now."""
        self.stuck: set[str] = set()
        """Ids that cannot be deleted."""
        self.gates: dict[str, threading.Event] = {}
        """Name of a resource -> event that its creation waits for."""
        self.started = threading.Event()
        self.num_at_once = 0
        self.max_at_once = 0
        self._lock = threading.Lock()
        self._num = 0

    @property
    def config(self) -> Mapping[str, Any]:
        return {"region": self.region}

    def preload(self) -> None:
        import pulumi_alicloud

        _ = (pulumi_alicloud.vpc.Network, pulumi_alicloud.ecs.Instance, pulumi_alicloud.Provider)

    def configured(self, config: Mapping[str, Any]) -> Provider:
        self.regions.append(str(config.get("region")))
        return self

    def rules(self, type_token: str) -> Rules:
        if type_token.startswith("pulumi:providers:"):
            return Rules(replace_keys=frozenset({"region"}))
        return RULES.get(type_token, Rules())

    def check(self, type_token: str, inputs: Mapping[str, Any]) -> None:
        """Take any input."""

    def create(self, type_token: str, name: str, inputs: Mapping[str, Any], operation: Operation) -> Created:
        with self._lock:
            self.num_at_once += 1
            self.max_at_once = max(self.max_at_once, self.num_at_once)
        try:
            return self._create(type_token, name, inputs, operation)
        finally:
            with self._lock:
                self.num_at_once -= 1

    def read(self, type_token: str, resource_id: str, operation: Operation) -> Mapping[str, Any] | None:
        found = self.live.get(resource_id)
        return None if found is None else {**found, "status": "Available"}

    def update(
        self,
        type_token: str,
        resource_id: str,
        old: Mapping[str, Any],
        new: Mapping[str, Any],
        operation: Operation,
    ) -> Mapping[str, Any]:
        if resource_id in self.puts_off:
            raise PutOffError(f"{resource_id} cannot be changed now", urn=operation.urn, code="NoStock")
        self.log.append(("update", resource_id))
        self.live[resource_id] = {**self.live[resource_id], **new}
        return self.live[resource_id]

    def delete(
        self, type_token: str, resource_id: str, inputs: Mapping[str, Any], operation: Operation
    ) -> None:
        if resource_id in self.stuck:
            raise ResourceError(f"{resource_id} is in use", urn=operation.urn, code="DependencyViolation")
        with self._lock:
            self.live.pop(resource_id, None)
            self.log.append(("delete", resource_id))

    def invoke(self, token: str, args: Mapping[str, Any]) -> Mapping[str, Any]:
        if token in self.refused:
            raise ResourceError(f"{token} was refused", code=self.refused[token])
        return {"id": "zones", "ids": ["cn-hangzhou-h", "cn-hangzhou-i"], "zones": []}

    def ids(self, name: str) -> list[str]:
        """Return the ids that live under a program's name, oldest first."""
        return [resource_id for resource_id in self.live if resource_id.rsplit("#", 1)[0] == name]

    def done(self, op: str) -> list[str]:
        """Return the names on which an operation was done, in order."""
        return [resource_id.rsplit("#", 1)[0] for did, resource_id in self.log if did == op]

    def _create(self, type_token: str, name: str, inputs: Mapping[str, Any], operation: Operation) -> Created:
        if name not in self.refused:
            self.started.set()
        if name in self.gates:
            while not self.gates[name].wait(0.01):
                if operation.is_cancelled():
                    raise ResourceError(f"{name}: the run was interrupted", urn=operation.urn)
        if name in self.refused:
            raise ResourceError(f"{name} was refused", urn=operation.urn, code=self.refused[name])
        if name in self.no_room:
            raise PutOffError(
                f"there is no room for {name}", "run `steelyard up` again", urn=operation.urn, code="NoStock"
            )
        with self._lock:
            if operation.token not in self.tokens:
                self._num += 1
                self.tokens[operation.token] = f"{name}#{self._num}"
                self.live[f"{name}#{self._num}"] = dict(inputs)
                self.log.append(("create", f"{name}#{self._num}"))
            resource_id = self.tokens[operation.token]
        if name in self.loses_answer:
            raise ResourceError(f"{name}: no answer came", urn=operation.urn)
        operation.allocated(resource_id)
        if name in self.breaks_after_id:
            raise ResourceError(f"{name} never became ready", urn=operation.urn, code="Timeout")
        number = resource_id.rsplit("#", 1)[1]
        outputs = {"privateIp": f"10.0.0.{number}"} if type_token == INSTANCE else {"status": "Available"}
        return Created(id=resource_id, outputs={**inputs, **outputs})
