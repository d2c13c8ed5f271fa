from __future__ import annotations

import logging
import shutil
import threading
import time
from abc import ABC, abstractmethod
from pathlib import Path
from typing import Generic, TypeVar

from steelyard.errors import LocalCloudError
from steelyard.localcloud.hosts.supervised import AT_LARGE, Placement
from steelyard.localcloud.traffic.process import TrafficProcess

_MIN_LIFE_S = 5.0

logger = logging.getLogger(__name__)


P = TypeVar("P", bound=TrafficProcess)
W = TypeVar("W")


class KeptProcess(ABC, Generic[P, W]):
    """A process of a load balancer: it runs while there is something to do, and one that dies is started again.

    One that an earlier cloud left running is taken up, and changed to what is wished.

    Args:
        name: The load balancer's id.
        directory: Folder of its files; made where it is missing.
        placement: Where its processes live.
    """

    def __init__(self, name: str, directory: Path, placement: Placement = AT_LARGE) -> None:
        self._name = name
        self._directory = directory
        self._placement = placement
        self._process: P | None = None
        self._wish: W | None = None
        self._is_known = False
        self._started_at = 0.0
        self._lock = threading.RLock()

    @abstractmethod
    def _has_work(self, wish: W) -> bool:
        """Tell whether a wish needs the process."""

    @abstractmethod
    def _new_process(self) -> P:
        """Give a process that is not started yet, and calls `_on_end` once it has ended."""

    @abstractmethod
    def _begin(self, process: P, wish: W) -> None:
        """Start a process with a wish, and wait until it serves.

        Raises:
            LocalCloudError: If it does not; nothing of it is left then.
        """

    @abstractmethod
    def _change(self, process: P, wish: W) -> None:
        """Bring the running process to another wish.

        Raises:
            LocalCloudError: If it refuses; what was in force before still is.
        """

    def process_ids(self) -> list[int]:
        """Return the ids of the processes that run for it."""
        process = self._process
        return process.process_ids() if process is not None else []

    def hold_claims(self) -> None:
        """Let its supervisor, if it runs, hold what the placement's claims are now."""
        with self._lock:
            if self._process is not None:
                self._process.hold_claims()

    def stop(self) -> None:
        """End the process with all that passes through it, and wait until it is gone."""
        with self._lock:
            self._end()

    def discard(self) -> None:
        """Stop, and remove the files."""
        self.stop()
        shutil.rmtree(self._directory, ignore_errors=True)

    def _fulfil(self, wish: W) -> None:
        """Bring the process to a wish, and wait until that is in force.

        Raises:
            LocalCloudError: If it cannot be started, or refuses the wish.
        """
        if not self._is_known:
            self._take_up()
        if not self._has_work(wish):
            self._end()
        elif self._process is None or not self._process.is_running:
            self._start(wish)
        elif self._wish is None:
            self._take_over(self._process, wish)
        elif wish != self._wish:
            self._alter(self._process, wish)
        self._wish = wish

    def _take_over(self, process: P, wish: W) -> None:
        """Bring a process that was taken up to the first wish; one that refuses it is started anew."""
        try:
            self._change(process, wish)
        except LocalCloudError as err:
            self._renew(wish, err)

    def _alter(self, process: P, wish: W) -> None:
        """Bring the process to another wish; one that has just died, of which no news has come yet, is started anew."""
        try:
            self._change(process, wish)
        except LocalCloudError as err:
            if process.serves():
                raise
            self._renew(wish, err)

    def _renew(self, wish: W, reason: LocalCloudError) -> None:
        logger.warning("%s of %s is started anew: %s", type(self).__name__, self._name, reason)
        self._end()
        self._start(wish)

    def _take_up(self) -> None:
        """Look once for a process that runs from before."""
        self._is_known = True
        process = self._new_process()
        if process.adopt():
            self._process, self._started_at = process, time.monotonic()

    def _end(self) -> None:
        process, self._process = self._process, None
        if process is not None:
            process.stop()

    def _start(self, wish: W) -> None:
        self._directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        process = self._new_process()
        self._begin(process, wish)
        self._process, self._started_at = process, time.monotonic()

    def _on_end(self) -> None:
        with self._lock:
            process, wish = self._process, self._wish
            if process is None or process.is_running or wish is None:
                return  # It was stopped, or is running again already.
            self._process = None
            what = f"{type(self).__name__} of {self._name}"
            if time.monotonic() - self._started_at < _MIN_LIFE_S:
                logger.error("%s died soon after its start and stays down", what)
                return
            logger.warning("%s died and is started again", what)
            try:
                self._start(wish)
            except LocalCloudError as err:
                logger.error("%s stays down: %s", what, err)
