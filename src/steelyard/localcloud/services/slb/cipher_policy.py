from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from steelyard.localcloud.proxy.tls_policy import TlsPolicy
from steelyard.localcloud.record import Record


@dataclass(frozen=True, kw_only=True)
class CipherPolicy(Record):
    """A TLS policy of the user's own; HTTPS listeners of any load balancer of its region may use it.

    Attributes:
        versions: The versions of TLS that clients may speak.
        ciphers: The ciphers that they may use.
    """

    kind: ClassVar[str] = "slb_cipher_policy"

    region_id: str
    name: str
    versions: tuple[str, ...]
    ciphers: tuple[str, ...]

    @property
    def policy(self) -> TlsPolicy:
        """What it lets clients speak."""
        return TlsPolicy(versions=self.versions, ciphers=self.ciphers)
