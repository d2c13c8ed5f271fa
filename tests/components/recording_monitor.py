"""A Pulumi monitor that records what a program registers, and answers as a cloud would."""

from __future__ import annotations

import asyncio
import contextvars
import warnings
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import pulumi
from google.protobuf import empty_pb2, struct_pb2
from pulumi.runtime import rpc, settings
from pulumi.runtime.proto import engine_pb2, resource_pb2
from pulumi.runtime.stack import run_in_stack

from steelyard.spec.catalogue import REGIONS

with warnings.catch_warnings():
    # The SDK warns of some of its own classes as it loads their module, whether anybody uses them or not.
    warnings.simplefilter("ignore", DeprecationWarning)
    import pulumi_alicloud

    for _module in (
        pulumi_alicloud.alb,
        pulumi_alicloud.cas,
        pulumi_alicloud.cms,
        pulumi_alicloud.ecs,
        pulumi_alicloud.ess,
        pulumi_alicloud.nas,
        pulumi_alicloud.nlb,
        pulumi_alicloud.oss,
        pulumi_alicloud.ram,
        pulumi_alicloud.slb,
        pulumi_alicloud.vpc,
    ):
        hasattr(_module, "any")  # loads it

ACCOUNT_ID = "1234567890123456"
IMAGE_ID = "ubuntu_24_04_x64_20G_alibase_20260618.vhd"

_NUMBERED: Mapping[str, str] = {"alicloud:cms/monitorGroup:MonitorGroup": "424242"}
"""Ids of the types whose id is a number."""

_COMPUTED: Mapping[str, Callable[[str], dict[str, Any]]] = {
    "alicloud:slb/applicationLoadBalancer:ApplicationLoadBalancer": lambda name: {"address": "10.64.0.9"},
    "alicloud:vpc/natGateway:NatGateway": lambda name: {"snatTableIds": "stb-1"},
    "alicloud:ecs/eipAddress:EipAddress": lambda name: {"ipAddress": "203.0.113.1"},
    "alicloud:nlb/loadBalancer:LoadBalancer": lambda name: {"dnsName": "nlb-1.example.com"},
    "alicloud:alb/loadBalancer:LoadBalancer": lambda name: {"dnsName": "alb-1.example.com"},
    "alicloud:nas/mountTarget:MountTarget": lambda name: {"mountTargetDomain": f"{name}.example.com"},
    "alicloud:ecs/instance:Instance": lambda name: {
        "privateIp": f"10.64.0.{10 + int(name.rpartition('-')[2])}"
    },
}


@dataclass(frozen=True, kw_only=True)
class Registration:
    """One resource as the program asked for it."""

    type: str
    name: str
    urn: str
    parent: str
    inputs: dict[str, Any]
    dependencies: frozenset[str]
    is_custom: bool
    deletes_before_replace: bool
    is_protected: bool
    secret_inputs: frozenset[str]
    secret_outputs: frozenset[str]
    ignored: frozenset[str]


@dataclass(kw_only=True)
class Recording:
    """What a program did."""

    resources: dict[str, Registration] = field(default_factory=dict)
    outputs: dict[str, dict[str, Any]] = field(default_factory=dict)
    calls: list[tuple[str, dict[str, Any]]] = field(default_factory=list)
    exports: dict[str, Any] = field(default_factory=dict)
    secret_exports: set[str] = field(default_factory=set)
    warnings: list[str] = field(default_factory=list)

    def of_type(self, suffix: str) -> list[Registration]:
        """Resources whose type ends so, in the order of their names."""
        found = [one for one in self.resources.values() if one.type.endswith(suffix)]
        return sorted(found, key=lambda one: one.name)

    def the(self, suffix: str) -> Registration:
        """The one resource whose type ends so."""
        (found,) = self.of_type(suffix)
        return found

    def named(self, name: str) -> Registration:
        """The one resource of a name."""
        (found,) = (one for one in self.resources.values() if one.name == name)
        return found

    def shape(self) -> dict[str, tuple[str, Mapping[str, Any], frozenset[str]]]:
        """All that an engine acts on, by URN."""
        return {urn: (one.parent, one.inputs, one.dependencies) for urn, one in self.resources.items()}

    def parent_of(self, registration: Registration) -> Registration:
        return self.resources[registration.parent]


@dataclass(frozen=True, kw_only=True)
class Offer:
    """What stands and what is in stock as a program asks for it.

    Attributes:
        standing: Zone and range of each VSwitch that the cluster has.
        zones: Zones that have an instance type in stock, where it is not in `stock`.
        stock: Zones by instance type.
    """

    standing: Mapping[str, str] = field(default_factory=dict)
    zones: tuple[str, ...] = tuple(zone for zones in REGIONS.values() for zone in zones)
    stock: Mapping[str, tuple[str, ...]] = field(default_factory=dict)

    def vswitches(self) -> list[dict[str, Any]]:
        return [{"zoneId": zone, "cidrBlock": cidr, "id": zone} for zone, cidr in self.standing.items()]

    def instance_types(self, name: str) -> list[dict[str, Any]]:
        zones = self.stock.get(name, self.zones)
        return [{"id": name, "availabilityZones": list(zones)}] if zones else []


class _Monitor:
    """Answers the SDK's calls; the method names are the RPCs'."""

    def __init__(self, recording: Recording, images: list[str], offer: Offer, *, is_preview: bool) -> None:
        self._recording = recording
        self._offer = offer
        self._images = images
        self._is_preview = is_preview

    def GetDeploymentInfo(self, request: Any) -> Any:  # noqa: N802
        return resource_pb2.DeploymentInfo(
            supportedFeatures=[
                resource_pb2.RESOURCE_MONITOR_FEATURE_SECRETS,
                resource_pb2.RESOURCE_MONITOR_FEATURE_RESOURCE_REFERENCES,
            ]
        )

    def SupportsFeature(self, request: Any) -> Any:  # noqa: N802
        return resource_pb2.SupportsFeatureResponse(
            hasSupport=request.id in ("secrets", "resourceReferences")
        )

    def RegisterResource(self, request: Any) -> Any:  # noqa: N802
        parent_type = f"{request.parent.split('::')[2]}$" if request.parent else ""
        urn = f"urn:pulumi:test::steelyard::{parent_type}{request.type}::{request.name}"
        assert urn not in self._recording.resources, f"{urn} is registered twice"
        inputs = rpc.deserialize_properties(request.object, keep_unknowns=True)
        self._recording.resources[urn] = Registration(
            type=request.type,
            name=request.name,
            urn=urn,
            parent=request.parent,
            inputs={key: _plain(value) for key, value in inputs.items()},
            dependencies=frozenset(request.dependencies),
            is_custom=request.custom,
            deletes_before_replace=request.deleteBeforeReplace,
            is_protected=request.protect,
            secret_inputs=frozenset(key for key, value in inputs.items() if rpc.is_rpc_secret(value)),
            secret_outputs=frozenset(request.additionalSecretOutputs),
            ignored=frozenset(request.ignoreChanges),
        )
        answer = resource_pb2.RegisterResourceResponse(urn=urn)
        answer.object.CopyFrom(request.object)
        if request.custom and not self._is_preview:
            answer.id = _NUMBERED.get(request.type, f"{request.name}-id")
            answer.object.update(_COMPUTED.get(request.type, lambda name: {})(request.name))
        return answer

    def RegisterResourceOutputs(self, request: Any) -> Any:  # noqa: N802
        self._recording.outputs[request.urn] = rpc.deserialize_properties(request.outputs, keep_unknowns=True)
        return empty_pb2.Empty()

    def Invoke(self, request: Any) -> Any:  # noqa: N802
        args = rpc.deserialize_properties(request.args)
        self._recording.calls.append((request.tok, args))
        answers: dict[str, dict[str, Any]] = {
            "alicloud:index/getCallerIdentity:getCallerIdentity": {"accountId": ACCOUNT_ID, "id": ACCOUNT_ID},
            "alicloud:ecs/getImages:getImages": {"ids": self._images, "id": "lookup", "images": []},
            "alicloud:vpc/getSwitches:getSwitches": {"id": "lookup", "vswitches": self._offer.vswitches()},
            "alicloud:ecs/getInstanceTypes:getInstanceTypes": {
                "id": "lookup",
                "instanceTypes": self._offer.instance_types(args.get("instanceType")),
            },
        }
        answer = struct_pb2.Struct()
        answer.update(answers[request.tok])
        return resource_pb2.ResourceInvokeResponse(**{"return": answer})

    def SignalAndWaitForShutdown(self, request: Any) -> Any:  # noqa: N802
        return empty_pb2.Empty()


class _Engine:
    def __init__(self, recording: Recording) -> None:
        self._recording = recording

    def Log(self, request: Any) -> Any:  # noqa: N802
        if request.severity >= engine_pb2.WARNING:
            self._recording.warnings.append(request.message)
        return empty_pb2.Empty()


def _plain(value: Any) -> Any:
    return value["value"] if rpc.is_rpc_secret(value) else value


def record(
    program: Callable[[], Any],
    *,
    config: Mapping[str, str] | None = None,
    images: list[str] | None = None,
    preview: bool = False,
    offer: Offer | None = None,
) -> Recording:
    """Run a program to its end against the recording monitor.

    Args:
        program: An inline Pulumi program.
        config: The stack's config.
        images: Ids that an image look-up finds.
        preview: Whether the engine only previews.
        offer: What look-ups of VSwitches and instance types find.
    """
    recording = Recording()
    images = [IMAGE_ID] if images is None else images
    monitor = _Monitor(recording, images, offer or Offer(), is_preview=preview)

    async def main() -> None:
        settings.reset_options(project="steelyard", stack="test", preview=preview)
        settings.configure(
            settings.Settings(
                project="steelyard",
                stack="test",
                monitor=monitor,
                engine=_Engine(recording),
                dry_run=preview,
            )
        )
        pulumi.runtime.set_all_config(dict(config or {}), [])
        await run_in_stack(program)

    # The SDK keeps its settings in context variables: a context of its own keeps runs apart.
    contextvars.copy_context().run(asyncio.run, main())
    (stack,) = (one for one in recording.resources.values() if one.type == "pulumi:pulumi:Stack")
    for key, value in recording.outputs[stack.urn].items():
        recording.exports[key] = _plain(value)
        if rpc.is_rpc_secret(value):
            recording.secret_exports.add(key)
    return recording
