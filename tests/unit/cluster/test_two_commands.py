"""Two commands at once that change one cluster, or look at one that goes."""

from __future__ import annotations

import threading
from pathlib import Path
from typing import Any

import pytest

from steelyard.cluster import Cluster, Home
from steelyard.cluster.record import ClusterRecord
from steelyard.errors import StackLockedError, UnhealthyError
from steelyard.spec import ClusterSpec

NAME = "twice"


def cluster(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, *, region: str, up: Any) -> Cluster:
    """Return a cluster whose `up` is what a test says."""
    made = Cluster(Home(root=tmp_path), ClusterSpec(name=NAME, region=region))
    monkeypatch.setattr(made._deployment, "up", lambda program, on_step, refresh: up())
    return made


def test_a_second_up_or_down_leaves_what_is_remembered_to_the_first(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    has_begun, gate = threading.Event(), threading.Event()

    def deploy() -> None:
        has_begun.set()
        assert gate.wait(60)

    first = cluster(tmp_path, monkeypatch, region="cn-hangzhou", up=deploy)
    second = cluster(tmp_path, monkeypatch, region="cn-shanghai", up=lambda: None)
    path = first.home.record_path(NAME)
    thread = threading.Thread(target=first.up, args=(lambda step: None,))
    thread.start()
    try:
        assert has_begun.wait(60)
        before = path.read_text()
        for command in (second.up, second.down, second.refresh):
            with pytest.raises(StackLockedError, match="'twice' is locked by process"):
                command(lambda step: None)
        assert path.read_text() == before
    finally:
        gate.set()
        thread.join()

    record = ClusterRecord.load(path)
    assert record is not None
    assert (record.spec.region, record.is_settled) == ("cn-hangzhou", True)


def test_a_record_that_goes_as_it_is_looked_for_is_none(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "cluster.json"
    monkeypatch.setattr(Path, "exists", lambda self: True)
    assert ClusterRecord.load(path) is None


def test_a_record_that_goes_as_it_is_read_is_none(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "cluster.json"
    ClusterRecord.new(ClusterSpec(name=NAME)).save(path)
    read_text = Path.read_text

    def read_late(self: Path, **options: Any) -> str:
        text = read_text(self, **options)
        ClusterRecord.remove(path)
        return text

    monkeypatch.setattr(Path, "read_text", read_late)
    assert ClusterRecord.load(path) is None


def test_who_waits_for_the_nodes_is_told_of_a_cluster_that_is_taken_down(tmp_path: Path) -> None:
    with pytest.raises(UnhealthyError, match="cluster twice was taken down"):
        Cluster(Home(root=tmp_path), ClusterSpec(name=NAME)).wait_until_healthy(timeout_s=30)
