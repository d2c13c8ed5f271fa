"""Auto Scaling by its older version, 2014-08-28, which Terraform's and Pulumi's provider and Go's SDK call.

Its actions are those of 2022-02-22. Most lists are named by the singular in requests (`RemovalPolicy.1`), some by the
plural as in the newer version (`VSwitchIds.1`), and all are wrapped once more in answers (`ScalingGroups:
{ScalingGroup: [...]}`). The names are those of the Terraform provider's calls and reads.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

from steelyard.localcloud.wire.schema import Schema

OLDER_VERSIONS: Final = frozenset({"2014-08-28"})

_IRREGULAR: Final[Mapping[str, str]] = {
    "AlarmList": "Alarm",
    "SpotPriceLimits": "SpotPriceModel",
    "SuspendedProcesses": "SuspendedProcess",
}

_OLDER_NAMES: Final[Mapping[str, str]] = {
    "SpotPriceLimits": "SpotPriceLimit",
    "SystemDiskEncrypted": "SystemDisk.Encrypted",
    "SystemDiskKMSKeyId": "SystemDisk.KMSKeyId",
    "SystemDiskEncryptAlgorithm": "SystemDisk.EncryptAlgorithm",
    "SystemDiskProvisionedIops": "SystemDisk.ProvisionedIops",
    "ImageOptionsLoginAsNonRoot": "ImageOptions.LoginAsNonRoot",
}
"""What the older version calls fields of DescribeScalingConfigurations."""


def newer_parameters(schema: Schema, shape: str, flat: Mapping[str, str]) -> dict[str, str]:
    """Name an older version's parameters as the newer one does; unknown ones stay as they are.

    Args:
        schema: Where shapes are looked up.
        shape: The request's shape in the newer version.
        flat: Parameters as sent.
    """
    return {".".join(_newer_path(schema, shape, name.split("."))): text for name, text in flat.items()}


def _newer_path(schema: Schema, shape: str, parts: Sequence[str]) -> list[str]:
    name, rest = _newer_name(schema, shape, parts), list(parts[1:])
    field = schema.fields(shape).get(name)
    if field is None or not rest:
        return [name, *rest]
    spec, head = field.type_spec, [name]
    while isinstance(spec, list):
        spec = spec[0]
        if rest and rest[0].isdigit():
            head.append(rest.pop(0))
    if rest and isinstance(spec, str) and schema.is_shape(spec):
        return [*head, *_newer_path(schema, spec, rest)]
    return [*head, *rest]


def _newer_name(schema: Schema, shape: str, parts: Sequence[str]) -> str:
    names, given = schema.wire_names(shape), parts[0]
    is_item = len(parts) > 1 and parts[1].isdigit()
    known = names.get(given.lower())
    if known is not None and (not is_item or isinstance(schema.fields(shape)[known].type_spec, list)):
        return known
    plurals = [f"{given}s", f"{given}es", f"{given[:-1]}ies" if given.endswith("y") else given]
    for plural in plurals:
        candidate = names.get(plural.lower())
        if candidate is not None and isinstance(schema.fields(shape)[candidate].type_spec, list):
            return candidate
    return given


def older_answer(answer: Mapping[str, object]) -> dict[str, object]:
    """Name the fields of an answer as the older version does, and wrap its lists."""
    return {_OLDER_NAMES.get(name, name): _older_value(name, value) for name, value in answer.items()}


def _older_value(name: str, value: object) -> object:
    if isinstance(value, Mapping):
        return older_answer(value)
    if not isinstance(value, list):
        return value
    items = [older_answer(item) if isinstance(item, Mapping) else item for item in value]
    return {_singular(name): items}


def _singular(name: str) -> str:
    if name in _IRREGULAR:
        return _IRREGULAR[name]
    return f"{name[:-3]}y" if name.endswith("ies") else name.removesuffix("s")
