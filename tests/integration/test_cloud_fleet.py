from __future__ import annotations

import os
import signal
import socket
from pathlib import Path

import psutil
import pytest
from local_fleet import LocalFleet
from traffic import Traffic, ask, wait_until

from steelyard.localcloud import daemon, kin
from steelyard.localcloud.hosts.address import AddressBook, AddressInUse


@pytest.fixture
def fleet(tmp_path):
    fleet = LocalFleet(daemon.start(tmp_path / "cloud"))
    yield fleet
    assert daemon.stop(tmp_path / "cloud").left == ()


def is_open(address: str, port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex((address, port)) == 0


def serve_with_three(fleet: LocalFleet) -> list[str]:
    ids = fleet.run(3)
    fleet.add(dict.fromkeys(ids, 100))
    fleet.listen()
    fleet.wait_healthy(*ids)
    return ids


def holds(book: AddressBook, address: str) -> bool:
    """Claim an address that is not held yet; the kernel frees a killed cloud's when its last thread has ended."""
    if address not in book.held():
        try:
            book.claim_exactly(address)
        except AddressInUse:
            return False
    return True


def assert_nothing_is_left(family, scratch_folders, addresses) -> None:
    wait_until(lambda: kin.alive(family), lambda left: not left)
    wait_until(lambda: [folder for folder in scratch_folders if folder.exists()], lambda left: not left)
    assert [(a, port) for a in addresses for port in (8080, 8000) if is_open(a, port)] == []
    book = AddressBook()
    try:
        wait_until(lambda: [a for a in addresses if not holds(book, a)], lambda taken: not taken)
    finally:
        book.release_all()


def test_requests_follow_the_weights_within_a_hundredth(fleet):
    ids = fleet.run(3)
    fleet.add(dict(zip(ids, (100, 50, 0), strict=True)))
    fleet.listen()
    fleet.wait_healthy(*ids)

    traffic = ask(fleet.address, 8080, 3000)

    assert traffic.errors == []
    shares = [traffic.names()[i] / 3000 for i in ids]
    assert shares == pytest.approx([2 / 3, 1 / 3, 0], abs=0.01)


def test_drain_removal_release_and_a_new_listener_lose_no_request(fleet):
    ids = fleet.run(4, delay_s=0.002)
    first, second, third, fourth = ids
    fleet.add({first: 100, second: 100})
    fleet.listen()
    fleet.wait_healthy(first, second)

    with Traffic(fleet.address, 8080).flowing() as traffic:
        fleet.weigh({first: 0})
        fleet.add({third: 100, fourth: 50})
        fleet.wait_healthy(*ids)
        fleet.remove(first)
        fleet.delete(second)
        fleet.listen(8081)
        wait_until(lambda: fleet.statuses(second), lambda seen: not seen)
        wait_until(lambda: traffic.names()[fourth] > 50)

    assert traffic.errors == []
    assert len(traffic.answers) > 200


def test_a_killed_server_is_out_within_the_window_and_its_instance_is_running(fleet):
    ids = serve_with_three(fleet)
    (victim,) = [
        p for p in fleet.family() if "named_server.py" in " ".join(p.cmdline()) and ids[0] in p.cmdline()
    ]

    with Traffic(fleet.address, 8080).flowing() as traffic:
        os.kill(victim.pid, signal.SIGKILL)
        # Two failures in a row, a second after one another, and the rest for a machine that is slow and busy.
        wait_until(fleet.health, lambda seen: seen[ids[0]] == "abnormal", deadline_s=30)

    assert traffic.errors == []
    assert fleet.statuses(ids[0]) == {ids[0]: "Running"}


def test_a_stop_leaves_nothing_and_a_start_boots_what_ran(fleet):
    ids = serve_with_three(fleet)
    fleet.stop(ids[2])
    addresses = fleet.addresses(*ids)
    family, scratch_folders = fleet.family(), fleet.scratch_folders()
    assert len(family) >= 10
    assert len(scratch_folders) == 3

    report = daemon.stop(Path(fleet.cloud.data_dir))

    assert report.left == ()
    assert len(report.ended) > len(family)
    assert_nothing_is_left(family, scratch_folders, [*addresses.values(), fleet.address])

    fleet.connect(daemon.start(Path(fleet.cloud.data_dir)))
    running = {ids[0]: "Running", ids[1]: "Running", ids[2]: "Stopped"}
    wait_until(lambda: fleet.statuses(*ids), lambda seen: seen == running)
    assert fleet.addresses(*ids) == addresses
    fleet.wait_healthy(ids[0], ids[1])
    assert set(ask(fleet.address, 8080, 20).names()) == {ids[0], ids[1]}


def test_a_kill_and_a_stop_at_once_leave_nothing(fleet):
    ids = fleet.run(2)
    addresses, family, folders = fleet.addresses(*ids), fleet.family(), fleet.scratch_folders()

    os.kill(fleet.cloud.pid, signal.SIGKILL)
    report = daemon.stop(Path(fleet.cloud.data_dir))

    assert report.left == ()
    assert_nothing_is_left(family, folders, addresses.values())


def test_an_address_that_another_cloud_took_is_not_shared(fleet, tmp_path):
    (first,) = fleet.run(1)
    other = LocalFleet(daemon.start(tmp_path / "other"))
    try:
        (second,) = other.run(1)
        assert {fleet.address, *fleet.addresses(first).values()}.isdisjoint(
            {other.address, *other.addresses(second).values()}
        )
    finally:
        assert daemon.stop(tmp_path / "other").left == ()


def test_a_cloud_whose_folder_was_deleted_ends_by_itself_with_all_it_runs(fleet):
    ids = serve_with_three(fleet)
    family, addresses = fleet.family(), fleet.addresses(*ids)
    cloud = psutil.Process(fleet.cloud.pid)

    fleet.delete_folder()

    wait_until(lambda: kin.alive([cloud, *family]), lambda left: not left)
    assert_nothing_is_left(family, [], addresses.values())
