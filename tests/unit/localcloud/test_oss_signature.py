from __future__ import annotations

from datetime import UTC, datetime
from urllib.parse import parse_qsl, urlsplit

import alibabacloud_oss_v2 as oss
import pytest
from alibabacloud_oss_v2.signer import SignerV1, SignerV4
from alibabacloud_oss_v2.types import HttpRequest, SigningContext

from steelyard.localcloud.services.oss.errors import StorageError
from steelyard.localcloud.services.oss.request import StorageRequest
from steelyard.localcloud.services.oss.signature import StorageVerifier, claims_storage
from steelyard.localcloud.wire.signature import AccessKey

NOW = 1_800_000_000.0


class _Keys:
    def __init__(self, **changes: object) -> None:
        self._key = AccessKey(access_key_id="AK", secret="secret", arn="", principal_id="1", **changes)  # type: ignore[arg-type]

    def access_key(self, access_key_id: str) -> AccessKey | None:
        return self._key if access_key_id == "AK" else None


def _signed(
    signer: object, *, token: str = "", url_lasts_s: float = 0.0, key: str = "a/ü b"
) -> tuple[StorageRequest, str]:
    """Sign a call with the vendor's signer, as if it were now."""
    request = HttpRequest(
        "PUT",
        "http://h/b/k?uploadId=1&partNumber=2",
        headers={"content-type": "text/plain", "x-oss-meta-a": "b"},
    )
    context = SigningContext(
        product="oss",
        region="cn-hangzhou",
        bucket="b",
        key=key,
        request=request,
        credentials=oss.credentials.Credentials("AK", "secret", token or None),
        signing_time=datetime.fromtimestamp(NOW, UTC),
    )
    context.expiration_time = datetime.fromtimestamp(NOW + url_lasts_s, UTC)
    context.auth_method_query = url_lasts_s > 0
    signer.sign(context)  # type: ignore[attr-defined]
    query = urlsplit(request.url).query
    call = StorageRequest(
        method="PUT",
        bucket="b",
        key=key,
        query=dict(parse_qsl(query, keep_blank_values=True)),
        headers={name.lower(): value for name, value in request.headers.items()},
        request_id="R",
        caller=None,
    )
    return call, query


@pytest.mark.parametrize("signer", [SignerV1(), SignerV4()])
@pytest.mark.parametrize("url_lasts_s", [0.0, 60.0])
def test_what_the_vendors_signers_sign_is_accepted_for_a_while(signer: object, url_lasts_s: float) -> None:
    request, query = _signed(signer, url_lasts_s=url_lasts_s)
    key = StorageVerifier(_Keys(), lambda: NOW + 50).verify(request, query)
    assert key is not None
    late = StorageVerifier(_Keys(), lambda: NOW + 901)
    with pytest.raises(StorageError) as caught:
        late.verify(request, query)
    assert caught.value.code == ("AccessDenied" if url_lasts_s else "RequestTimeTooSkewed")


@pytest.mark.parametrize("signer", [SignerV1(), SignerV4()])
def test_nothing_that_is_signed_can_be_changed(signer: object) -> None:
    request, query = _signed(signer)
    verifier = StorageVerifier(_Keys(), lambda: NOW)
    changes: list[dict[str, object]] = [
        {"method": "GET"},
        {"bucket": "c"},
        {"key": "other"},
        {"headers": {**request.headers, "x-oss-meta-a": "c"}},
        {"headers": {**request.headers, "content-type": "text/html"}},
        {"query": {**request.query, "partNumber": "3"}},
    ]
    for change in changes:
        changed = StorageRequest(**{**vars(request), **change})  # type: ignore[arg-type]
        sent = query.replace("partNumber=2", "partNumber=3") if "query" in change else query
        with pytest.raises(StorageError) as caught:
            verifier.verify(changed, sent)
        assert caught.value.code == "SignatureDoesNotMatch", change


@pytest.mark.parametrize("signer", [SignerV1(), SignerV4()])
@pytest.mark.parametrize("url_lasts_s", [0.0, 60.0])
def test_a_temporary_key_is_good_with_its_token_and_until_it_expires(
    signer: object, url_lasts_s: float
) -> None:
    keys = _Keys(security_token="token", expires_at=NOW + 10)
    good, query = _signed(signer, token="token", url_lasts_s=url_lasts_s)
    assert StorageVerifier(keys, lambda: NOW).verify(good, query) is not None
    with pytest.raises(StorageError) as caught:
        StorageVerifier(keys, lambda: NOW + 11).verify(good, query)
    assert caught.value.code == "SecurityTokenExpired"
    bare, query = _signed(signer, url_lasts_s=url_lasts_s)
    with pytest.raises(StorageError) as caught:
        StorageVerifier(keys, lambda: NOW).verify(bare, query)
    assert caught.value.code == "InvalidAccessKeyId"


@pytest.mark.parametrize(
    ("headers", "code"),
    [
        ({"authorization": "OSS AK"}, "AccessDenied"),
        ({"authorization": "OSS AK:x", "date": "yesterday"}, "AccessDenied"),
        (
            {"authorization": "OSS4-HMAC-SHA256 Credential=AK", "x-oss-date": "20270115T080000Z"},
            "InvalidArgument",
        ),
        ({"authorization": "Bearer x"}, "InvalidArgument"),
    ],
)
def test_what_is_no_signature_is_refused(headers: dict[str, str], code: str) -> None:
    request = StorageRequest(
        method="GET", bucket="b", key="", query={}, headers=headers, request_id="R", caller=None
    )
    with pytest.raises(StorageError) as caught:
        StorageVerifier(_Keys(), lambda: NOW).verify(request, "")
    assert caught.value.code == code


def test_calls_of_other_products_are_told_apart() -> None:
    assert claims_storage({"authorization": "OSS a:b"}, "/", {})
    assert claims_storage({"authorization": "OSS4-HMAC-SHA256 Credential=a"}, "/", {})
    assert claims_storage({}, "/bucket/key", {})
    assert claims_storage({}, "/", {"OSSAccessKeyId": "a"})
    assert not claims_storage({"authorization": "ACS3-HMAC-SHA256 Credential=a"}, "/", {})
    assert not claims_storage({}, "/", {"Action": "DescribeVpcs"})
    assert not claims_storage({"x-acs-action": "DescribeVpcs"}, "/", {})
