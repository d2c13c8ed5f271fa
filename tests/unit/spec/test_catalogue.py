from __future__ import annotations

import re

import pytest

from steelyard.spec.catalogue import INSTANCE_TYPES, REGIONS


def test_each_region_has_zones_of_its_own() -> None:
    assert all(zones for zones in REGIONS.values())
    for region, zones in REGIONS.items():
        assert len(set(zones)) == len(zones)
        for zone in zones:
            assert re.fullmatch(rf"{region}(-[a-z]|[a-z])", zone)


def test_zones_are_spelled_as_the_api_does() -> None:
    assert REGIONS["cn-hangzhou"][:2] == ("cn-hangzhou-h", "cn-hangzhou-i")
    assert REGIONS["eu-central-1"] == ("eu-central-1a", "eu-central-1b", "eu-central-1c")


def test_types_are_known_by_their_names() -> None:
    for name, one in INSTANCE_TYPES.items():
        assert name == one.name
        assert re.fullmatch(r"ecs\.[a-z0-9-]+\.[a-z0-9]+", name)
        assert one.vcpus > 0
        assert one.memory_gib > 0
        assert one.imitated_speed > 0
        assert bool(one.gpu) == (one.num_gpus > 0)


def test_the_demo_mix_is_one_to_a_third() -> None:
    assert INSTANCE_TYPES["ecs.gn7i-c8g1.2xlarge"].imitated_speed == 1.0
    assert INSTANCE_TYPES["ecs.gn6i-c4g1.xlarge"].imitated_speed == pytest.approx(1 / 3)


def test_nobody_changes_it_by_accident() -> None:
    with pytest.raises(TypeError):
        REGIONS["cn-hangzhou"] = ()  # type: ignore[index]
