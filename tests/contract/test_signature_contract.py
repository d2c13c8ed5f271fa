"""What the gateway says of calls that are signed wrongly, at another time, or twice: sent as they are over HTTP.

The vendor's SDKs sign rightly and never twice alike, so these calls are made by hand, and signed by the vendor's code.
"""

from __future__ import annotations

import http.client
import json
import time
import uuid
from collections.abc import Mapping
from urllib.parse import urlencode

import pytest
from alibabacloud_tea_openapi.utils import Utils

from steelyard.localcloud.daemon import CloudInfo


def timestamp(*, age_s: float = 0.0) -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(time.time() - age_s))


def signed(cloud: CloudInfo, **changes: str) -> dict[str, str]:
    """Give the parameters of a call under the older signature."""
    parameters = {
        "Action": "DescribeVpcs",
        "Version": "2016-04-28",
        "Format": "JSON",
        "RegionId": "cn-hangzhou",
        "AccessKeyId": cloud.access_key_id,
        "SignatureMethod": "HMAC-SHA1",
        "SignatureVersion": "1.0",
        "SignatureNonce": str(uuid.uuid4()),
        "Timestamp": timestamp(),
        **changes,
    }
    return {**parameters, "Signature": Utils.get_rpcsignature(parameters, "POST", cloud.access_key_secret)}


def send(
    cloud: CloudInfo, parameters: Mapping[str, str], headers: Mapping[str, str] | None = None
) -> tuple[int, str]:
    """Give status and error code; the code is empty where the call is answered."""
    connection = http.client.HTTPConnection(cloud.endpoint, timeout=30)
    try:
        connection.request("POST", f"/?{urlencode(parameters)}", headers=dict(headers or {}))
        answer = connection.getresponse()
        return answer.status, json.loads(answer.read()).get("Code", "")
    finally:
        connection.close()


def test_a_call_counts_once(local_cloud: CloudInfo) -> None:
    call = signed(local_cloud)
    assert send(local_cloud, call) == (200, "")
    assert send(local_cloud, call) == (400, "SignatureNonceUsed")


@pytest.mark.parametrize("age_s", [3600, -3600])
def test_a_call_that_was_signed_at_another_time_is_refused(local_cloud: CloudInfo, age_s: float) -> None:
    call = signed(local_cloud, Timestamp=timestamp(age_s=age_s))
    assert send(local_cloud, call) == (400, "InvalidTimeStamp.Expired")


@pytest.mark.parametrize("text", ["yesterday", "2026-11-29 12:00:00", "2026-13-40T25:61:61Z"])
def test_a_time_that_is_none_is_refused(local_cloud: CloudInfo, text: str) -> None:
    assert send(local_cloud, signed(local_cloud, Timestamp=text)) == (400, "InvalidTimeStamp.Format")


@pytest.mark.parametrize(
    "changes", [{"SignatureMethod": "HMAC-MD5"}, {"SignatureVersion": "2.0"}, {"SignatureMethod": ""}]
)
def test_another_way_of_signing_is_refused(local_cloud: CloudInfo, changes: Mapping[str, str]) -> None:
    assert send(local_cloud, signed(local_cloud, **changes)) == (400, "InvalidSignatureMethod")


@pytest.mark.parametrize(
    "name", ["Signature", "SignatureVersion", "AccessKeyId", "SignatureNonce", "Timestamp"]
)
def test_a_signature_that_lacks_a_part_is_refused(local_cloud: CloudInfo, name: str) -> None:
    call = signed(local_cloud)
    del call[name]
    assert send(local_cloud, call) == (400, "MissingParameter")


@pytest.mark.parametrize(
    "authorization",
    [
        "ACS3-HMAC-SHA256 Credential=LTAI",
        "ACS3-HMAC-SHA512 Credential=a,SignedHeaders=b,Signature=c",
        "Bearer x",
    ],
)
def test_a_header_that_is_no_signature_is_refused(local_cloud: CloudInfo, authorization: str) -> None:
    headers = {
        "Authorization": authorization,
        "x-acs-action": "DescribeVpcs",
        "x-acs-version": "2016-04-28",
        "x-acs-date": timestamp(),
        "x-acs-signature-nonce": str(uuid.uuid4()),
    }
    assert send(local_cloud, {"RegionId": "cn-hangzhou"}, headers) == (400, "IncompleteSignature")
