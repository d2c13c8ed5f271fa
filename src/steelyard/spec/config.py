from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from steelyard.spec.inspection import inspect
from steelyard.spec.mistake import Mistake, SpecError, path_text
from steelyard.spec.model import ClusterSpec

NAMESPACE = "steelyard"
SOURCE = "the stack's config"


def read_config(mapping: Mapping[str, Any]) -> ClusterSpec:
    """Read a spec from a Pulumi stack's config.

    Args:
        mapping: Config keys, with or without `steelyard:` before them, and their values: text as the config holds it
            (JSON where it is structured), or values already read.

    Raises:
        SpecError: If anything is wrong; it holds every mistake, its place the config key.
    """
    raw = {
        (key := name.removeprefix(f"{NAMESPACE}:")): _decoded(key, value) for name, value in mapping.items()
    }
    spec, findings = inspect(raw)
    if spec is None:
        raise SpecError(
            SOURCE,
            [
                Mistake(
                    line=0,
                    column=0,
                    path=f"{NAMESPACE}:{path_text(finding.path)}",
                    message=finding.message,
                    hint=finding.hint,
                )
                for finding in findings
            ],
        )
    return spec


def _decoded(key: str, value: Any) -> Any:
    """Return a value that the config holds as JSON text, unless the setting is text itself."""
    field = ClusterSpec.model_fields.get(key)
    if not isinstance(value, str) or field is None or field.annotation is str:
        return value
    try:
        return json.loads(value)
    except json.JSONDecodeError:
        return value
