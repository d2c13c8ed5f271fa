"""Both signatures of OSS, in a header or in a signed URL, as the vendor's SDKs write them.

V1 (HMAC-SHA1) signs method, MD5, type, date, the `x-oss-` headers and the resource with its sub-resources; V4
(HMAC-SHA256 with a key derived for day and region) signs method, path, all parameters and headers. Facts:
`signer/v1.py` and `signer/v4.py` of alibabacloud-oss-v2.
"""

from __future__ import annotations

import base64
import calendar
import hashlib
import hmac
import re
import time
from collections.abc import Callable, Mapping
from email.utils import parsedate_to_datetime
from urllib.parse import quote

from steelyard.localcloud.services.oss import errors
from steelyard.localcloud.services.oss.request import StorageRequest
from steelyard.localcloud.text import whole_number
from steelyard.localcloud.wire.signature import MAX_SKEW_S, AccessKey, KeyRing

V4 = "OSS4-HMAC-SHA256"
_MAX_EXPIRY_S = 7 * 24 * 3600
_UNSIGNED = "UNSIGNED-PAYLOAD"
_ISO = "%Y%m%dT%H%M%SZ"

# What a parameter needs to be a part of V1's resource (help page "Include signatures in the Authorization header", and
# the sets of the SDKs oss2 and alibabacloud-oss-v2).
_V1_SIGNED = frozenset(
    re.split(
        r"\s+",
        "acl append asyncFetch bucketArchiveDirectRead bucketInfo callback callback-var cloudboxes cname "
        "comp continuation-token cors delete encryption endTime group httpsConfig img inventory inventoryId lifecycle "
        "link live location logging metaQuery objectInfo objectMeta partNumber policy policyStatus position "
        "publicAccessBlock qos qosInfo qosRequester referer regionList replication replicationLocation "
        "replicationProgress requestPayment requesterQosInfo resourceGroup response-cache-control "
        "response-content-disposition response-content-encoding response-content-language response-content-type "
        "response-expires restore rtc security-token sequential startTime stat status style styleName symlink tagging "
        "token transferAcceleration udf udfApplication udfApplicationLog udfId udfImage udfImageDesc udfName uploadId "
        "uploads versionId versioning versions vod website worm wormExtend wormId x-oss-ac-forward-allow "
        "x-oss-ac-source-ip x-oss-ac-subnet-mask x-oss-ac-vpc-id x-oss-async-process x-oss-process "
        "x-oss-request-payer x-oss-traffic-limit",
    )
)
SUB_RESOURCES = _V1_SIGNED | frozenset(
    re.split(
        r"\s+",
        "accessPoint accessPointPolicy accessmonitor cleanRestoredObject dataPipeline legalHold metadataConfiguration "
        "metadataInventoryTable metadataJournalTable objectWorm overwriteConfig quota redundancyTransition regions "
        "retention seal userDefinedLogFieldsConfig x-oss-access-point-name x-oss-redundancy-transition-taskid "
        "x-oss-target-redundancy-type",
    )
)
"""Parameters that name a part or a property of a resource; neither SDK signs the further ones in V1."""

_QUERY_ONLY = frozenset({"x-oss-signature", "Signature"})


class StorageVerifier:
    """Checks who signed a call of OSS, and when.

    Args:
        keys: Where access keys are found.
        clock: Gives the Unix time.
    """

    def __init__(self, keys: KeyRing, clock: Callable[[], float]) -> None:
        self._keys = keys
        self._clock = clock

    def verify(self, request: StorageRequest, raw_query: str) -> AccessKey | None:
        """Give the key that signed a call, None where it is not signed.

        Args:
            request: The call.
            raw_query: Its query as sent, which V4 signs as it is.

        Raises:
            StorageError: OSS's own code for what is wrong with the signature.
        """
        authorization = request.header("authorization")
        if authorization.startswith(V4):
            return self._verify_v4_header(request, raw_query, authorization)
        if authorization.startswith("OSS "):
            return self._verify_v1_header(request, authorization)
        if request.query.get("x-oss-signature-version") == V4:
            return self._verify_v4_url(request, raw_query)
        if "OSSAccessKeyId" in request.query:
            return self._verify_v1_url(request)
        if authorization:
            raise errors.invalid_argument("Authorization", authorization, f"a signature of OSS or {V4}")
        return None

    def _verify_v1_header(self, request: StorageRequest, authorization: str) -> AccessKey:
        key_id, _, signature = authorization.removeprefix("OSS ").strip().partition(":")
        date = request.header("x-oss-date") or request.header("date")
        self._check_skew(_http_time(date) or _iso_time(date))
        token = request.header("x-oss-security-token") or request.header("security-token")
        key = self._key(key_id, token)
        _compare(key, signature, *_sign_v1(key.secret, request, date))
        return key

    def _verify_v1_url(self, request: StorageRequest) -> AccessKey:
        expires = request.query.get("Expires", "")
        expires_at = whole_number(expires)
        if expires_at is None:
            raise errors.invalid_argument("Expires", expires, "a Unix time")
        if self._clock() > expires_at:
            raise errors.request_expired()
        key = self._key(request.query["OSSAccessKeyId"], request.query.get("security-token", ""))
        _compare(key, request.query.get("Signature", ""), *_sign_v1(key.secret, request, expires))
        return key

    def _verify_v4_header(self, request: StorageRequest, raw_query: str, authorization: str) -> AccessKey:
        fields = authorization.removeprefix(V4).strip().split(",")
        parts = dict(field.strip().partition("=")[::2] for field in fields)
        date = request.header("x-oss-date")
        self._check_skew(_iso_time(date))
        return self._check_v4(
            request,
            raw_query,
            date=date,
            credential=parts.get("Credential", ""),
            additional=parts.get("AdditionalHeaders", ""),
            signature=parts.get("Signature", ""),
            token=request.header("x-oss-security-token"),
        )

    def _verify_v4_url(self, request: StorageRequest, raw_query: str) -> AccessKey:
        query = request.query
        signed_at, expires = _iso_time(query.get("x-oss-date", "")), query.get("x-oss-expires", "")
        lasts_s = whole_number(expires)
        if signed_at is None or lasts_s is None:
            raise errors.invalid_argument(
                "x-oss-expires", expires, f"1 to {_MAX_EXPIRY_S} seconds after x-oss-date"
            )
        if self._clock() > signed_at + min(lasts_s, _MAX_EXPIRY_S):
            raise errors.request_expired()
        return self._check_v4(
            request,
            raw_query,
            date=query["x-oss-date"],
            credential=query.get("x-oss-credential", ""),
            additional=query.get("x-oss-additional-headers", ""),
            signature=query.get("x-oss-signature", ""),
            token=query.get("x-oss-security-token", ""),
        )

    def _check_v4(
        self,
        request: StorageRequest,
        raw_query: str,
        *,
        date: str,
        credential: str,
        additional: str,
        signature: str,
        token: str,
    ) -> AccessKey:
        key_id, _, scope = credential.partition("/")
        day, _, rest = scope.partition("/")
        if (rest.partition("/")[2], day) != ("oss/aliyun_v4_request", date[:8]):
            want = "<key>/<day of x-oss-date>/<region>/oss/aliyun_v4_request"
            raise errors.invalid_argument("Credential", credential, want)
        key = self._key(key_id, token)
        canonical = canonical_v4(request, raw_query, [name for name in additional.split(";") if name])
        text = "\n".join([V4, date, scope, hashlib.sha256(canonical.encode()).hexdigest()])
        _compare(key, signature, _sign_v4(key.secret, scope, text), text)
        return key

    def _key(self, key_id: str, token: str) -> AccessKey:
        key = self._keys.access_key(key_id)
        if key is None or not hmac.compare_digest(key.security_token.encode(), token.encode()):
            raise errors.access_key_not_found(key_id)
        if not key.is_active:
            raise errors.access_key_disabled(key_id)
        if key.expires_at is not None and self._clock() > key.expires_at:
            raise errors.token_expired()
        return key

    def _check_skew(self, signed_at: float | None) -> None:
        if signed_at is None:
            raise errors.access_denied("OSS authentication requires a valid Date.")
        if abs(self._clock() - signed_at) > MAX_SKEW_S:
            raise errors.too_skewed()


def canonical_v4(request: StorageRequest, raw_query: str, additional: list[str]) -> str:
    """Write the canonical request whose hash V4 signs."""
    pairs = [pair.partition("=")[::2] for pair in raw_query.split("&") if pair]
    query = "&".join(
        f"{name}={value}" if value else name for name, value in sorted(pairs) if name not in _QUERY_ONLY
    )
    headers = "".join(
        f"{name}:{value.strip()}\n"
        for name, value in sorted(request.headers.items())
        if name.startswith("x-oss-") or name in {"content-type", "content-md5"} or name in additional
    )
    payload = request.header("x-oss-content-sha256", _UNSIGNED)
    path = quote(_resource(request), safe="/")
    return f"{request.method}\n{path}\n{query}\n{headers}\n{';'.join(additional)}\n{payload}"


def _sign_v4(secret: str, scope: str, text: str) -> str:
    key = f"aliyun_v4{secret}".encode()
    for part in (*scope.split("/"), text):
        key = hmac.new(key, part.encode(), hashlib.sha256).digest()
    return key.hex()


def _sign_v1(secret: str, request: StorageRequest, date: str) -> tuple[str, str]:
    headers = "".join(
        f"{name}:{value}\n" for name, value in sorted(request.headers.items()) if name.startswith("x-oss-")
    )
    marks = "&".join(
        f"{name}={value}" if value else name
        for name, value in sorted(request.query.items())
        if name in _V1_SIGNED
    )
    head = [request.method, request.header("content-md5"), request.header("content-type"), date]
    text = "\n".join([*head, f"{headers}{_resource(request)}{'?' if marks else ''}{marks}"])
    digest = hmac.new(secret.encode(), text.encode(), hashlib.sha1).digest()
    return base64.b64encode(digest).decode(), text


def _resource(request: StorageRequest) -> str:
    return f"/{request.bucket}/{request.key}" if request.bucket else "/"


def _compare(key: AccessKey, given: str, wanted: str, string_to_sign: str) -> None:
    if not hmac.compare_digest(wanted.encode(), given.encode()):
        raise errors.signature_mismatch(key.access_key_id, given, string_to_sign)


def _http_time(text: str) -> float | None:
    try:
        return parsedate_to_datetime(text).timestamp()
    except (ValueError, TypeError, OverflowError):
        return None


def _iso_time(text: str) -> float | None:
    try:
        return calendar.timegm(time.strptime(text, _ISO))
    except ValueError:
        return None


def claims_storage(headers: Mapping[str, str], path: str, query: Mapping[str, str]) -> bool:
    """Tell whether an HTTP request is one of OSS and not an action of another product.

    Args:
        headers: Its headers by lower-case name.
        path: Its path.
        query: Its parameters.
    """
    authorization = headers.get("authorization", "")
    if authorization:
        return authorization.startswith(("OSS ", V4))
    if "x-oss-signature-version" in query or "OSSAccessKeyId" in query:
        return True
    if any(name.startswith("x-oss-") for name in headers) or "access-control-request-method" in headers:
        return True
    return path != "/" and "x-acs-action" not in headers and "Action" not in query
