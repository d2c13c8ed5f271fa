"""Cross-origin resource sharing: what a bucket's rules let scripts of other web sites do. Pure.

Facts: help pages "PutBucketCors" and "OptionObject"; what answers but those to a preflight carry is from memory.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from xml.etree import ElementTree

from steelyard.localcloud.services.oss import errors
from steelyard.localcloud.services.oss.document import child_text, read_document
from steelyard.localcloud.text import whole_number

_ROOT = "CORSConfiguration"
_METHODS = ("GET", "PUT", "DELETE", "POST", "HEAD")
_MAX_RULES = 20
_MAX_AGE_S = 999_999_999


@dataclass(frozen=True, kw_only=True)
class CorsRule:
    """A rule.

    Attributes:
        origins: Web sites that it is for, each with at most one `*`.
        methods: Methods that they may use.
        headers: Headers that they may send, each with at most one `*`.
        exposed: Headers of answers that they may read.
        max_age_s: How long a browser keeps the answer to its preflight, in seconds; None where nothing is said.
    """

    origins: tuple[str, ...]
    methods: tuple[str, ...]
    headers: tuple[str, ...]
    exposed: tuple[str, ...]
    max_age_s: int | None

    def allowed_origin(self, origin: str) -> str:
        """Give what an answer calls a web site that it is for; empty where it is not."""
        for pattern in self.origins:
            if _fits(pattern, origin):
                return "*" if pattern == "*" else origin
        return ""

    def allows_headers(self, names: Iterable[str]) -> bool:
        """Tell whether all of these headers may be sent."""
        return all(any(_fits(pattern.lower(), name) for pattern in self.headers) for name in names)


@dataclass(frozen=True, kw_only=True)
class CorsConfiguration:
    """A bucket's rules.

    Attributes:
        rules: The first that fits holds.
        varies: Whether every answer says that it depends on the origin.
    """

    rules: Sequence[CorsRule]
    varies: bool

    @classmethod
    def read(cls, document: str) -> CorsConfiguration:
        """Read what `check_cors` has let pass; of an empty document there are none."""
        if not document:
            return cls(rules=(), varies=False)
        root = read_document(document.encode(), _ROOT)
        rules = [_read_rule(rule) for rule in root.iterfind("CORSRule")]
        return cls(rules=rules, varies=child_text(root, "ResponseVary") == "true")

    def preflight(self, headers: Mapping[str, str]) -> dict[str, str]:
        """Answer whether a script may make a call, with the headers of the answer.

        Args:
            headers: Those of the browser's question, by lower-case name.

        Raises:
            StorageError: `AccessForbidden`: it may not.
        """
        if not self.rules:
            raise errors.cors_forbidden("CORS is not enabled for this bucket.")
        origin, method = headers.get("origin", ""), headers.get("access-control-request-method", "")
        asked = headers.get("access-control-request-headers", "")
        names = [name.strip().lower() for name in asked.split(",") if name.strip()]
        rule = self._find(origin, method)
        if rule is None or not rule.allows_headers(names):
            raise errors.cors_forbidden(
                "This CORS request is not allowed. This is usually because the evalution of Origin, request method / "
                "Access-Control-Request-Method or Access-Control-Request-Headers are not whitelisted by the "
                "resource's CORS spec."
            )
        answer = {**self._common(rule, origin), "Access-Control-Allow-Methods": method}
        return {**answer, "Access-Control-Allow-Headers": asked} if asked else answer

    def answer_headers(self, origin: str, method: str) -> dict[str, str]:
        """Give the headers by which a browser hands the answer of a call on to the script that made it."""
        vary = {"Vary": "Origin"} if self.varies else {}
        rule = self._find(origin, method)
        if rule is None:
            return vary
        return {
            **self._common(rule, origin),
            "Access-Control-Allow-Methods": ", ".join(rule.methods),
            **vary,
        }

    def _find(self, origin: str, method: str) -> CorsRule | None:
        for rule in self.rules:
            if method in rule.methods and rule.allowed_origin(origin):
                return rule
        return None

    @staticmethod
    def _common(rule: CorsRule, origin: str) -> dict[str, str]:
        headers = {"Access-Control-Allow-Origin": rule.allowed_origin(origin)}
        if rule.exposed:
            headers["Access-Control-Expose-Headers"] = ", ".join(rule.exposed)
        if rule.max_age_s is not None:
            headers["Access-Control-Max-Age"] = str(rule.max_age_s)
        return headers


def check_cors(root: ElementTree.Element) -> None:
    """Check the rules of a bucket.

    Raises:
        StorageError: `MalformedXML` or `InvalidArgument`.
    """
    rules = root.findall("CORSRule")
    if not 1 <= len(rules) <= _MAX_RULES:
        raise errors.malformed_xml(f"{len(rules)} rules, want 1 to {_MAX_RULES}")
    for element in rules:
        age = child_text(element, "MaxAgeSeconds")
        seconds = whole_number(age or "0")
        if seconds is None or seconds > _MAX_AGE_S:
            raise errors.invalid_argument("MaxAgeSeconds", age, f"a number from 0 to {_MAX_AGE_S}")
        rule = _read_rule(element)
        if not rule.origins or not rule.methods:
            raise errors.malformed_xml("a rule has no AllowedOrigin or no AllowedMethod")
        for method in rule.methods:
            if method not in _METHODS:
                raise errors.invalid_argument("AllowedMethod", method, f"one of {', '.join(_METHODS)}")
        for pattern in (*rule.origins, *rule.headers):
            if pattern.count("*") > 1:
                raise errors.invalid_argument("AllowedOrigin or AllowedHeader", pattern, "with one * at most")
        for name in rule.exposed:
            if "*" in name:
                raise errors.invalid_argument("ExposeHeader", name, "without *")


def _read_rule(element: ElementTree.Element) -> CorsRule:
    def texts(name: str) -> tuple[str, ...]:
        return tuple((child.text or "").strip() for child in element.iterfind(name))

    age = child_text(element, "MaxAgeSeconds")
    return CorsRule(
        origins=texts("AllowedOrigin"),
        methods=texts("AllowedMethod"),
        headers=texts("AllowedHeader"),
        exposed=texts("ExposeHeader"),
        max_age_s=int(age) if age else None,
    )


@lru_cache(maxsize=1000)
def _pattern(pattern: str) -> re.Pattern[str]:
    return re.compile(".*".join(re.escape(part) for part in pattern.split("*")))


def _fits(pattern: str, text: str) -> bool:
    return bool(text) and _pattern(pattern).fullmatch(text) is not None
