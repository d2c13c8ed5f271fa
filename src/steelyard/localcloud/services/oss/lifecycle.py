"""Carries the lifecycle rules of buckets out."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from dataclasses import replace
from typing import TypeVar

from steelyard.localcloud.services.oss.lifecycle_rule import LifecycleRule, colder_class, read_rules
from steelyard.localcloud.services.oss.models import Bucket, StorageObject, Upload
from steelyard.localcloud.services.oss.state import StorageState

_BATCH = 200
_PAUSE_S = 300.0
_JOIN_TIMEOUT_S = 10.0

R = TypeVar("R", StorageObject, Upload)

_log = logging.getLogger(__name__)


class LifecycleSweep:
    """Looks at everything that buckets with rules hold, when rules were put and every five minutes.

    A batch of records is looked at in one transaction, so that calls wait for no more than that.

    Args:
        state: What OSS keeps.
        transaction: Opens a transaction of the cloud.
    """

    def __init__(self, state: StorageState, transaction: Callable[[], AbstractContextManager[None]]) -> None:
        self._state = state
        self._transaction = transaction
        self._is_stopped = False
        self._news = threading.Event()
        self._thread: threading.Thread | None = None

    def start(self) -> None:
        """Begin to look."""
        self._thread = threading.Thread(target=self._run, name="oss-lifecycle", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Look no more."""
        self._is_stopped = True
        self._news.set()
        if self._thread is not None:
            self._thread.join(_JOIN_TIMEOUT_S)

    def wake(self) -> None:
        """Look now: there are other rules."""
        self._news.set()

    def _run(self) -> None:
        while True:
            self._news.clear()
            if self._is_stopped:
                return
            try:
                self.sweep()
            except Exception:  # noqa: BLE001 - one bucket's bug must not end the thread for all others
                _log.exception("lifecycle rules could not be carried out; they are tried again")
            self._news.wait(_PAUSE_S)

    def sweep(self) -> None:
        """Carry out all rules that are due by the cloud's clock."""
        with self._transaction():
            names = [bucket.id for bucket in self._state.buckets.list() if bucket.settings.get("lifecycle")]
        for name in names:
            self._sweep_records(name, StorageObject, self._treat_object)
            self._sweep_records(name, Upload, self._treat_upload)

    def _sweep_records(
        self, name: str, kind: type[R], treat: Callable[[Bucket, Sequence[LifecycleRule], R], None]
    ) -> None:
        prefix = f"{name}/"
        start, is_inclusive = prefix, True
        while not self._is_stopped:
            with self._transaction():
                bucket = self._state.buckets.get(name)
                rules = read_rules(bucket.settings.get("lifecycle", "")) if bucket else ()
                if bucket is None or not rules:
                    return
                batch = self._state.scan(kind, start, limit=_BATCH, is_inclusive=is_inclusive)
                own = [record for record in batch if record.id.startswith(prefix)]
                for record in own:
                    treat(bucket, rules, record)
            if len(own) < _BATCH:
                return
            start, is_inclusive = own[-1].id, False

    def _treat_upload(self, bucket: Bucket, rules: Sequence[LifecycleRule], upload: Upload) -> None:
        now = self._state.clock()
        for rule in rules:
            is_meant = rule.abort is not None and upload.key.startswith(rule.scope.prefix)
            if is_meant and rule.abort is not None and rule.abort.is_due(upload.created_at, now):
                self._state.forget_upload(upload)
                return

    def _treat_object(self, bucket: Bucket, rules: Sequence[LifecycleRule], newest: StorageObject) -> None:
        if bucket.versioning and any(rule.looks_at_old_versions for rule in rules):
            self._treat_old_versions(bucket, rules, newest)
        if newest.is_delete_marker:
            self._treat_marker(bucket, rules, newest)
            return
        now = self._state.clock()
        storage_class = newest.storage_class
        for rule in self._rules_for(rules, newest):
            if rule.expiration is not None and rule.expiration.is_due(newest.created_at, now):
                self._state.delete(bucket, newest.key)
                return
            storage_class = colder_class(rule.transitions, storage_class, newest.created_at, now)
        if storage_class != newest.storage_class:
            self._state.change(replace(newest, storage_class=storage_class))

    def _treat_marker(self, bucket: Bucket, rules: Sequence[LifecycleRule], marker: StorageObject) -> None:
        is_meant = any(rule.drops_markers for rule in self._rules_for(rules, marker))
        if is_meant and next(self._state.old_versions(marker.id), None) is None:
            self._state.delete(bucket, marker.key, marker.version_id)

    def _treat_old_versions(
        self, bucket: Bucket, rules: Sequence[LifecycleRule], newest: StorageObject
    ) -> None:
        now = self._state.clock()
        replaced_at = newest.created_at
        for old in list(self._state.old_versions(newest.id)):
            storage_class = old.storage_class
            is_due = False
            for rule in self._rules_for(rules, old):
                term = rule.old_expiration
                is_due = is_due or (term is not None and term.is_due(replaced_at, now))
                storage_class = colder_class(rule.old_transitions, storage_class, replaced_at, now)
            replaced_at = old.created_at
            if is_due:
                self._state.delete(bucket, old.key, old.version_id)
            elif storage_class != old.storage_class and not old.is_delete_marker:
                self._state.change(replace(old, storage_class=storage_class))

    @staticmethod
    def _rules_for(rules: Sequence[LifecycleRule], found: StorageObject) -> list[LifecycleRule]:
        return [rule for rule in rules if rule.scope.has(found.key, found.tags, found.size)]
