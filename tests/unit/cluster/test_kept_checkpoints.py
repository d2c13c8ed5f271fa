from __future__ import annotations

import shutil
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from steelyard.cluster import Cluster, Home, cluster
from steelyard.cluster.record import ClusterRecord
from steelyard.errors import UsageError
from steelyard.spec import ClusterSpec
from steelyard.spec.checkpoints import CheckpointsSpec

BUCKET, FILE_SYSTEM = "alicloud:oss/bucket:Bucket", "alicloud:nas/fileSystem:FileSystem"


@dataclass
class Keeper:
    """A cluster that stands with a store for checkpoints, and what was deleted of it."""

    cluster: Any
    deleted: list[str] = field(default_factory=list)

    def down(self) -> None:
        self.cluster.down(lambda step: None)


@pytest.fixture
def keep(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Keeper]:
    def make(stores: dict[str, str], *, holds: bool, **settings: Any) -> Keeper:
        spec = ClusterSpec(name="kept", checkpoints=CheckpointsSpec(**settings))
        keeper = Keeper(Cluster(Home(root=tmp_path), spec))
        deployment = keeper.cluster._deployment
        keeper.cluster.home.stack_dir("kept").mkdir(parents=True)
        ClusterRecord(spec=spec, token="t", is_settled=True).save(keeper.cluster.home.record_path("kept"))
        monkeypatch.setattr(
            keeper.cluster, "_standing_ids", lambda kind: [stores[kind]] if kind in stores else []
        )
        monkeypatch.setattr(deployment, "api", lambda: None)
        monkeypatch.setattr(deployment, "down", lambda on_step: keeper.deleted.append("all"))
        monkeypatch.setattr(deployment, "leave", lambda: None)
        monkeypatch.setattr(cluster, "holds_anything", lambda api, bucket: holds)
        return keeper

    return make


def test_down_is_refused_in_the_same_words_whatever_keeps_the_checkpoints(
    keep: Callable[..., Keeper], tmp_path: Path
) -> None:
    refusals = []
    for kind, stores, told in [
        ("oss", {BUCKET: "kept-bucket"}, "bucket kept-bucket"),
        ("nas", {FILE_SYSTEM: "kept-files"}, "file system kept-files"),
    ]:
        keeper = keep(stores, holds=True, kind=kind)
        with pytest.raises(UsageError, match=told) as caught:
            keeper.down()
        assert keeper.deleted == []
        assert keeper.cluster.is_settled
        refusals.append((caught.value.message.replace(told, "STORE"), caught.value.hint))
        shutil.rmtree(tmp_path / "stacks")

    assert len(set(refusals)) == 1
    assert "`checkpoints.force_destroy`" in refusals[0][1]


@pytest.mark.parametrize(
    ("stores", "holds", "settings"),
    [
        ({BUCKET: "kept-bucket"}, False, {"kind": "oss"}),
        ({BUCKET: "kept-bucket"}, True, {"kind": "oss", "force_destroy": True}),
        ({FILE_SYSTEM: "kept-files"}, True, {"kind": "nas", "force_destroy": True}),
    ],
)
def test_down_takes_an_empty_bucket_and_whatever_the_file_gives_up(
    keep: Callable[..., Keeper], stores: dict[str, str], holds: bool, settings: dict[str, Any]
) -> None:
    keeper = keep(stores, holds=holds, **settings)
    keeper.down()
    assert keeper.deleted == ["all"]
