from __future__ import annotations

import socket
from ipaddress import IPv4Network

import pytest
from hypothesis import given
from hypothesis import strategies as st
from own_range import served

from steelyard.localcloud.hosts.address import (
    CLAIM_PORT,
    AddressBook,
    AddressExhausted,
    AddressInUse,
    served_address,
    served_network,
)

NETWORK = IPv4Network(served("216.0/24"))
FIRST, SECOND, THIRD = (served(f"216.{number}") for number in (10, 11, 12))


@pytest.fixture
def book():
    book = AddressBook()
    yield book
    book.release_all()


@given(st.integers(0, 2**32 - 1), st.integers(8, 29))
def test_a_block_is_served_on_the_loopback_network_with_its_last_three_bytes(number, prefix):
    network = IPv4Network((number, prefix), strict=False)
    found = served_network(str(network))
    assert found.subnet_of(IPv4Network("127.0.0.0/8"))
    assert found.prefixlen == prefix
    assert int(found.network_address) & 0xFFFFFF == int(network.network_address) & 0xFFFFFF


def test_a_loopback_address_stands_for_itself():
    assert served_address("127.64.0.10") == served_address("10.64.0.10") == "127.64.0.10"


@pytest.mark.parametrize("cidr", ["10.0.0.0/7", "10.0.0.1/24", "10.0.0.0"[:-1], "ten"])
def test_a_malformed_block_is_refused(cidr):
    with pytest.raises(ValueError, match=r".+"):
        served_network(cidr)


def test_addresses_come_from_the_tenth_on_and_each_once(book):
    assert [book.claim(NETWORK) for _ in range(3)] == [FIRST, SECOND, THIRD]
    book.release(SECOND)
    assert book.claim(NETWORK) == SECOND


def test_a_small_network_is_used_from_its_first_address_on_until_it_is_full(book):
    small = IPv4Network(served("217.0/29"))
    assert [book.claim(small) for _ in range(4)] == [served(f"217.{number}") for number in range(1, 5)]
    with pytest.raises(AddressExhausted):
        book.claim(small)


def test_an_address_that_another_cloud_holds_is_passed_over(book):
    other = AddressBook()
    assert other.claim(NETWORK) == FIRST
    assert book.claim(NETWORK) == SECOND
    with pytest.raises(AddressInUse):
        book.claim_exactly(FIRST)
    other.release_all()
    book.claim_exactly(FIRST)
    assert book.held() == [SECOND, FIRST]


def test_a_claim_takes_no_connections(book):
    address = book.claim(NETWORK)
    with socket.socket() as probe:
        assert probe.connect_ex((address, CLAIM_PORT)) != 0


def test_an_address_stays_claimed_while_somebody_was_handed_the_claim(book):
    address = book.claim(NETWORK)
    (file,) = book.files_of([address, served("216.99")])
    book.release_all()
    successor = AddressBook()
    try:
        with pytest.raises(AddressInUse):
            book.claim_exactly(address)
        successor.take_up(socket.socket(fileno=file))
        assert successor.held() == []
        successor.claim_exactly(address)
        with pytest.raises(AddressInUse):
            successor.claim_exactly(address)
        successor.release(address)
        book.claim_exactly(address)
    finally:
        successor.release_all()


def test_of_several_copies_of_a_claim_one_is_kept(book):
    address = book.claim(NETWORK)
    copies = [socket.socket(fileno=file) for file in book.files_of([address, address])]
    successor = AddressBook()
    for copy in copies:
        successor.take_up(copy)
    assert [copy.fileno() == -1 for copy in copies] == [False, True]
    book.release_all()
    successor.claim_exactly(address)
    with pytest.raises(AddressInUse):
        book.claim_exactly(address)
    successor.release_all()


def test_what_was_taken_up_and_never_asked_for_is_given_back_as_well(book):
    address = book.claim(NETWORK)
    successor = AddressBook()
    successor.take_up(socket.socket(fileno=book.files_of([address])[0]))
    book.release_all()
    successor.release_all()
    book.claim_exactly(address)
