"""Lifecycle rules of a bucket: what is to be deleted, given up or moved to a colder class, and when. Pure.

Facts: help page "PutBucketLifecycle". The real cloud carries rules out once a day and rounds days up to midnight; here
a day is 24 hours from the last change.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from xml.etree import ElementTree

from steelyard.localcloud.services.oss import errors
from steelyard.localcloud.services.oss.document import child_text, read_document
from steelyard.localcloud.services.oss.models import STORAGE_CLASSES
from steelyard.localcloud.text import whole_number

DAY_S = 24 * 3600
_ROOT = "LifecycleConfiguration"
_MAX_RULES = 1000
_DATE = re.compile(r"\d{4}-\d\d-\d\dT00:00:00(\.000)?Z", re.ASCII)
_ACTIONS = (
    "Expiration",
    "AbortMultipartUpload",
    "Transition",
    "NoncurrentVersionExpiration",
    "NoncurrentVersionTransition",
)
_TERMS = ("Days", "CreatedBeforeDate", "Date")


@dataclass(frozen=True, kw_only=True)
class Term:
    """When something is due; exactly one is given.

    Attributes:
        age_s: Seconds after the last change.
        before: Unix time; what was changed earlier is due.
        since: Unix time from which everything is due.
    """

    age_s: int | None = None
    before: float | None = None
    since: float | None = None

    def is_due(self, changed_at: float, now: float) -> bool:
        """Tell whether it is due for what was changed last at a time."""
        if self.age_s is not None:
            return now - changed_at >= self.age_s
        if self.before is not None:
            return changed_at < self.before
        return self.since is not None and now >= self.since


@dataclass(frozen=True, kw_only=True)
class Scope:
    """What a rule is for, or what it is not for.

    Attributes:
        prefix: What keys begin with.
        tags: Tags that objects have.
        above_bytes: Size that objects exceed; None for any.
        below_bytes: Size that objects stay below; None for any.
        excluded: What it is not for.
    """

    prefix: str = ""
    tags: Mapping[str, str]
    above_bytes: int | None = None
    below_bytes: int | None = None
    excluded: tuple[Scope, ...] = ()

    def has(self, key: str, tags: Mapping[str, str], size: int) -> bool:
        """Tell whether an object is in it."""
        return (
            key.startswith(self.prefix)
            and self.tags.items() <= tags.items()
            and (self.above_bytes is None or size > self.above_bytes)
            and (self.below_bytes is None or size < self.below_bytes)
            and not any(other.has(key, tags, size) for other in self.excluded)
        )


@dataclass(frozen=True, kw_only=True)
class LifecycleRule:
    """A rule that is enabled.

    Attributes:
        scope: What it is for; of uploads its prefix alone counts.
        expiration: When an object is deleted.
        drops_markers: Whether a delete marker is removed that hides no version any more.
        transitions: When an object moves to a class.
        old_expiration: When a version is deleted, from when another took its place.
        old_transitions: When such a version moves to a class.
        abort: When an upload is given up that was not completed.
    """

    scope: Scope
    expiration: Term | None = None
    drops_markers: bool = False
    transitions: tuple[tuple[Term, str], ...] = ()
    old_expiration: Term | None = None
    old_transitions: tuple[tuple[Term, str], ...] = ()
    abort: Term | None = None

    @property
    def looks_at_old_versions(self) -> bool:
        """Whether it says anything of versions that others took the place of."""
        return self.old_expiration is not None or bool(self.old_transitions)


def colder_class(transitions: Iterable[tuple[Term, str]], current: str, changed_at: float, now: float) -> str:
    """Give the coldest class that is due, or the current one where none is colder."""
    due = [storage_class for term, storage_class in transitions if term.is_due(changed_at, now)]
    return max([current, *due], key=STORAGE_CLASSES.index)


def read_rules(document: str) -> tuple[LifecycleRule, ...]:
    """Give the enabled rules of a document that `check_lifecycle` has let pass; an empty one has none."""
    if not document:
        return ()
    root = read_document(document.encode(), _ROOT)
    return tuple(
        _read_rule(rule) for rule in root.iterfind("Rule") if child_text(rule, "Status") == "Enabled"
    )


def _read_rule(rule: ElementTree.Element) -> LifecycleRule:
    expiration = rule.find("Expiration")
    abort = rule.find("AbortMultipartUpload")
    old_days = child_text(rule, "NoncurrentVersionExpiration/NoncurrentDays")
    return LifecycleRule(
        scope=_read_scope(rule),
        expiration=None if expiration is None else _read_term(expiration),
        drops_markers=child_text(rule, "Expiration/ExpiredObjectDeleteMarker") == "true",
        transitions=tuple(
            (term, child_text(move, "StorageClass"))
            for move in rule.iterfind("Transition")
            if (term := _read_term(move)) is not None
        ),
        old_expiration=Term(age_s=int(old_days) * DAY_S) if old_days else None,
        old_transitions=tuple(
            (Term(age_s=int(child_text(move, "NoncurrentDays")) * DAY_S), child_text(move, "StorageClass"))
            for move in rule.iterfind("NoncurrentVersionTransition")
        ),
        abort=None if abort is None else _read_term(abort),
    )


def _read_term(element: ElementTree.Element) -> Term | None:
    days, before, since = (child_text(element, name) for name in _TERMS)
    if days:
        return Term(age_s=int(days) * DAY_S)
    if before:
        return Term(before=_read_date(before))
    return Term(since=_read_date(since)) if since else None


def _read_date(text: str) -> float:
    return datetime.fromisoformat(text[:10]).replace(tzinfo=UTC).timestamp()


def _read_scope(rule: ElementTree.Element) -> Scope:
    def size(name: str) -> int | None:
        text = child_text(rule, f"Filter/{name}")
        return int(text) if text else None

    def tags(element: ElementTree.Element) -> dict[str, str]:
        return {child_text(tag, "Key"): child_text(tag, "Value") for tag in element.iterfind("Tag")}

    return Scope(
        prefix=rule.findtext("Prefix") or "",
        tags=tags(rule),
        above_bytes=size("ObjectSizeGreaterThan"),
        below_bytes=size("ObjectSizeLessThan"),
        excluded=tuple(
            Scope(prefix=other.findtext("Prefix") or "", tags=tags(other))
            for other in rule.iterfind("Filter/Not")
        ),
    )


def check_lifecycle(root: ElementTree.Element) -> None:
    """Check the rules of a bucket.

    Raises:
        StorageError: `MalformedXML`, `InvalidArgument`, or `NotImplemented` for a move by the time of the last access.
    """
    rules = root.findall("Rule")
    if not 1 <= len(rules) <= _MAX_RULES:
        raise errors.malformed_xml(f"{len(rules)} rules, want 1 to {_MAX_RULES}")
    ids = [child_text(rule, "ID") for rule in rules if child_text(rule, "ID")]
    if len(set(ids)) != len(ids):
        raise errors.invalid_argument("ID", ids, "different for each rule")
    for rule in rules:
        _check_rule(rule)


def _check_rule(rule: ElementTree.Element) -> None:
    status = child_text(rule, "Status")
    if status not in ("Enabled", "Disabled"):
        raise errors.malformed_xml(f"Status is {status!r}, want Enabled or Disabled")
    if any(child_text(move, "IsAccessTime") == "true" for move in rule.iter()):
        raise errors.not_implemented("lifecycle rules by the time of the last access (IsAccessTime)")
    for name in ("Days", "NoncurrentDays"):
        for element in rule.iter(name):
            _check_number(name, element.text, 1)
    for name in ("ObjectSizeGreaterThan", "ObjectSizeLessThan"):
        for element in rule.iter(name):
            _check_number(name, element.text, 0)
    for name in ("CreatedBeforeDate", "Date"):
        for element in rule.iter(name):
            if not _is_date((element.text or "").strip()):
                raise errors.invalid_argument(name, element.text, "a day at 00:00:00 in UTC")
    actions = [element for element in rule if element.tag in _ACTIONS]
    if not actions:
        raise errors.malformed_xml("a rule says nothing of when")
    for action in actions:
        _check_action(action)


def _check_action(element: ElementTree.Element) -> None:
    if element.tag.startswith("Noncurrent"):
        terms = [child for child in element if child.tag == "NoncurrentDays"]
    else:
        marker = child_text(element, "ExpiredObjectDeleteMarker") == "true"
        terms = [child for child in element if child.tag in _TERMS]
        terms += [element] if marker and element.tag == "Expiration" else []
    if len(terms) != 1:
        raise errors.malformed_xml(f"<{element.tag}> says {len(terms)} times when, want once")
    if element.tag.endswith("Transition"):
        storage_class = child_text(element, "StorageClass")
        if storage_class not in STORAGE_CLASSES[1:]:
            raise errors.invalid_argument(
                "StorageClass", storage_class, f"one of {', '.join(STORAGE_CLASSES[1:])}"
            )


def _check_number(name: str, text: str | None, low: int) -> None:
    number = whole_number((text or "").strip())
    if number is None or number < low:
        raise errors.invalid_argument(name, text, f"a number from {low}")


def _is_date(text: str) -> bool:
    if not _DATE.fullmatch(text):
        return False
    try:
        _read_date(text)
    except ValueError:
        return False
    return True
