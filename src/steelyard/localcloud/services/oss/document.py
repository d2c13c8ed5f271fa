"""OSS's XML: documents that come in are read without surprises, answers are written."""

from __future__ import annotations

from collections.abc import Mapping
from xml.etree import ElementTree

from steelyard.localcloud.services.oss import errors
from steelyard.localcloud.services.oss.request import StorageAnswer
from steelyard.localcloud.wire.xml import render_xml


def read_document(body: bytes, *roots: str) -> ElementTree.Element:
    """Parse a document.

    Raises:
        StorageError: `MalformedXML`: it is none, has another root, or declares entities.
    """
    if b"<!" in body.replace(b"<!--", b""):
        raise errors.malformed_xml("a document type or entity is declared")
    try:
        root = ElementTree.fromstring(body)
    except (ElementTree.ParseError, ValueError, LookupError) as err:
        raise errors.malformed_xml(str(err)) from err
    for element in root.iter():
        element.tag = str(element.tag).rpartition("}")[2]
    if root.tag not in roots:
        raise errors.malformed_xml(f"the root is <{root.tag}>, want <{'> or <'.join(roots)}>")
    return root


def child_text(element: ElementTree.Element, path: str, default: str = "") -> str:
    """Give the text at a path below an element, without blanks around it."""
    return (element.findtext(path) or default).strip()


def kept_text(document: str, path: str) -> str:
    """Give the text at a path of a document that was checked when it was put; empty where there is none."""
    return child_text(ElementTree.fromstring(document), path) if document else ""


def answer_document(root: str, body: Mapping[str, object], **headers: str) -> StorageAnswer:
    """Answer with a document; what is None is left out, at every depth."""
    return StorageAnswer(content=render_xml(root, _present(body)).encode(), headers=headers)


def _present(body: Mapping[str, object]) -> dict[str, object]:
    return {name: _clean(value) for name, value in body.items() if value is not None}


def _clean(value: object) -> object:
    if isinstance(value, Mapping):
        return _present(value)
    if isinstance(value, list | tuple):
        return [_clean(item) for item in value]
    return value
