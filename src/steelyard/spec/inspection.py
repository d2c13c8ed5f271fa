"""From plain values to a spec, or to every mistake in them."""

from __future__ import annotations

import typing
from collections.abc import Mapping
from typing import Any

from pydantic import ValidationError
from pydantic.fields import FieldInfo
from pydantic_core import ErrorDetails

from steelyard.spec import check
from steelyard.spec.load_balancer import LoadBalancerSpec
from steelyard.spec.mistake import Finding, Path
from steelyard.spec.model import ClusterSpec
from steelyard.spec.nearest import listed, nearest
from steelyard.spec.part import Part


def inspect(raw: Any) -> tuple[ClusterSpec | None, list[Finding]]:
    """Check plain values, as YAML or JSON gives them.

    Returns:
        The spec, None where there is a mistake; and every mistake.
    """
    findings: list[Finding] = []
    spec = None
    try:
        spec = ClusterSpec.model_validate(raw, context=check.SEPARATELY)
    except ValidationError as err:
        # A default that rests upon a wrong value is no mistake of its own.
        details = (
            one for one in err.errors(include_url=False) if one["type"] != "default_factory_not_called"
        )
        findings += [_finding(one) for one in details]
    if isinstance(raw, Mapping):
        findings += check.findings_across(_filled(raw, ClusterSpec))
    return (None, findings) if findings else (spec, findings)


def _filled(raw: Mapping[str, Any], model: type[Part]) -> dict[str, Any]:
    """Return a model's values with its defaults where a key is missing."""
    filled: dict[str, Any] = {}
    for key, field in model.model_fields.items():
        if key in raw:
            filled[key] = _filled_value(raw[key], field)
        elif not field.is_required():
            default = field.get_default(call_default_factory=True, validated_data=_readable(raw))
            filled[key] = _plain(default)
    return filled


def _filled_value(value: Any, field: FieldInfo) -> Any:
    part = _part_of(field)
    if part and isinstance(value, Mapping):
        return _filled(value, part)
    if part and isinstance(value, list | tuple):
        return [_filled(one, part) if isinstance(one, Mapping) else one for one in value]
    return value


def _readable(raw: Mapping[str, Any]) -> dict[str, Any]:
    """Return the values that other settings' defaults rest upon."""
    region = raw.get("region", ClusterSpec.model_fields["region"].default)
    kind = raw.get("kind", LoadBalancerSpec.model_fields["kind"].default)
    return {key: value for key, value in (("region", region), ("kind", kind)) if isinstance(value, str)}


def _plain(value: Any) -> Any:
    if isinstance(value, Part):
        return value.model_dump(mode="json")
    return [_plain(one) for one in value] if isinstance(value, tuple) else value


def _part_of(field: FieldInfo) -> type[Part] | None:
    """Return the model that a field holds, by itself or in a list."""
    for annotation in (field.annotation, *typing.get_args(field.annotation)):
        if isinstance(annotation, type) and issubclass(annotation, Part):
            return annotation
    return None


def _model_at(path: Path) -> type[Part]:
    model: type[Part] = ClusterSpec
    for part in path:
        field = model.model_fields.get(part) if isinstance(part, str) else None
        model = (_part_of(field) if field else None) or model
    return model


def _owner_of(key: str, model: type[Part], place: str) -> str:
    """Return the place of the first part that has a setting of a name; empty where none has."""
    for name, field in model.model_fields.items():
        part = _part_of(field)
        here = f"{place}.{name}" if place else name
        if part and key in part.model_fields:
            return here
        if part and (deeper := _owner_of(key, part, here)):
            return deeper
    return ""


def _finding(details: ErrorDetails) -> Finding:
    path: Path = details["loc"]
    if details["type"] == "refused":
        context = details["ctx"]
        return Finding(path=path, message=context["reason"], hint=context["hint"])
    if details["type"] == "extra_forbidden":
        return _unknown_key(path)
    if details["type"] == "missing":
        example = f"{path[-1]}: {'demo' if len(path) == 1 else 'workers'}"
        return Finding(path=path, message="is missing", hint=f"add `{example}`")
    return _wrong_type(path, details)


def _unknown_key(path: Path) -> Finding:
    keys = list(_model_at(path[:-1]).model_fields)
    key = str(path[-1])
    owner = _owner_of(key, ClusterSpec, "")
    belongs = f"it belongs under `{owner}`" if owner else f"the nearest is `{nearest(key, keys)}`"
    hint = f"{belongs}; there are {listed(keys)}"
    return Finding(path=path, message=f"there is no setting `{key}`", hint=hint, is_key=True)


def _wrong_type(path: Path, details: ErrorDetails) -> Finding:
    value, kind = details["input"], details["type"]
    shown = "nothing" if value is None else _shown(value)
    unquoted = isinstance(value, str)
    if kind == "string_type":
        wanted = "text"
        hint = f'put it in quotes: "{value}"' if isinstance(value, int | float) else "give one word or line"
    elif kind.startswith("int"):
        wanted = "a whole number"
        hint = f"write {value} without quotes" if unquoted and value.strip().isdigit() else "such as 1"
    elif kind.startswith("float"):
        wanted, hint = "a number", "such as 12.5"
    elif kind.startswith("bool"):
        wanted, hint = "true or false", "write `true` or `false`, without quotes"
    elif kind in ("tuple_type", "list_type"):
        wanted, hint = "a list", "put `- ` before each entry, or write `[first, second]`"
    else:
        keys = listed(_model_at(path).model_fields)
        wanted, hint = "settings of the form `key: value`", f"there are {keys}"
    if value is None:
        hint += "; remove the key to take the default"
    return Finding(path=path, message=f"is {shown}, and must be {wanted}", hint=hint)


def _shown(value: Any) -> str:
    if isinstance(value, str):
        return f"text, `{value}`"
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, Mapping):
        return "a set of settings"
    return "a list" if isinstance(value, list | tuple) else f"`{value}`"
