from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import MISSING, dataclass, field, fields
from functools import cache, lru_cache
from typing import Any, ClassVar, Generic, Self, TypeVar

from steelyard.localcloud.store import Store

_MAX_REMEMBERED = 2048
"""Records that are remembered at most: 15 MB of instances, whose user data is some KB."""


@dataclass(frozen=True, kw_only=True)
class Record:
    """Base of what a service keeps: a frozen dataclass that goes to the store as JSON.

    Its fields are plain values, dicts of them, and tuples, which come back from the store as tuples.

    Attributes:
        id: The resource's id.
        created_at: Unix time of its making.
        tags: Values by key.
    """

    kind: ClassVar[str]
    is_remembered: ClassVar[bool] = False
    """Whether what was read once is not read again while it stays as it is: for what lists of a thousand look at."""

    id: str
    created_at: float
    tags: Mapping[str, str] = field(default_factory=dict)

    @classmethod
    @cache
    def _field_names(cls) -> tuple[str, ...]:
        return tuple(one.name for one in fields(cls))

    @classmethod
    @cache
    def _known(cls) -> frozenset[str]:
        return frozenset(cls._field_names())

    @classmethod
    @cache
    def _defaults(cls) -> Mapping[str, object]:
        return {one.name: one.default for one in fields(cls) if one.default is not MISSING} | {"tags": {}}

    def to_body(self) -> dict[str, object]:
        """Give the record as the store keeps it."""
        return {name: getattr(self, name) for name in self._field_names()}

    @classmethod
    def from_body(cls, body: Mapping[str, Any]) -> Self:
        """Give the record that a body was made from."""
        record = object.__new__(cls)
        # The `__init__` of a frozen class sets each field by a call, which takes most of the time of a long list.
        values = record.__dict__
        values.update(cls._defaults())
        values.update(body)
        for name, value in body.items():
            if type(value) is list:
                values[name] = tuple(value)
        # One field too many or too few is told as `__init__` tells it.
        return record if values.keys() == cls._known() else cls(**values)

    @classmethod
    def from_text(cls, text: str) -> Self:
        """Give the record of a body as the store keeps it: of a type that `is_remembered`, the one of the last time."""
        return cls._remembered(text) if cls.is_remembered else cls.from_body(json.loads(text))

    @classmethod
    @lru_cache(maxsize=_MAX_REMEMBERED)
    def _remembered(cls, text: str) -> Self:
        # Of a record that was changed the text is another, whoever changed it and whether or not that was kept.
        return cls.from_body(json.loads(text))


R = TypeVar("R", bound=Record)


class PagedRecords(Generic[R]):
    """The records that belong to something, oldest first, of which a slice reads no others; see `Store.texts_where`.

    Args:
        store: The cloud's state.
        record_type: Their type.
        name: One of the store's foreign keys.
        value: What they have there.
    """

    def __init__(self, store: Store, record_type: type[R], name: str, value: str) -> None:
        self._store = store
        self._type = record_type
        self._belonging = (record_type.kind, name, value)

    def __len__(self) -> int:
        return self._store.count_where(*self._belonging)

    def __getitem__(self, places: slice) -> Sequence[R]:
        start, stop, _ = places.indices(len(self))
        texts = self._store.texts_where(*self._belonging, start=start, limit=max(stop - start, 0))
        return [self._type.from_text(text) for text in texts]


class Records(Generic[R]):
    """The records of one type in the store.

    Args:
        store: The cloud's state.
        record_type: The type, whose `kind` names it in the store.
        on_change: Told the id of each record that was put or deleted, in the transaction that did it.
    """

    def __init__(
        self, store: Store, record_type: type[R], on_change: Callable[[str], None] = lambda record_id: None
    ) -> None:
        self._store = store
        self._type = record_type
        self._on_change = on_change

    def get(self, record_id: str) -> R | None:
        """Give a record, or None where there is none of this id."""
        text = self._store.text(self._type.kind, record_id)
        return None if text is None else self._type.from_text(text)

    def list(self) -> list[R]:
        """Give all records, oldest first."""
        return [self._type.from_text(text) for text in self._store.texts(self._type.kind)]

    def where(self, name: str, value: str) -> Sequence[R]:
        """Give the records that belong to something, oldest first; see `Store.texts_where`."""
        return [self._type.from_text(text) for text in self._store.texts_where(self._type.kind, name, value)]

    def paged(self, name: str, value: str) -> PagedRecords[R]:
        """Give what `where` gives, to be read a page at a time."""
        return PagedRecords(self._store, self._type, name, value)

    def are_at_least(self, number: int, name: str, value: str) -> bool:
        """Tell whether as many records belong to something, without reading them."""
        return self._store.count_where(self._type.kind, name, value, number) >= number

    def named(self, ids: Sequence[str]) -> Sequence[R]:
        """Give the records of these ids that are there, each once, in the order of the ids."""
        found = (self.get(record_id) for record_id in dict.fromkeys(ids))
        return [record for record in found if record is not None]

    def put(self, record: R) -> None:
        """Keep a record in place of the one of this id, if any."""
        self._store.put(self._type.kind, record.id, record.to_body())
        self._on_change(record.id)

    def delete(self, record_id: str) -> None:
        """Remove a record."""
        self._store.delete(self._type.kind, record_id)
        self._on_change(record_id)
