from __future__ import annotations

import dataclasses
import hashlib
import time
from urllib.parse import urlencode

import pytest
from alibabacloud_tea_openapi.utils import Utils
from darabonba.request import DaraRequest

from steelyard.localcloud.service import ApiError
from steelyard.localcloud.wire.message import WireRequest
from steelyard.localcloud.wire.signature import MAX_SKEW_S, SCHEME, AccessKey, Verifier

KEY = AccessKey(access_key_id="LTAI5tKey", secret="s3cret", arn="acs:ram::1:root", principal_id="1")
QUERY = {"VpcName": "naïve & + *~ name", "Tag.1.Key": "a b", "Empty": "", "RegionId": "cn-hangzhou"}
NOW = 1_795_000_000.0


class Ring:
    def __init__(self, *keys: AccessKey) -> None:
        self._keys = {key.access_key_id: key for key in keys}

    def access_key(self, access_key_id: str) -> AccessKey | None:
        return self._keys.get(access_key_id)


class Clock:
    def __init__(self) -> None:
        self.now = NOW

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def verifier(clock) -> Verifier:
    return Verifier(Ring(KEY), clock)


def utc(unix_time: float) -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(unix_time))


def acs3(*, at=NOW, nonce="n1", secret=KEY.secret, body=b"", **headers: str) -> WireRequest:
    """Sign with the newer SDK's own code."""
    request = DaraRequest()
    request.method, request.pathname, request.query = "POST", "/", dict(QUERY)
    request.headers = {
        "host": "127.0.0.1:1",
        "x-acs-action": "CreateVpc",
        "x-acs-version": "2016-04-28",
        "x-acs-date": utc(at),
        "x-acs-signature-nonce": nonce,
        "x-acs-content-sha256": hashlib.sha256(body).hexdigest(),
        **headers,
    }
    payload = hashlib.sha256(body).hexdigest()
    request.headers["Authorization"] = Utils.get_authorization(
        request, SCHEME, payload, KEY.access_key_id, secret
    )
    return WireRequest(
        method="POST",
        path="/",
        query_string=urlencode(QUERY),
        headers={name.lower(): value for name, value in request.headers.items()},
        body=body,
    )


def hmac_sha1(*, at=NOW, nonce="n1", secret=KEY.secret, form=None, **changes: str) -> WireRequest:
    """Sign in the older way with the newer SDK's own code; the older SDK's is met in the contract tests."""
    query = {
        **QUERY,
        "Action": "CreateVpc",
        "Version": "2016-04-28",
        "AccessKeyId": KEY.access_key_id,
        "SignatureMethod": "HMAC-SHA1",
        "SignatureVersion": "1.0",
        "SignatureNonce": nonce,
        "Timestamp": utc(at),
        **changes,
    }
    query["Signature"] = Utils.get_rpcsignature({**query, **(form or {})}, "POST", secret)
    return WireRequest(
        method="POST",
        path="/",
        query_string=urlencode(query),
        headers={"content-type": "application/x-www-form-urlencoded"},
        body=urlencode(form or {}).encode(),
    )


SIGNERS = pytest.mark.parametrize("sign", [acs3, hmac_sha1])


@SIGNERS
def test_a_signature_by_the_vendors_code_is_accepted(verifier, sign):
    assert verifier.verify(sign()) == KEY


def test_a_form_body_is_signed_too(verifier):
    body = urlencode({"ZoneMappings.1.VSwitchId": "vsw-1"}).encode()
    request = acs3(body=body, **{"content-type": "application/x-www-form-urlencoded"})
    assert verifier.verify(request) == KEY
    assert request.parameters["ZoneMappings.1.VSwitchId"] == "vsw-1"
    assert verifier.verify(hmac_sha1(nonce="n2", form={"ZoneMappings.1.VSwitchId": "vsw-1"})) == KEY


@SIGNERS
def test_a_changed_parameter_is_noticed(verifier, sign):
    request = sign()
    changed = dataclasses.replace(request, query_string=request.query_string.replace("hangzhou", "beijing"))
    with pytest.raises(ApiError) as caught:
        verifier.verify(changed)
    assert (caught.value.code, caught.value.status) == ("SignatureDoesNotMatch", 400)


@pytest.mark.parametrize("change", [{"body": b"x=1"}, {"method": "GET"}, {"path": "/other"}])
def test_a_changed_body_method_or_path_is_noticed(verifier, change):
    with pytest.raises(ApiError, match="SignatureDoesNotMatch"):
        verifier.verify(dataclasses.replace(acs3(), **change))


def test_a_changed_header_is_noticed(verifier):
    request = acs3()
    changed = dataclasses.replace(request, headers={**request.headers, "x-acs-action": "DeleteVpc"})
    with pytest.raises(ApiError, match="SignatureDoesNotMatch"):
        verifier.verify(changed)


@SIGNERS
def test_another_secret_is_noticed(verifier, sign):
    with pytest.raises(ApiError, match="SignatureDoesNotMatch"):
        verifier.verify(sign(secret="guess"))


@SIGNERS
def test_an_unknown_key_is_not_found(clock, sign):
    with pytest.raises(ApiError) as caught:
        Verifier(Ring(), clock).verify(sign())
    assert (caught.value.code, caught.value.status) == ("InvalidAccessKeyId.NotFound", 404)


@SIGNERS
def test_a_request_counts_once(verifier, clock, sign):
    request = sign()
    verifier.verify(request)
    clock.now += 60
    with pytest.raises(ApiError, match="SignatureNonceUsed"):
        verifier.verify(request)
    assert verifier.verify(sign(nonce="n2")) == KEY


@SIGNERS
@pytest.mark.parametrize("skew_s", [-MAX_SKEW_S - 1, MAX_SKEW_S + 1])
def test_a_request_from_another_time_is_expired(verifier, sign, skew_s):
    with pytest.raises(ApiError, match=r"InvalidTimeStamp\.Expired"):
        verifier.verify(sign(at=NOW + skew_s))


def test_a_malformed_time_is_refused(verifier):
    with pytest.raises(ApiError, match=r"InvalidTimeStamp\.Format"):
        verifier.verify(hmac_sha1(Timestamp="yesterday"))


def test_used_nonces_are_forgotten_once_their_time_stamps_are_expired(verifier, clock):
    for i in range(100):
        verifier.verify(acs3(at=clock.now, nonce=f"n{i}"))
    clock.now += 2 * MAX_SKEW_S + 1
    verifier.verify(acs3(at=clock.now, nonce="last"))
    assert len(verifier._nonces) == 1


def test_a_request_without_a_signature_is_refused(verifier):
    request = WireRequest(method="GET", path="/", query_string="Action=CreateVpc", headers={})
    with pytest.raises(ApiError, match='"Signature"'):
        verifier.verify(request)


@pytest.mark.parametrize("authorization", ["Bearer x", "ACS3-HMAC-SHA256", "ACS3-HMAC-SHA256 Credential=a"])
def test_an_incomplete_signature_is_refused(verifier, authorization):
    request = acs3()
    broken = dataclasses.replace(request, headers={**request.headers, "authorization": authorization})
    with pytest.raises(ApiError, match="IncompleteSignature"):
        verifier.verify(broken)


def test_another_method_of_signing_is_refused(verifier):
    request = hmac_sha1()
    changed = request.query_string.replace("HMAC-SHA1", "HMAC-MD5")
    with pytest.raises(ApiError, match="InvalidSignatureMethod"):
        verifier.verify(dataclasses.replace(request, query_string=changed))


class TestTemporaryKey:
    KEY = dataclasses.replace(KEY, security_token="token", expires_at=NOW + 900)

    def test_is_good_with_its_token_until_it_expires(self, clock):
        verifier = Verifier(Ring(self.KEY), clock)
        assert verifier.verify(acs3(**{"x-acs-security-token": "token"})) == self.KEY
        assert verifier.verify(hmac_sha1(nonce="n2", SecurityToken="token")) == self.KEY
        clock.now = NOW + 901
        with pytest.raises(ApiError, match=r"InvalidSecurityToken\.Expired"):
            verifier.verify(acs3(at=clock.now, nonce="n3", **{"x-acs-security-token": "token"}))

    def test_is_refused_with_anothers_token(self, clock):
        with pytest.raises(ApiError, match=r"InvalidSecurityToken\.MismatchWithAccessKey"):
            Verifier(Ring(self.KEY), clock).verify(acs3(**{"x-acs-security-token": "other"}))
