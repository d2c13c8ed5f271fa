"""A bucket as a web site: its first page, its page for what is not there, and where requests are led. Pure.

Facts: help pages "PutBucketWebsite" and "Static website hosting". Rules that fetch from another server (`Mirror`) or
run a script are refused when they are put: nothing leaves the machine.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from urllib.parse import quote, urlencode
from xml.etree import ElementTree

from steelyard.localcloud.services.oss import errors
from steelyard.localcloud.services.oss.document import child_text, read_document
from steelyard.localcloud.text import whole_number

_ROOT = "WebsiteConfiguration"
_RULES = "RoutingRules/RoutingRule"
_MAX_RULES = 20
_HOST = re.compile(r"[A-Za-z0-9.-]+(:[0-9]+)?")
_CODES = ("301", "302", "307")
_SUB_DIR_TYPES = ("0", "1", "2")
LEADS_ON, NOT_THERE, GIVES_PAGE = _SUB_DIR_TYPES
"""What becomes of a key without a slash at its end that is a folder with a first page."""


@dataclass(frozen=True, kw_only=True)
class RoutingRule:
    """Where some requests are led.

    Attributes:
        number: Rules are tried in the order of their numbers.
        prefix: What their keys begin with.
        suffix: What their keys end with.
        status: Status of the answer that they would get; None where it does not matter.
        headers: Headers that they have: name, whole value, its beginning, its end; each may be empty.
        code: Status of the answer that leads them on.
        protocol: `http` or `https`; empty for their own.
        host: Host that they are led to; empty for their own.
        key: Key that they are led to, with `${key}` for their own; empty for that.
        prefix_with: What takes the place of the prefix; None where it stays.
        passes_query: Whether their parameters go with them.
    """

    number: int
    prefix: str
    suffix: str
    status: int | None
    headers: Sequence[tuple[str, str, str, str]]
    code: int
    protocol: str
    host: str
    key: str
    prefix_with: str | None
    passes_query: bool

    def is_for(self, key: str, headers: Mapping[str, str], status: int | None) -> bool:
        """Tell whether a request is led by it, before it is served (no status) or once it has failed."""
        has_key = key.startswith(self.prefix) and key.endswith(self.suffix)
        return self.status == status and has_key and all(_fits(headers, *one) for one in self.headers)

    def location(self, key: str, query: Mapping[str, str], *, own: str, scheme: str) -> str:
        """Give the address that a request is led to.

        Args:
            key: Its key.
            query: Its parameters.
            own: Its own host, and the path of the bucket there, with slashes on both ends.
            scheme: Its own protocol.
        """
        target = key
        if self.key:
            target = self.key.replace("${key}", key)
        elif self.prefix_with is not None:
            target = self.prefix_with + key.removeprefix(self.prefix)
        place = f"{self.host}/" if self.host else own
        parameters = f"?{urlencode(query)}" if self.passes_query and query else ""
        return f"{self.protocol or scheme}://{place}{quote(target)}{parameters}"


@dataclass(frozen=True, kw_only=True)
class Website:
    """A bucket's configuration as a web site.

    Attributes:
        index: Name of the first page; empty where there is none.
        has_folders: Whether folders have a first page each.
        folder_type: What becomes of a folder's name without a slash, where they have.
        error_key: Key of the page for what is not there; empty where there is none.
        error_status: Status that goes with it.
        rules: Where requests are led.
    """

    index: str
    has_folders: bool
    folder_type: str
    error_key: str
    error_status: int
    rules: Sequence[RoutingRule]

    @classmethod
    def read(cls, document: str) -> Website:
        """Read what `check_website` has let pass."""
        root = read_document(document.encode(), _ROOT)
        rules = [_read_rule(rule) for rule in root.iterfind(_RULES)]
        return cls(
            index=child_text(root, "IndexDocument/Suffix"),
            has_folders=child_text(root, "IndexDocument/SupportSubDir") == "true",
            folder_type=child_text(root, "IndexDocument/Type", LEADS_ON),
            error_key=child_text(root, "ErrorDocument/Key"),
            error_status=int(child_text(root, "ErrorDocument/HttpStatus", "404")),
            rules=sorted(rules, key=lambda rule: rule.number),
        )

    def page(self, key: str) -> str:
        """Give the key of the page that is meant by a key: the first page where it is empty or a folder's."""
        if not self.index or (key and not key.endswith("/")):
            return key
        return f"{key}{self.index}" if self.has_folders else self.index

    def folder_page(self, key: str) -> str:
        """Give the key of the first page of a folder that is named without its slash; empty where there is none."""
        is_asked = self.index and self.has_folders and self.folder_type != NOT_THERE
        return f"{key}/{self.index}" if is_asked else ""

    def rule(self, key: str, headers: Mapping[str, str], status: int | None) -> RoutingRule | None:
        """Give the rule by which a request is led, if any."""
        return next((rule for rule in self.rules if rule.is_for(key, headers, status)), None)


def check_website(root: ElementTree.Element) -> None:
    """Check a configuration.

    Raises:
        StorageError: `MalformedXML`, or `NotImplemented` for a rule that is not served.
    """
    if not any(root.find(name) is not None for name in ("IndexDocument", "ErrorDocument", "RoutingRules")):
        raise errors.malformed_xml("IndexDocument, ErrorDocument or RoutingRules is needed")
    index = root.find("IndexDocument")
    if index is not None:
        suffix = child_text(index, "Suffix")
        if not suffix or "/" in suffix:
            raise errors.malformed_xml(f"Suffix is {suffix!r}, want the name of a page")
        _one_of(index, "SupportSubDir", "true", "false")
        _one_of(index, "Type", *_SUB_DIR_TYPES)
    # Go's SDK puts an ErrorDocument without a Key where there is none.
    _one_of(root, "ErrorDocument/HttpStatus", "200", "404")
    rules = root.findall(_RULES)
    if len(rules) > _MAX_RULES:
        raise errors.malformed_xml(f"{len(rules)} rules, want {_MAX_RULES} at most")
    for rule in rules:
        _check_rule(rule)


def _check_rule(rule: ElementTree.Element) -> None:
    if rule.find("LuaConfig") is not None:
        raise errors.not_implemented("a rule with a script")
    number = child_text(rule, "RuleNumber")
    if not whole_number(number):
        raise errors.malformed_xml(f"RuleNumber is {number!r}, want a number")
    kind = child_text(rule, "Redirect/RedirectType")
    if kind in ("Mirror", "Internal"):
        raise errors.not_implemented(f"a rule of the type {kind}")
    if kind not in ("External", "AliCDN"):
        raise errors.malformed_xml(f"RedirectType is {kind!r}, want External, AliCDN, Mirror or Internal")
    host = child_text(rule, "Redirect/HostName")
    if host and not _HOST.fullmatch(host):
        raise errors.malformed_xml(f"HostName is {host!r}, want the name of a host")
    _one_of(rule, "Redirect/HttpRedirectCode", *_CODES)
    _one_of(rule, "Redirect/Protocol", "http", "https")
    _one_of(rule, "Condition/HttpErrorCodeReturnedEquals", "404")
    for flag in ("EnableReplacePrefix", "PassQueryString"):
        _one_of(rule, f"Redirect/{flag}", "true", "false")


def _one_of(element: ElementTree.Element, path: str, *choices: str) -> None:
    value = child_text(element, path)
    if value and value not in choices:
        raise errors.malformed_xml(f"{path} is {value!r}, want {' or '.join(choices)}")


def _read_rule(rule: ElementTree.Element) -> RoutingRule:
    def told(path: str, default: str = "") -> str:
        return child_text(rule, path, default)

    status = told("Condition/HttpErrorCodeReturnedEquals")
    replaces = told("Redirect/EnableReplacePrefix") == "true"
    prefix_with = told("Redirect/ReplaceKeyPrefixWith")
    return RoutingRule(
        number=int(told("RuleNumber")),
        prefix=told("Condition/KeyPrefixEquals"),
        suffix=told("Condition/KeySuffixEquals"),
        status=int(status) if status else None,
        headers=[_read_header(one) for one in rule.iterfind("Condition/IncludeHeader")],
        code=int(told("Redirect/HttpRedirectCode", "302")),
        protocol=told("Redirect/Protocol"),
        host=told("Redirect/HostName"),
        key=told("Redirect/ReplaceKeyWith"),
        prefix_with=prefix_with if replaces or prefix_with else None,
        passes_query=told("Redirect/PassQueryString") == "true",
    )


def _read_header(element: ElementTree.Element) -> tuple[str, str, str, str]:
    name, equals, start, end = (
        child_text(element, path) for path in ("Key", "Equals", "StartsWith", "EndsWith")
    )
    return name.lower(), equals, start, end


def _fits(headers: Mapping[str, str], name: str, equals: str, start: str, end: str) -> bool:
    value = headers.get(name)
    if value is None:
        return False
    return value.startswith(start) and value.endswith(end) and equals in ("", value)
