from __future__ import annotations

import itertools
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import pytest
from fake_cloud import FakeCloud

from steelyard.deploy import AlicloudProvider, Stack
from steelyard.deploy.engine import run as engine_run
from steelyard.deploy.report import Result

# The SDK is imported module by module, and its loader must not be met by several threads first.
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


@pytest.fixture
def let_hang(monkeypatch: pytest.MonkeyPatch) -> Callable[[Callable[[], bool]], None]:
    """Say from when on a program hangs: hours pass then and no time before, however slow the machine is."""

    def let(has_begun: Callable[[], bool]) -> None:
        hours = itertools.count()
        clock = SimpleNamespace(monotonic=lambda: 3600.0 * next(hours) if has_begun() else 0.0)
        monkeypatch.setattr(engine_run, "time", clock)

    return let
