from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from fake_host import FakeHost
from scaling_cloud import ScalingCloud

from steelyard.localcloud.cloud import Cloud
from steelyard.localcloud.identity import load_identity
from steelyard.localcloud.services.ecs import state as ecs_state
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


@pytest.fixture
def host() -> FakeHost:
    """What runs the instances of `cloud`: nothing does."""
    return FakeHost()


@pytest.fixture
def cloud(tmp_path: Path, host: FakeHost, monkeypatch: pytest.MonkeyPatch) -> Iterator[ScalingCloud]:
    """A cloud with a network, for tests of scaling."""
    monkeypatch.setattr(ecs_state, "make_host", lambda data_dir: host)
    cloud = ScalingCloud(tmp_path, host)
    cloud.make_network()
    yield cloud
    cloud.close()
