"""The cloud's own certificate authority, and the certificate that it answers with over TLS.

Clients that insist on TLS check the certificate against the machine's roots; pointing them at `bundle.pem` makes them
accept this cloud as well (`steelyard cloud env`). The authority can sign for loopback names alone.
"""

from __future__ import annotations

import ipaddress
import os
import ssl
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

_AUTHORITY_LIFE = timedelta(days=3650)
_SERVER_LIFE = timedelta(days=397)  # The longest that some clients accept.
_RENEWAL_AHEAD = timedelta(days=30)
_ADDRESS = ipaddress.ip_address("127.0.0.1")
_NAME = "localhost"
# Where distributions keep their roots, as Go's crypto/x509 (root_linux.go) looks for them.
_SYSTEM_ROOTS = (
    Path("/etc/ssl/certs/ca-certificates.crt"),
    Path("/etc/pki/tls/certs/ca-bundle.crt"),
    Path("/etc/ssl/ca-bundle.pem"),
    Path("/etc/ssl/cert.pem"),
)


@dataclass(frozen=True, kw_only=True)
class CertificateFiles:
    """Where a cloud keeps its certificates.

    Attributes:
        folder: The folder of all of them.
    """

    folder: Path

    @classmethod
    def of(cls, data_dir: Path) -> CertificateFiles:
        """Give those of a cloud's data folder."""
        return cls(folder=data_dir / "tls")

    @property
    def authority(self) -> Path:
        """The authority's certificate."""
        return self.folder / "ca.pem"

    @property
    def authority_key(self) -> Path:
        """The authority's key, readable by its owner alone."""
        return self.folder / "ca.key"

    @property
    def server(self) -> Path:
        """The server's certificate and key, readable by its owner alone."""
        return self.folder / "server.pem"

    @property
    def bundle(self) -> Path:
        """The machine's roots and the authority: what clients are to trust."""
        return self.folder / "bundle.pem"


def server_context(data_dir: Path) -> ssl.SSLContext:
    """Give what the server speaks TLS with; make what of it is missing or about to expire.

    Args:
        data_dir: The cloud's data folder.
    """
    files = CertificateFiles.of(data_dir)
    files.folder.mkdir(mode=0o700, exist_ok=True)
    now = datetime.now(UTC)
    if not _is_good(files.authority, now) or not files.authority_key.exists():
        _make_authority(files, now)
        files.server.unlink(missing_ok=True)
    if not _is_good(files.server, now):
        _make_server(files, now)
    _write(files.bundle, _system_roots() + files.authority.read_bytes())
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.set_alpn_protocols(["http/1.1"])
    context.load_cert_chain(files.server)
    return context


def _is_good(path: Path, now: datetime) -> bool:
    try:
        certificate = x509.load_pem_x509_certificate(path.read_bytes())
    except (OSError, ValueError):
        return False
    return certificate.not_valid_after_utc - now > _RENEWAL_AHEAD


def _make_authority(files: CertificateFiles, now: datetime) -> None:
    key = ec.generate_private_key(ec.SECP256R1())
    name = _subject("Steelyard local cloud CA")
    builder = (
        _builder(name, name, key.public_key(), now, _AUTHORITY_LIFE)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(_key_usage(is_authority=True), critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .add_extension(
            x509.NameConstraints(
                permitted_subtrees=[
                    x509.DNSName(_NAME),
                    x509.IPAddress(ipaddress.ip_network("127.0.0.0/8")),
                ],
                excluded_subtrees=None,
            ),
            critical=True,
        )
    )
    certificate = builder.sign(key, hashes.SHA256())
    _write(files.authority_key, _private_pem(key))
    _write(files.authority, certificate.public_bytes(serialization.Encoding.PEM))


def _make_server(files: CertificateFiles, now: datetime) -> None:
    authority = x509.load_pem_x509_certificate(files.authority.read_bytes())
    authority_key = serialization.load_pem_private_key(files.authority_key.read_bytes(), password=None)
    assert isinstance(authority_key, ec.EllipticCurvePrivateKey)
    key = ec.generate_private_key(ec.SECP256R1())
    builder = (
        _builder(_subject(str(_ADDRESS)), authority.subject, key.public_key(), now, _SERVER_LIFE)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(_key_usage(is_authority=False), critical=True)
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
        .add_extension(
            x509.SubjectAlternativeName([x509.IPAddress(_ADDRESS), x509.DNSName(_NAME)]), critical=False
        )
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .add_extension(
            x509.AuthorityKeyIdentifier.from_issuer_public_key(authority_key.public_key()), critical=False
        )
    )
    certificate = builder.sign(authority_key, hashes.SHA256())
    _write(files.server, certificate.public_bytes(serialization.Encoding.PEM) + _private_pem(key))


def _builder(
    subject: x509.Name,
    issuer: x509.Name,
    public_key: ec.EllipticCurvePublicKey,
    now: datetime,
    life: timedelta,
) -> x509.CertificateBuilder:
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(public_key)
        .serial_number(x509.random_serial_number())
        # A clock that is a little behind must accept it, too.
        .not_valid_before(now - timedelta(minutes=5))
        .not_valid_after(now + life)
    )


def _subject(name: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])


def _key_usage(*, is_authority: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=True,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=is_authority,
        crl_sign=is_authority,
        encipher_only=False,
        decipher_only=False,
    )


def _private_pem(key: ec.EllipticCurvePrivateKey) -> bytes:
    return key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )


def _system_roots() -> bytes:
    for path in _SYSTEM_ROOTS:
        if path.exists():
            return path.read_bytes().rstrip() + b"\n"
    return b""


def _write(path: Path, content: bytes) -> None:
    """Write a file that its owner alone may read, in one step."""
    draft = path.with_suffix(path.suffix + ".draft")
    draft.unlink(missing_ok=True)
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(content)
    draft.replace(path)
