"""A preview's price from the local cloud's own price API, and a budget that keeps a cluster from being created."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from steelyard.cli.up import up
from steelyard.cluster import Cluster, Home
from steelyard.errors import UsageError
from steelyard.localcloud import daemon
from steelyard.spec import ClusterSpec
from steelyard.spec.price import FEES, disk_price, instance_price

FAST, SLOW = "ecs.gn7i-c8g1.2xlarge", "ecs.gn6i-c4g1.xlarge"
GROUPS = [
    {"name": "fast", "count": 3, "instance_type": FAST},
    {"name": "slow", "count": 1, "instance_type": SLOW, "disk": {"size_gib": 40}},
]


@pytest.fixture
def cluster(tmp_path: Path) -> Iterator[Cluster]:
    spec = ClusterSpec.model_validate({"name": "demo", "node_groups": GROUPS, "network": {"egress": "nat"}})
    yield Cluster(Home(root=tmp_path), spec)
    assert daemon.status(tmp_path / "cloud") is None, "the cloud was left as it was found"


def amount(price: object) -> float:
    found = getattr(price, "amount", None)
    assert isinstance(found, float)
    return found


def test_a_preview_is_priced_by_the_clouds_table_which_says_that_it_estimates(cluster: Cluster) -> None:
    with cluster.visit():
        price = cluster.price(cluster.preview(lambda step: None))

    fast = 3 * (amount(instance_price(FAST)) + amount(disk_price("cloud_essd", 100)))
    slow = amount(instance_price(SLOW)) + amount(disk_price("cloud_essd", 40))
    lines = {line.name: line.amount for line in price.lines}
    assert lines == pytest.approx(
        {
            "fast": fast,
            "slow": slow,
            "load balancer": FEES["slb"].amount,
            "NAT gateway": FEES["nat"].amount,
            "public address": FEES["eip"].amount,
        },
        abs=1e-3,
    )
    assert "estimate" in price.note
    assert price.unpriced == ()


def test_a_cluster_over_its_budget_is_refused_before_anything_is_created(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("STEELYARD_HOME", str(tmp_path / "home"))
    file = tmp_path / "cluster.yaml"
    file.write_text("name: demo\nbudget: {max_hourly_cost: 10}\n")

    with pytest.raises(
        UsageError, match=r"would cost 1\d\.\d\d CNY an hour, more than the budget's 10\.00"
    ) as refused:
        up(file=file)

    assert refused.value.exit_code == 2
    assert Home(root=tmp_path / "home").clusters() == []
    assert daemon.status(tmp_path / "home" / "cloud") is None
