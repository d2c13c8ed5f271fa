"""The shapes of requests and answers, distilled from the vendor's typed SDK packages by `tools/distil_schema.py`."""

from __future__ import annotations

import json
import zlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from importlib import resources
from typing import TypeAlias

# A scalar ("str", "int", "float", "bool", "any"), a shape ("vpc.CreateVpcRequest"), a list of one of these ([spec])
# or a map from text to one of them ({"*": spec}).
TypeSpec: TypeAlias = "str | list[TypeSpec] | dict[str, TypeSpec]"

# Terraform's provider calls ESS by its older version; the actions are the same.
VERSION_ALIASES: Mapping[str, str] = {"2014-08-28": "2022-02-22"}


@dataclass(frozen=True, kw_only=True)
class Field:
    """One parameter of a request, or one field of an answer."""

    type_spec: TypeSpec
    is_required: bool


@dataclass(frozen=True, kw_only=True)
class ActionShape:
    """What one action takes and gives.

    Attributes:
        product: Product code, e.g. `vpc`.
        method: HTTP method that the vendor's client uses.
        request: Name of the request's shape; None where the action takes no parameters.
        answer: Name of the answer's shape.
    """

    product: str
    method: str
    request: str | None
    answer: str


class Schema:
    """Looks up actions and shapes.

    Args:
        actions: `version/action` to [product, method, request shape or None, answer shape].
        shapes: Shape name to wire name to [type spec] or [type spec, 1], the 1 meaning "required".
    """

    def __init__(self, actions: Mapping[str, list], shapes: Mapping[str, Mapping[str, list]]) -> None:
        self._actions = actions
        self._shapes = shapes
        self._fields: dict[str, dict[str, Field]] = {}
        self._names: dict[str, dict[str, str]] = {}

    def action(self, version: str, name: str) -> ActionShape | None:
        """Give an action's shape, or None where the vendor has no such action."""
        row = self._actions.get(f"{version}/{name}")
        if row is None:
            return None
        product, method, request, answer = row
        return ActionShape(product=product, method=method, request=request, answer=answer)

    def actions(self) -> Iterator[tuple[str, str]]:
        """Give (version, action) of every action."""
        for key in self._actions:
            version, _, name = key.partition("/")
            yield version, name

    def fields(self, shape: str) -> Mapping[str, Field]:
        """Give a shape's fields by wire name."""
        if shape not in self._fields:
            self._fields[shape] = {
                name: Field(type_spec=row[0], is_required=len(row) > 1)
                for name, row in self._shapes[shape].items()
            }
        return self._fields[shape]

    def wire_names(self, shape: str) -> Mapping[str, str]:
        """Give a shape's wire names by their lower-case form.

        Clients differ in capitals: Python's SLB package sends `healthCheckInterval`, Go's sends `HealthCheckInterval`.
        """
        if shape not in self._names:
            self._names[shape] = {name.lower(): name for name in self._shapes[shape]}
        return self._names[shape]

    def is_shape(self, spec: TypeSpec) -> bool:
        """Tell whether a type spec names a shape (and not a scalar, list or map)."""
        return isinstance(spec, str) and spec in self._shapes


def load_schema() -> Schema:
    """Read the schema that the package ships (about 15 ms)."""
    packed = resources.files(__package__).joinpath("schema.json.zlib").read_bytes()
    document = json.loads(zlib.decompress(packed))
    return Schema(document["actions"], document["shapes"])
