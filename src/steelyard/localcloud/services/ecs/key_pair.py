"""SSH key pairs: the public half is kept, the private half is given once."""

from __future__ import annotations

import base64
import hashlib
from dataclasses import dataclass
from typing import ClassVar

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_ssh_public_key,
)

from steelyard.localcloud.record import Record, Records
from steelyard.localcloud.store import Store
from steelyard.localcloud.tag import tag_rows
from steelyard.localcloud.text import utc_text

_KEY_BITS = 2048
"""As CreateKeyPair's page says."""


@dataclass(frozen=True, kw_only=True)
class KeyPair(Record):
    """A key pair; its id is its name, which its region has once.

    Attributes:
        public_key: One line, as `authorized_keys` holds it.
        fingerprint: MD5 of the public key in the form of RFC 4716, as CreateKeyPair's page says.
    """

    kind: ClassVar[str] = "key_pair"

    region_id: str
    public_key: str
    fingerprint: str
    resource_group_id: str

    def to_answer(self, *, has_public_key: bool) -> dict[str, object]:
        """Give the fields of DescribeKeyPairs."""
        return {
            "KeyPairName": self.id,
            "KeyPairFingerPrint": self.fingerprint,
            "CreationTime": utc_text(self.created_at),
            "ResourceGroupId": self.resource_group_id,
            "Tags": {"Tag": tag_rows(self.tags)},
            **({"PublicKey": self.public_key} if has_public_key else {}),
        }


class KeyPairs(Records[KeyPair]):
    """The key pairs of one region, by name.

    Args:
        store: The cloud's state.
        region_id: The region.
    """

    def __init__(self, store: Store, region_id: str) -> None:
        super().__init__(store, KeyPair)
        self._region_id = region_id

    def get(self, record_id: str) -> KeyPair | None:
        """Give a key pair, or None where the region has none of this name."""
        body = self._store.get(KeyPair.kind, self._key(record_id))
        return None if body is None else KeyPair.from_body(body)

    def list(self) -> list[KeyPair]:
        """Give the region's key pairs, oldest first."""
        return [pair for pair in super().list() if pair.region_id == self._region_id]

    def put(self, record: KeyPair) -> None:
        """Keep a key pair."""
        self._store.put(KeyPair.kind, self._key(record.id), record.to_body())

    def delete(self, record_id: str) -> None:
        """Remove a key pair."""
        self._store.delete(KeyPair.kind, self._key(record_id))

    def _key(self, name: str) -> str:
        return f"{self._region_id}/{name}"


def generate_key() -> tuple[str, str]:
    """Make an RSA key.

    Returns:
        The private half as PEM, and the public half as one line.
    """
    key = rsa.generate_private_key(public_exponent=65537, key_size=_KEY_BITS)
    private = key.private_bytes(Encoding.PEM, PrivateFormat.TraditionalOpenSSL, NoEncryption())
    public = key.public_key().public_bytes(Encoding.OpenSSH, PublicFormat.OpenSSH)
    return private.decode(), public.decode()


def read_public_key(text: str) -> str | None:
    """Give a public key as one line without its comment, or None where the text is none."""
    parts = text.split()
    line = " ".join(parts[:2])
    try:
        load_ssh_public_key(line.encode())
    except (ValueError, UnsupportedAlgorithm):
        return None
    return line


def fingerprint_of(public_key: str) -> str:
    """Give a public key's MD5 in pairs of hexadecimal digits."""
    blob = base64.b64decode(public_key.split()[1])
    digest = hashlib.md5(blob, usedforsecurity=False).hexdigest()
    return ":".join(digest[i : i + 2] for i in range(0, len(digest), 2))
