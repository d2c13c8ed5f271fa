"""What the state remembers of one resource."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields
from typing import Any

from steelyard.deploy import urn as urns
from steelyard.deploy.values import Properties, Value


@dataclass(frozen=True, kw_only=True)
class Record:
    """One resource that stands in the cloud (or a component, which stands in the state alone).

    Attributes:
        inputs: The inputs of the last operation that succeeded; secrets marked.
        outputs: The properties that the provider gave, over the inputs; secrets marked.
        provider: `<urn>::<id>` of the provider that made it; empty for a component.
        is_external: It was only read (`.get()`): deleting it forgets it and leaves the cloud alone.
        is_half_made: Its creation failed after the cloud had given the id: the next run makes it anew.
        delete_timeout_s: How long its deletion may take; None means the provider's default.
    """

    urn: str
    is_custom: bool
    id: str = ""
    inputs: Properties = field(default_factory=dict)
    outputs: Properties = field(default_factory=dict)
    parent: str = ""
    provider: str = ""
    dependencies: tuple[str, ...] = ()
    property_dependencies: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    is_protected: bool = False
    is_retained: bool = False
    is_external: bool = False
    is_half_made: bool = False
    deleted_with: str = ""
    deletes_before_replace: bool | None = None
    replacement_trigger: Value = None
    delete_timeout_s: float | None = None

    @property
    def type(self) -> str:
        """The Pulumi type token."""
        return urns.type_of(self.urn)

    @property
    def name(self) -> str:
        """The name in the program."""
        return urns.name_of(self.urn)

    @property
    def needs(self) -> frozenset[str]:
        """URNs of all that must outlive this resource: what it depends on, its parent, its provider."""
        provider = self.provider.rsplit("::", 1)[0] if self.provider else ""
        linked = {*self.dependencies, self.parent, provider, self.deleted_with}
        for urns_of_property in self.property_dependencies.values():
            linked.update(urns_of_property)
        return frozenset(linked - {"", self.urn})

    def as_dict(self) -> dict[str, Any]:
        """Return the record as a JSON tree, without what is at its default."""
        plain = asdict(self)
        defaults = {f.name: f.default for f in fields(self)}
        return {
            name: value
            for name, value in plain.items()
            if name in ("urn", "is_custom") or (value != defaults[name] and value not in ({}, ()))
        }

    @classmethod
    def from_dict(cls, tree: Mapping[str, Any]) -> Record:
        """Read what `as_dict` wrote."""
        fixed = dict(tree)
        fixed["dependencies"] = tuple(tree.get("dependencies", ()))
        fixed["property_dependencies"] = {
            name: tuple(deps) for name, deps in tree.get("property_dependencies", {}).items()
        }
        return cls(**fixed)


def renamed(record: Record, old: str, new: str) -> Record:
    """Return the record with every reference to one URN changed to another."""

    def change(urn: str) -> str:
        return new if urn == old else urn

    reference = record.provider
    if reference.startswith(f"{old}::"):
        reference = new + reference.removeprefix(old)
    values: dict[str, Any] = {
        **{f.name: getattr(record, f.name) for f in fields(record)},
        "urn": change(record.urn),
        "parent": change(record.parent),
        "deleted_with": change(record.deleted_with),
        "provider": reference,
        "dependencies": tuple(change(urn) for urn in record.dependencies),
        "property_dependencies": {
            name: tuple(change(urn) for urn in deps) for name, deps in record.property_dependencies.items()
        },
    }
    return Record(**values)
