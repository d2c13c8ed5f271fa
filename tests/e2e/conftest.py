"""Clusters brought up by the command line, as a user would."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from command_line import CommandLine, clear


@pytest.fixture
def steelyard(tmp_path: Path) -> Iterator[CommandLine]:
    """A command line whose home is cleared at the end, whatever the test left there."""
    line = CommandLine(folder=tmp_path)
    yield line
    clear(line)


@pytest.fixture(scope="module")
def standing(tmp_path_factory: pytest.TempPathFactory) -> Iterator[CommandLine]:
    """A command line with a cluster of three healthy nodes, one of them slow; for tests that change nothing."""
    line = CommandLine(folder=tmp_path_factory.mktemp("standing"))
    line.write_spec(fast=2, slow=1)
    try:
        line("up")
        yield line
    finally:
        clear(line)
