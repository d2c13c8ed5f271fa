"""Malformed requests for a local cloud, the same for the same seed."""

from __future__ import annotations

import base64
import hashlib
import hmac
import random
import time
from collections.abc import Callable, Sequence
from urllib.parse import quote, urlencode

from steelyard.localcloud.daemon import CloudInfo
from steelyard.localcloud.services import SERVICES
from steelyard.localcloud.wire.schema import Schema, load_schema
from steelyard.localcloud.wire.signature import hmac_sha1_string_to_sign

TEXTS = (
    "",
    "x",
    "-1",
    "0",
    "99999999999999999999999",
    "1e309",
    "nan",
    "true",
    "null",
    "[]",
    "{}",
    "[[[[[[",
    '{"a":',
    '["i-1", 3, null, {}]',
    "é\u0000\ud7ff\U0001f600",
    "../../etc/passwd",
    "%00%ff%zz",
    "a" * 5000,
    "10.0.0.0/33",
    "10.0.0.0/8",
    "::1/0",
    "<a><b>&x;</a>",
    "' OR 1=1 --",
    "cn-hangzhou",
    "cn-nowhere",
    "2026-01-01T00:00Z",
    "$(reboot)",
)
METHODS = ("GET", "POST", "PUT", "DELETE", "HEAD", "OPTIONS", "PATCH", "TRACE", "BREW", "get")
SUB_RESOURCES = (
    "acl",
    "uploads",
    "uploadId",
    "partNumber",
    "append",
    "position",
    "delete",
    "lifecycle",
    "versions",
)


class Mangler:
    """Makes requests that are wrong in some way.

    Args:
        cloud: Whom they are for.
        seed: What makes them differ.
    """

    def __init__(self, cloud: CloudInfo, seed: int) -> None:
        self._cloud = cloud
        self._rng = random.Random(seed)
        self._schema: Schema = load_schema()
        self._actions = [(service.version, name) for service in SERVICES for name in service.handlers()]
        whole: Sequence[Callable[[], bytes]] = (
            self._signed_call,
            self._signed_call,
            self._signed_call,
            self._storage_call,
            self._unsigned_call,
        )
        self._makers = [(maker, True) for maker in whole]
        self._makers += [(maker, False) for maker in (self._broken_http, self._noise, self._truncated)]

    def request(self) -> tuple[bytes, bool]:
        """Give the bytes of the next request, and whether they are a whole one, which has to be answered."""
        maker, is_whole = self._rng.choice(self._makers)
        return maker(), is_whole

    def _text(self) -> str:
        if self._rng.random() < 0.3:
            return "".join(chr(self._rng.randrange(1, 0x2FF)) for _ in range(self._rng.randrange(20)))
        return self._rng.choice(TEXTS)

    def _http(self, method: str, target: str, headers: dict[str, str], body: bytes = b"") -> bytes:
        lines = [f"{method} {target} HTTP/1.1", f"Host: {self._cloud.endpoint}", "Connection: close"]
        lines += [f"{name}: {value}" for name, value in headers.items()]
        if body:
            lines.append(f"Content-Length: {len(body)}")
        return "\r\n".join(lines).encode("latin-1", "replace") + b"\r\n\r\n" + body

    def _signed_call(self) -> bytes:
        """A call whose signature is good, of an action that is served, with parameters that are not."""
        version, name = self._rng.choice(self._actions)
        action = self._schema.action(version, name)
        assert action is not None
        fields = list(self._schema.wire_names(action.request)) if action.request else []
        parameters = {
            "Action": name,
            "Version": version,
            "Format": self._rng.choice(("JSON", "XML", "", "YAML")),
            "AccessKeyId": self._cloud.access_key_id,
            "SignatureMethod": "HMAC-SHA1",
            "SignatureVersion": "1.0",
            "SignatureNonce": str(self._rng.getrandbits(64)),
            "Timestamp": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
        }
        for _ in range(self._rng.randrange(8)):
            field = self._rng.choice(fields or ["None"])
            suffix = self._rng.choice(
                ("", "", "", ".1", ".1.Key", ".0", ".-1", ".9999999", ".x.y.z", "..", ".1.1.1.1")
            )
            parameters[f"{field}{suffix}"] = self._text()
        if self._rng.random() < 0.7:
            parameters["RegionId"] = "cn-hangzhou"
        text = hmac_sha1_string_to_sign("POST", parameters)
        digest = hmac.new(f"{self._cloud.access_key_secret}&".encode(), text.encode(), hashlib.sha1).digest()
        parameters["Signature"] = base64.b64encode(digest).decode()
        form = urlencode(parameters).encode()
        return self._http("POST", "/", {"Content-Type": "application/x-www-form-urlencoded"}, form)

    def _unsigned_call(self) -> bytes:
        names = (
            "Authorization",
            "x-acs-action",
            "x-acs-version",
            "x-acs-date",
            "x-acs-signature-nonce",
            "Date",
        )
        headers = {
            name: quote(self._text()) for name in self._rng.sample(names, self._rng.randrange(len(names)))
        }
        query = urlencode({self._text(): self._text() for _ in range(self._rng.randrange(6))})
        path = self._rng.choice(
            ("/", "/metadata/", "/metadata/i-1/latest/api/token", "/steelyard/faults", "//", "/%")
        )
        return self._http(self._rng.choice(METHODS), f"{path}?{query}", headers, self._text().encode())

    def _storage_call(self) -> bytes:
        """A call of OSS whose signature is good as often as not, with whatever sub-resources, headers and body."""
        method = self._rng.choice(METHODS[:5])
        key = self._rng.choice(("", "/kept", "/k", "//", "/a%2F..%2Fb", "/" + "k" * 1500))
        bucket = self._rng.choice(("fuzz-bucket", "fuzz-bucket", "no-such-bucket", "B", "-", ""))
        marks = self._rng.sample(SUB_RESOURCES, self._rng.randrange(3))
        if method == "DELETE" and key in ("", "/kept"):
            key = "/k"  # what is kept shall be there afterwards
        if method in ("PUT", "POST") and key in ("", "/kept"):
            key, marks = "/k", [*marks, "position"]
        date = time.strftime("%a, %d %b %Y %H:%M:%S GMT", time.gmtime())
        resource = f"/{bucket}{key}" if bucket else "/"
        text = f"{method}\n\n\n{date}\n{resource}{'?' if marks else ''}{'&'.join(sorted(marks))}"
        digest = hmac.new(self._cloud.access_key_secret.encode(), text.encode(), hashlib.sha1).digest()
        headers = {
            "Date": date,
            "Authorization": f"OSS {self._cloud.access_key_id}:{base64.b64encode(digest).decode()}",
            "Range": self._rng.choice(
                ("bytes=", "bytes=9-1", "bytes=-0", "x", "bytes=0-99999999999999999999")
            ),
            "If-Modified-Since": self._rng.choice(("never", "Thu, 99 Foo 2026 00:00:00 GMT", date)),
        }
        return self._http(method, f"{resource}?{'&'.join(marks)}", headers, self._text().encode())

    def _broken_http(self) -> bytes:
        good = self._signed_call()
        place, kind = self._rng.randrange(len(good)), self._rng.randrange(4)
        if kind == 0:
            return good[:place] + bytes([self._rng.randrange(256)]) + good[place + 1 :]
        if kind == 1:
            return good.replace(b"HTTP/1.1", self._rng.choice((b"HTTP/9.9", b"HTTP", b"SPDY/1", b"")))
        if kind == 2:
            return good.replace(b"Content-Length: ", b"Content-Length: -")
        return good.replace(b"\r\n", b"\n", 1).replace(b"Host:", b"Host:\x00")

    def _noise(self) -> bytes:
        first = self._rng.choice((b"", b"\x16\x03\x01", b"\x16", b"\x00", b"GET "))
        return first + self._rng.randbytes(self._rng.randrange(200)) + b"\r\n\r\n"

    def _truncated(self) -> bytes:
        good = self._signed_call()
        return good[: self._rng.randrange(len(good))]
