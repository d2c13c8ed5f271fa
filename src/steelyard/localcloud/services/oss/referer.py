"""Hotlink protection: which web pages may lead to a bucket's objects. Pure.

Facts: help pages "PutBucketReferer" and "Hotlink protection". A page is named by the beginning of its address, in which
`*` and `?` stand for others; without a scheme both schemes are meant. Who refuses requests without a page and names no
page is not heeded.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from xml.etree import ElementTree

from steelyard.localcloud.services.oss import errors
from steelyard.localcloud.services.oss.document import child_text, read_document
from steelyard.localcloud.wildcard import wildcard

_ROOT = "RefererConfiguration"
_FLAGS = ("AllowEmptyReferer", "AllowTruncateQueryString", "TruncatePath")
_PAGE = re.compile(r"(?P<scheme>[a-z]+://)?(?P<host>[^/?]*)")


@dataclass(frozen=True, kw_only=True)
class RefererRules:
    """What a bucket says of the pages that lead to it.

    Attributes:
        allows_none: Whether a request may name no page.
        cuts_query: Whether a page's address counts up to its query alone.
        cuts_path: Whether it counts up to its path alone.
        allowed: Pages that may; where there are none, all may.
        refused: Pages that may not; they weigh more.
    """

    allows_none: bool
    cuts_query: bool
    cuts_path: bool
    allowed: Sequence[str]
    refused: Sequence[str]

    @classmethod
    def read(cls, document: str) -> RefererRules:
        """Read what `check_referer` has let pass; of an empty document all pages may."""
        root = read_document(document.encode(), _ROOT) if document else ElementTree.Element(_ROOT)
        return cls(
            allows_none=child_text(root, "AllowEmptyReferer", "true") == "true",
            cuts_query=child_text(root, "AllowTruncateQueryString", "true") == "true",
            cuts_path=child_text(root, "TruncatePath") == "true",
            allowed=_texts(root, "RefererList/Referer"),
            refused=_texts(root, "RefererBlacklist/Referer"),
        )

    def lets_in(self, page: str) -> bool:
        """Tell whether a request from a page is served; an empty text is no page."""
        if not page:
            return self.allows_none or not self.allowed
        address = self._cut(page)
        if _begins_with(address, self.refused):
            return False
        return not self.allowed or _begins_with(address, self.allowed)

    def _cut(self, page: str) -> str:
        if self.cuts_path:
            match = _PAGE.match(page)
            return match[0] if match else page
        return page.partition("?")[0] if self.cuts_query else page


def check_referer(root: ElementTree.Element) -> None:
    """Check a configuration.

    Raises:
        StorageError: `MalformedXML`.
    """
    if root.find("AllowEmptyReferer") is None:
        raise errors.malformed_xml("AllowEmptyReferer is needed")
    for flag in _FLAGS:
        value = child_text(root, flag, "true")
        if value not in ("true", "false"):
            raise errors.malformed_xml(f"{flag} is {value!r}, want true or false")


def _texts(root: ElementTree.Element, path: str) -> tuple[str, ...]:
    return tuple(text for one in root.iterfind(path) if (text := (one.text or "").strip()))


def _begins_with(address: str, patterns: Iterable[str]) -> bool:
    forms = {address, address.partition("://")[2] or address}
    return any(
        wildcard(f"{pattern}*", ignores_case=True).fullmatch(form) for pattern in patterns for form in forms
    )
