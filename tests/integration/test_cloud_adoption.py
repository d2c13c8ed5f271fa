"""A local cloud that is killed (SIGKILL): what it ran runs on, and the next cloud of the folder takes it up."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest
from local_fleet import LocalFleet
from tls_pair import Authority
from traffic import Traffic, ask, wait_until
from udp_servers import EchoServer, UdpClient

from steelyard.localcloud import daemon, kin
from steelyard.localcloud.hosts.link import find_keeper, find_keepers, is_supervised
from steelyard.localcloud.hosts.supervised import SupervisedProcess


@pytest.fixture
def fleet(tmp_path: Path) -> Iterator[LocalFleet]:
    fleet = LocalFleet(daemon.start(tmp_path / "cloud"))
    yield fleet
    assert daemon.stop(tmp_path / "cloud").left == ()
    assert not list(find_keepers(tmp_path / "cloud"))


def serve(fleet: LocalFleet, count: int) -> list[str]:
    ids = fleet.run(count)
    fleet.add(dict.fromkeys(ids, 100))
    fleet.listen()
    fleet.wait_healthy(*ids)
    return ids


def kill_cloud(fleet: LocalFleet) -> None:
    os.kill(fleet.cloud.pid, signal.SIGKILL)
    wait_until(lambda: daemon.status(Path(fleet.cloud.data_dir)) is None)


def start_again(fleet: LocalFleet) -> None:
    fleet.connect(daemon.start(Path(fleet.cloud.data_dir)))


def folder_of(fleet: LocalFleet, kind: str, name: str) -> Path:
    return Path(fleet.cloud.data_dir) / kind / name


def test_a_kill_costs_no_request_and_no_boot_however_often_it_comes(fleet: LocalFleet) -> None:
    ids = serve(fleet, 3)
    tree = {
        process.pid for keeper in keepers_of(fleet) for process in (keeper, *keeper.children(recursive=True))
    }
    with Traffic(fleet.address, 8080).flowing() as traffic:
        for _ in range(2):
            kill_cloud(fleet)
            start_again(fleet)
            assert set(fleet.cloud.adopted) == set(ids)
            assert (fleet.cloud.died, fleet.cloud.booted) == ((), ())
            assert set(fleet.statuses(*ids).values()) == {"Running"}
            fleet.wait_healthy(*ids)
        assert set(traffic.names()) == set(ids)
    assert traffic.errors == []
    # A reload of HAProxy has forked a worker; nothing else is new, and no keeper is gone.
    assert {keeper.pid for keeper in keepers_of(fleet)} <= tree


def keepers_of(fleet: LocalFleet) -> list[psutil.Process]:
    return [psutil.Process(pid) for pid in find_keepers(Path(fleet.cloud.data_dir))]


def test_no_other_cloud_gets_what_a_killed_one_holds(fleet: LocalFleet, tmp_path: Path) -> None:
    ids = serve(fleet, 2)
    held = {fleet.address, *fleet.addresses(*ids).values()}
    for _ in range(2):  # The second time the claims are those that the first one took up.
        kill_cloud(fleet)
        other = LocalFleet(daemon.start(tmp_path / "other"))
        try:
            assert held.isdisjoint({other.address, *other.addresses(*other.run(2)).values()})
            start_again(fleet)
        finally:
            assert daemon.stop(tmp_path / "other").left == ()
        assert set(fleet.cloud.adopted) == set(ids)
        assert {fleet.address, *fleet.addresses(*ids).values()} == held
        fleet.wait_healthy(*ids)


def test_an_address_is_free_once_what_was_taken_up_is_gone(fleet: LocalFleet) -> None:
    first, second = serve(fleet, 2)
    address = fleet.addresses(first)[first]
    kill_cloud(fleet)
    start_again(fleet)
    fleet.delete(first)
    wait_until(lambda: not folder_of(fleet, "instances", first).exists())
    (third,) = fleet.run(1)
    assert fleet.addresses(third)[third] == address
    fleet.wait_healthy(second)


def test_what_was_taken_up_can_be_changed_stopped_and_released_as_before(fleet: LocalFleet) -> None:
    first, second, third = serve(fleet, 3)
    kill_cloud(fleet)
    start_again(fleet)

    fleet.weigh({first: 100, second: 0, third: 0})
    assert set(ask(fleet.address, 8080, 20).names()) == {first}
    fleet.stop(second)
    assert find_keeper(folder_of(fleet, "instances", second)) is None
    fleet.delete(third)
    wait_until(lambda: not folder_of(fleet, "instances", third).exists())
    fleet.wait_healthy(first)


def test_what_dies_while_there_is_no_cloud_is_told_and_stopped(fleet: LocalFleet) -> None:
    first, second = serve(fleet, 2)
    kill_cloud(fleet)
    end_keeper(folder_of(fleet, "instances", second))

    start_again(fleet)

    assert (fleet.cloud.adopted, fleet.cloud.died, fleet.cloud.booted) == ((first,), (second,), ())
    assert fleet.statuses(first, second) == {first: "Running", second: "Stopped"}
    assert set(ask(fleet.address, 8080, 20).names()) == {first}


def test_a_load_balancer_that_dies_while_there_is_no_cloud_serves_again(fleet: LocalFleet) -> None:
    (instance_id,) = serve(fleet, 1)
    kill_cloud(fleet)
    end_keeper(folder_of(fleet, "load-balancers", fleet.balancer_id))

    start_again(fleet)

    fleet.wait_healthy(instance_id)
    assert set(ask(fleet.address, 8080, 4).names()) == {instance_id}


def end_keeper(folder: Path) -> None:
    """Kill a supervisor, and wait until its tree is gone."""
    keeper = find_keeper(folder)
    assert keeper is not None
    os.kill(keeper, signal.SIGKILL)
    wait_until(lambda: not is_supervised(folder))


def test_sessions_of_tls_and_of_datagrams_outlive_a_kill(fleet: LocalFleet) -> None:
    authority = Authority()
    certificate, key = authority.issue(fleet.address)
    (instance_id,) = fleet.run(1)
    fleet.add({instance_id: 100})
    fleet.listen_with_tls(8443, certificate, key)
    address = fleet.addresses(instance_id)[instance_id]
    bells = [EchoServer(name, address, port) for name, port in (("bell", 9000), ("horn", 9001))]
    servers = [{"ServerId": instance_id, "Port": port, "Weight": 100} for port in (9000, 9001)]
    fleet.listen_for_datagrams(5353, servers)
    trust = authority.trusting()
    wait_until(lambda: ask(fleet.address, 8443, 1, 1, trust).names() == {instance_id: 1})

    with Traffic(fleet.address, 8443, trust).flowing(2) as traffic, UdpClient(fleet.address, 5353) as client:
        heard = client.ask(timeout_s=5)
        kill_cloud(fleet)
        start_again(fleet)
        assert [client.ask(timeout_s=5) for _ in range(4)] == [heard] * 4, "the session keeps its server"
        assert traffic.names()
    assert traffic.errors == []
    for bell in bells:
        bell.close()


def test_a_folder_that_is_deleted_after_the_kill_ends_what_ran_for_it(fleet: LocalFleet) -> None:
    serve(fleet, 2)
    family = fleet.family()
    kill_cloud(fleet)

    fleet.delete_folder()

    wait_until(lambda: kin.alive(family), lambda left: not left)


PROGRAM = """
import os, signal, sys, time
from pathlib import Path
from steelyard.localcloud.hosts.supervised import SupervisedProcess
process = SupervisedProcess(
    name="tree", directory=Path(sys.argv[1]), environment={}, stays=True, patience_s=float(sys.argv[2])
)
process.start(["/bin/sleep", "1000"])
for pid in process.inner_process_ids():
    os.kill(pid, signal.SIGSTOP)
print("started", flush=True)
time.sleep(1000)
"""


@pytest.fixture
def leave(tmp_path: Path) -> Callable[[float], SupervisedProcess]:
    """Start a tree by a process that is then killed, and give one that may take it up."""

    def run(patience_s: float) -> SupervisedProcess:
        command = [sys.executable, "-c", PROGRAM, str(tmp_path), str(patience_s)]
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as owner:
            assert owner.stdout is not None
            assert owner.stdout.readline() == "started\n"
            owner.kill()
        return SupervisedProcess(name="tree", directory=tmp_path, environment={}, stays=True)

    return run


def test_a_tree_whose_owner_died_ends_where_nobody_comes_for_it(leave, tmp_path) -> None:
    successor = leave(0.3)
    wait_until(lambda: not is_supervised(tmp_path))
    assert not successor.adopt()
    assert not successor.died_unseen, "it ended for want of an owner, not by itself"


def test_a_start_ends_what_runs_in_its_folder_and_was_not_taken_up(leave, tmp_path) -> None:
    successor = leave(1000)
    before = find_keeper(tmp_path)
    successor.start(["/bin/sleep", "1000"])
    assert find_keeper(tmp_path) == successor.pid != before
    successor.stop(0)
    assert not is_supervised(tmp_path)


def test_what_the_owner_held_up_goes_on_when_it_dies(leave, tmp_path) -> None:
    successor = leave(1000)
    assert successor.adopt()
    (sleeper,) = map(psutil.Process, successor.inner_process_ids())
    wait_until(lambda: sleeper.status() == psutil.STATUS_SLEEPING)
    successor.stop(0)
    assert not sleeper.is_running()


def test_what_an_instance_begins_while_the_next_cloud_looks_round_is_kept(tmp_path, monkeypatch) -> None:
    folder = tmp_path / "instances" / "i-1"
    folder.mkdir(parents=True)
    instance = SupervisedProcess(
        name="i-1", directory=folder, environment={"HOME": str(folder / "root")}, stays=True
    )
    instance.start(["/bin/sh", "-c", "while ! [ -e begin ]; do sleep 0.02; done; sleep 1000; true"])
    strays = kin.strays

    def strays_with_a_new_one(data_dir: Path) -> list[psutil.Process]:
        (folder / "begin").touch()
        newest = wait_until(
            lambda: [one for one in strays(data_dir) if kin.describe(one).endswith(" sleep 1000")]
        )
        return [*newest, *strays(data_dir)]

    monkeypatch.setattr(kin, "strays", strays_with_a_new_one)
    assert kin.unsupervised(tmp_path) == []
    instance.stop(0)
