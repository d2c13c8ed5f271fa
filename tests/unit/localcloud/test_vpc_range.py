from __future__ import annotations

from ipaddress import IPv4Network

from hypothesis import given
from hypothesis import strategies as st

from steelyard.localcloud.services.vpc.check import read_cidr

KEPT = [IPv4Network(cidr) for cidr in ("100.64.0.0/10", "224.0.0.0/4", "127.0.0.0/8", "169.254.0.0/16")]


@st.composite
def networks(draw: st.DrawFn) -> IPv4Network:
    """Give ranges of any length, half of them near one that the cloud keeps for itself."""
    length = draw(st.integers(0, 32))
    kept = draw(st.sampled_from(KEPT))
    near = st.integers(int(kept[0]) - 4, int(kept[0]) + 4) | st.integers(int(kept[-1]) - 4, int(kept[-1]) + 4)
    address = draw(near | st.integers(0, 2**32 - 1)) & 2**32 - 1
    return IPv4Network((address, length), strict=False)


@given(networks())
def test_a_range_is_read_unless_it_touches_one_that_the_cloud_keeps(network):
    is_free = not any(network.overlaps(kept) for kept in KEPT)
    assert read_cidr(str(network)) == (network if is_free else None)
