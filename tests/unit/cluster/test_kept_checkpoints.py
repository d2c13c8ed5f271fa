from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from steelyard.cluster import Cluster, Home, cluster
from steelyard.cluster.record import ClusterRecord
from steelyard.errors import UsageError
from steelyard.spec import ClusterSpec
from steelyard.spec.checkpoints import CheckpointsSpec


@pytest.mark.parametrize("is_forced", [False, True])
@pytest.mark.parametrize("holds", [False, True])
def test_a_bucket_with_checkpoints_in_it_refuses_down_before_anything_is_deleted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, is_forced: bool, holds: bool
) -> None:
    checkpoints = CheckpointsSpec(kind="oss", force_destroy=is_forced)
    spec = ClusterSpec(name="kept", checkpoints=checkpoints)
    standing: Any = Cluster(Home(root=tmp_path), spec)
    deleted: list[str] = []
    standing.home.stack_dir("kept").mkdir(parents=True)
    ClusterRecord(spec=spec, token="t", is_settled=True).save(standing.home.record_path("kept"))
    monkeypatch.setattr(standing, "_standing_ids", lambda kind: ["kept-bucket"] if "Bucket" in kind else [])
    monkeypatch.setattr(standing._deployment, "api", lambda: None)
    monkeypatch.setattr(standing._deployment, "down", lambda on_step: deleted.append("all"))
    monkeypatch.setattr(standing._deployment, "leave", lambda: None)
    monkeypatch.setattr(cluster, "holds_anything", lambda api, bucket: holds)
    if is_forced or not holds:
        standing.down(lambda step: None)
        assert deleted == ["all"]
        return
    with pytest.raises(UsageError, match="kept-bucket") as caught:
        standing.down(lambda step: None)
    assert "`checkpoints.force_destroy`" in caught.value.hint
    assert deleted == []
    assert standing.is_settled
