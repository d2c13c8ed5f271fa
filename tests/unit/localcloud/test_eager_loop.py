from __future__ import annotations

import os
import selectors
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator

import pytest

from steelyard.localcloud.door.eager_loop import LOOK_S, MIN_RUN, EagerSelector, new_loop

EVENT = (selectors.SelectorKey(fileobj=0, fd=0, events=1, data=None), 1)


class Wire:
    """What a selector waits on, in a time of its own: each look takes a tenth of a moment."""

    def __init__(self) -> None:
        self.now = 0.0
        self.events_at: list[float] = []
        self.num_looks = self.num_sleeps = 0

    def select(self, timeout: float | None) -> list[tuple[selectors.SelectorKey, int]]:
        if timeout == 0:
            self.num_looks += 1
            self.now += LOOK_S / 10
        else:
            self.num_sleeps += 1
            until = self.events_at[0] if self.events_at else self.now + (timeout or 0)
            self.now = max(self.now, until if timeout is None else min(until, self.now + timeout))
        if self.events_at and self.events_at[0] <= self.now:
            del self.events_at[0]
            return [EVENT]
        return []


@pytest.fixture
def wire(monkeypatch: pytest.MonkeyPatch) -> Wire:
    wire = Wire()

    def select(selector: object, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        return wire.select(timeout)

    monkeypatch.setattr(selectors.DefaultSelector, "select", select)
    return wire


@pytest.fixture
def selector(wire: Wire) -> Iterator[EagerSelector]:
    selector = EagerSelector(lambda: wire.now)
    yield selector
    selector.close()


@pytest.fixture
def wait(wire: Wire, selector: EagerSelector) -> Callable[[float], tuple[int, int]]:
    """Wait for an event that comes some moments from now, and tell how often it was looked for and slept."""

    def run(num_moments: float) -> tuple[int, int]:
        wire.num_looks = wire.num_sleeps = 0
        wire.events_at = [wire.now + num_moments * LOOK_S]
        assert selector.select() == [EVENT]
        return wire.num_looks, wire.num_sleeps

    return run


def test_a_call_that_comes_by_itself_is_slept_for(wait: Callable[[float], tuple[int, int]]) -> None:
    assert wait(100) == (0, 1)
    assert wait(100) == (0, 1)


def test_calls_that_follow_each_other_are_looked_for(wait: Callable[[float], tuple[int, int]]) -> None:
    for _ in range(MIN_RUN):
        assert wait(0.5) == (0, 1)
    looks, sleeps = wait(0.5)
    assert looks > 1
    assert sleeps == 0


def test_after_the_last_call_it_looks_for_a_moment_and_then_sleeps(
    wait: Callable[[float], tuple[int, int]],
) -> None:
    for _ in range(MIN_RUN):
        wait(0.5)
    looks, sleeps = wait(100)
    assert looks in (10, 11)
    assert sleeps == 1
    assert wait(100) == (0, 1)


def test_a_timeout_ends_both(wire: Wire, selector: EagerSelector) -> None:
    wire.events_at = [LOOK_S / 2]
    assert selector.select(1.0) == [EVENT]
    began = wire.now
    assert selector.select(3 * LOOK_S) == []
    assert wire.now - began == pytest.approx(3 * LOOK_S)


def test_a_loop_of_it_runs() -> None:
    loop = new_loop()

    async def answer() -> int:
        return 42

    try:
        assert loop.run_until_complete(answer()) == 42
    finally:
        loop.close()


ECHO = """
import socket, sys
with socket.socket(fileno=int(sys.argv[1])) as line:
    while asked := line.recv(1):
        line.send(asked)
"""


@pytest.fixture
def one_processor() -> Iterator[None]:
    """Keep this thread, and the processes that it starts, on one processor."""
    usual = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {min(usual)})
    yield
    os.sched_setaffinity(0, usual)


def test_a_client_on_the_same_processor_runs_while_it_looks(one_processor: None) -> None:
    num_calls = 0

    def clock() -> float:
        nonlocal num_calls
        num_calls += 1
        return time.monotonic()

    here, there = socket.socketpair()
    with here, there, EagerSelector(clock) as selector:
        selector.register(here, selectors.EVENT_READ)
        with subprocess.Popen([sys.executable, "-c", ECHO, str(there.fileno())], pass_fds=[there.fileno()]):
            for turn in range(100 + MIN_RUN):
                if turn == MIN_RUN:
                    num_calls = 0
                here.send(b"?")
                assert selector.select(10)
                assert here.recv(1) == b"?"
            here.shutdown(socket.SHUT_RDWR)
    assert num_calls < 100 * 10
