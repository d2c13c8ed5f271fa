"""Workers that several modules of tests share."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from gradient_service import GradientService


@pytest.fixture(scope="session")
def gradient_service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[GradientService]:
    """Three workers, started when a test first asks for them."""
    with GradientService(tmp_path_factory.mktemp("gradient_service"), 3) as service:
        yield service
