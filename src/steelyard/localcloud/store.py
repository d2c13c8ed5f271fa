from __future__ import annotations

import json
import sqlite3
import threading
from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from pathlib import Path

from steelyard.errors import LocalCloudError

_TABLES = """
CREATE TABLE IF NOT EXISTS resource (
    sequence INTEGER PRIMARY KEY,
    kind TEXT NOT NULL,
    id TEXT NOT NULL,
    body TEXT NOT NULL,
    UNIQUE (kind, id)
)
"""

FOREIGN_KEYS = (
    "region_id",
    "vpc_id",
    "vswitch_id",
    "load_balancer_id",
    "server_group_id",
    "group_id",
    "instance_id",
    "network_interface_id",
)
"""Fields of bodies that say what a body belongs to; each has an index, so that `texts_where` reads no other bodies."""

NO_LIMIT = -1
"""SQLite's word for it."""

_MAX_WAL_BYTES = 16 << 20
"""What the write-ahead log is cut back to once its pages are in the file; SQLite would leave it as long as it ever was.
A change of a thousand instances takes some megabytes."""

_CHECKPOINT_PAGES = 4000
"""After how many pages the log goes into the file, which waits for the disk; pages that change often go there once."""

SCHEMA_VERSION = 1
"""Kept in the file (`user_version`). To be raised with each change by which an older Steelyard could not read what is
written any more: a new kind of value, or a field more."""

_to_json = json.JSONEncoder(separators=(",", ":")).encode
_COLUMNS = ("kind", "id", "body", *FOREIGN_KEYS)
_PUT = (
    f"INSERT INTO resource ({', '.join(_COLUMNS)}) VALUES ({', '.join('?' * len(_COLUMNS))}) "
    f"ON CONFLICT (kind, id) DO UPDATE SET {', '.join(f'{name} = excluded.{name}' for name in _COLUMNS[2:])}"
)


class _Transaction(AbstractContextManager[None]):
    """Begins and ends a store's transactions, for less than a generator does; without a state, one serves all."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def __enter__(self) -> None:
        self._store.begin()

    def __exit__(self, kind: type[BaseException] | None, *rest: object) -> None:
        self._store.end(is_kept=kind is None)


class Store:
    """The local cloud's state: JSON bodies by kind and id, in one SQLite file.

    The one lock of the local cloud is here: a transaction holds it from its first to its last line, in whatever thread,
    and reads outside of a transaction take it, too, so nobody sees half of a change. The write-ahead log is not synced
    to the disk at each commit: what was committed outlives the process, whichever way it ends. A power cut, which would
    end the instances as well, may take what was committed since the last sync, of 16 MiB of log at most, and leaves the
    file whole.

    Args:
        path: The file; it is made where it is not there.

    Raises:
        LocalCloudError: A newer Steelyard wrote the file; it is left alone.
    """

    def __init__(self, path: Path) -> None:
        self._lock = threading.RLock()
        self._depth = 0
        self._has_written = False
        self._transaction = _Transaction(self)
        # Transactions are opened and closed by hand, so that they can be nested.
        self._connection = sqlite3.connect(path, check_same_thread=False, isolation_level=None)
        self._refuse_newer(path)
        self._connection.execute("PRAGMA journal_mode=WAL")
        self._connection.execute("PRAGMA synchronous=NORMAL")
        self._connection.execute(f"PRAGMA journal_size_limit={_MAX_WAL_BYTES}")
        self._connection.execute(f"PRAGMA wal_autocheckpoint={_CHECKPOINT_PAGES}")
        self._connection.execute(_TABLES)
        # What is listed and trimmed is so in the order of its making.
        self._connection.execute("CREATE INDEX IF NOT EXISTS resource_order ON resource (kind, sequence)")
        self._add_foreign_keys()
        self._connection.execute(f"PRAGMA user_version={SCHEMA_VERSION}")

    def _refuse_newer(self, path: Path) -> None:
        (version,) = self._connection.execute("PRAGMA user_version").fetchone()
        if version > SCHEMA_VERSION:
            self._connection.close()
            raise LocalCloudError(
                f"the state {path.name} was written by a newer Steelyard: its version is {version}, and this one "
                f"reads {SCHEMA_VERSION} at most",
                hint="use the newer Steelyard, or let the local cloud have another folder: --data DIR",
            )

    def _add_foreign_keys(self) -> None:
        """Give each foreign key a column and an index; a file of an older version has neither."""
        known = {row[1] for row in self._connection.execute("PRAGMA table_info(resource)")}
        with self.transaction():
            for name in FOREIGN_KEYS:
                if name not in known:
                    self._write(f"ALTER TABLE resource ADD COLUMN {name} TEXT")
                    self._write(f"UPDATE resource SET {name} = json_extract(body, '$.{name}')")
                self._write(
                    f"CREATE INDEX IF NOT EXISTS resource_{name} ON resource (kind, {name}) "
                    f"WHERE {name} IS NOT NULL"
                )

    def transaction(self) -> AbstractContextManager[None]:
        """Make all writes inside of it one: all are kept, or on an exception none.

        It holds the cloud's lock. Inside of another transaction it is a part of that one.
        """
        return self._transaction

    def begin(self) -> None:
        """Begin a transaction; `transaction` is the usual way, which ends it as well."""
        self._lock.acquire()
        self._depth += 1

    def end(self, *, is_kept: bool) -> None:
        """End the transaction that was begun last.

        Args:
            is_kept: Whether its writes are kept; of one inside of another nothing is undone.
        """
        self._depth -= 1
        try:
            if self._depth == 0 and self._has_written and is_kept:
                self._connection.execute("COMMIT")
        finally:
            try:
                # SQLite may have undone it by itself, as where the disk is full.
                if self._depth == 0 and self._connection.in_transaction:
                    self._connection.execute("ROLLBACK")
            finally:
                if self._depth == 0:
                    self._has_written = False
                self._lock.release()

    def _write(self, statement: str, values: Sequence[object] = ()) -> sqlite3.Cursor:
        """Change something; the first change of a transaction begins it in the file, where reads alone need none."""
        with self._lock:
            if self._depth and not self._has_written:
                self._connection.execute("BEGIN IMMEDIATE")
                self._has_written = True
            elif self._depth and not self._connection.in_transaction:
                # What is written now would be kept without what was written before.
                raise sqlite3.OperationalError("the transaction was undone by an error before")
            return self._connection.execute(statement, values)

    def take_if_free(self) -> bool:
        """Take the cloud's lock where nobody has it; whoever gets it gives it back."""
        return self._lock.acquire(blocking=False)

    def give_back(self) -> None:
        """Give back what `take_if_free` took."""
        self._lock.release()

    @property
    def is_open(self) -> bool:
        """Whether a transaction is open."""
        return self._depth > 0

    @property
    def is_nested(self) -> bool:
        """Whether this thread is inside of a transaction that is inside of another."""
        return self._depth > 1

    def put(self, kind: str, id: str, body: dict[str, object]) -> None:  # noqa: A002
        """Write a body in place of the one that was there, if any; its place in the order stays."""
        text = _to_json(body)
        keys = [value if isinstance(value := body.get(name), str) else None for name in FOREIGN_KEYS]
        self._write(_PUT, (kind, id, text, *keys))

    def get(self, kind: str, id: str) -> dict[str, object] | None:  # noqa: A002
        """Give a body, or None where there is none of this id."""
        text = self.text(kind, id)
        return None if text is None else json.loads(text)

    def text(self, kind: str, id: str) -> str | None:  # noqa: A002
        """Give a body as the JSON that it is kept as, or None where there is none of this id."""
        with self._lock:
            row = self._connection.execute(
                "SELECT body FROM resource WHERE kind = ? AND id = ?", (kind, id)
            ).fetchone()
        return row[0] if row else None

    def list(self, kind: str) -> list[dict[str, object]]:
        """Give all bodies of a kind, in the order of their making."""
        return [json.loads(text) for text in self.texts(kind)]

    def texts(self, kind: str) -> Sequence[str]:
        """Give all bodies of a kind as JSON, in the order of their making."""
        with self._lock:
            rows = self._connection.execute(
                "SELECT body FROM resource WHERE kind = ? ORDER BY sequence", (kind,)
            ).fetchall()
        return [text for (text,) in rows]

    def texts_where(
        self, kind: str, name: str, value: str, *, start: int = 0, limit: int = NO_LIMIT
    ) -> Sequence[str]:
        """Give the bodies of a kind that belong to something as JSON, in the order of their making.

        Args:
            kind: The kind.
            name: One of `FOREIGN_KEYS`.
            value: What the body has there.
            start: How many to leave out at the beginning.
            limit: How many to give at most.
        """
        with self._lock:
            rows = self._connection.execute(
                f"SELECT body FROM resource WHERE kind = ? AND {_checked(name)} = ? ORDER BY sequence "
                "LIMIT ? OFFSET ?",
                (kind, value, limit, start),
            ).fetchall()
        return [text for (text,) in rows]

    def ids_where(self, kinds: Sequence[str], name: str, value: str) -> Mapping[str, Sequence[str]]:
        """Give the ids of what belongs to something by its kind, without reading the bodies.

        Args:
            kinds: The kinds to look for.
            name: One of `FOREIGN_KEYS`.
            value: What the bodies have there.

        Returns:
            Ids of each of the kinds, in the order of their making.
        """
        marks = ", ".join("?" * len(kinds))
        with self._lock:
            rows = self._connection.execute(
                f"SELECT kind, id FROM resource WHERE kind IN ({marks}) AND {_checked(name)} = ? ORDER BY sequence",
                (*kinds, value),
            ).fetchall()
        found: dict[str, list[str]] = {kind: [] for kind in kinds}
        for kind, id_ in rows:
            found[kind].append(id_)
        return found

    def count_where(self, kind: str, name: str, value: str, limit: int = NO_LIMIT) -> int:
        """Count the bodies that `texts_where` gives, without reading them, up to a limit."""
        with self._lock:
            (count,) = self._connection.execute(
                f"SELECT COUNT(*) FROM (SELECT 1 FROM resource WHERE kind = ? AND {_checked(name)} = ? LIMIT ?)",
                (kind, value, limit),
            ).fetchone()
        return int(count)

    def scan(
        self, kind: str, start: str, *, limit: int, is_inclusive: bool = True
    ) -> Sequence[tuple[str, dict[str, object]]]:
        """Give ids and bodies of a kind in the order of the ids' code points, from `start` on, by the index alone.

        Args:
            kind: The kind.
            start: First id, whether it is there or not.
            limit: How many to give at most.
            is_inclusive: Whether `start` itself is one of them.
        """
        with self._lock:
            rows = self._connection.execute(
                f"SELECT id, body FROM resource WHERE kind = ? AND id {'>=' if is_inclusive else '>'} ? "
                "ORDER BY id LIMIT ?",
                (kind, start, limit),
            ).fetchall()
        return [(id_, json.loads(body)) for id_, body in rows]

    def delete(self, kind: str, id: str) -> bool:  # noqa: A002
        """Remove a body; tell whether it was there."""
        return self._write("DELETE FROM resource WHERE kind = ? AND id = ?", (kind, id)).rowcount > 0

    def trim(self, kind: str, max_bodies: int) -> None:
        """Remove the oldest bodies of a kind, so that at most `max_bodies` stay."""
        self._write(
            "DELETE FROM resource WHERE kind = ? AND sequence <= "
            "(SELECT sequence FROM resource WHERE kind = ? ORDER BY sequence DESC LIMIT 1 OFFSET ?)",
            (kind, kind, max_bodies),
        )

    def close(self) -> None:
        """Close the file; nothing else may be called afterwards."""
        with self._lock:
            self._connection.close()


def _checked(name: str) -> str:
    if name not in FOREIGN_KEYS:
        raise LookupError(f"there is no index of {name}; there are {', '.join(FOREIGN_KEYS)}")
    return name
