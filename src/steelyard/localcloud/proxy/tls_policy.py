"""TLS policies: the versions and ciphers that clients may speak, and how they are said to HAProxy. Pure.

The system's policies and the ciphers of each version are those of the help page "TLS security policy" of ALB, which NLB
and CLB share; its `tls_cipher_policy_1_0_to_1_3` is ALB's alone.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

VERSIONS = ("TLSv1.0", "TLSv1.1", "TLSv1.2", "TLSv1.3")
"""Every version, the oldest first; HAProxy's words are the API's."""
DEFAULT_POLICY = "tls_cipher_policy_1_0"
UNSERVED_CIPHER = "DES-CBC3-SHA"
"""A cipher that today's OpenSSL no longer has; a policy that names others besides does without it."""

_FORWARD_SECRET_SHA = (
    "ECDHE-ECDSA-AES128-SHA",
    "ECDHE-ECDSA-AES256-SHA",
    "ECDHE-RSA-AES128-SHA",
    "ECDHE-RSA-AES256-SHA",
)
_FORWARD_SECRET = (
    "ECDHE-ECDSA-AES128-GCM-SHA256",
    "ECDHE-ECDSA-AES256-GCM-SHA384",
    "ECDHE-ECDSA-AES128-SHA256",
    "ECDHE-ECDSA-AES256-SHA384",
    "ECDHE-RSA-AES128-GCM-SHA256",
    "ECDHE-RSA-AES256-GCM-SHA384",
    "ECDHE-RSA-AES128-SHA256",
    "ECDHE-RSA-AES256-SHA384",
)
_PLAIN_SHA = ("AES128-SHA", "AES256-SHA", UNSERVED_CIPHER)
_PLAIN = ("AES128-GCM-SHA256", "AES256-GCM-SHA384", "AES128-SHA256", "AES256-SHA256")
_SUITES = (
    "TLS_AES_128_GCM_SHA256",
    "TLS_AES_256_GCM_SHA384",
    "TLS_CHACHA20_POLY1305_SHA256",
    "TLS_AES_128_CCM_SHA256",
    "TLS_AES_128_CCM_8_SHA256",
)
_OLD = (*_FORWARD_SECRET_SHA, *_PLAIN_SHA)
CIPHERS: Mapping[str, tuple[str, ...]] = {
    "TLSv1.0": _OLD,
    "TLSv1.1": _OLD,
    "TLSv1.2": (*_OLD, *_FORWARD_SECRET, *_PLAIN),
    "TLSv1.3": _SUITES,
}
"""What a policy may name for each version."""


@dataclass(frozen=True, kw_only=True)
class TlsPolicy:
    """What a TLS policy lets clients speak.

    Attributes:
        versions: Versions without a gap between them.
        ciphers: Ciphers by OpenSSL's names, the preferred one first; of each version at least one.
    """

    versions: tuple[str, ...]
    ciphers: tuple[str, ...]


_ALL = (*_FORWARD_SECRET, *_PLAIN, *_FORWARD_SECRET_SHA, *_PLAIN_SHA)
_STRICT = (*_FORWARD_SECRET, *_FORWARD_SECRET_SHA)
POLICIES: Mapping[str, TlsPolicy] = {
    DEFAULT_POLICY: TlsPolicy(versions=VERSIONS[:3], ciphers=_ALL),
    "tls_cipher_policy_1_1": TlsPolicy(versions=VERSIONS[1:3], ciphers=_ALL),
    "tls_cipher_policy_1_2": TlsPolicy(versions=VERSIONS[2:3], ciphers=_ALL),
    "tls_cipher_policy_1_2_strict": TlsPolicy(versions=VERSIONS[2:3], ciphers=_STRICT),
    "tls_cipher_policy_1_2_strict_with_1_3": TlsPolicy(versions=VERSIONS[2:], ciphers=(*_SUITES, *_STRICT)),
}
"""The system's own policies by the words of the API."""


def policy_arguments(policy: TlsPolicy) -> list[str]:
    """Give what a `bind` line says of versions and ciphers."""
    ordered = sorted(policy.versions, key=VERSIONS.index)
    words = [f"ssl-min-ver {ordered[0]}", f"ssl-max-ver {ordered[-1]}"]
    suites = [cipher for cipher in policy.ciphers if cipher in _SUITES]
    older = [cipher for cipher in policy.ciphers if cipher not in _SUITES and cipher != UNSERVED_CIPHER]
    if older:
        # Today's OpenSSL speaks these two versions at its lowest level of security alone.
        level = ["@SECLEVEL=0"] if ordered[0] in VERSIONS[:2] else []
        words.append(f"ciphers {':'.join([*older, *level])}")
    if suites:
        words.append(f"ciphersuites {':'.join(suites)}")
    return words
