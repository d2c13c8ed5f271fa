"""TLS that ends at the load balancer: what it answers with, and how that is said to HAProxy. Pure."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field

from steelyard.localcloud.proxy.tls_policy import POLICIES, TlsPolicy, policy_arguments


@dataclass(frozen=True, kw_only=True)
class Tls:
    """How a listener speaks TLS.

    Attributes:
        bundles: PEM texts, each of a certificate, its chain and its key; the first is the one that clients get whose
            server name fits none.
        policy: What clients may speak.
        alpn: Protocols offered inside of TLS, the preferred one first; none is no offer.
        client_authorities: PEM text of the authorities that clients' certificates have to be from; empty where clients
            need none.
    """

    bundles: tuple[str, ...] = field(repr=False)
    policy: TlsPolicy = POLICIES["tls_cipher_policy_1_2"]
    alpn: tuple[str, ...] = ()
    client_authorities: str = ""

    @property
    def files(self) -> dict[str, str]:
        """PEM texts by the names of the files that HAProxy reads them from."""
        texts = [*self.bundles, *([self.client_authorities] if self.client_authorities else [])]
        return {file_name(text): text for text in texts}


def file_name(text: str) -> str:
    """Name the file of a PEM text: another text has another name, so that a file never changes."""
    return f"{hashlib.sha256(text.encode()).hexdigest()[:32]}.pem"


def bind_arguments(tls: Tls, folder: str) -> str:
    """Give what a `bind` line says of TLS.

    Args:
        tls: How the listener speaks it.
        folder: Where the files are.
    """
    words = ["ssl"]
    words += [f"crt {folder}/{file_name(bundle)}" for bundle in tls.bundles]
    words += policy_arguments(tls.policy)
    if tls.alpn:
        words.append(f"alpn {','.join(tls.alpn)}")
    if tls.client_authorities:
        words.append(f"ca-file {folder}/{file_name(tls.client_authorities)} verify required")
    return " ".join(words)
