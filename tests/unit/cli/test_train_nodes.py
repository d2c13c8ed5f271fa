"""`--nodes MIN:MAX` says how few nodes may go on."""

from __future__ import annotations

import pytest

from steelyard.cli.train import _node_counts
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
