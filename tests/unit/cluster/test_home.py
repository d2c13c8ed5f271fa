"""What stands under a home, and which of it a call without a name means."""

from __future__ import annotations

from pathlib import Path

import pytest

from steelyard.cluster import Home
from steelyard.errors import UsageError


def test_where_nothing_stands_the_hint_is_to_bring_a_cluster_up(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="no cluster stands") as caught:
        Home(root=tmp_path).only_cluster()
    assert caught.value.hint == "`steelyard up` brings one up"


def test_where_only_a_program_stands_the_hint_names_it(tmp_path: Path) -> None:
    home = Home(root=tmp_path)
    folder = home.project_dir("shop", "local")
    folder.mkdir(parents=True)
    (folder / "shop.local.json").write_text("{}")
    with pytest.raises(UsageError, match="no cluster stands") as caught:
        home.only_cluster()
    assert "shop/local" in caught.value.hint
    assert "--program" in caught.value.hint
