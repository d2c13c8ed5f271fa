from __future__ import annotations

import pytest
from alibabacloud_cas20200407 import models
from alibabacloud_cas20200407.client import Client
from contract_sdk import refused, sdk_config
from cryptography.hazmat.primitives.asymmetric import ec
from tls_pair import Authority, key_text


@pytest.fixture
def client(local_cloud):
    return Client(sdk_config(local_cloud))


@pytest.fixture(scope="module")
def pair():
    return Authority().issue("127.0.0.1")


@pytest.fixture
def upload(client):
    made = []

    def upload(name, certificate, key):
        request = models.UploadUserCertificateRequest(name=name, cert=certificate, key=key)
        made.append(client.upload_user_certificate(request).body.cert_id)
        return made[-1]

    yield upload
    for number in made:
        client.delete_user_certificate(models.DeleteUserCertificateRequest(cert_id=number))


def detail(client, number, **settings):
    request = models.GetUserCertificateDetailRequest(cert_id=number, **settings)
    return client.get_user_certificate_detail(request).body


def test_an_uploaded_certificate_comes_back_with_what_it_says(client, upload, pair):
    number = upload("gateway", *pair)
    found = detail(client, number)
    assert (found.id, found.name, found.cert_identifier) == (number, "gateway", f"{number}-cn-hangzhou")
    assert (found.cert, found.key) == (pair[0].strip(), pair[1].strip())
    assert (found.common, found.issuer, found.sans) == (
        "gateway.test",
        "Test authority",
        "gateway.test,127.0.0.1",
    )
    assert (found.algorithm, found.expired, found.buy_in_aliyun) == ("ECC", False, False)
    assert len(found.sha_2) == 64


def test_a_filtered_detail_holds_no_key(client, upload, pair):
    found = detail(client, upload("gateway", *pair), cert_filter=True)
    assert (found.cert, found.key) == (None, None)


def test_uploaded_certificates_are_listed_by_a_word(client, upload, pair):
    number = upload("one-of-these", *pair)
    upload("another", *pair)
    request = models.ListUserCertificateOrderRequest(order_type="UPLOAD", keyword="one-of")
    body = client.list_user_certificate_order(request).body
    assert [row.certificate_id for row in body.certificate_order_list] == [number]
    assert body.total_count == 1


def test_a_name_is_taken_once(upload, pair):
    upload("gateway", *pair)
    with refused("NameRepeat"):
        upload("gateway", *pair)


def test_a_certificate_without_its_key_is_refused(upload, pair):
    other_key = key_text(ec.generate_private_key(ec.SECP256R1()))
    locked_key = key_text(ec.generate_private_key(ec.SECP256R1()), b"passphrase")
    with refused("InvalidParameter", text="not that of the certificate"):
        upload("gateway", pair[0], other_key)
    with refused("InvalidParameter", text="has a passphrase"):
        upload("gateway", pair[0], locked_key)
    with refused("InvalidParameter", text="certificate cannot be read"):
        upload("gateway", "-----BEGIN CERTIFICATE-----", pair[1])
    with refused("MissingParameter", text="Key"):
        upload("gateway", pair[0], None)


def test_one_that_is_gone_is_not_found(client):
    with refused("NotFound", 404):
        detail(client, 1)
    with refused("NotFound", 404):
        client.delete_user_certificate(models.DeleteUserCertificateRequest(cert_id=1))


def test_what_is_not_served_says_so(client, pair):
    with refused("UnsupportedOperation", text="SM"):
        client.upload_user_certificate(
            models.UploadUserCertificateRequest(name="sm", sign_cert=pair[0], sign_private_key=pair[1])
        )
    with refused("UnsupportedOperation", text="UPLOAD"):
        client.list_user_certificate_order(models.ListUserCertificateOrderRequest(order_type="BUY"))
