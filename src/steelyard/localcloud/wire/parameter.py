"""From flat wire parameters to typed, nested ones.

Nothing is typed on the wire, and a list comes in one of three encodings, by product and action: dotted
(`Tag.1.Key=env`), as JSON text (`InstanceIds=["i-1"]`) or as comma text (`VpcIds=vpc-1,vpc-2`).
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Collection, Mapping

from steelyard.localcloud.wire.error import invalid_parameter, missing_parameter
from steelyard.localcloud.wire.schema import Schema, TypeSpec

_INTEGER = re.compile(r"[+-]?[0-9]{1,19}")
_BOOLEANS = {"true": True, "false": False, "1": True, "0": False}


class _Node:
    """A parameter's own text, and what stands behind its dots; both at once is a client's mistake: the text wins."""

    __slots__ = ("branches", "text")

    def __init__(self) -> None:
        self.text: str | None = None
        self.branches: dict[str, _Node] = {}


def parse_parameters(
    schema: Schema, shape: str, flat: Mapping[str, str], optional: Collection[str] = ()
) -> dict[str, object]:
    """Parse one request's parameters by its shape.

    Parameters that the shape does not know are dropped, as the real gateway drops them.

    Args:
        schema: Where shapes are looked up.
        shape: The request's shape.
        flat: Parameters as sent: query and form merged.
        optional: Parameters that the schema wrongly calls required; nested ones by their dotted path without the
            numbers of lists, e.g. `ZoneMappings.EipType`.

    Returns:
        Values by wire name; str, int, float, bool, lists and dicts of these. What was not sent is absent.

    Raises:
        ApiError: `MissingParameter` or `InvalidParameter`, naming the parameter by its dotted path.
    """
    return _parse_shape(schema, shape, _grow_tree(flat), "", optional)


def _grow_tree(flat: Mapping[str, str]) -> _Node:
    root = _Node()
    for name, text in flat.items():
        node = root
        for part in name.split("."):
            if part not in node.branches:
                node.branches[part] = _Node()
            node = node.branches[part]
        node.text = text
    return root


def _parse_shape(
    schema: Schema, shape: str, node: _Node, path: str, optional: Collection[str] = ()
) -> dict[str, object]:
    names, fields = schema.wire_names(shape), schema.fields(shape)
    parsed: dict[str, object] = {}
    for part, branch in node.branches.items():
        name = names.get(part.lower())
        if name is None:
            continue
        if branch.text is not None and fields[name].python_type is str:
            parsed[name] = branch.text
        else:
            parsed[name] = _parse(schema, fields[name].type_spec, branch, path + name, optional)
    for name in schema.required(shape):
        if parsed.get(name) in (None, "") and _without_numbers(path + name) not in optional:
            raise missing_parameter(path + name)
    return parsed


def _without_numbers(path: str) -> str:
    return ".".join(part for part in path.split(".") if not part.isdigit())


def _parse(schema: Schema, spec: TypeSpec, node: _Node, path: str, optional: Collection[str]) -> object:
    if node.text is not None:
        return _parse_text(schema, spec, node.text, path)
    if isinstance(spec, list):
        return _parse_items(schema, spec[0], node.branches, path, optional)
    if isinstance(spec, str) and schema.is_shape(spec):
        return _parse_shape(schema, spec, node, path + ".", optional)
    if isinstance(spec, dict) or spec == "any":
        item_spec = spec["*"] if isinstance(spec, dict) else spec
        return {
            part: _parse(schema, item_spec, branch, f"{path}.{part}", optional)
            for part, branch in node.branches.items()
        }
    raise invalid_parameter(path, ".".join(node.branches), f"of type {spec}")


def _parse_items(
    schema: Schema, spec: TypeSpec, branches: Mapping[str, _Node], path: str, optional: Collection[str]
) -> list[object]:
    for index in branches:
        if not _INTEGER.fullmatch(index):
            raise invalid_parameter(path, index, "a list index")
    return [
        _parse(schema, spec, branches[index], f"{path}.{index}", optional)
        for index in sorted(branches, key=lambda index: int(index))
    ]


def _parse_text(schema: Schema, spec: TypeSpec, text: str, path: str) -> object:
    if isinstance(spec, str) and not schema.is_shape(spec):
        return parse_scalar(spec, text, path)
    if text == "" and isinstance(spec, list):
        return []
    try:
        value = json.loads(text)
    except ValueError:
        if not isinstance(spec, list):
            raise invalid_parameter(path, text, "JSON text") from None
        value = text.split(",")
    if isinstance(spec, list) and not isinstance(value, list):
        # One plain value makes a list of one, and some plain values are JSON as well: 1, true, null.
        value = [value] if isinstance(value, dict | str) else text.split(",")
    return type_value(schema, spec, value, path)


def type_value(schema: Schema, spec: TypeSpec, value: object, path: str) -> object:
    """Give a decoded JSON value the types of the schema.

    Raises:
        ApiError: `InvalidParameter` where it does not fit.
    """
    if value is None:
        return None
    if isinstance(spec, list):
        if not isinstance(value, list):
            raise invalid_parameter(path, value, "a list")
        return [type_value(schema, spec[0], item, f"{path}.{i}") for i, item in enumerate(value, 1)]
    if isinstance(spec, str) and not schema.is_shape(spec):
        return parse_scalar(spec, value, path)
    if not isinstance(value, dict):
        raise invalid_parameter(path, value, "a JSON object")
    if isinstance(spec, dict):
        return {str(key): type_value(schema, spec["*"], item, f"{path}.{key}") for key, item in value.items()}
    return _type_shape(schema, spec, value, path)


def _type_shape(schema: Schema, shape: str, value: Mapping[str, object], path: str) -> dict[str, object]:
    names = schema.wire_names(shape)
    given = {names[key.lower()]: item for key, item in value.items() if key.lower() in names}
    typed: dict[str, object] = {}
    for name, field in schema.fields(shape).items():
        if given.get(name) is not None:
            typed[name] = type_value(schema, field.type_spec, given[name], f"{path}.{name}")
        elif field.is_required:
            raise missing_parameter(f"{path}.{name}")
    return typed


def parse_scalar(spec: str, value: object, path: str) -> object:
    """Give one value the type `spec`: str, int, float, bool or any.

    Raises:
        ApiError: `InvalidParameter` where it does not fit.
    """
    if spec == "any":
        return value
    if spec == "str":
        return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    if spec == "bool":
        return _parse_boolean(value, path)
    if spec == "int":
        if isinstance(value, str) and _INTEGER.fullmatch(value):
            return int(value)
        if isinstance(value, int) and not isinstance(value, bool):
            return value
        raise invalid_parameter(path, value, "an integer")
    return _parse_float(value, path)


def _parse_boolean(value: object, path: str) -> bool:
    if isinstance(value, bool):
        return value
    try:
        return _BOOLEANS[str(value).lower()]
    except KeyError:
        raise invalid_parameter(path, value, "true or false") from None


def _parse_float(value: object, path: str) -> float:
    try:
        number = float(value) if isinstance(value, str | int | float) else math.nan
    except (ValueError, OverflowError):
        number = math.nan
    if not math.isfinite(number):
        raise invalid_parameter(path, value, "a number")
    return number
