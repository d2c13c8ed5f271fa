"""Pulumi's property paths: `tags.role`, `dataDisks[0].size`, `["odd.name"]`, with `*` for any key."""

from __future__ import annotations

import re
from collections.abc import Sequence

from steelyard.deploy import values
from steelyard.deploy.values import Properties, Value
from steelyard.errors import DeployError

Path = tuple[str | int, ...]

_PART = re.compile(r"""\.?([^.\[\]"]+)|\[(\d+)\]|\[\*\]|\["((?:[^"\\]|\\.)*)"\]""")
_ABSENT = object()


def parse(text: str) -> Path:
    """Split a property path into its keys (str) and indices (int); `*` stays `"*"`.

    Raises:
        DeployError: If the text is not a property path.
    """
    parts: list[str | int] = []
    position = 0
    while position < len(text):
        match = _PART.match(text, position)
        if match is None:
            raise DeployError(
                f"{text!r} is not a property path", "write it as tags.role or dataDisks[0].size"
            )
        key, index, quoted = match.groups()
        if index is not None:
            parts.append(int(index))
        else:
            parts.append(key or (quoted.replace('\\"', '"') if quoted is not None else "*"))
        position = match.end()
    return tuple(parts)


def show(parts: Sequence[str | int]) -> str:
    """Join keys and indices to the text that `parse` reads."""
    text = ""
    for part in parts:
        if isinstance(part, int):
            text += f"[{part}]"
        elif re.fullmatch(r"[^.\[\]\"]+", part):
            text += f".{part}" if text else part
        else:
            quoted = part.replace('"', '\\"')
            text += f'["{quoted}"]'
    return text


def covers(pattern: Path, path: Path) -> bool:
    """Whether a change at `path` is a change of what `pattern` names: one begins with the other."""
    return all(want in ("*", have) for want, have in zip(pattern, path, strict=False))


def keep_old(old: Properties, new: Properties, paths: Sequence[str]) -> dict[str, Value]:
    """Return the new inputs with the values at the paths put back to the old ones (`ignore_changes`).

    A value that the old inputs lack is taken out.
    """
    kept: Value = dict(new)
    for text in paths:
        kept = _put_back(dict(old), kept, parse(text))
    return dict(kept)


def _put_back(old: Value, new: Value, path: Path) -> Value:
    if not path:
        return old
    if values.is_secret(new):
        inner = _put_back(old["value"] if values.is_secret(old) else old, new["value"], path)
        return values.secret(inner)
    old = old["value"] if values.is_secret(old) else old
    head, rest = path[0], path[1:]
    if isinstance(new, dict):
        before = old if isinstance(old, dict) else {}
        for key in before.keys() | new.keys() if head == "*" else {head}:
            value = _put_back(before.get(key, _ABSENT), new.get(key, _ABSENT), rest)
            new = {k: v for k, v in new.items() if k != key} if value is _ABSENT else {**new, key: value}
        return new
    if isinstance(new, list) and isinstance(old, list):
        shared = range(min(len(old), len(new)))
        chosen = [i for i in shared if head in ("*", i)]
        return [_put_back(old[i], v, rest) if i in chosen else v for i, v in enumerate(new)]
    return new
