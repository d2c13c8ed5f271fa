from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from steelyard.cluster import Cluster, Home, cluster
from steelyard.errors import ResourceError
from steelyard.spec import ClusterSpec


@pytest.mark.parametrize(
    ("url", "names", "moved_to"),
    [
        ("http://127.1.0.9:8000", {"127.1.0.9"}, None),
        ("http://127.1.0.9:8000", {"127.1.1.9"}, "127.1.1.9"),
        ("http://127.1.0.9:8000", set(), None),  # A classic one, whose address stays.
        (None, {"127.1.1.9"}, None),  # It was never brought up to its end.
    ],
)
def test_a_gateway_that_is_not_at_its_url_any_more_is_found(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, url: str | None, names: set[str], moved_to: str | None
) -> None:
    standing: Any = Cluster(Home(root=tmp_path), ClusterSpec(name="moved"))
    monkeypatch.setattr(standing, "outputs", lambda: {"gateway_url": url})
    monkeypatch.setattr(standing._deployment, "api", lambda: None)
    monkeypatch.setattr(cluster, "front_names", lambda api, standing: names)
    assert standing.moved_gateway() == moved_to


def test_a_load_balancer_that_others_deleted_is_told_with_the_mend(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(api: object, standing: object) -> set[str]:
        raise ResourceError("no such load balancer", code="ResourceNotFound.loadBalancer", status=404)

    standing: Any = Cluster(Home(root=tmp_path), ClusterSpec(name="gone"))
    monkeypatch.setattr(standing, "outputs", lambda: {"gateway_url": "http://127.1.0.9:8000"})
    monkeypatch.setattr(standing._deployment, "api", lambda: None)
    monkeypatch.setattr(cluster, "front_names", refuse)
    with pytest.raises(ResourceError) as caught:
        standing.moved_gateway()
    assert "`steelyard up --refresh`" in caught.value.hint
