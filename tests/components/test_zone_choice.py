"""Where a cluster stands that names no zones."""

from __future__ import annotations

import pytest
from recording_monitor import Offer, Recording, record

from steelyard.components.program import declare
from steelyard.errors import DeployError
from steelyard.spec import ClusterSpec

GPU, CPU = "ecs.gn7i-c8g1.2xlarge", "ecs.c7.large"
GROUPS = [
    {"name": "gpus", "instance_type": GPU, "count": 2},
    {"name": "cpus", "instance_type": CPU, "count": 1, "spot": {"enabled": True}},
]
AT_H, AT_I, AT_J, AT_K = (f"cn-hangzhou-{letter}" for letter in "hijk")


def declared(offer: Offer, **settings: object) -> Recording:
    spec = ClusterSpec.model_validate({"name": "demo", "node_groups": GROUPS, **settings})
    return record(lambda: declare(spec, "0" * 64), offer=offer)


def zones(recording: Recording) -> dict[str, str]:
    return {one.inputs["zoneId"]: one.inputs["cidrBlock"] for one in recording.of_type("vpc/switch:Switch")}


def calls(recording: Recording) -> list[dict[str, object]]:
    return [args for token, args in recording.calls if token.endswith(":getInstanceTypes")]


def test_with_stock_everywhere_they_are_the_first_two():
    recording = declared(Offer())
    assert zones(recording) == {AT_H: "10.64.0.0/20", AT_I: "10.64.16.0/20"}
    assert recording.shape() == declared(Offer(), zones=[AT_H, AT_I]).shape()
    assert [(one["instanceType"], one.get("spotStrategy")) for one in calls(recording)] == [
        (GPU, None),
        (CPU, "SpotAsPriceGo"),
    ]


def test_each_has_all_types_in_stock():
    recording = declared(Offer(stock={GPU: (AT_I, AT_J, AT_K), CPU: (AT_H, AT_J, AT_K)}))
    assert zones(recording) == {AT_J: "10.64.0.0/20", AT_K: "10.64.16.0/20"}
    balancer = recording.the("slb/applicationLoadBalancer:ApplicationLoadBalancer").inputs
    assert (balancer["masterZoneId"], balancer["slaveZoneId"]) == (AT_J, AT_K)


def test_a_cluster_that_stands_does_not_move():
    standing = {AT_K: "10.64.16.0/20", AT_J: "10.64.0.0/20"}
    recording = declared(Offer(standing=standing, stock={GPU: (), CPU: ()}))
    assert zones(recording) == {AT_J: "10.64.0.0/20", AT_K: "10.64.16.0/20"}
    assert calls(recording) == []
    (lookup,) = (args for token, args in recording.calls if token.endswith(":getSwitches"))
    assert lookup == {"tags": {"steelyard:cluster": "demo"}}


def test_named_zones_are_taken_as_they_are():
    recording = declared(Offer(stock={GPU: (), CPU: ()}), zones=[AT_K])
    assert list(zones(recording)) == [AT_K]
    assert [token for token, _ in recording.calls if "Switches" in token or "Types" in token] == []


def test_one_zone_is_enough_for_a_classic_load_balancer_and_not_for_others():
    offer = Offer(stock={GPU: (AT_I, AT_J), CPU: (AT_J, AT_K)})
    assert zones(declared(offer)) == {AT_J: "10.64.0.0/20"}
    with pytest.raises(
        DeployError, match=f"gpus wants {GPU}, which {AT_I}, {AT_J} has; .* {AT_J}, {AT_K} has"
    ) as caught:
        declared(offer, load_balancer={"kind": "network", "listeners": [{"port": 8000, "protocol": "tcp"}]})
    assert "name `zones`" in (caught.value.hint or "")


def test_what_no_zone_has_is_told_before_anything_is_made():
    with pytest.raises(DeployError, match=f"too few zones of cn-hangzhou .* {CPU}, which no zone has"):
        declared(Offer(stock={CPU: ()}))
    with pytest.raises(DeployError, match="too few zones"):
        declared(Offer(stock={GPU: (AT_J,)}), network={"vswitch_cidrs": ["10.64.0.0/24", "10.64.1.0/24"]})
