"""What the program asks of one resource, read from Pulumi's RegisterResource request."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field

from google.protobuf import json_format
from pulumi.runtime.proto import alias_pb2, resource_pb2

from steelyard.deploy import urn, values
from steelyard.deploy.values import Properties, Value
from steelyard.errors import DeployError

_UNITS_S = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}


@dataclass(frozen=True, kw_only=True)
class Alias:
    """A former identity of a resource: a whole URN, or the parts that have changed.

    Attributes:
        urn: The whole URN; where it is set the rest is not looked at.
        parent: The former parent's URN; empty means the present one, unless `has_no_parent`.
    """

    urn: str = ""
    name: str = ""
    type: str = ""
    project: str = ""
    stack: str = ""
    parent: str = ""
    has_no_parent: bool = False


@dataclass(frozen=True, kw_only=True)
class Timeouts:
    """How long the provider may take, in seconds; None means its own default."""

    create_s: float | None = None
    update_s: float | None = None
    delete_s: float | None = None


@dataclass(frozen=True, kw_only=True)
class Goal:
    """One resource as the program wants it.

    Attributes:
        inputs: Its inputs by wire name, secrets and unknowns marked.
        provider: `<urn>::<id>` of an explicit provider, empty for the default one.
        property_dependencies: URNs that each input depends on.
        deletes_before_replace: The option, None where the program leaves it open.
        replacement_trigger: A value whose change forces a replacement; None where there is none.
        can_be_missing: Whether the program goes on without it where it could not be made.
    """

    type: str
    name: str
    is_custom: bool
    parent: str = ""
    inputs: Properties = field(default_factory=dict)
    provider: str = ""
    dependencies: tuple[str, ...] = ()
    property_dependencies: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    is_protected: bool = False
    is_retained: bool = False
    deleted_with: str = ""
    deletes_before_replace: bool | None = None
    ignore_changes: tuple[str, ...] = ()
    replace_on_changes: tuple[str, ...] = ()
    replace_with: tuple[str, ...] = ()
    replacement_trigger: Value = None
    secret_outputs: tuple[str, ...] = ()
    aliases: tuple[Alias, ...] = ()
    timeouts: Timeouts = field(default_factory=Timeouts)
    can_be_missing: bool = False

    @property
    def needs(self) -> frozenset[str]:
        """URNs of all that must stand before it."""
        named = {*self.dependencies, self.parent, self.deleted_with}
        return frozenset(named.union(*self.property_dependencies.values()) - {""})


def from_request(request: resource_pb2.RegisterResourceRequest) -> Goal:
    """Read a registration request.

    Raises:
        DeployError: If it uses an option that this engine does not have.
    """
    label = f"{request.type} {request.name!r}"
    _refuse_unserved(request, label)
    return Goal(
        type=request.type,
        name=request.name,
        is_custom=request.custom,
        parent=request.parent,
        inputs=values.decode(request.object),
        provider=request.provider,
        dependencies=tuple(sorted(request.dependencies)),
        property_dependencies={
            name: tuple(sorted(deps.urns)) for name, deps in sorted(request.propertyDependencies.items())
        },
        is_protected=request.protect,
        is_retained=request.retainOnDelete,
        deleted_with=request.deletedWith,
        deletes_before_replace=request.deleteBeforeReplace if request.deleteBeforeReplaceDefined else None,
        ignore_changes=tuple(request.ignoreChanges),
        replace_on_changes=tuple(request.replaceOnChanges),
        replace_with=tuple(request.replace_with),
        replacement_trigger=_trigger(request),
        secret_outputs=tuple(request.additionalSecretOutputs),
        aliases=tuple(_alias(alias, label) for alias in request.aliases),
        timeouts=_timeouts(request.customTimeouts, label),
        can_be_missing=request.supportsResultReporting,
    )


def _refuse_unserved(request: resource_pb2.RegisterResourceRequest, label: str) -> None:
    if request.importId:
        raise DeployError(
            f"{label} is to be imported ({request.importId}), which the embedded engine cannot do",
            "read it with .get(), or run the program with the Pulumi CLI",
        )
    if request.remote:
        raise DeployError(
            f"{label} is a component of another language, which the embedded engine cannot run",
            "run the program with the Pulumi CLI",
        )


def former_urns(goal: Goal, *, stack: str, project: str, parent_aliases: tuple[str, ...]) -> tuple[str, ...]:
    """Return every URN that the resource may have had before, nearest first.

    An alias of the parent passes to its children: a child's name that begins with the parent's name is
    renamed with it (pulumi's `generateAliases` and `inheritedChildAlias`).

    Args:
        goal: The resource.
        stack: Name of the stack.
        project: Name of the project.
        parent_aliases: The parent's own former URNs.
    """
    own = [_former_urn(goal, alias, stack=stack, project=project) for alias in goal.aliases]
    inherited: list[str] = []
    for parent in parent_aliases:
        for name, token in [(goal.name, goal.type), *((urn.name_of(u), urn.type_of(u)) for u in own)]:
            old_name = name
            if name.startswith(urn.name_of(goal.parent)):
                old_name = urn.name_of(parent) + name.removeprefix(urn.name_of(goal.parent))
            inherited.append(
                urn.make(stack=stack, project=project, type_token=token, name=old_name, parent=parent)
            )
    return tuple(dict.fromkeys(own + inherited))


def _former_urn(goal: Goal, alias: Alias, *, stack: str, project: str) -> str:
    if alias.urn:
        return alias.urn
    return urn.make(
        stack=alias.stack or stack,
        project=alias.project or project,
        type_token=alias.type or goal.type,
        name=alias.name or goal.name,
        parent="" if alias.has_no_parent else alias.parent or goal.parent,
    )


def _alias(alias: alias_pb2.Alias, label: str) -> Alias:
    if alias.urn and not urn.is_urn(alias.urn):
        hint = "name the alias by its parts: pulumi.Alias(name=...)"
        raise DeployError(f"the alias {alias.urn!r} of {label} is not a URN", hint)
    spec = alias.spec
    return Alias(
        urn=alias.urn,
        name=spec.name,
        type=spec.type,
        project=spec.project,
        stack=spec.stack,
        parent=spec.parentUrn,
        has_no_parent=spec.noParent,
    )


def _trigger(request: resource_pb2.RegisterResourceRequest) -> Value:
    if not request.HasField("replacement_trigger"):
        return None
    return values.plain(json_format.MessageToDict(request.replacement_trigger))


def _timeouts(timeouts: resource_pb2.RegisterResourceRequest.CustomTimeouts, label: str) -> Timeouts:
    return Timeouts(
        create_s=_seconds(timeouts.create, label),
        update_s=_seconds(timeouts.update, label),
        delete_s=_seconds(timeouts.delete, label),
    )


def _seconds(text: str, label: str) -> float | None:
    """Read a Go duration such as `1h30m`; None for an empty text."""
    if not text:
        return None
    parts = re.findall(r"(\d+(?:\.\d+)?)(ms|[smhd])", text)
    if "".join(number + unit for number, unit in parts) != text:
        raise DeployError(
            f"the timeout {text!r} of {label} is not a duration", "write it as 90s, 5m or 1h30m"
        )
    return sum(float(number) * _UNITS_S[unit] for number, unit in parts)
