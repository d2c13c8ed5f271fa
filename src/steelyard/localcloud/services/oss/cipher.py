"""Encryption of blobs at rest: each has a key of its own, made from one key of the cloud and the blob's seal.

The counter mode keeps lengths and can begin anywhere, so that ranges are read without what is before them. It does not
tell whether bytes were changed; the checksum of the object does.
"""

from __future__ import annotations

import hashlib
import hmac
import os
import secrets
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import cast

AES, SM4 = "AES256", "SM4"
ALGORITHMS = (AES, SM4)
"""What can be encrypted with; `KMS` would need a service that the local cloud does not have."""

_BLOCK_BYTES = 16
_KEY_BYTES = 32
_LETTERS: Mapping[str, str] = {"a": AES, "s": SM4}


def algorithm_of(seal: str) -> str:
    """Tell what a seal's blob is encrypted with; an empty one is that of a plain blob."""
    return _LETTERS[seal[0]] if seal else ""


class BlobCipher:
    """Encrypts and decrypts the blobs of one cloud.

    A seal is one letter for the algorithm and random digits, from which with the cloud's key the blob's key is made.

    Args:
        key_file: Holds the cloud's key; made at the first seal, for nobody else to read.
    """

    def __init__(self, key_file: Path) -> None:
        self._key_file = key_file
        self._key = b""

    def seal(self, algorithm: str) -> str:
        """Make a seal for a new blob, and the cloud's key where there is none yet."""
        if not self._key_file.exists():
            self._make_key()
        letter = next(letter for letter, name in _LETTERS.items() if name == algorithm)
        return f"{letter}{secrets.token_hex(16)}"

    def stream(self, seal: str, start: int = 0) -> Callable[[bytes], bytes]:
        """Give what encrypts, or decrypts, which is the same, one piece of a blob after the other.

        Args:
            seal: The blob's.
            start: Byte of the blob at which the first piece begins.

        Raises:
            OSError: The cloud's key is gone, or is none.
        """
        from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes

        key = hmac.new(self._cloud_key(), seal.encode(), hashlib.sha256).digest()
        algorithm = algorithms.AES(key) if algorithm_of(seal) == AES else algorithms.SM4(key[:16])
        block, rest = divmod(start, _BLOCK_BYTES)
        update = Cipher(algorithm, modes.CTR(block.to_bytes(_BLOCK_BYTES, "big"))).encryptor().update
        update(bytes(rest))
        return cast(Callable[[bytes], bytes], update)

    def _cloud_key(self) -> bytes:
        if not self._key:
            key = self._key_file.read_bytes()
            if len(key) != _KEY_BYTES:
                raise OSError(f"{self._key_file} has {len(key)} bytes and is no key; want {_KEY_BYTES}")
            self._key = key
        return self._key

    def _make_key(self) -> None:
        # Whole or not at all, whenever the cloud is killed.
        draft = self._key_file.with_name(f"{self._key_file.name}.{secrets.token_hex(8)}")
        descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "wb") as file:
            file.write(secrets.token_bytes(_KEY_BYTES))
            file.flush()
            os.fsync(file.fileno())
        try:
            with suppress(FileExistsError):  # Another thread was first.
                os.link(draft, self._key_file)
        finally:
            draft.unlink()
