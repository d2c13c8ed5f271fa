"""The signature of an instance's identity document, by which others know that the cloud has written it.

Source: help page "Use instance identities": PKCS#7 without the content. It is the cloud's own authority that signs,
whose certificate is `tls/ca.pem` in the cloud's folder; the real one's is published.
"""

from __future__ import annotations

import textwrap
from base64 import b64encode
from collections.abc import Callable
from functools import cached_property

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import pkcs7

from steelyard.localcloud.certificate import CertificateFiles

Signer = Callable[[bytes], str]
"""Gives the signature of a content, in base64."""

_COLUMNS = 64


class AuthoritySigner:
    """Signs with the key of a cloud's authority.

    Args:
        files: Where it is; it is read at the first signature.
    """

    def __init__(self, files: CertificateFiles) -> None:
        self._files = files

    def __call__(self, content: bytes) -> str:
        """Give the signature of a content, PKCS#7 in base64, without the content."""
        options = [
            pkcs7.PKCS7Options.DetachedSignature,
            pkcs7.PKCS7Options.Binary,
            pkcs7.PKCS7Options.NoCapabilities,
        ]
        certificate, key = self._authority
        builder = (
            pkcs7.PKCS7SignatureBuilder().set_data(content).add_signer(certificate, key, hashes.SHA256())
        )
        signature = b64encode(builder.sign(serialization.Encoding.DER, options)).decode()
        return "\n".join(textwrap.wrap(signature, _COLUMNS))

    @cached_property
    def _authority(self) -> tuple[x509.Certificate, ec.EllipticCurvePrivateKey]:
        key = serialization.load_pem_private_key(self._files.authority_key.read_bytes(), password=None)
        assert isinstance(key, ec.EllipticCurvePrivateKey)
        return x509.load_pem_x509_certificate(self._files.authority.read_bytes()), key
