"""Encryption of the secrets in a stack's state."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

from cryptography.fernet import Fernet, InvalidToken

from steelyard.deploy import values
from steelyard.deploy.values import Value
from steelyard.errors import DeployError


class Sealer:
    """Seals each secret of a value tree with a key that lies in a file of its own (mode 0600).

    Args:
        key_path: The key file; it is made when the first secret is sealed.
    """

    def __init__(self, key_path: Path) -> None:
        self.key_path = key_path
        self._fernet: Fernet | None = None

    def seal(self, value: Value) -> Value:
        """Return the tree with every secret encrypted; the rest is as it was."""
        if values.is_secret(value):
            text = json.dumps(values.plain(value)).encode()
            token = self._cipher(create=True).encrypt(text).decode()
            return {values.SIGNATURE: values.SECRET, "ciphertext": token}
        return _each(value, self.seal)

    def open(self, value: Value) -> Value:
        """Return the tree with every secret decrypted, still marked as a secret.

        Raises:
            DeployError: If the key is gone or is not the one that sealed it.
        """
        if values.is_secret(value):
            try:
                text = self._cipher(create=False).decrypt(value["ciphertext"].encode())
            except InvalidToken as err:
                raise DeployError(
                    f"the secrets of the stack's state were not sealed with the key in {self.key_path}",
                    "put the right key file back",
                ) from err
            return values.secret(json.loads(text))
        return _each(value, self.open)

    def _cipher(self, *, create: bool) -> Fernet:
        if self._fernet is None:
            self._fernet = Fernet(self._key(create=create))
        return self._fernet

    def _key(self, *, create: bool) -> bytes:
        if create and not self.key_path.exists():
            # O_EXCL with the mode given at creation: the key is never readable by others, not even briefly.
            descriptor = os.open(self.key_path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
            with os.fdopen(descriptor, "wb") as file:
                file.write(Fernet.generate_key())
        try:
            return self.key_path.read_bytes()
        except FileNotFoundError as err:
            raise DeployError(
                f"the key of the stack's secrets, {self.key_path}, is gone",
                "put the key file back, or destroy the resources by hand and remove the state file",
            ) from err


def _each(value: Value, change: Any) -> Value:
    if isinstance(value, dict):
        return {key: change(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [change(item) for item in value]
    return value
