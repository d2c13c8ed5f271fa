"""`--nodes MIN:MAX` says how few nodes may go on."""

from __future__ import annotations

from pathlib import Path

import pytest

from steelyard.cli.train import _check_checkpoint, _node_counts, checkpoint_place, train
from steelyard.errors import UsageError


def test_a_range_gives_the_fewest_and_the_most() -> None:
    assert _node_counts(None, "2:3") == {"min_nodes": 2, "num_nodes": 3}
    assert _node_counts(3, None) == {"num_nodes": 3}
    assert _node_counts(None, None) == {"num_nodes": None}


@pytest.mark.parametrize("nodes", ["3", "3:2", "0:2", ":2", "2:", "a:b", "-1:2"])
def test_what_is_no_range_is_refused_with_the_form(nodes: str) -> None:
    with pytest.raises(UsageError) as caught:
        _node_counts(None, nodes)
    assert nodes in caught.value.message
    assert "--nodes MIN:MAX" in caught.value.hint


def test_a_range_and_a_number_are_one_too_many() -> None:
    with pytest.raises(UsageError, match="beside --num-nodes 2"):
        _node_counts(2, "1:2")


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ((None, 10, None), "say nothing without --checkpoint"),
        ((None, None, 2), "say nothing without --checkpoint"),
        (("s3://bucket/x", 5, None), "'s3://bucket/x'"),
    ],
)
def test_checkpoints_need_a_place_that_every_node_can_reach(
    arguments: tuple[object, ...], words: str
) -> None:
    with pytest.raises(UsageError, match=words):
        _check_checkpoint(*arguments)  # type: ignore[arg-type]


@pytest.mark.parametrize("place", ["/mnt/nas/run-1", "oss://bucket", "oss://bucket/a/b"])
def test_a_folder_and_a_bucket_are_such_places(place: str) -> None:
    _check_checkpoint(place, 10, 2)


def test_a_name_alone_is_one_in_the_clusters_own_store() -> None:
    assert checkpoint_place("run-1", "oss://kept/checkpoints/") == "oss://kept/checkpoints/run-1"
    assert checkpoint_place("run-1", "/mnt/demo-checkpoints") == "/mnt/demo-checkpoints/run-1"
    assert checkpoint_place("/mnt/run-1", "oss://kept") == "/mnt/run-1"
    assert checkpoint_place(None, "oss://kept") is None
    with pytest.raises(UsageError, match="'run-1', and the cluster has no store") as refused:
        checkpoint_place("run-1", None)
    assert "checkpoints:" in refused.value.hint


@pytest.mark.parametrize("seconds", [0.5, 0.0, -1.0, float("nan")])
def test_a_peer_timeout_that_every_step_would_reach_is_refused(seconds: float, tmp_path: Path) -> None:
    script = tmp_path / "train.py"
    script.write_text("")
    with pytest.raises(UsageError, match="--peer-timeout-s is"):
        train(script, peer_timeout_s=seconds)


@pytest.mark.parametrize("option", ["num_nodes", "nproc_per_node", "checkpoint_every", "checkpoint_keep"])
def test_a_count_below_one_is_refused_by_the_name_of_its_option(option: str, tmp_path: Path) -> None:
    script = tmp_path / "train.py"
    script.write_text("")
    with pytest.raises(UsageError, match=f"--{option.replace('_', '-')} is 0") as refused:
        train(script, checkpoint="/mnt/nas/run-1", **{option: 0})  # type: ignore[arg-type]
    assert "1 or more" in refused.value.hint
