from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from steelyard.localcloud.cloud import Cloud
from steelyard.localcloud.identity import load_identity
from steelyard.localcloud.store import Store


@pytest.fixture
def bare_cloud(tmp_path: Path) -> Iterator[Cloud]:
    """A cloud without services, whose clock stands still, for tests of one part."""
    store = Store(tmp_path / "state.sqlite")
    yield Cloud(
        data_dir=tmp_path,
        store=store,
        identity=load_identity(store, "cn-hangzhou"),
        endpoint="127.0.0.1:1",
        clock=lambda: 1000.0,
        services=(),
    )
    store.close()
