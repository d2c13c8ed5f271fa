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
