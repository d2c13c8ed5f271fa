"""A start beside others who look at the folder, start, stop or purge at the same moment."""

from __future__ import annotations

import fcntl
import os
import shutil
import signal
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import psutil
from traffic import wait_until

from steelyard.localcloud import daemon, kin
from steelyard.localcloud.daemon import LOCK_NAME, CloudInfo

DEADLINE_S = 60.0


def have_open(path: Path) -> list[psutil.Process]:
    """Give the children of this process that have a file open."""
    return [
        child
        for child in psutil.Process().children()
        if any(one.path == str(path) for one in child.open_files())
    ]


def test_a_cloud_starts_while_somebody_looks_whether_one_runs(data_dir):
    data_dir.mkdir()
    lock = data_dir / LOCK_NAME
    lock.touch()
    with ThreadPoolExecutor(1) as pool, lock.open("rb") as look:
        fcntl.flock(look, fcntl.LOCK_SH)
        starting = pool.submit(daemon.start, data_dir)
        wait_until(lambda: starting.done() or have_open(lock))
        fcntl.flock(look, fcntl.LOCK_UN)
        assert starting.result(DEADLINE_S).answers()


def test_a_start_that_waits_for_a_purge_makes_the_folder_anew(data_dir):
    data_dir.mkdir()
    lock = data_dir / "start.lock"
    with ThreadPoolExecutor(1) as pool, lock.open("a") as purging:
        fcntl.flock(purging, fcntl.LOCK_EX)
        starting = pool.submit(daemon.start, data_dir)
        wait_until(lambda: [one.path for one in psutil.Process().open_files()].count(str(lock)) == 2)
        shutil.rmtree(data_dir)
        fcntl.flock(purging, fcntl.LOCK_UN)
        assert starting.result(DEADLINE_S).answers()


def test_a_start_that_another_one_is_ahead_of_gives_that_ones_cloud(data_dir, monkeypatch):
    spawn, first = os.posix_spawn, []

    def spawn_second(*words, **settings):
        first.append(spawn(*words, **{**settings, "file_actions": ()}))
        wait_until(lambda: daemon.is_held(data_dir))
        return spawn(*words, **settings)

    monkeypatch.setattr(os, "posix_spawn", spawn_second)
    info = daemon.start(data_dir)
    assert info.pid == first[0]
    assert info.answers()


def test_a_stop_does_not_wait_for_the_word_of_a_cloud_that_has_ended_meanwhile(data_dir, monkeypatch):
    info = daemon.start(data_dir)
    is_running = daemon._is_running

    def is_running_for_the_last_time(folder: Path) -> bool:
        monkeypatch.setattr(daemon, "_is_running", is_running)
        was_running = is_running(folder)
        os.kill(info.pid, signal.SIGKILL)
        wait_until(lambda: not is_running(folder))
        return was_running

    monkeypatch.setattr(daemon, "_is_running", is_running_for_the_last_time)
    report = daemon.stop(data_dir)
    assert report.was_running
    assert report.elapsed_s < DEADLINE_S / 2


def test_a_stop_does_not_take_another_process_for_a_cloud_that_has_ended_meanwhile(data_dir, monkeypatch):
    info = daemon.start(data_dir)
    home = data_dir / "instances" / "i-1" / "root"
    home.mkdir(parents=True)
    deaf = "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); print(flush=True); time.sleep(600)"
    command = [sys.executable, "-c", deaf]
    stray = subprocess.Popen(command, env={"HOME": str(home)}, stdout=subprocess.PIPE)
    process_of = kin.process_of

    def process_of_the_last_time(pid: int) -> psutil.Process | None:
        found = process_of(pid)
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)
        return found

    def await_info(folder: Path) -> CloudInfo:
        monkeypatch.setattr(kin, "process_of", process_of_the_last_time)
        return info

    monkeypatch.setattr(daemon, "_await_info", await_info)
    with stray:
        stray.stdout.readline()
        try:
            report = daemon.stop(data_dir)
        finally:
            stray.kill()
    assert report.left == ()
    assert report.elapsed_s < DEADLINE_S / 2
