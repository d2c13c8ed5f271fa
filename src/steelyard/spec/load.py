from __future__ import annotations

from pathlib import Path

from steelyard.errors import UsageError
from steelyard.spec.document import Document, DocumentError, Place, read_document
from steelyard.spec.inspection import inspect
from steelyard.spec.mistake import Finding, Mistake, SpecError, path_text
from steelyard.spec.model import ClusterSpec

_MAX_BYTES = 1 << 20


def load_spec(path: Path | str) -> ClusterSpec:
    """Read a cluster file.

    Args:
        path: A YAML file; one that holds a name alone is enough.

    Raises:
        SpecError: If anything in the file is wrong; it holds every mistake with its line.
        UsageError: If the file cannot be read.
    """
    file = Path(path)
    text = _read_text(file)
    try:
        document = read_document(text)
    except DocumentError as err:
        raise SpecError(str(file), [_mistake(err.finding, err.place)]) from err
    raw = {} if document.value is None else document.value
    spec, findings = inspect(raw)
    mistakes = [_mistake(finding, place) for place, finding in document.findings]
    mistakes += [_mistake(finding, _place(document, finding)) for finding in findings]
    if mistakes or spec is None:
        raise SpecError(str(file), mistakes)
    balancer = spec.load_balancer
    tls = balancer.tls.based_on(file.resolve().parent)
    if tls == balancer.tls:
        return spec
    return spec.model_copy(update={"load_balancer": balancer.model_copy(update={"tls": tls})})


def _read_text(file: Path) -> str:
    try:
        data = file.read_bytes()
    except FileNotFoundError as err:
        hint = "name another file, or write one: `name: demo` is enough"
        raise UsageError(f"there is no cluster file {file}", hint) from err
    except OSError as err:
        reason = err.strerror or str(err)
        raise UsageError(
            f"the cluster file {file} cannot be read: {reason}", "see its path and its mode"
        ) from err
    if len(data) > _MAX_BYTES:
        raise UsageError(f"{file} has {len(data)} bytes and is no cluster file", "name a cluster file")
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as err:
        line = data.count(b"\n", 0, err.start) + 1
        column = err.start - (data.rfind(b"\n", 0, err.start) + 1) + 1
        finding = Finding(
            path=(), message=f"byte {data[err.start]:#04x} is not UTF-8", hint="save it as UTF-8 text"
        )
        raise SpecError(str(file), [_mistake(finding, (line, column))]) from err


def _place(document: Document, finding: Finding) -> Place:
    return document.place(finding.path, is_key=finding.is_key)


def _mistake(finding: Finding, place: Place) -> Mistake:
    return Mistake(
        line=place[0],
        column=place[1],
        path=path_text(finding.path),
        message=finding.message,
        hint=finding.hint,
    )
