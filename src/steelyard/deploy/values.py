"""Property values as Pulumi's protocol carries them: JSON trees with marked secrets and unknowns.

A secret is a map under a signature key, an unknown is one fixed string (Pulumi's `rpc.py` holds the same
constants). Inside the engine values keep that form; a provider is only ever given plain ones.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from google.protobuf import struct_pb2

SIGNATURE = "4dabf18193072939515e22adb298388d"
SECRET = "1b47061264138c4ac30d75fd1eb44270"
UNKNOWN = "04da6b54-80e4-46f7-96ec-b56ff0331ba9"

Value = Any
"""None, bool, int, float, str, a list or a map of Values."""

Properties = Mapping[str, Value]


def is_secret(value: Value) -> bool:
    """Whether the value itself is marked secret."""
    return isinstance(value, dict) and value.get(SIGNATURE) == SECRET


def secret(value: Value) -> Value:
    """Mark a value secret; a marked one is returned as it is."""
    return value if is_secret(value) else {SIGNATURE: SECRET, "value": value}


def plain(value: Value) -> Value:
    """Return the value with every secret's mark taken off."""
    if is_secret(value):
        return plain(value["value"])
    if isinstance(value, Mapping):
        return {key: plain(item) for key, item in value.items()}
    if isinstance(value, list):
        return [plain(item) for item in value]
    return value


def has_secret(value: Value) -> bool:
    """Whether the value is, or holds, a secret."""
    if is_secret(value):
        return True
    if isinstance(value, Mapping):
        return any(has_secret(item) for item in value.values())
    return isinstance(value, list) and any(has_secret(item) for item in value)


def has_unknown(value: Value) -> bool:
    """Whether the value is, or holds, something that only the cloud will tell."""
    if isinstance(value, Mapping):
        return any(has_unknown(item) for item in value.values())
    if isinstance(value, list):
        return any(has_unknown(item) for item in value)
    return isinstance(value, str) and value == UNKNOWN


def known(value: Value) -> Value:
    """Return a map or a list without the parts that only the cloud will tell."""
    if isinstance(value, Mapping):
        return {key: known(item) for key, item in value.items() if not _is_unknown(item)}
    if isinstance(value, list):
        return [known(item) for item in value if not _is_unknown(item)]
    return value


def _is_unknown(value: Value) -> bool:
    return plain(value) == UNKNOWN


def annotate(outputs: Properties, inputs: Properties, secret_names: Iterable[str]) -> dict[str, Value]:
    """Mark as secret each output whose input is (or holds) a secret, and each that is named.

    Args:
        outputs: A provider's plain outputs.
        inputs: The resource's inputs, secrets marked.
        secret_names: Further outputs to mark (the option `additional_secret_outputs`).
    """
    marked = {name for name, value in inputs.items() if has_secret(value)} | set(secret_names)
    return {name: secret(value) if name in marked else value for name, value in outputs.items()}


def decode(struct: struct_pb2.Struct) -> dict[str, Value]:
    """Turn a protobuf Struct into a dict; whole numbers become int, absent values are left out."""
    return {
        name: _decode(value)
        for name, value in struct.fields.items()
        if value.WhichOneof("kind") not in (None, "null_value")
    }


def encode(properties: Properties) -> struct_pb2.Struct:
    """Turn a dict into a protobuf Struct, leaving out what is None."""
    struct = struct_pb2.Struct()
    struct.update({name: value for name, value in properties.items() if value is not None})
    return struct


def _decode(value: struct_pb2.Value) -> Value:
    kind = value.WhichOneof("kind")
    if kind == "struct_value":
        return {name: _decode(item) for name, item in value.struct_value.fields.items()}
    if kind == "list_value":
        return [_decode(item) for item in value.list_value.values]
    if kind == "number_value":
        number = value.number_value
        return int(number) if number.is_integer() else number
    return None if kind in (None, "null_value") else getattr(value, kind)
