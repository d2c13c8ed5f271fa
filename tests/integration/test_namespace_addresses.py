from __future__ import annotations

import threading

import pytest
from own_range import inner, served

from steelyard.localcloud.hosts.address import AddressExhausted, AddressInUse
from steelyard.localcloud.hosts.choice import missing_part
from steelyard.localcloud.hosts.host import Machine

MISSING = missing_part()
pytestmark = pytest.mark.skipif(bool(MISSING), reason=f"no namespace host here: {MISSING}")
BLOCK = inner("213.0/24")


@pytest.fixture
def host(tmp_path):
    from steelyard.localcloud.hosts.namespaced import NamespaceHost

    host = NamespaceHost(tmp_path / "instances")
    yield host
    host.close(0)


def test_an_instance_has_its_true_address_and_two_vpcs_may_have_the_same(host):
    assert [host.claim_address(BLOCK, vpc_id=vpc_id) for vpc_id in ("vpc-1", "vpc-1", "vpc-2")] == [
        inner("213.10"),
        inner("213.11"),
        inner("213.10"),
    ]


def test_a_balancer_and_an_instance_never_share_an_address_of_the_vpc(host):
    assert host.claim_address(BLOCK) == served("213.10")
    assert host.claim_address(BLOCK, vpc_id="vpc-1") == inner("213.11")
    assert host.claim_address(BLOCK) == served("213.12")
    with pytest.raises(AddressInUse):
        host.claim_address(BLOCK, inner("213.10"), vpc_id="vpc-1")
    with pytest.raises(AddressInUse):
        host.claim_address(BLOCK, inner("213.11"))


def test_a_wanted_address_is_had_where_it_is_free_and_in_the_block(host):
    assert host.claim_address(BLOCK, inner("213.77"), vpc_id="vpc-1") == inner("213.77")
    with pytest.raises(AddressInUse):
        host.claim_address(BLOCK, inner("213.77"), vpc_id="vpc-1")
    with pytest.raises(ValueError, match="outside"):
        host.claim_address(BLOCK, inner("214.77"), vpc_id="vpc-1")
    host.release_address(inner("213.77"), vpc_id="vpc-1")
    host.hold_address(inner("213.77"), vpc_id="vpc-1")
    with pytest.raises(AddressInUse):
        host.claim_address(BLOCK, inner("213.77"), vpc_id="vpc-1")


def test_an_end_is_told_though_it_cannot_be_written_which_networks_are_left(host, tmp_path):
    (tmp_path / "namespaces.draft").mkdir()
    is_ended = threading.Event()
    machine = Machine(
        instance_id="i-1",
        address=host.claim_address(BLOCK, vpc_id="vpc-1"),
        user_data=b"",
        metadata_url="http://127.0.0.1:1",
        vpc_id="vpc-1",
    )
    host.boot(machine, is_ended.set)
    host.shut_down("i-1", 0)
    assert is_ended.wait(30)


def test_a_small_block_runs_out(host):
    for _ in range(4):
        host.claim_address(inner("213.0/29"), vpc_id="vpc-1")
    with pytest.raises(AddressExhausted):
        host.claim_address(inner("213.0/29"), vpc_id="vpc-1")


def test_a_balancer_is_reached_inside_of_its_vpc_where_the_block_says(host):
    address = host.claim_address(BLOCK)
    assert host.inner_entrances(address, "", []) == ()
    (entrance,) = host.inner_entrances(address, "vpc-1", [inner("215.0/24"), BLOCK])
    assert (entrance.address, entrance.namespace) == (inner("213.10"), host.namespace("vpc-1"))


def test_the_network_of_a_vpc_goes_with_its_last_address_and_never_comes_back_by_its_name(host):
    address = host.claim_address(BLOCK, vpc_id="vpc-1")
    first = host.namespace("vpc-1")
    host.release_address(address, vpc_id="vpc-1")
    assert host.namespace("vpc-1") != first
