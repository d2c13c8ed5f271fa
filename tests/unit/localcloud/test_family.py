"""What a supervisor finds below it."""

from __future__ import annotations

import os
import subprocess

from steelyard.localcloud.hosts.supervisor import family

_NOBODY = "4194305"
"""Above the highest number that a thread can have (pid_max of proc(5))."""


def test_a_thread_that_ends_as_it_is_looked_at_hides_no_child_of_the_others(monkeypatch):
    threads = os.listdir
    ended = [_NOBODY]

    def threads_with_one_that_ended(path: str) -> list[str]:
        return [*ended, *threads(path)]

    monkeypatch.setattr(os, "listdir", threads_with_one_that_ended)
    with subprocess.Popen(["/bin/sleep", "1000"]) as child:
        try:
            assert child.pid in family.children_of(os.getpid())
        finally:
            child.kill()


def test_a_child_that_passes_to_another_thread_as_its_own_ends_is_found(monkeypatch):
    looks = iter([[_NOBODY]])
    threads = os.listdir
    monkeypatch.setattr(os, "listdir", lambda path: next(looks, None) or threads(path))
    with subprocess.Popen(["/bin/sleep", "1000"]) as child:
        try:
            assert child.pid in family.children_of(os.getpid())
        finally:
            child.kill()


def test_one_that_is_gone_has_no_children():
    assert family.children_of(int(_NOBODY)) == []
