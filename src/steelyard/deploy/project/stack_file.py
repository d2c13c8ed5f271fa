"""`Pulumi.<stack>.yaml`: a stack's settings, joined with what the project says of them."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from steelyard.deploy.project.passphrase import PassphraseOpener
from steelyard.deploy.project.project_file import Project, read_mapping, require_name
from steelyard.deploy.report import Secret
from steelyard.errors import UsageError

Passphrase = Callable[[], str | None]
"""Gives the stack's passphrase, None where there is none; asked only where a secret needs it."""

_PROVIDER_KEYS = {"secretsprovider": "a secrets provider", "encryptedkey": "an encrypted key"}
_DESCRIPTION_KEYS = {"type", "description", "secret", "default", "value", "items"}


def stack_names(project: Project) -> list[str]:
    """Return the names of the stacks that have a file."""
    names = {
        path.name.removeprefix("Pulumi.").rpartition(".")[0]
        for suffix in ("yaml", "yml")
        for path in project.config_dir.glob(f"Pulumi.*.{suffix}")
    }
    return sorted(name for name in names if name)


def load_config(project: Project, stack: str, passphrase: Passphrase) -> dict[str, str | Secret]:
    """Return a stack's configuration by full key, as Pulumi hands it to the program.

    A structured value is JSON text; it is a secret where any part of it is.

    Args:
        project: The project.
        stack: Name of the stack; one without a file has the project's defaults alone.
        passphrase: Opens its secrets.

    Raises:
        UsageError: If the file is wrong, a secret cannot be opened, or a setting without a default is missing.
    """
    require_name(stack, "the stack's name")
    path = _path(project, stack)
    tree = read_mapping(path) if path else {}
    opener = _Opener(tree, path, passphrase)
    own = {_full_key(project, key): value for key, value in (tree.get("config") or {}).items()}
    config: dict[str, str | Secret] = {}
    for key, declared in project.settings.items():
        full = _full_key(project, key)
        if full in own:
            continue
        config[full] = _text(_default(full, declared, path or project.root / f"Pulumi.{stack}.yaml"), opener)
    config.update({key: _text(value, opener) for key, value in own.items()})
    return config


class _Opener:
    """Opens the secrets of a stack's file, once the first one is met."""

    def __init__(self, tree: Mapping[str, Any], path: Path | None, passphrase: Passphrase) -> None:
        self._tree = tree
        self._path = path
        self._passphrase = passphrase
        self._opener: PassphraseOpener | None = None

    def open(self, sealed: str) -> str:
        """Return a secret's text.

        Raises:
            UsageError: If no passphrase can open it, naming what sealed it.
        """
        if self._opener is None:
            self._opener = self._make()
        return self._opener.open(sealed)

    def _make(self) -> PassphraseOpener:
        for key, label in _PROVIDER_KEYS.items():
            value = str(self._tree.get(key) or "")
            if value and value != "passphrase":
                raise UsageError(
                    f"{self._path} has {label} ({key}: {value}), whose secrets cannot be opened here",
                    "seal them with a passphrase: pulumi stack change-secrets-provider passphrase",
                )
        salt = self._tree.get("encryptionsalt")
        if not salt:
            raise UsageError(
                f"{self._path} holds secrets without an encryptionsalt: Pulumi Cloud keeps their key",
                "seal them with a passphrase: pulumi stack change-secrets-provider passphrase",
            )
        passphrase = self._passphrase()
        if passphrase is None:
            raise UsageError(
                f"{self._path} holds secrets that a passphrase opens",
                "set PULUMI_CONFIG_PASSPHRASE, or PULUMI_CONFIG_PASSPHRASE_FILE to the file that holds it",
            )
        return PassphraseOpener(str(salt), passphrase)


def _path(project: Project, stack: str) -> Path | None:
    found = (project.config_dir / f"Pulumi.{stack}.{suffix}" for suffix in ("yaml", "yml"))
    return next((path for path in found if path.is_file()), None)


def _full_key(project: Project, key: object) -> str:
    return str(key) if ":" in str(key) else f"{project.name}:{key}"


def _default(key: str, declared: Any, path: Path) -> Any:
    """Return what the project sets a key to: a plain value, a `value`, or the `default` of a typed one."""
    if not isinstance(declared, dict) or not declared.keys() <= _DESCRIPTION_KEYS:
        return declared
    for name in ("value", "default"):
        if name in declared:
            return declared[name]
    raise UsageError(f"the setting {key} is missing", f"set it under `config` in {path}")


def _text(value: Any, opener: _Opener) -> str | Secret:
    if _is_sealed(value):
        return Secret(opener.open(value["secure"]))
    opened, is_secret = _open(value, opener)
    if isinstance(opened, dict | list):
        text = json.dumps(opened, default=str)
    else:
        text = "" if opened is None else json.dumps(opened) if isinstance(opened, bool) else str(opened)
    return Secret(text) if is_secret else text


def _open(value: Any, opener: _Opener) -> tuple[Any, bool]:
    """Return a value with its secrets opened, and whether there were any."""
    if _is_sealed(value):
        return opener.open(value["secure"]), True
    if isinstance(value, dict):
        parts = {str(name): _open(part, opener) for name, part in value.items()}
        return {name: part for name, (part, _) in parts.items()}, any(secret for _, secret in parts.values())
    if isinstance(value, list):
        items = [_open(part, opener) for part in value]
        return [part for part, _ in items], any(secret for _, secret in items)
    return value, False


def _is_sealed(value: Any) -> bool:
    return isinstance(value, dict) and value.keys() == {"secure"} and isinstance(value["secure"], str)
