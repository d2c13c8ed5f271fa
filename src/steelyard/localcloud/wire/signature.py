"""Both signatures of Alibaba Cloud's RPC calls, as the vendor's clients write them.

ACS3-HMAC-SHA256 (the default of the newer SDKs) signs method, path, query, some headers and the body's hash; the older
HMAC-SHA1 with `SignatureVersion=1.0` (Go's tea-rpc, the core SDKs) signs all parameters of query and form together.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from typing import Protocol, runtime_checkable
from urllib.parse import quote

from steelyard.localcloud.wire.error import ApiError, missing_parameter
from steelyard.localcloud.wire.message import WireRequest
from steelyard.localcloud.wire.nonce import UsedNonces

SCHEME = "ACS3-HMAC-SHA256"
MAX_SKEW_S = 15 * 60
_HASH_OF_NOTHING = hashlib.sha256(b"").hexdigest()
_UNRESERVED = re.compile(r"[A-Za-z0-9_.~-]*")
_TIMESTAMP = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", re.ASCII)
_NAMES_TOKEN = ("2014-05-26", "2016-04-28")
"""Versions of the products (ECS, VPC) that ask for a token as for any other parameter.

RAM and STS have a code of their own (issues denverdino/aliyungo#204 and turbot/steampipe-plugin-alicloud#291).
"""
MAX_NONCES = 100_000
"""How many used nonces are remembered at most, about 20 MB; a flood of calls pushes the oldest out early."""


@dataclass(frozen=True, kw_only=True)
class AccessKey:
    """A key that may sign calls.

    Attributes:
        access_key_id: Its public part.
        secret: What signs.
        arn: Who signs: the account's root, a RAM user or an assumed role.
        principal_id: Id of who signs.
        identity_type: `Account`, `RAMUser` or `AssumedRoleUser`.
        security_token: Token that has to come along with a temporary key; empty for a lasting one.
        expires_at: Unix time after which a temporary key is void; None for a lasting one.
        session_policy: Policy document by which a temporary key may do less than its role; empty where there is none.
        is_active: Whether it may sign; a user's key can be made inactive.
    """

    access_key_id: str
    secret: str
    arn: str
    principal_id: str
    identity_type: str = "Account"
    security_token: str = ""
    expires_at: float | None = None
    session_policy: str = ""
    is_active: bool = True


@runtime_checkable
class KeyRing(Protocol):
    """Finds access keys by their id."""

    def access_key(self, access_key_id: str) -> AccessKey | None:
        """Give the key, or None where there is none of this id."""


@dataclass(kw_only=True, slots=True)
class _Claim:
    access_key_id: str
    signature: str
    nonce: str
    timestamp: str
    security_token: str
    sign: Callable[[str], tuple[str, str]]  # secret -> (signature, string to sign)


class Verifier:
    """Checks who signed a request, when, and that it was not sent before.

    Args:
        keys: Where access keys are found.
        clock: Gives the Unix time.
    """

    def __init__(self, keys: KeyRing, clock: Callable[[], float]) -> None:
        self._keys = keys
        self._clock = clock
        self._nonces = UsedNonces(MAX_SKEW_S, MAX_NONCES)

    def verify(self, request: WireRequest) -> AccessKey:
        """Give the key that signed the request.

        Raises:
            ApiError: The gateway's own code for what is wrong with the signature.
        """
        claim = _read_claim(request)
        key = self._keys.access_key(claim.access_key_id)
        if key is None:
            raise ApiError("InvalidAccessKeyId.NotFound", "Specified access key is not found.", 404)
        if not key.is_active:
            # The code is the gateway's; its status is from memory.
            raise ApiError("InvalidAccessKeyId.Inactive", "Specified access key is disabled.")
        signed_at = self._check_time(claim.timestamp)
        self._check_token(key, claim.security_token, request.version)
        wanted, string_to_sign = claim.sign(key.secret)
        if not hmac.compare_digest(wanted.encode(), claim.signature.encode()):
            raise ApiError(
                "SignatureDoesNotMatch",
                "Specified signature is not matched with our calculation. "
                f"server string to sign is:{string_to_sign}",
            )
        if not self._nonces.use(f"{claim.access_key_id}/{claim.nonce}", self._clock(), signed_at):
            raise ApiError("SignatureNonceUsed", "Specified signature nonce was used already.")
        return key

    def _check_time(self, timestamp: str) -> float:
        signed_at = _unix_time(timestamp)
        if signed_at is None:
            raise ApiError(
                "InvalidTimeStamp.Format",
                f"Specified time stamp or date value is not well formatted: {timestamp!r}.",
            )
        if abs(self._clock() - signed_at) > MAX_SKEW_S:
            raise ApiError(
                "InvalidTimeStamp.Expired", f"Specified time stamp or date value is expired: {timestamp}."
            )
        return signed_at

    def _check_token(self, key: AccessKey, token: str, version: str) -> None:
        if key.security_token and not token:
            if version in _NAMES_TOKEN:
                raise missing_parameter("SecurityToken")
            raise ApiError("MissingSecurityToken", "SecurityToken is mandatory for this action.")
        if not hmac.compare_digest(key.security_token.encode(), token.encode()):
            raise ApiError(
                "InvalidSecurityToken.MismatchWithAccessKey",
                "Specified SecurityToken mismatch with the AccessKey.",
            )
        if key.expires_at is not None and self._clock() > key.expires_at:
            raise ApiError("InvalidSecurityToken.Expired", "Specified SecurityToken is expired.")


@lru_cache(maxsize=256)
def _unix_time(timestamp: str) -> float | None:
    """Read a time stamp, of which a second's calls have the same one; None where it is malformed."""
    if not _TIMESTAMP.fullmatch(timestamp):
        return None
    try:
        # A fifth of the time that `strptime` takes; the pattern is stricter than either.
        return datetime.fromisoformat(timestamp).timestamp()
    except ValueError:
        return None


def _read_claim(request: WireRequest) -> _Claim:
    authorization = request.headers.get("authorization", "")
    if authorization:
        return _read_acs3(request, authorization)
    return _read_hmac_sha1(request)


def _read_acs3(request: WireRequest, authorization: str) -> _Claim:
    scheme, _, rest = authorization.partition(" ")
    parts = dict([part.strip().partition("=")[::2] for part in rest.split(",")])
    if scheme != SCHEME or not {"Credential", "SignedHeaders", "Signature"} <= parts.keys():
        raise ApiError("IncompleteSignature", "The request signature does not conform to Aliyun standards.")
    headers = request.headers

    def sign(secret: str) -> tuple[str, str]:
        string_to_sign = acs3_string_to_sign(request, parts["SignedHeaders"].split(";"))
        return _hmac_hex(secret, string_to_sign), string_to_sign.replace("\n", " ")

    return _Claim(
        access_key_id=parts["Credential"],
        signature=parts["Signature"],
        nonce=_required(headers, "x-acs-signature-nonce"),
        timestamp=_required(headers, "x-acs-date"),
        security_token=headers.get("x-acs-security-token", ""),
        sign=sign,
    )


def acs3_string_to_sign(request: WireRequest, signed_headers: list[str]) -> str:
    """Write what ACS3-HMAC-SHA256 signs: the scheme and the canonical request's hash, on two lines."""
    query = "&".join([f"{key}={_quote(value)}" for key, value in sorted(request.query)])
    headers = "".join([f"{name}:{request.headers.get(name, '').strip()}\n" for name in signed_headers])
    body_hash = hashlib.sha256(request.body).hexdigest() if request.body else _HASH_OF_NOTHING
    canonical = "\n".join([request.method, request.path, query, headers, ";".join(signed_headers), body_hash])
    return f"{SCHEME}\n{hashlib.sha256(canonical.encode()).hexdigest()}"


def acs3_signature(request: WireRequest, signed_headers: list[str], secret: str) -> str:
    """Sign a request as the vendor's clients do."""
    return _hmac_hex(secret, acs3_string_to_sign(request, signed_headers))


def _hmac_hex(secret: str, text: str) -> str:
    keyed = _keyed(secret).copy()
    keyed.update(text.encode())
    return keyed.hexdigest()


@lru_cache(maxsize=64)
def _keyed(secret: str) -> hmac.HMAC:
    """Take in a secret, which costs as much as the text of a call."""
    return hmac.new(secret.encode(), digestmod="sha256")


def _read_hmac_sha1(request: WireRequest) -> _Claim:
    parameters = request.parameters
    signature = _required(parameters, "Signature")
    method, version = parameters.get("SignatureMethod", ""), _required(parameters, "SignatureVersion")
    if (method, version) != ("HMAC-SHA1", "1.0"):
        raise ApiError(
            "InvalidSignatureMethod",
            f"Specified signature method is not valid: {method!r}, version {version!r}; want HMAC-SHA1, 1.0.",
        )

    def sign(secret: str) -> tuple[str, str]:
        string_to_sign = hmac_sha1_string_to_sign(request.method, parameters)
        digest = hmac.digest(f"{secret}&".encode(), string_to_sign.encode(), "sha1")
        return base64.b64encode(digest).decode(), string_to_sign

    return _Claim(
        access_key_id=_required(parameters, "AccessKeyId"),
        signature=signature,
        nonce=_required(parameters, "SignatureNonce"),
        timestamp=_required(parameters, "Timestamp"),
        security_token=parameters.get("SecurityToken", ""),
        sign=sign,
    )


def hmac_sha1_string_to_sign(method: str, parameters: Mapping[str, str]) -> str:
    """Write what HMAC-SHA1 signs: the method and all parameters but the signature, sorted."""
    canonical = "&".join(
        f"{_quote(key)}={_quote(value)}" for key, value in sorted(parameters.items()) if key != "Signature"
    )
    return f"{method}&{_quote('/')}&{_quote(canonical)}"


def _quote(text: str) -> str:
    return text if _UNRESERVED.fullmatch(text) else quote(text, safe="~")


def _required(values: Mapping[str, str], name: str) -> str:
    value = values.get(name, "")
    if not value:
        raise missing_parameter(name)
    return value
