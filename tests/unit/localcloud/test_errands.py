"""Errands: commands that a host runs within its instances."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import psutil
import pytest

from steelyard.errors import LocalCloudError
from steelyard.localcloud.hosts.host import Errand, Machine
from steelyard.localcloud.hosts.loopback import LoopbackHost

DEADLINE_S = 30.0


class Ends:
    """What was told of errands' ends."""

    def __init__(self) -> None:
        self.told: list[tuple[int | None, bytes]] = []
        self._event = threading.Event()

    def __call__(self, exit_code: int | None, output: bytes) -> None:
        self.told.append((exit_code, output))
        self._event.set()

    def wait(self) -> tuple[int | None, bytes]:
        assert self._event.wait(DEADLINE_S)
        return self.told[0]


@pytest.fixture
def host(tmp_path: Path) -> Iterator[LoopbackHost]:
    host = LoopbackHost(tmp_path / "instances")
    machine = Machine(
        instance_id="i-1", address="127.0.0.1", user_data=b"", metadata_url="http://127.0.0.1:1/i-1"
    )
    host.boot(machine, lambda: None)
    yield host
    host.close(0)


@pytest.fixture
def ends() -> Ends:
    return Ends()


def test_an_errand_has_the_instances_home_and_leaves_no_folder(host, ends, tmp_path):
    script = b'echo "$PWD $HOME $STEELYARD_METADATA_URL"; exit 4'
    host.run("i-1", Errand(id="t-1", script=script), ends)
    root = tmp_path / "instances/i-1/root"
    assert ends.wait() == (4, f"{root} {root} http://127.0.0.1:1/i-1\n".encode())
    assert list((tmp_path / "errands").iterdir()) == []
    assert host.run_output("t-1") == b""
    host.end_run("t-1")


def test_one_that_cannot_be_started_is_told_and_leaves_no_folder(host, ends, tmp_path):
    with pytest.raises(LocalCloudError, match="could not be started"):
        host.run("i-1", Errand(id="t-1", script=b"#!/no/such/interpreter\n"), ends)
    assert ends.wait()[0] is None
    assert list((tmp_path / "errands").iterdir()) == []
    with pytest.raises(LocalCloudError, match="i-2 does not run"):
        host.run("i-2", Errand(id="t-2", script=b"true"), ends)


def test_its_processes_count_as_the_instances(host, ends):
    host.run("i-1", Errand(id="t-1", script=b"sleep 1000"), ends)
    assert has_sleeper(host)
    host.end_run("t-1")
    assert ends.wait()[0] is None


def has_sleeper(host: LoopbackHost) -> bool:
    deadline = time.monotonic() + DEADLINE_S
    while time.monotonic() < deadline:
        for pid in host.process_ids()["i-1"]:
            with suppress(psutil.NoSuchProcess):
                if psutil.Process(pid).name() == "sleep":
                    return True
        time.sleep(0.01)
    return False


@pytest.mark.parametrize("is_killed", [False, True])
def test_it_ends_with_its_instance(host, ends, is_killed):
    host.run("i-1", Errand(id="t-1", script=b"sleep 1000"), ends)
    if is_killed:
        psutil.Process(host.process_ids()["i-1"][0]).kill()
    else:
        host.shut_down("i-1", 0)
    assert ends.wait()[0] is None


def test_one_that_is_asked_for_as_its_instance_ends_is_not_begun(host, ends, tmp_path, monkeypatch):
    run = host._errands.run

    def run_after_the_end(*words) -> None:
        host.shut_down("i-1", 0)
        deadline = time.monotonic() + DEADLINE_S
        while "i-1" in host._homes:
            assert time.monotonic() < deadline
            time.sleep(0.01)
        run(*words)

    monkeypatch.setattr(host._errands, "run", run_after_the_end)
    with pytest.raises(LocalCloudError, match="i-1 does not run"):
        host.run("i-1", Errand(id="t-1", script=b"sleep 1000"), ends)
    assert host._errands.supervisors("i-1") == []
    assert list((tmp_path / "errands").iterdir()) == []


def test_a_host_that_closes_ends_all(tmp_path, ends):
    host = LoopbackHost(tmp_path / "other")
    host.boot(
        Machine(instance_id="i-1", address="127.0.0.1", user_data=b"", metadata_url="http://127.0.0.1:1"),
        lambda: None,
    )
    host.run("i-1", Errand(id="t-1", script=b"sleep 1000"), ends)
    host.close(0)
    assert ends.wait()[0] is None
