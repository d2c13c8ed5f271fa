"""Certificates and keys as users hand them in: PEM text that has to be read before it is kept."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.x509.oid import NameOID


class PemError(ValueError):
    """What was handed in is no certificate, no key, or not a pair; the text says which and why."""


@dataclass(frozen=True, kw_only=True)
class KeyPair:
    """A certificate, the chain above it, and its private key.

    Attributes:
        certificate: PEM text of the certificate, followed by those of its chain.
        key: PEM text of the private key.
    """

    certificate: str
    key: str = field(repr=False)

    @property
    def bundle(self) -> str:
        """Both in one text, as HAProxy reads them."""
        return f"{self.certificate.strip()}\n{self.key.strip()}\n"


@dataclass(frozen=True, kw_only=True)
class CertificateFacts:
    """What answers tell of a certificate.

    Attributes:
        common_name: The subject's name.
        issuer: The issuer's name.
        organization: The subject's organization.
        alternative_names: DNS names and addresses that it is good for.
        fingerprint: SHA-1 of its DER form, hexadecimal.
        sha256: SHA-256 of it.
        serial_number: Hexadecimal.
        algorithm: Of its key: `RSA` or `ECC`.
        starts_at: Unix time from which it is good.
        ends_at: Unix time until which it is good.
    """

    common_name: str
    issuer: str
    organization: str
    alternative_names: tuple[str, ...]
    fingerprint: str
    sha256: str
    serial_number: str
    algorithm: str
    starts_at: int
    ends_at: int


def read_pair(certificate: str, key: str) -> KeyPair:
    """Check that a certificate and a private key belong together.

    Raises:
        PemError: If one of them cannot be read, the key has a passphrase, or they do not belong together.
    """
    leaf = _read_certificates(certificate)[0]
    try:
        private = serialization.load_pem_private_key(key.strip().encode(), password=None)
    except (ValueError, TypeError, UnsupportedAlgorithm) as err:
        raise PemError("the private key cannot be read, or has a passphrase") from err
    if _public_bytes(private.public_key()) != _public_bytes(leaf.public_key()):
        raise PemError("the private key is not that of the certificate")
    return KeyPair(certificate=certificate.strip(), key=key.strip())


def read_facts(certificate: str) -> CertificateFacts:
    """Read the first certificate of a PEM text.

    Raises:
        PemError: If it cannot be read.
    """
    leaf = _read_certificates(certificate)[0]
    return CertificateFacts(
        common_name=_name(leaf.subject, NameOID.COMMON_NAME),
        issuer=_name(leaf.issuer, NameOID.COMMON_NAME),
        organization=_name(leaf.subject, NameOID.ORGANIZATION_NAME),
        alternative_names=_alternative_names(leaf),
        # Only to name it, as the cloud does.
        fingerprint=hashlib.sha1(_der(leaf), usedforsecurity=False).hexdigest(),
        sha256=leaf.fingerprint(hashes.SHA256()).hex(),
        serial_number=f"{leaf.serial_number:x}",
        algorithm="RSA" if isinstance(leaf.public_key(), rsa.RSAPublicKey) else "ECC",
        starts_at=int(leaf.not_valid_before_utc.timestamp()),
        ends_at=int(leaf.not_valid_after_utc.timestamp()),
    )


def _read_certificates(text: str) -> list[x509.Certificate]:
    try:
        return x509.load_pem_x509_certificates(text.strip().encode())
    except ValueError as err:
        raise PemError("the certificate cannot be read") from err


def _public_bytes(key: object) -> bytes:
    if not isinstance(key, rsa.RSAPublicKey | ec.EllipticCurvePublicKey | ed25519.Ed25519PublicKey):
        raise PemError(f"a key of the type {type(key).__name__} is not for TLS")
    return key.public_bytes(serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)


def _der(certificate: x509.Certificate) -> bytes:
    return certificate.public_bytes(serialization.Encoding.DER)


def _name(name: x509.Name, oid: x509.ObjectIdentifier) -> str:
    found = name.get_attributes_for_oid(oid)
    return str(found[0].value) if found else ""


def _alternative_names(certificate: x509.Certificate) -> tuple[str, ...]:
    try:
        names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except x509.ExtensionNotFound:
        return ()
    addresses = names.get_values_for_type(x509.IPAddress)
    return (*names.get_values_for_type(x509.DNSName), *map(str, addresses))
