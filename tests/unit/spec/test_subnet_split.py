from __future__ import annotations

from ipaddress import IPv4Network
from itertools import combinations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from steelyard.spec.subnet import (
    VSWITCH_PREFIXES,
    longest_prefix_for,
    num_slots,
    num_usable,
    split,
    vswitch_prefix,
)


@st.composite
def vpcs(draw: st.DrawFn) -> IPv4Network:
    prefix = draw(st.integers(min_value=8, max_value=28))
    address = int(IPv4Network("10.0.0.0/8").network_address) + draw(st.integers(0, 2**24 - 1))
    return IPv4Network((address, prefix), strict=False)


@given(vpc=vpcs(), data=st.data())
def test_the_ranges_lie_in_the_vpc_apart_and_have_legal_masks(vpc: IPv4Network, data: st.DataObject) -> None:
    num = data.draw(st.integers(0, min(16, num_slots(vpc.prefixlen))))
    ranges = split(vpc, num)
    low, high = VSWITCH_PREFIXES
    assert len(ranges) == num
    assert all(one.subnet_of(vpc) and low <= one.prefixlen <= high for one in ranges)
    assert not any(one.overlaps(other) for one, other in combinations(ranges, 2))


@given(vpc=vpcs(), data=st.data())
def test_a_zone_added_later_moves_no_vswitch(vpc: IPv4Network, data: st.DataObject) -> None:
    num = data.draw(st.integers(1, min(16, num_slots(vpc.prefixlen))))
    assert split(vpc, num)[:-1] == split(vpc, num - 1)


@given(vpc=vpcs())
def test_more_vswitches_than_there_is_room_for_are_refused(vpc: IPv4Network) -> None:
    with pytest.raises(ValueError, match="room for"):
        split(vpc, num_slots(vpc.prefixlen) + 1)


@given(prefix=st.integers(8, 28))
def test_every_vpc_has_room_for_two_zones(prefix: int) -> None:
    assert num_slots(prefix) >= 2


@given(num_addresses=st.integers(1, 2**16 - 4), num_zones=st.integers(1, 16))
def test_the_range_that_is_proposed_is_wide_enough_and_no_wider(num_addresses: int, num_zones: int) -> None:
    def holds(prefix: int) -> bool:
        usable = num_usable(IPv4Network((0, vswitch_prefix(prefix))))
        return usable >= num_addresses and num_slots(prefix) >= num_zones

    prefix = longest_prefix_for(num_addresses, num_zones)
    assert prefix is not None
    assert holds(prefix)
    assert prefix == 28 or not holds(prefix + 1)


def test_no_range_holds_more_nodes_in_a_zone_than_the_largest_vswitch() -> None:
    assert longest_prefix_for(2**16 - 3, 1) is None


def test_the_default_network_is_cut_into_sixteen() -> None:
    vpc = IPv4Network("10.64.0.0/16")
    assert [str(one) for one in split(vpc, 3)] == ["10.64.0.0/20", "10.64.16.0/20", "10.64.32.0/20"]
    assert num_slots(16) == 16
