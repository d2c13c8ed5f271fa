from __future__ import annotations

import pytest

from steelyard.cluster import Cluster, Home, NodeStatus
from steelyard.cluster.cluster import UnhealthyError
from steelyard.spec import ClusterSpec


@pytest.fixture
def cluster(tmp_path):
    return Cluster(Home(root=tmp_path), ClusterSpec(name="waiting"))


def test_the_wait_ends_when_every_node_is_healthy(cluster, monkeypatch):
    looks = iter(
        [[NodeStatus(id="i-1", state="Running")], [NodeStatus(id="i-1", state="Running", health="normal")]]
    )
    monkeypatch.setattr(cluster, "nodes", lambda: next(looks))
    seen: list[bool] = []

    cluster.wait_until_healthy(timeout_s=30, on_look=lambda nodes: seen.append(nodes[0].is_healthy))

    assert seen == [False, True]


def test_a_node_that_was_taken_back_is_named_at_once_with_the_mend(cluster, monkeypatch):
    nodes = [NodeStatus(id="i-gone"), NodeStatus(id="i-1", state="Running", health="normal")]
    monkeypatch.setattr(cluster, "nodes", lambda: nodes)

    with pytest.raises(UnhealthyError, match="i-gone of 2 nodes") as caught:
        cluster.wait_until_healthy(timeout_s=3600)

    assert "steelyard up --refresh" in caught.value.hint


def test_a_node_that_stopped_is_ill_however_the_load_balancer_still_finds_it(cluster, monkeypatch):
    nodes = [NodeStatus(id="i-dead", state="Stopped", health="normal")]
    monkeypatch.setattr(cluster, "nodes", lambda: nodes)
    monkeypatch.setattr(cluster, "outputs", lambda: {"node_ids": ["i-dead"]})

    with pytest.raises(UnhealthyError, match="i-dead of 1 nodes") as caught:
        cluster.wait_until_healthy(timeout_s=3600)

    assert "`steelyard up --refresh` starts what stopped again" in caught.value.hint


def test_a_scaled_node_that_stopped_is_left_to_its_scaling_group(cluster, monkeypatch):
    dead = NodeStatus(id="i-scaled", state="Stopped", health="abnormal")
    looks = iter([[dead], [NodeStatus(id="i-new", state="Running", health="normal")]])
    monkeypatch.setattr(cluster, "nodes", lambda: next(looks))
    monkeypatch.setattr(cluster, "outputs", lambda: {"node_ids": ["i-1"]})

    cluster.wait_until_healthy(timeout_s=30)
