"""Answers as XML, which a call asks for with `Format=XML`.

The root is named after the action (`<DescribeVpcsResponse>`), an error's root is `<Error>`; a list is its element
repeated, so `{"Vpcs": {"Vpc": [1, 2]}}` is `<Vpcs><Vpc>1</Vpc><Vpc>2</Vpc></Vpcs>` (examples of the products' help
pages, from memory).
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from xml.sax.saxutils import escape

_DECLARATION = '<?xml version="1.0" encoding="UTF-8"?>'
# XML 1.0 (section 2.2) has no place for these, not even as references.
_FORBIDDEN = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
_NAME = re.compile(r"[A-Za-z_][\w.-]*\Z", re.ASCII)


def render_xml(root: str, body: Mapping[str, object]) -> str:
    """Write an answer's body as an XML document.

    Args:
        root: Name of the outermost element.
        body: Names and values; lists and nested bodies as in the JSON answer.
    """
    return f"{_DECLARATION}{_element(root, body)}"


def answer_root(action: str, *, is_error: bool) -> str:
    """Give the outermost element's name for an action's answer, or for its refusal."""
    return "Error" if is_error or not _NAME.match(action) else f"{action}Response"


def _element(name: str, value: object) -> str:
    return f"<{name}>{_content(value)}</{name}>"


def _content(value: object) -> str:
    if isinstance(value, Mapping):
        return "".join(_children(value))
    if isinstance(value, bool):
        return "true" if value else "false"
    return escape(_FORBIDDEN.sub("\ufffd", str(value)))


def _children(body: Mapping[str, object]) -> Iterator[str]:
    for name, value in body.items():
        if not _NAME.match(name):
            # A map's keys are texts of any kind; the element that cannot be named after one carries it.
            yield f"<entry><key>{_content(name)}</key><value>{_content(value)}</value></entry>"
            continue
        for item in value if isinstance(value, list | tuple) else [value]:
            yield _element(name, item)
