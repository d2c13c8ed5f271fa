from __future__ import annotations

import json

import pytest

from steelyard.spec import ClusterSpec, SpecError
from steelyard.spec.config import read_config


def test_scalars_are_read_as_the_config_holds_them() -> None:
    spec = read_config({"name": "demo", "region": "cn-beijing", "gateway_port": "9000"})
    assert spec == ClusterSpec(name="demo", region="cn-beijing", gateway_port=9000)


def test_a_name_that_looks_like_a_number_stays_text() -> None:
    with pytest.raises(SpecError, match="`2026` is no name"):
        read_config({"name": "2026"})


def test_structures_are_read_as_json_or_as_they_are() -> None:
    groups = [{"name": "fast", "count": 3}]
    wanted = ClusterSpec(name="demo", node_groups=groups)
    assert read_config({"name": "demo", "node_groups": json.dumps(groups)}) == wanted
    assert read_config({"name": "demo", "node_groups": groups}) == wanted


def test_keys_may_carry_their_namespace() -> None:
    assert read_config({"steelyard:name": "demo"}) == ClusterSpec(name="demo")


def test_mistakes_are_told_by_their_config_keys() -> None:
    with pytest.raises(SpecError) as caught:
        read_config(
            {
                "steelyard:zones": '["cn-beijing-a"]',
                "steelyard:gateway_port": "http",
                "steelyard:network": "10.0.0.0/16",
                "steelyard:node_groups": '[{"name": "workers", "weight": 200}]',
                "steelyard:colour": "red",
            }
        )
    assert {one.path for one in caught.value.mistakes} == {
        "steelyard:name",
        "steelyard:zones[0]",
        "steelyard:gateway_port",
        "steelyard:network",
        "steelyard:node_groups[0].weight",
        "steelyard:colour",
    }
    assert {(one.line, one.column) for one in caught.value.mistakes} == {(0, 0)}
    assert "line" not in caught.value.message
    assert caught.value.exit_code == 2
