"""Leaving in order: a worker that is asked to end makes the step it is in, and goes between two steps."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Callable
from types import FrameType

from steelyard.training.checkpoint.attach import Checkpoints
from steelyard.training.cycle import StepCycle
from steelyard.training.retry import LEFT_EXIT_CODE


class LeaveRequest:
    """SIGTERM, taken for the wish that this worker leaves; a second one ends it at once."""

    def __init__(self) -> None:
        self.is_asked = False
        """Whether this worker is to leave."""
        self._is_listening = False

    def listen(self) -> None:
        """Take SIGTERM from now on, unless the script does; another thread than the first cannot."""
        is_first_thread = threading.current_thread() is threading.main_thread()
        if not self._is_listening and is_first_thread and signal.getsignal(signal.SIGTERM) is signal.SIG_DFL:
            signal.signal(signal.SIGTERM, self._take)
            self._is_listening = True

    def close(self) -> None:
        """Give SIGTERM its usual meaning again."""
        if self._is_listening and threading.current_thread() is threading.main_thread():
            signal.signal(signal.SIGTERM, signal.SIG_DFL)
            self._is_listening = False

    def _take(self, number: int, frame: FrameType | None) -> None:
        if self.is_asked:
            self.close()
            os.kill(os.getpid(), signal.SIGTERM)
        self.is_asked = True


class Boundary:
    """What happens between two steps: a checkpoint is taken, and a worker that is to leave does so.

    Of a fixed set of workers all leave after the same step, with a checkpoint where there are any. Where workers come
    and go, the others were told with the step's vote, and go on.

    Args:
        cycle: The steps.
        checkpoints: The training's checkpoints.
        leave: Leaves the other workers.
        listens: Whether to take SIGTERM from the start; else once there are checkpoints.
    """

    def __init__(
        self, cycle: StepCycle, checkpoints: Checkpoints, leave: Callable[[], None], *, listens: bool
    ) -> None:
        self._cycle = cycle
        self._checkpoints = checkpoints
        self._leave = leave
        self._request = LeaveRequest()
        cycle.is_asked_to_leave = lambda: self._request.is_asked
        cycle.on_boundary = self._cross
        checkpoints.on_begin = self._request.listen
        if listens:
            self._request.listen()

    def close(self) -> None:
        """Give SIGTERM its usual meaning again."""
        self._request.close()

    def _cross(self) -> None:
        """Do what is due.

        Raises:
            SystemExit: This worker has left.
        """
        if not self._cycle.is_time_to_leave:
            self._checkpoints.take()
            return
        self._checkpoints.close(saves=self._cycle.do_all_leave)
        self._leave()
        raise SystemExit(LEFT_EXIT_CODE)
