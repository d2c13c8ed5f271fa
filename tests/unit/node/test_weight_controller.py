from __future__ import annotations

import asyncio
import json
from argparse import ArgumentTypeError
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import pytest
from prometheus_client import CollectorRegistry

from steelyard.errors import GatewayError, NodeError
from steelyard.node.gateway.weight_gauges import WeightGauges
from steelyard.node.server_group import (
    ClassicServerGroup,
    NetworkServerGroup,
    server_group,
    server_group_name,
)
from steelyard.node.weight_controller import MIN_PAUSE_S, WeightController
from steelyard.product import Product


class ImaginedBalancer:
    """Answers as a classic load balancer's API does."""

    def __init__(self, **weights: int) -> None:
        self.weights = weights
        self.calls: list[str] = []
        self.refusal = ""

    def call(self, product: Product, action: str, params: Mapping[str, str]) -> Mapping[str, Any]:
        self.calls.append(f"{product.code}:{action}")
        assert params["VServerGroupId"] == "rsp-1"
        if action == self.refusal:
            raise NodeError(f"{action} was refused: Forbidden.RAM")
        if action == "SetVServerGroupAttribute":
            servers = json.loads(params["BackendServers"])
            assert {(one["Port"], one["Type"]) for one in servers} == {(8000, "ecs")}
            self.weights |= {one["ServerId"]: one["Weight"] for one in servers}
            return {}
        rows = [
            {"ServerId": one, "Port": 8000, "Weight": weight, "Type": "ecs"}
            for one, weight in self.weights.items()
        ]
        return {"BackendServers": {"BackendServer": rows}}


@dataclass(kw_only=True)
class Stage:
    """A controller, what it asks, and a clock that a test moves."""

    balancer: ImaginedBalancer
    registry: CollectorRegistry = field(default_factory=CollectorRegistry)
    jobs: list[dict[str, Any]] = field(default_factory=list)
    now: float = 1000.0
    is_ready: bool = True

    def __post_init__(self) -> None:
        group = ClassicServerGroup(self.balancer, "rsp-1")
        self.controller = WeightController(self, group, WeightGauges(self.registry), clock=lambda: self.now)

    async def call(self, method: str, *, timeout_s: float = 10.0, **arguments: Any) -> Any:
        assert method == "running"
        if not self.is_ready:
            raise GatewayError("this node is not ready", status=503)
        return self.jobs

    def train(self, *, turns: int = 3, pause_s: float = 2.0, **speeds: float) -> None:
        """Let a job make a step of such speeds before each turn."""
        for _ in range(turns):
            self.now += pause_s
            nodes = [{"node_id": one, "samples_per_s": speed} for one, speed in speeds.items()]
            event = {"time": self.now, "is_imitated": True, "nodes": nodes}
            self.jobs = [{"id": "job-1", "last_event": event}]
            asyncio.run(self.controller.turn())

    def shown(self, name: str, **labels: str) -> float | None:
        return self.registry.get_sample_value(name, labels)

    @property
    def num_set(self) -> int:
        return self.balancer.calls.count("slb:SetVServerGroupAttribute")


@pytest.fixture
def stage() -> Stage:
    return Stage(balancer=ImaginedBalancer(a=100, b=100))


def test_weights_follow_the_speed_and_are_shown(stage: Stage, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO")
    stage.train(turns=6, a=30.0, b=10.0)
    assert stage.balancer.weights == {"a": 100, "b": 33}
    assert stage.num_set == 1
    assert stage.shown("steelyard_load_balancer_weight", node_id="b") == 33
    assert stage.shown("steelyard_load_balancer_weight_errors_total") == 0
    assert "follow the imitated speed: b 100 -> 33" in caplog.text


def test_the_cloud_is_asked_at_most_once_in_ten_seconds(stage: Stage) -> None:
    stage.train(turns=60, pause_s=1.0, a=30.0, b=10.0)
    assert len([one for one in stage.balancer.calls if "Describe" in one]) <= 60 / MIN_PAUSE_S + 1
    for turn in range(60):
        stage.train(turns=1, pause_s=1.0, a=30.0, b=10.0 + 10.0 * (turn // 3 % 2))
    assert stage.num_set <= 60 / MIN_PAUSE_S + 1


def test_without_a_job_the_weights_are_looked_at_once_and_left(stage: Stage) -> None:
    for _ in range(30):
        stage.now += 2.0
        asyncio.run(stage.controller.turn())
    assert stage.balancer.calls == ["slb:DescribeVServerGroupAttribute"]
    assert stage.shown("steelyard_load_balancer_weight", node_id="a") == 100


def test_what_the_cloud_refuses_is_told_once_counted_and_tried_again(
    stage: Stage, caplog: pytest.LogCaptureFixture
) -> None:
    stage.balancer.refusal = "SetVServerGroupAttribute"
    stage.train(turns=30, a=30.0, b=10.0)
    assert stage.balancer.weights == {"a": 100, "b": 100}
    assert stage.shown("steelyard_load_balancer_weight_errors_total") == stage.num_set > 2
    assert caplog.text.count("Forbidden.RAM") == 1
    stage.balancer.refusal = ""
    stage.train(turns=6, a=30.0, b=10.0)
    assert stage.balancer.weights == {"a": 100, "b": 33}


def test_a_node_that_is_not_ready_asks_nothing(stage: Stage) -> None:
    stage.is_ready = False
    stage.train(a=30.0, b=10.0)
    assert stage.balancer.calls == []


def test_more_servers_than_a_call_takes_are_set_by_the_next_one() -> None:
    names = [f"i-{i}" for i in range(25)]
    stage = Stage(balancer=ImaginedBalancer(**dict.fromkeys(names, 100), a=100))
    speeds = {**dict.fromkeys(names, 1.0), "a": 2.0}
    stage.train(turns=6, **speeds)
    assert list(stage.balancer.weights.values()).count(50) == 20
    stage.train(turns=6, **speeds)
    assert list(stage.balancer.weights.values()).count(50) == 25


def test_a_network_load_balancer_is_read_page_by_page_and_set_by_fields() -> None:
    calls: list[tuple[str, dict[str, str]]] = []

    def row(name: str) -> dict[str, Any]:
        return {"ServerId": name, "ServerType": "Ecs", "Port": 8000, "Weight": 100, "Description": "mine"}

    class Pages:
        def call(self, product: Product, action: str, params: Mapping[str, str]) -> Mapping[str, Any]:
            calls.append((f"{product.code}:{action}", dict(params)))
            if "NextToken" in params:
                return {"Servers": [row("i-2")]}
            return {"Servers": [row("i-1")], "NextToken": "more"}

    group = NetworkServerGroup(Pages(), "sgp-1")
    members = group.members()
    assert [one.server_id for one in members] == ["i-1", "i-2"]
    group.set_weights(members[1:])
    assert calls[-1] == (
        "nlb:UpdateServerGroupServersAttribute",
        {
            "ServerGroupId": "sgp-1",
            "Servers.1.ServerId": "i-2",
            "Servers.1.Port": "8000",
            "Servers.1.Weight": "100",
            "Servers.1.ServerType": "Ecs",
            "Servers.1.Description": "mine",
        },
    )


def test_a_server_group_is_named_by_its_kind_and_id() -> None:
    assert server_group_name("network:sgp-1") == ("network", "sgp-1")
    assert isinstance(server_group("network", "sgp-1", ImaginedBalancer()), NetworkServerGroup)
    for text in ("rsp-1", "application:sgp-1", "classic:"):
        with pytest.raises(ArgumentTypeError, match="neither classic:ID nor network:ID"):
            server_group_name(text)
