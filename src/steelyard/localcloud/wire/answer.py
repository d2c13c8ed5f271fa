from __future__ import annotations

from collections.abc import Collection, Mapping

from steelyard.localcloud.wire.schema import Schema, TypeSpec

_SCALARS: Mapping[str, tuple[type, ...]] = {
    "str": (str,),
    "int": (int,),
    "float": (int, float),
    "bool": (bool,),
}
_LISTS = (list, tuple)
UNDECLARED: Mapping[str, Collection[str]] = {
    "vpc.DescribeEipAddressesResponseBodyEipAddressesEipAddress": ("AvailableRegions",),
    "ecs.DescribeLaunchTemplateVersionsResponseBodyLaunchTemplateVersionSetsLaunchTemplateVersionSet"
    "LaunchTemplateData": tuple(
        f"SystemDisk.{name}"
        for name in (
            "Category",
            "Size",
            "DiskName",
            "Description",
            "DeleteWithInstance",
            "Iops",
            "PerformanceLevel",
            "Encrypted",
            "KMSKeyId",
        )
    ),
}
"""Fields that the API answers, and the vendor's Terraform provider reads, beside those that its packages declare."""
# A dict, which is nearly always there, is told without asking the abstract class.
_MAPPINGS = (dict, Mapping)


def shape_answer(schema: Schema, shape: str, body: Mapping[str, object]) -> dict[str, object]:
    """Cut an answer to its shape: known fields only, each of its type, and those of `UNDECLARED`; None means "absent".

    A handler may give more than one action's fields (an instance's whole record); the shape picks. Python's SDK does
    not check types, Go's does, so a wrong one is refused here.

    Raises:
        TypeError: A value is not of the field's type: a bug of the handler.
    """
    shaped: dict[str, object] = {}
    for name, field in schema.fields(shape).items():
        value = body.get(name)
        if type(value) is field.python_type:
            shaped[name] = value
        elif field.shape is not None and isinstance(value, _MAPPINGS):
            shaped[name] = shape_answer(schema, field.shape, value)
        elif value is not None:
            shaped[name] = _fit(schema, field.type_spec, value, f"{shape}.{name}")
    for name in UNDECLARED.get(shape, ()):
        if name in body:
            shaped[name] = body[name]
    return shaped


def _fit(schema: Schema, spec: TypeSpec, value: object, path: str) -> object:
    if isinstance(spec, list) and isinstance(value, _LISTS):
        return [_fit(schema, spec[0], item, path) for item in value] if value else []
    if isinstance(spec, dict) and isinstance(value, _MAPPINGS):
        return {key: _fit(schema, spec["*"], item, path) for key, item in value.items()}
    if isinstance(spec, str):
        if spec == "any":
            return value
        if schema.is_shape(spec):
            if isinstance(value, _MAPPINGS):
                return shape_answer(schema, spec, value)
        elif isinstance(value, _SCALARS[spec]) and (spec == "bool" or not isinstance(value, bool)):
            return float(value) if spec == "float" else value  # type: ignore[arg-type]
    raise TypeError(f"answer field {path}: {value!r} is not of type {spec}")
