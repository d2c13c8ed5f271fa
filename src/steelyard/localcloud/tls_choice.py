"""TLS policies of the user's own, as the load balancing products read them from a call."""

from __future__ import annotations

from collections.abc import Sequence

from steelyard.localcloud.proxy.tls_policy import CIPHERS, UNSERVED_CIPHER, VERSIONS, TlsPolicy
from steelyard.localcloud.wire.error import invalid_parameter, missing_parameter, not_served

_MAX_CIPHERS = 32


def read_tls_policy(versions: Sequence[str], ciphers: Sequence[str], versions_name: str) -> TlsPolicy:
    """Check that versions and ciphers are known and fit each other, and give the policy that they make.

    Args:
        versions: Versions of TLS by the API's words.
        ciphers: Ciphers by OpenSSL's names.
        versions_name: The product's word for the parameter of the versions.

    Raises:
        ApiError: `MissingParameter`, `InvalidParameter` for what is not known or belongs to no version that is named,
            `UnsupportedOperation` for what HAProxy cannot be told.
    """
    policy = TlsPolicy(versions=tuple(dict.fromkeys(versions)), ciphers=tuple(dict.fromkeys(ciphers)))
    for name, given in ((versions_name, policy.versions), ("Ciphers", policy.ciphers)):
        if not given:
            raise missing_parameter(name)
    if not set(policy.versions) <= set(VERSIONS):
        raise invalid_parameter(versions_name, list(policy.versions), f"of {', '.join(VERSIONS)}")
    if len(policy.ciphers) > _MAX_CIPHERS:
        raise invalid_parameter("Ciphers", f"{len(policy.ciphers)} ciphers", f"at most {_MAX_CIPHERS}")
    known = {cipher for version in policy.versions for cipher in CIPHERS[version]}
    if unknown := [cipher for cipher in policy.ciphers if cipher not in known]:
        raise invalid_parameter("Ciphers", unknown[0], f"a cipher of {', '.join(policy.versions)}")
    _check_served(policy)
    return policy


def _check_served(policy: TlsPolicy) -> None:
    places = sorted(map(VERSIONS.index, policy.versions))
    if places[-1] - places[0] >= len(places):
        raise not_served("TLS policies with a gap between their versions")
    served = set(policy.ciphers) - {UNSERVED_CIPHER}
    for version in policy.versions:
        if not served & set(CIPHERS[version]):
            raise not_served(f"TLS policies without a cipher of {version} besides {UNSERVED_CIPHER}")
