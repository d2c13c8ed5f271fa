"""Each example of a cluster file: what its preview lists is what `up` makes, and all of it goes."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from steelyard.cluster import Cluster, Home
from steelyard.deploy import Result
from steelyard.localcloud import daemon
from steelyard.spec import load_spec

FILES = sorted((Path(__file__).parents[2] / "examples").glob("*/cluster.yaml"))


@pytest.fixture
def home(tmp_path: Path) -> Iterator[Home]:
    place = Home(root=tmp_path / "home")
    yield place
    for name in place.clusters():
        Cluster.open(place, name).down(lambda step: None)
    assert daemon.status(place.cloud_dir) is None


def done(result: Result) -> set[tuple[str, str]]:
    """Return what was done, or would be, as (operation, URN)."""
    return {(step.op, step.urn) for step in result.steps if step.status == "done"}


@pytest.mark.slow
@pytest.mark.parametrize("file", FILES, ids=lambda file: file.parent.name)
def test_up_makes_what_preview_lists_and_nothing_else(file: Path, home: Home) -> None:
    cluster = Cluster(home, load_spec(file))
    foreseen = done(cluster.preview(lambda step: None))
    assert {op for op, _ in foreseen} == {"create"}
    assert done(cluster.up(lambda step: None)) == foreseen
    assert {op for op, _ in done(cluster.preview(lambda step: None))} == {"same"}
    gone = done(cluster.down(lambda step: None))
    assert gone == {("delete", urn) for _, urn in foreseen}
