"""Makes faults, keeps those that last, and ends them."""

from __future__ import annotations

import logging
import sqlite3
import threading
from collections.abc import Mapping, Sequence
from dataclasses import replace

from steelyard.errors import LocalCloudError
from steelyard.localcloud.cloud import Cloud
from steelyard.localcloud.faults.cloud_fault import Failure, SoldOut, Throttle, ZoneOut
from steelyard.localcloud.faults.fault import Fault, Order, fault_not_found, fault_refused, invalid_fault
from steelyard.localcloud.faults.instance_fault import Cut, Hang, Kill, Reclaim, Slow
from steelyard.localcloud.faults.kind import FaultKind
from steelyard.localcloud.service import ApiError, Request
from steelyard.localcloud.turn import Turns

KINDS: tuple[type[FaultKind], ...] = (Kill, Hang, Slow, Cut, Reclaim, ZoneOut, Failure, Throttle, SoldOut)
"""Every kind of fault there is."""

MAX_FAULTS = 1000
"""Faults that may be in force at a time: each is looked at on every call, and one that ends by itself has a thread."""

_KIND = "fault"
_RETRY_S = 1.0

logger = logging.getLogger(__name__)


class FaultBoard:
    """The faults of one cloud.

    Args:
        cloud: The cloud.
    """

    def __init__(self, cloud: Cloud) -> None:
        self._cloud = cloud
        self._kinds: Mapping[str, FaultKind] = {kind.name: kind(cloud) for kind in KINDS}
        self._timers: dict[str, threading.Timer] = {}
        self._lock = threading.RLock()
        # What begins and what ends on one target at a time would undo each other.
        self._turns = Turns()
        self._is_closed = False
        # What lasts is looked at on every call: in memory, since there is none but for a test's minutes.
        self._faults: dict[str, Fault] = {}
        cloud.before_call = self._before_call

    def start(self) -> None:
        """Take up what was in force when the cloud ended; a machine's faults ended with its boot.

        What was half made or half ended when the cloud was killed is undone.
        """
        lasting = []
        for fault in map(Fault.from_body, self._cloud.store.list(_KIND)):
            if self._kinds[fault.kind].survives_restart:
                lasting.append(fault)
            else:
                self._cloud.store.delete(_KIND, fault.id)
        for name, kind in self._kinds.items():
            kind.tidy([fault for fault in lasting if fault.kind == name])
        for fault in lasting:
            self._keep(fault)  # Only now: one that ran out meanwhile ends at once, in another thread.

    def close(self) -> None:
        """End no fault by itself any more; those that last are in force again at the next start."""
        with self._lock:
            self._is_closed = True
            timers = list(self._timers.values())
        for timer in timers:
            timer.cancel()

    def make(self, order: Order) -> Fault:
        """Make a fault happen.

        Raises:
            ApiError: There is no such kind, or it cannot be done.
        """
        kind = self._kinds.get(order.kind)
        if kind is None:
            raise invalid_fault(f"there is no fault {order.kind!r}; there are {', '.join(self._kinds)}")
        unknown = order.settings.keys() - kind.settings
        if unknown:
            takes = f"it takes {', '.join(sorted(kind.settings))}" if kind.settings else "it takes none"
            raise invalid_fault(f"{order.kind} has no setting {sorted(unknown)[0]!r}; {takes}")
        with self._turns.of(order.target):
            return self._replace(kind, order)

    def _replace(self, kind: FaultKind, order: Order) -> Fault:
        """Make a fault happen in the place of the one of its kind and target, if any; that stays where it cannot be."""
        meant = (order.kind, order.target)
        alike = [self._forget(one.id) for one in self.list() if (one.kind, one.target) == meant]
        before = [one for one in alike if one is not None]
        try:
            fault = self._begin(kind, order, before)
        except BaseException:
            for one in before:
                self._keep(one)
            raise
        for one in before:
            self._cloud.store.delete(_KIND, one.id)
        return fault

    def _begin(self, kind: FaultKind, order: Order, before: Sequence[Fault]) -> Fault:
        """Make a fault happen in the place of those before it."""
        if len(self._faults) >= MAX_FAULTS:
            raise fault_refused(f"{MAX_FAULTS} faults are in force already; clear some of them")
        settings, lasts = kind.begin(order)
        for one in before:
            settings = kind.take_over(order.target, one.settings, settings)
        now = self._cloud.clock()
        fault = Fault(
            id=self._cloud.new_id("fault"),
            kind=order.kind,
            target=order.target,
            settings=settings,
            since=now,
            until=now + order.for_s if order.for_s and lasts else 0.0,
            lasts=lasts,
        )
        logger.warning("a fault was asked for: %s %s %s", fault.kind, fault.target, dict(settings))
        if lasts:
            try:
                self._cloud.store.put(_KIND, fault.id, fault.to_body())
            except BaseException:
                if not before:
                    kind.end(fault.target, settings)
                raise
            self._keep(fault)
        return fault

    def list(self) -> Sequence[Fault]:
        """Give the faults that are in force, the oldest first."""
        with self._lock:
            faults = list(self._faults.values())
        for fault in faults:
            if self._kinds[fault.kind].is_void(fault.target, fault.settings):
                self._drop(fault.id)
        with self._lock:
            return list(self._faults.values())

    def clear(self, fault_id: str) -> Fault:
        """End a fault.

        Raises:
            ApiError: `FaultNotFound`.
        """
        fault = self._end(fault_id)
        if fault is None:
            raise fault_not_found(fault_id)
        return fault

    def _end(self, fault_id: str) -> Fault | None:
        """End a fault, and give it; None where it has ended, or another is in its place."""
        fault = self._in_force(fault_id)
        if fault is None:
            return None
        with self._turns.of(fault.target):
            fault = self._in_force(fault_id)
            if fault is None:
                return None
            kind = self._kinds[fault.kind]
            if not kind.is_void(fault.target, fault.settings):
                kind.end(fault.target, fault.settings)
            # Only now: a kill in between must leave something to clear.
            self._drop(fault_id)
        return fault

    def _in_force(self, fault_id: str) -> Fault | None:
        with self._lock:
            return self._faults.get(fault_id)

    def clear_all(self) -> Sequence[Fault]:
        """End every fault."""
        ended = (self._end(fault.id) for fault in self.list())
        return [fault for fault in ended if fault is not None]

    def _keep(self, fault: Fault) -> None:
        with self._lock:
            self._faults[fault.id] = fault
        if fault.until:
            self._set_timer(fault.id, max(0.0, fault.until - self._cloud.clock()))

    def _set_timer(self, fault_id: str, after_s: float) -> None:
        with self._lock:
            if self._is_closed or fault_id not in self._faults:
                return
            timer = threading.Timer(after_s, self._expire, [fault_id])
            timer.daemon = True
            timer.name = fault_id
            self._timers[fault_id] = timer
        timer.start()

    def _drop(self, fault_id: str) -> None:
        """Take a fault off the board, and away its record before that: who sees it gone may close the store."""
        with self._lock:
            if fault_id in self._faults:
                self._cloud.store.delete(_KIND, fault_id)
                self._forget(fault_id)

    def _forget(self, fault_id: str) -> Fault | None:
        """Take a fault off the board, and leave its record."""
        with self._lock:
            timer = self._timers.pop(fault_id, None)
            fault = self._faults.pop(fault_id, None)
        if timer is not None and timer is not threading.current_thread():
            timer.cancel()
        return fault

    def _expire(self, fault_id: str) -> None:
        with self._lock:
            if self._is_closed:
                return
        try:
            self._end(fault_id)
        except (ApiError, LocalCloudError) as err:
            logger.error("%s did not end by itself: %s", fault_id, err)
        except sqlite3.OperationalError as err:
            logger.error("%s cannot end yet, which is tried again: %s", fault_id, err)
            self._set_timer(fault_id, _RETRY_S)

    def _before_call(self, product: str, request: Request) -> None:
        if not self._faults:
            return
        with self._lock:
            faults = list(self._faults.values())
        for fault in faults:
            error = self._kinds[fault.kind].before_call(fault.target, fault.settings, product, request)
            if error is not None and self._count(fault.id):
                raise error

    def _count(self, fault_id: str) -> bool:
        """Count a call that fails, and end the fault with its last; False where it has ended meanwhile."""
        with self._lock:
            fault = self._faults.get(fault_id)
            if fault is None or "times" not in fault.settings:
                return fault is not None
            num_failed = int(str(fault.settings["num_failed"])) + 1
            times = int(str(fault.settings["times"]))
            fault = replace(fault, settings={**fault.settings, "num_failed": num_failed})
            self._faults[fault_id] = fault
            # With the lock: no call more fails, and once it is off the board nothing brings its record back.
            if times and num_failed >= times:
                self._drop(fault_id)
            else:
                self._cloud.store.put(_KIND, fault_id, fault.to_body())
        return True
