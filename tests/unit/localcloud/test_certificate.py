from __future__ import annotations

import ssl
from datetime import UTC, datetime, timedelta

import pytest
from cryptography import x509

from steelyard.localcloud import certificate
from steelyard.localcloud.certificate import CertificateFiles, server_context


def read(path):
    return x509.load_pem_x509_certificate(path.read_bytes())


def test_a_second_start_keeps_the_authority_and_the_certificate(tmp_path):
    files = CertificateFiles.of(tmp_path)
    server_context(tmp_path)
    first = files.authority.read_bytes(), files.server.read_bytes()
    server_context(tmp_path)
    assert (files.authority.read_bytes(), files.server.read_bytes()) == first


def test_a_certificate_about_to_expire_is_made_anew_by_the_same_authority(tmp_path, monkeypatch):
    files = CertificateFiles.of(tmp_path)
    monkeypatch.setattr(certificate, "_SERVER_LIFE", timedelta(days=3))
    server_context(tmp_path)
    authority = files.authority.read_bytes()
    monkeypatch.undo()
    server_context(tmp_path)
    assert files.authority.read_bytes() == authority
    assert read(files.server).not_valid_after_utc > datetime.now(UTC) + timedelta(days=300)


def test_an_authority_without_its_key_is_replaced_with_what_it_signed(tmp_path):
    files = CertificateFiles.of(tmp_path)
    server_context(tmp_path)
    old = read(files.authority)
    files.authority_key.unlink()
    server_context(tmp_path)
    assert read(files.authority).serial_number != old.serial_number
    read(files.server).verify_directly_issued_by(read(files.authority))


def test_the_authority_can_vouch_for_loopback_alone(tmp_path):
    server_context(tmp_path)
    constraints = read(CertificateFiles.of(tmp_path).authority).extensions.get_extension_for_class(
        x509.NameConstraints
    )
    assert constraints.critical
    assert {str(place.value) for place in constraints.value.permitted_subtrees} == {
        "localhost",
        "127.0.0.0/8",
    }


def test_a_client_that_trusts_the_bundle_trusts_what_it_trusted_before(tmp_path):
    server_context(tmp_path)
    files = CertificateFiles.of(tmp_path)
    trusted = ssl.create_default_context(cafile=str(files.bundle)).cert_store_stats()["x509_ca"]
    system = certificate._system_roots()
    assert trusted == system.count(b"BEGIN CERTIFICATE") + 1


@pytest.mark.parametrize("content", [b"", b"no certificate"])
def test_a_broken_certificate_is_made_anew(tmp_path, content):
    server_context(tmp_path)
    files = CertificateFiles.of(tmp_path)
    files.server.write_bytes(content)
    server_context(tmp_path)
    read(files.server).verify_directly_issued_by(read(files.authority))
