"""Rules of listeners per kind of load balancer, as properties over whatever a cluster file may ask for."""

from __future__ import annotations

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from steelyard.spec import ClusterSpec, SpecError
from steelyard.spec.balancer import ABILITIES, SECURE_PROTOCOLS
from steelyard.spec.config import read_config

# The gateways speak no UDP: a cluster has no listener for it, whatever its kind can do.
PROTOCOLS = sorted({protocol for ability in ABILITIES.values() for protocol in ability.protocols} - {"udp"})
SCHEDULERS = sorted({scheduler for ability in ABILITIES.values() for scheduler in ability.schedulers})
KINDS = sorted(ABILITIES)

fronts = st.fixed_dictionaries(
    {
        "kind": st.sampled_from(KINDS),
        "address_type": st.sampled_from(["intranet", "internet"]),
        "scheduler": st.sampled_from(SCHEDULERS),
        "sticky_session_s": st.sampled_from([0, 60, 3600, 3601, 86400]),
        "access_cidrs": st.sampled_from([[], ["203.0.113.0/24"]]),
        "tls": st.sampled_from([{}, {"certificate_id": "1"}, {"certificate_file": "a", "key_file": "b"}]),
        "listeners": st.lists(st.sampled_from(PROTOCOLS), min_size=1, max_size=3).map(
            lambda protocols: [{"port": 80 + i, "protocol": one} for i, one in enumerate(protocols)]
        ),
    }
)


def read(front: dict[str, Any], *, is_open: bool = False) -> ClusterSpec | SpecError:
    try:
        return read_config({"name": "demo", "load_balancer": front, "access": {"open_to_world": is_open}})
    except SpecError as err:
        return err


def spoken(front: dict[str, Any]) -> set[str]:
    return {one["protocol"] for one in front["listeners"]}


@given(front=fronts, is_open=st.booleans())
def test_what_is_accepted_is_what_the_kind_can_do(front: dict[str, Any], is_open: bool) -> None:
    spec = read(front, is_open=is_open)
    if isinstance(spec, SpecError):
        return
    ability, protocols = ABILITIES[front["kind"]], spoken(front)
    assert protocols <= set(ability.protocols)
    assert front["scheduler"] in ability.schedulers
    if front["scheduler"] in ability.layer_4_schedulers:
        assert not protocols & {"http", "https"}
    assert not front["access_cidrs"] or ability.has_access_list
    if front["sticky_session_s"]:
        assert all(
            front["sticky_session_s"] <= ability.sticky_session_s[one]
            for one in protocols & ability.sticky_session_s.keys()
        )
        assert ability.sticky_session_s
    assert bool(protocols & set(SECURE_PROTOCOLS)) == bool(front["tls"])


@given(front=fronts, is_open=st.booleans())
def test_the_world_is_let_in_by_name_and_through_tls_alone(front: dict[str, Any], is_open: bool) -> None:
    spec = read(front, is_open=is_open)
    is_for_all = front["address_type"] == "internet" and not front["access_cidrs"]
    if is_for_all and not isinstance(spec, SpecError):
        assert is_open
        assert spoken(front) <= set(SECURE_PROTOCOLS)


@given(front=fronts)
def test_every_refusal_names_its_place_and_a_mend(front: dict[str, Any]) -> None:
    spec = read(front)
    if isinstance(spec, SpecError):
        assert spec.mistakes
        for mistake in spec.mistakes:
            assert mistake.path.startswith("steelyard:load_balancer")
            assert mistake.message
            assert mistake.hint


@given(kind=st.sampled_from(KINDS), protocol=st.sampled_from(PROTOCOLS))
def test_a_protocol_of_another_kind_is_refused_with_that_kind(kind: str, protocol: str) -> None:
    tls = {"certificate_id": "1"} if protocol in SECURE_PROTOCOLS else {}
    spec = read({"kind": kind, "tls": tls, "listeners": [{"port": 80, "protocol": protocol}]})
    able = [name for name, ability in ABILITIES.items() if protocol in ability.protocols]
    if kind in able:
        assert isinstance(spec, ClusterSpec)
    else:
        assert isinstance(spec, SpecError)
        (mistake,) = [one for one in spec.mistakes if one.path.endswith("protocol")]
        assert all(f"`kind: {name}`" in mistake.hint for name in able)
