"""A YAML document as values, with the line and column of each key and value."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import yaml

from steelyard.spec.mistake import Finding, Path

Place = tuple[int, int]
"""Line and column, both from 1."""

# Aliases let a small file stand for a vast one: no honest cluster file comes near this.
_MAX_NODES = 20_000


class DocumentError(Exception):
    """The text is not YAML that can be read.

    Args:
        place: Line and column of the fault.
        finding: What is wrong.
    """

    def __init__(self, place: Place, finding: Finding) -> None:
        super().__init__(finding.message)
        self.place = place
        self.finding = finding


@dataclass(kw_only=True)
class Document:
    """What a YAML text holds.

    Attributes:
        value: The text's value; mappings have text keys, whatever the text wrote.
        findings: Keys that stand twice.
    """

    value: Any = None
    findings: list[tuple[Place, Finding]] = field(default_factory=list)
    keys: dict[Path, Place] = field(default_factory=dict)
    values: dict[Path, Place] = field(default_factory=dict)

    def place(self, path: Path, *, is_key: bool) -> Place:
        """Return where a key or a value stands, or else its nearest container."""
        if is_key and path in self.keys:
            return self.keys[path]
        while path and path not in self.values:
            path = path[:-1]
        return self.values.get(path, (1, 1))


def read_document(text: str) -> Document:
    """Read one YAML document.

    Raises:
        DocumentError: If the text is not YAML, or holds tags, loops or far too much.
    """
    document = Document()
    try:
        loader = yaml.SafeLoader(text)
        node = loader.get_single_node()
        if node is not None:
            document.value = _Reader(loader, document).read(node, (), ())
    except yaml.MarkedYAMLError as err:
        raise DocumentError(_syntax_place(err), _syntax_finding(err)) from err
    except yaml.reader.ReaderError as err:
        before = text[: err.position]
        place = (before.count("\n") + 1, err.position - (before.rfind("\n") + 1) + 1)
        hint = "remove the character; a cluster file is plain UTF-8 text"
        raise DocumentError(place, Finding(path=(), message=f"YAML: {err.reason}", hint=hint)) from err
    return document


def _syntax_place(err: yaml.MarkedYAMLError) -> Place:
    # What is opened and never closed is wrong where it opens: the fault shows at the end of the file alone.
    is_open = (err.context or "").startswith(("while parsing a flow", "while scanning a quoted"))
    mark = (err.context_mark if is_open else None) or err.problem_mark or err.context_mark
    return (mark.line + 1, mark.column + 1) if mark else (1, 1)


def _syntax_finding(err: yaml.MarkedYAMLError) -> Finding:
    reason = f"{err.context}: {err.problem}" if err.context else f"{err.problem}"
    hint = "see that brackets and quotes are closed, and that each `key: value` is indented with spaces"
    if "expected a single document" in reason:
        hint = "keep one document in the file: remove what follows the line `---`"
    elif "\\t" in reason:
        hint = "indent with spaces: YAML allows no tab there"
    return Finding(path=(), message=f"YAML: {reason}", hint=hint)


def _place(node: yaml.Node) -> Place:
    return node.start_mark.line + 1, node.start_mark.column + 1


class _Reader:
    """Turns a tree of YAML nodes into values, and notes where they stand."""

    def __init__(self, loader: yaml.SafeLoader, document: Document) -> None:
        self._loader = loader
        self._document = document
        self._num_nodes = 0

    def read(self, node: yaml.Node, path: Path, parents: tuple[int, ...]) -> Any:
        self._num_nodes += 1
        if id(node) in parents:
            raise self._fault(node, path, "an alias stands inside its own anchor", "write the value out")
        if self._num_nodes > _MAX_NODES:
            raise self._fault(node, path, f"more than {_MAX_NODES} values", "use fewer aliases")
        self._document.values[path] = _place(node)
        within = (*parents, id(node))
        if isinstance(node, yaml.MappingNode):
            return self._read_mapping(node, path, within)
        if isinstance(node, yaml.SequenceNode):
            return [self.read(child, (*path, i), within) for i, child in enumerate(node.value)]
        return self._read_scalar(node, path)

    def _read_mapping(self, node: yaml.MappingNode, path: Path, within: tuple[int, ...]) -> Mapping[str, Any]:
        value: dict[str, Any] = {}
        for key_node, child in node.value:
            if not isinstance(key_node, yaml.ScalarNode):
                raise self._fault(key_node, path, "a key must be plain text", "write `key: value`")
            key = key_node.value
            here = (*path, key)
            if key in value:
                first = self._document.keys[here][0]
                message = f"`{key}` stands twice; it was given in line {first} already"
                finding = Finding(path=here, message=message, hint="keep one of the two", is_key=True)
                self._document.findings.append((_place(key_node), finding))
                continue
            self._document.keys[here] = _place(key_node)
            value[key] = self.read(child, here, within)
        return value

    def _read_scalar(self, node: yaml.Node, path: Path) -> Any:
        try:
            return self._loader.construct_object(node, deep=True)
        except ValueError as err:
            # PyYAML takes text that looks like a date for one, and fails on the 31st of February.
            raise self._fault(
                node, path, f"`{node.value}` cannot be read: {err}", "put it in quotes"
            ) from err

    def _fault(self, node: yaml.Node, path: Path, message: str, hint: str) -> DocumentError:
        return DocumentError(_place(node), Finding(path=path, message=message, hint=hint))
