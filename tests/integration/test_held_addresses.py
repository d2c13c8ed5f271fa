"""What supervisors hold while no cloud lives: the addresses of an instance or a load balancer, whenever it got them."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import psutil
import pytest
from own_range import inner, served
from proxy_parts import PORT, config_of

from steelyard.localcloud.data_plane import DataPlane
from steelyard.localcloud.datagram.plan import DatagramListener
from steelyard.localcloud.hosts import link
from steelyard.localcloud.hosts.address import AddressBook, AddressInUse
from steelyard.localcloud.hosts.host import Fate, Machine, Wiring
from steelyard.localcloud.hosts.link import SupervisorLink, find_claims, find_keeper
from steelyard.localcloud.hosts.loopback import LoopbackHost
from steelyard.localcloud.hosts.supervisor import MOST_CLAIMS
from steelyard.localcloud.services.ecs.network_interface import MAX_ADDRESSES, MAX_INTERFACES

BLOCK = inner("213.0/24")


@pytest.fixture
def host(tmp_path: Path) -> Iterator[LoopbackHost]:
    host = LoopbackHost(tmp_path / "instances")
    yield host
    host.close(0)


def machine_with(address: str, wiring: Wiring) -> Machine:
    return Machine(
        instance_id="i-1", address=address, user_data=b"", metadata_url="http://127.0.0.1:1", wiring=wiring
    )


def boot(host: LoopbackHost, wiring: Wiring) -> str:
    address = host.claim_address(BLOCK)
    host.boot(machine_with(address, wiring), lambda: None)
    return address


def held(data_dir: Path) -> set[str]:
    """Look at what a next cloud would find."""
    found = set()
    for claim in find_claims(data_dir):
        with claim:
            found.add(claim.getsockname()[0])
    return found


def assert_free(address: str) -> None:
    """See that another cloud would get an address, at once."""
    other = AddressBook()
    other.claim_exactly(address)
    other.release_all()


def test_an_instance_holds_what_it_was_given_since_its_boot(host, tmp_path):
    own = boot(host, Wiring())
    further, attached = host.claim_address(BLOCK), host.claim_address(BLOCK)
    host.wire("i-1", Wiring(addresses=(further,), devices={"eni-1": (attached,)}))
    assert held(tmp_path) == {own, further, attached}
    host.release_address(further)
    with pytest.raises(AddressInUse):
        host.hold_address(further)


def test_an_instance_gives_up_what_is_taken_from_it(host, tmp_path):
    further, attached = host.claim_address(BLOCK), host.claim_address(BLOCK)
    own = boot(host, Wiring(addresses=(further,), devices={"eni-1": (attached,)}))
    assert held(tmp_path) == {own, further, attached}
    host.wire("i-1", Wiring(devices={"eni-1": (attached,)}))
    host.release_address(further)
    assert_free(further)
    host.wire("i-1", Wiring())
    host.release_address(attached)
    assert_free(attached)
    assert held(tmp_path) == {own}


def test_an_instance_holds_what_it_is_given_as_it_boots(host, tmp_path, monkeypatch):
    further = host.claim_address(BLOCK)
    wiring = Wiring(addresses=(further,))
    rewiring = threading.Thread(target=host.wire, args=["i-1", wiring])
    fork = SupervisorLink.fork

    def fork_meanwhile(**words) -> SupervisorLink:
        rewiring.start()
        rewiring.join(0.5)
        return fork(**words)

    monkeypatch.setattr(SupervisorLink, "fork", fork_meanwhile)
    own = boot(host, Wiring())
    rewiring.join(30)
    host.wire("i-1", wiring)
    assert held(tmp_path) == {own, further}


def test_an_instance_that_is_taken_up_holds_what_the_state_says(host, tmp_path):
    further = host.claim_address(BLOCK)
    own = boot(host, Wiring(addresses=(further,)))
    new = host.claim_address(BLOCK)
    # The cloud was killed after it had kept that the one is gone and the other there, and before it told.
    successor = LoopbackHost(tmp_path / "instances")
    for address in (own, new):
        host.release_address(address)
        successor.hold_address(address)
    assert successor.adopt(machine_with(own, Wiring(addresses=(new,))), lambda: None) is Fate.LIVES
    assert held(tmp_path) == {own, new}
    successor.close(0)


def test_a_supervisor_whose_folder_goes_as_somebody_comes_is_none(tmp_path, monkeypatch):
    looks = iter([True])
    monkeypatch.setattr(link, "is_supervised", lambda folder: next(looks, False))
    assert find_keeper(tmp_path / "instances" / "i-gone") is None


def test_an_instance_with_all_addresses_that_it_may_have_holds_all_and_is_told_by_its_folder(host, tmp_path):
    assert MOST_CLAIMS >= MAX_INTERFACES * MAX_ADDRESSES
    further = [host.claim_address(BLOCK) for _ in range(MAX_INTERFACES * MAX_ADDRESSES - 1)]
    own = boot(host, Wiring(addresses=tuple(further)))
    assert held(tmp_path) == {own, *further}
    keeper = find_keeper(tmp_path / "instances" / "i-1")
    assert keeper is not None
    assert str(tmp_path / "instances" / "i-1" / "lock") in psutil.Process(keeper).cmdline()


@pytest.fixture
def make_plane(tmp_path: Path) -> Iterator[Callable[[AddressBook], DataPlane]]:
    planes = []

    def make(book: AddressBook) -> DataPlane:
        planes.append(DataPlane("lb-1", tmp_path / "load-balancers" / "lb-1", claim_files=book.files_of))
        return planes[-1]

    yield make
    for plane in planes:
        plane.discard()


def test_a_load_balancer_holds_the_addresses_to_which_it_has_moved_and_no_others(make_plane, tmp_path):
    book = AddressBook()
    first, second = served("214.10"), served("214.11")
    for address in (first, second):
        book.claim_exactly(address)
    plane = make_plane(book)
    datagrams = (DatagramListener(name="udp", port=PORT, targets=()),)
    plane.apply(replace(config_of(first), datagrams=datagrams))
    assert held(tmp_path) == {first}
    plane.apply(replace(config_of(second), datagrams=datagrams))
    assert held(tmp_path) == {second}
    book.release(first)
    assert_free(first)
    book.release_all()
    with pytest.raises(AddressInUse):
        book.claim_exactly(second)
