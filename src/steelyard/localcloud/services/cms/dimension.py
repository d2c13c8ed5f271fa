"""Dimensions of metrics, such as `{"instanceId": "i-1"}`, in the forms that calls carry them."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from steelyard.localcloud.services.cms import errors


def text_of(dimensions: Mapping[str, str]) -> str:
    """Write dimensions so that equal ones have one text."""
    return json.dumps(dict(dimensions), sort_keys=True, separators=(",", ":"))


def flat(value: Any) -> dict[str, str]:
    """Give dimensions as one level of texts.

    A custom metric's own come nested under `dimension` in some calls, as an object, as its JSON text, as
    `name:value,name:value` or as `name=value,name=value`; the account's id is no dimension here, since there is one
    account.

    Raises:
        ApiError: `ParameterInvalid` where it is no set of dimensions.
    """
    if isinstance(value, str):
        value = _parsed(value)
    if not isinstance(value, dict):
        raise errors.parameter_invalid(f"The dimensions are not valid: {value!r} is no JSON object.")
    inner = value.get("dimension")
    rest = {str(name): str(item) for name, item in value.items() if name not in ("dimension", "userId")}
    return {**rest, **(flat(inner) if inner else {})}


def read(text: str) -> list[dict[str, str]]:
    """Read a call's list of dimensions, or the one that it names; `{}` for all series, as `_ALL` is.

    Raises:
        ApiError: `ParameterInvalid`.
    """
    if not text:
        return [{}]
    value = _parsed(text)
    found = [flat(one) for one in (value if isinstance(value, list) else [value])]
    return [{} if one.get("resource") == "_ALL" else one for one in found] or [{}]


def _parsed(text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError:
        pairs = [part.partition(":" if ":" in part else "=") for part in text.split(",")]
        if not all(name and sign for name, sign, _ in pairs):
            raise errors.parameter_invalid(f"The dimensions are not valid: {text!r}.") from None
        return {name.strip(): value.strip() for name, _, value in pairs}
