from __future__ import annotations

import warnings
from collections.abc import Callable
from pathlib import Path

import pytest
from fake_cloud import FakeCloud

from steelyard.deploy import AlicloudProvider, Stack
from steelyard.deploy.report import Result

with warnings.catch_warnings():
    # The SDK warns of its own deprecated classes as it is imported, module by module.
    warnings.simplefilter("ignore", DeprecationWarning)
    AlicloudProvider(endpoint="", access_key_id="", access_key_secret="", region_id="").preload()


@pytest.fixture
def cloud() -> FakeCloud:
    return FakeCloud()


@pytest.fixture
def stack(tmp_path: Path) -> Stack:
    return Stack(tmp_path / "state", project="steelyard", name="test")


@pytest.fixture
def up(stack: Stack, cloud: FakeCloud) -> Callable[..., Result]:
    """Run `stack.up` on the fake cloud."""

    def run(program: Callable[[], object]) -> Result:
        return stack.up(program, cloud)

    return run
