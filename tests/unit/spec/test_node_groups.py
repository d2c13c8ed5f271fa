"""What may be asked of node groups together, and what is refused with its mend."""

from __future__ import annotations

from typing import Any

import pytest

from steelyard.spec import SpecError
from steelyard.spec.config import read_config
from steelyard.spec.family import family_of, has_erdma, has_gpu

WORKERS = {"name": "workers"}


def mistakes(**settings: Any) -> list[tuple[str, str, str]]:
    try:
        read_config({"name": "demo", **settings})
    except SpecError as err:
        return [(one.path.removeprefix("steelyard:"), one.message, one.hint) for one in err.mistakes]
    return []


def only(**settings: Any) -> tuple[str, str, str]:
    (found,) = mistakes(**settings)
    return found


class TestHead:
    def test_one_small_head_beside_workers_is_fine(self) -> None:
        head = {"name": "front", "count": 1, "instance_type": "ecs.g7.large", "head": True}
        assert mistakes(node_groups=[head, WORKERS]) == []

    def test_it_is_one_node(self) -> None:
        path, message, hint = only(node_groups=[{"name": "front", "count": 2, "head": True}, WORKERS])
        assert path == "node_groups[0].count"
        assert "this group has 2 nodes" in message
        assert hint == "the nearest is 1"

    def test_it_is_the_only_one(self) -> None:
        heads = [{"name": name, "count": 1, "head": True} for name in ("one", "two")]
        path, message, _ = only(node_groups=[*heads, WORKERS])
        assert (path, message) == (
            "node_groups[1].head",
            "there is one head, and node_groups[0] has it",
        )

    def test_it_does_no_work_so_somebody_else_has_to(self) -> None:
        path, message, hint = only(node_groups=[{"name": "front", "count": 1, "head": True}])
        assert path == "node_groups[0].head"
        assert "takes no work" in message
        assert "add a group of workers" in hint


class TestRdma:
    def test_a_family_that_has_it(self) -> None:
        assert mistakes(node_groups=[{**WORKERS, "instance_type": "ecs.gn8is.2xlarge", "rdma": True}]) == []

    def test_a_family_that_has_not_is_refused_by_name(self) -> None:
        path, message, hint = only(node_groups=[{**WORKERS, "rdma": True}])
        assert path == "node_groups[0].rdma"
        assert message == "the family ecs.gn7i of `ecs.gn7i-c8g1.2xlarge` has no elastic RDMA"
        assert "ecs.gn8is" in hint

    def test_a_type_that_nobody_listed_is_left_to_the_cloud(self) -> None:
        group = {**WORKERS, "instance_type": "ecs.gn12x.2xlarge", "rdma": True}
        assert mistakes(target="alicloud", node_groups=[group]) == []


class TestPlacement:
    @pytest.mark.parametrize(("placement", "count"), [("low_latency", 20), ("availability", 40)])
    def test_a_set_holds_twenty_nodes_of_a_zone(self, placement: str, count: int) -> None:
        def wanted(number: int) -> list[dict[str, Any]]:
            return [{**WORKERS, "count": number, "placement": placement}]

        assert mistakes(node_groups=wanted(count)) == []
        path, message, hint = only(node_groups=wanted(count + 1))
        assert path == "node_groups[0].placement"
        assert "21 nodes would stand in one zone" in message
        assert "several groups" in hint

    def test_nodes_near_each_other_all_need_room_in_the_first_zone(self) -> None:
        network = {"vswitch_cidrs": ["10.64.0.0/28", "10.64.1.0/24"]}
        near = [{**WORKERS, "count": 18, "placement": "low_latency"}]
        path, message, _ = only(node_groups=near, network=network)
        assert path == "network.vswitch_cidrs[0]"
        assert "too small" in message


def test_a_limit_of_the_price_is_for_spot_instances() -> None:
    path, _, hint = only(node_groups=[{**WORKERS, "spot": {"max_price": 2.5}}])
    assert path == "node_groups[0].spot.max_price"
    assert "enabled: true" in hint


def test_one_way_to_log_in_is_enough() -> None:
    path, _, _ = only(access={"key_pair": "laptop", "public_key": "ssh-ed25519 AAAA me@home"})
    assert path == "access.public_key"


def test_a_public_key_looks_like_one() -> None:
    _, message, _ = only(access={"public_key": "-----BEGIN OPENSSH PRIVATE KEY-----"})
    assert "is not a public key of SSH" in message


@pytest.mark.parametrize(
    ("name", "gpu", "rdma"),
    [
        ("ecs.gn7i-c8g1.2xlarge", True, False),
        ("ecs.ebmgn8v.48xlarge", True, True),
        ("ecs.g7.large", False, False),
        ("ecs.g8i.large", False, True),
        ("ecs.vgn6i-m4.xlarge", True, False),
        ("ecs.sgn7i-vws-m2.xlarge", True, False),
        ("ecs.c9i.large", False, False),
    ],
)
def test_what_families_have(name: str, gpu: bool, rdma: bool) -> None:
    assert (has_gpu(name), has_erdma(name)) == (gpu, rdma)
    assert family_of(name) == name.rsplit(".", 1)[0].split("-")[0]
