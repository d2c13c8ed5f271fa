"""TLS that ends at the load balancer: what it answers with, and how that is said to HAProxy. Pure."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field

_STRONG = "ECDHE+AESGCM:ECDHE+CHACHA20:ECDHE+AES"


@dataclass(frozen=True, kw_only=True)
class TlsVersions:
    """What a TLS policy of the cloud lets clients speak.

    Attributes:
        lowest: HAProxy's word for the oldest version.
        highest: HAProxy's word for the newest version.
        is_strict: Whether only ciphers with forward secrecy are taken.
    """

    lowest: str
    highest: str
    is_strict: bool = False


POLICIES: Mapping[str, TlsVersions] = {
    "tls_cipher_policy_1_0": TlsVersions(lowest="TLSv1.0", highest="TLSv1.2"),
    "tls_cipher_policy_1_1": TlsVersions(lowest="TLSv1.1", highest="TLSv1.2"),
    "tls_cipher_policy_1_2": TlsVersions(lowest="TLSv1.2", highest="TLSv1.2"),
    "tls_cipher_policy_1_2_strict": TlsVersions(lowest="TLSv1.2", highest="TLSv1.2", is_strict=True),
    "tls_cipher_policy_1_2_strict_with_1_3": TlsVersions(lowest="TLSv1.2", highest="TLSv1.3", is_strict=True),
}
"""The cloud's own policies by the words of its API (help pages on TLS security policies of CLB, NLB and ALB)."""


@dataclass(frozen=True, kw_only=True)
class Tls:
    """How a listener speaks TLS.

    Attributes:
        bundles: PEM texts, each of a certificate, its chain and its key; the first is the one that clients get whose
            server name fits none.
        versions: What clients may speak.
        alpn: Protocols offered inside of TLS, the preferred one first; none is no offer.
        client_authorities: PEM text of the authorities that clients' certificates have to be from; empty where clients
            need none.
    """

    bundles: tuple[str, ...] = field(repr=False)
    versions: TlsVersions = POLICIES["tls_cipher_policy_1_2"]
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
    versions = tls.versions
    words = ["ssl"]
    words += [f"crt {folder}/{file_name(bundle)}" for bundle in tls.bundles]
    words += [f"ssl-min-ver {versions.lowest}", f"ssl-max-ver {versions.highest}"]
    if versions.is_strict:
        words.append(f"ciphers {_STRONG}")
    if tls.alpn:
        words.append(f"alpn {','.join(tls.alpn)}")
    if tls.client_authorities:
        words.append(f"ca-file {folder}/{file_name(tls.client_authorities)} verify required")
    return " ".join(words)
