from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from steelyard.cluster import Cluster, Home
from steelyard.cluster.record import ClusterRecord
from steelyard.localcloud import daemon
from steelyard.spec import ClusterSpec


@pytest.mark.parametrize("moved_to", [None, "127.64.16.9"])
def test_the_gateways_are_called_where_the_load_balancer_is(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, moved_to: str | None
) -> None:
    home, spec = Home(root=tmp_path), ClusterSpec(name="moved")
    cluster: Any = Cluster(home, spec)
    monkeypatch.setattr(cluster, "_record", lambda: ClusterRecord(spec=spec, token="t", is_settled=True))
    monkeypatch.setattr(cluster, "outputs", lambda: {"gateway_url": "http://127.64.0.9:8000"})
    monkeypatch.setattr(cluster, "moved_gateway", lambda: moved_to)
    monkeypatch.setattr(daemon, "status", lambda data_dir: "it runs")
    with cluster.gateway() as gateway:
        assert gateway.url == f"http://{moved_to or '127.64.0.9'}:8000"
