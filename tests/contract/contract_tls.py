"""What TLS clients of a load balancer get: versions, ciphers, certificates."""

from __future__ import annotations

import socket
import ssl
import warnings

from tls_pair import Authority

PORT = 8443
V1, V11, V12, V13 = (getattr(ssl.TLSVersion, f"TLSv1{minor}") for minor in ("", "_1", "_2", "_3"))
GCM, CBC, OLD = "ECDHE-ECDSA-AES128-GCM-SHA256", "ECDHE-ECDSA-AES256-SHA384", "ECDHE-ECDSA-AES256-SHA"
"""Ciphers of servers with elliptic keys: two of TLS 1.2 alone, and one of the versions before it as well."""


def agreed(address: str, authority: Authority, version: ssl.TLSVersion, ciphers: str = "ALL") -> str:
    """Give the cipher that a client of one version gets; the empty text where they do not agree."""
    context = authority.trusting()
    with warnings.catch_warnings():
        # The oldest versions are deprecated, and still what some clients speak.
        warnings.simplefilter("ignore", DeprecationWarning)
        context.minimum_version = context.maximum_version = version
    context.set_ciphers(f"{ciphers}:@SECLEVEL=0")
    with socket.create_connection((address, PORT), timeout=5) as plain:
        try:
            with context.wrap_socket(plain, server_hostname=address) as secure:
                cipher = secure.cipher()
                assert cipher is not None
                return cipher[0]
        except (ssl.SSLError, ConnectionError):
            return ""


def versions_taken(address: str, authority: Authority) -> list[ssl.TLSVersion]:
    """Give the versions that clients may speak."""
    return [version for version in (V1, V11, V12, V13) if agreed(address, authority, version)]


def named_by(address: str, authority: Authority, name: str) -> str:
    """Give the name in the certificate that a client gets which asks for a name."""
    tls = authority.trusting()
    tls.check_hostname = False
    with (
        socket.create_connection((address, PORT), timeout=5) as plain,
        tls.wrap_socket(plain, server_hostname=name) as secure,
    ):
        found = secure.getpeercert()
        assert found is not None
        return dict(found["subject"][0])["commonName"]
