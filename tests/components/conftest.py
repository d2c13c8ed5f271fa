from __future__ import annotations

import pytest
from recording_monitor import Recording, record

from steelyard.components.program import declare
from steelyard.spec import ClusterSpec

TOKEN = "f" * 64


@pytest.fixture(scope="session")
def demo() -> Recording:
    """What the smallest cluster file declares."""
    return record(lambda: declare(ClusterSpec(name="demo"), TOKEN))


@pytest.fixture(scope="session")
def behind_nat() -> Recording:
    """What a cluster declares whose nodes reach the Internet by a NAT gateway."""
    return record(lambda: declare(ClusterSpec(name="demo", network={"egress": "nat"}), TOKEN))


@pytest.fixture(scope="session")
def with_bucket() -> Recording:
    """What a cluster declares that keeps checkpoints in a bucket."""
    return record(lambda: declare(ClusterSpec(name="demo", checkpoints={"kind": "oss"}), TOKEN))


@pytest.fixture(scope="session")
def with_files() -> Recording:
    """What a cluster declares that keeps checkpoints on a file system."""
    spec = ClusterSpec(name="demo", target="alicloud", checkpoints={"kind": "nas"})
    return record(lambda: declare(spec, TOKEN))
