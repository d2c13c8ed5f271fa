"""The shapes of requests and answers, distilled from the vendor's typed SDK packages by `tools/distil_schema.py`."""

from __future__ import annotations

import json
import zlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from importlib import resources
from typing import TypeAlias

# A scalar ("str", "int", "float", "bool", "any"), a shape ("vpc.CreateVpcRequest"), a list of one of these ([spec])
# or a map from text to one of them ({"*": spec}).
TypeSpec: TypeAlias = "str | list[TypeSpec] | dict[str, TypeSpec]"

# Terraform's provider calls ESS by its older version; the actions are the same.
VERSION_ALIASES: Mapping[str, str] = {"2014-08-28": "2022-02-22"}


_PYTHON_TYPES: Mapping[str, type] = {"str": str, "int": int, "float": float, "bool": bool}


@dataclass(frozen=True, kw_only=True, slots=True)
class Field:
    """One parameter of a request, or one field of an answer.

    Attributes:
        type_spec: What it holds.
        is_required: Whether a request has to have it.
        python_type: What a value of just this type fits without a further look; None for what is no scalar.
        shape: The shape that it holds; None for anything else.
    """

    type_spec: TypeSpec
    is_required: bool
    python_type: type | None
    shape: str | None


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
        self._action_shapes: dict[tuple[str, str], ActionShape] = {}
        self._fields: dict[str, dict[str, Field]] = {}
        self._required: dict[str, tuple[str, ...]] = {}
        self._names: dict[str, dict[str, str]] = {}

    def action(self, version: str, name: str) -> ActionShape | None:
        """Give an action's shape, or None where the vendor has no such action."""
        known = self._action_shapes.get((version, name))
        if known is not None:
            return known
        row = self._actions.get(f"{version}/{name}")
        if row is None:
            return None
        product, method, request, answer = row
        shape = ActionShape(product=product, method=method, request=request, answer=answer)
        self._action_shapes[version, name] = shape
        return shape

    def actions(self) -> Iterator[tuple[str, str]]:
        """Give (version, action) of every action."""
        for key in self._actions:
            version, _, name = key.partition("/")
            yield version, name

    def fields(self, shape: str) -> Mapping[str, Field]:
        """Give a shape's fields by wire name."""
        if shape not in self._fields:
            self._fields[shape] = {name: self._field(*row) for name, row in self._shapes[shape].items()}
        return self._fields[shape]

    def _field(self, spec: TypeSpec, required: int = 0) -> Field:
        return Field(
            type_spec=spec,
            is_required=bool(required),
            python_type=_PYTHON_TYPES.get(spec) if isinstance(spec, str) else None,
            shape=spec if isinstance(spec, str) and self.is_shape(spec) else None,
        )

    def required(self, shape: str) -> Sequence[str]:
        """Give the wire names of the fields that a request of a shape has to have."""
        if shape not in self._required:
            fields = self.fields(shape).items()
            self._required[shape] = tuple(name for name, field in fields if field.is_required)
        return self._required[shape]

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
