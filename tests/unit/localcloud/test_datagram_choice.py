from __future__ import annotations

from collections import Counter

from hypothesis import given
from hypothesis import strategies as st

from steelyard.localcloud.datagram.choice import Chooser
from steelyard.localcloud.datagram.plan import (
    DatagramListener,
    Place,
    Probe,
    Target,
    from_tree,
    to_text,
)
from steelyard.localcloud.traffic.gate import Gate


def targets(*weights: int) -> list[Target]:
    return [
        Target(name=f"s{i}", address=f"10.0.0.{i}", port=53, weight=weight)
        for i, weight in enumerate(weights)
    ]


def share(scheduler: str, able: list[Target], num_clients: int = 600, **sessions: int) -> Counter[str]:
    chooser, counts = Chooser(), Counter(sessions)
    for port in range(num_clients):
        target = chooser.choose(scheduler, able, (f"10.1.{port % 250}.{port // 250}", port), counts)
        assert target is not None
        counts[target.name] += 1
    return counts


def test_turns_are_taken_by_weight_to_the_session() -> None:
    assert share("wrr", targets(100, 50, 0)) == {"s0": 400, "s1": 200}
    assert share("rr", targets(100, 50, 0)) == {"s0": 300, "s1": 300}


def test_turns_are_spread_evenly() -> None:
    chooser = Chooser()
    turns = [chooser.choose("wrr", targets(2, 1), ("10.1.0.1", n), {}) for n in range(6)]
    assert [target.name for target in turns if target] == ["s0", "s1", "s0", "s0", "s1", "s0"]


def test_the_server_with_the_fewest_sessions_for_its_weight_is_next() -> None:
    assert share("wlc", targets(100, 50), 300, s0=0, s1=100) == {"s0": 267, "s1": 133}


def test_hashing_keeps_a_client_and_follows_the_weights() -> None:
    able = targets(100, 50, 0)
    assert share("sch", able) == share("sch", able)
    counts = share("tch", able, 3000)
    assert abs(counts["s0"] / 3000 - 2 / 3) < 0.05
    chooser = Chooser()
    assert len({chooser.choose("sch", able, ("10.1.0.1", port), {}).name for port in range(50)}) == 1
    assert len({chooser.choose("tch", able, ("10.1.0.1", port), {}).name for port in range(50)}) == 2


@given(
    weights=st.lists(st.integers(0, 100), min_size=2, max_size=6),
    gone=st.integers(0, 5),
    ports=st.lists(st.integers(1, 65535), min_size=1, max_size=30),
)
def test_the_loss_of_a_server_moves_no_client_but_its_own(
    weights: list[int], gone: int, ports: list[int]
) -> None:
    able, chooser = targets(*weights), Chooser()
    left = [target for target in able if target.name != f"s{gone}"]
    for port in ports:
        before = chooser.choose("tch", able, ("10.1.0.1", port), {})
        after = chooser.choose("tch", left, ("10.1.0.1", port), {})
        if before is not None and before.name != f"s{gone}":
            assert after == before


def test_none_is_chosen_where_none_takes_a_session() -> None:
    assert Chooser().choose("wrr", targets(0, 0), ("10.1.0.1", 1), {}) is None
    assert Chooser().choose("sch", [], ("10.1.0.1", 1), {}) is None


def test_a_plan_comes_through_as_it_was() -> None:
    import json

    places = [Place(address="127.0.0.9"), Place(address="10.0.0.9", namespace="vpc-1")]
    listeners = [
        DatagramListener(
            name="udp-53",
            port=53,
            scheduler="sch",
            targets=tuple(targets(1, 2)),
            probe=Probe(request="ping", expected="pong"),
            drain_timeout_s=5,
            gates=(Gate.of_list(("10.0.0.0/8",), is_white=True),),
        ),
        DatagramListener(name="udp-54", port=54),
    ]
    assert from_tree(json.loads(to_text(places, listeners))) == (places, listeners)
