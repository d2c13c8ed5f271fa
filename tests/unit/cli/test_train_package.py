"""What goes to the nodes of a script's folder."""

from __future__ import annotations

import io
import tarfile
from pathlib import Path

import pytest

from steelyard.cli.train import _package
from steelyard.cluster import Home


@pytest.mark.parametrize("script", ["train.py", "home/train.py"], ids=["beside the home", "in the home"])
def test_nothing_that_steelyard_keeps_is_sent(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, script: str
) -> None:
    home = Home(root=tmp_path / "home")
    monkeypatch.setenv("STEELYARD_HOME", str(home.root))
    for folder in (home.cloud_dir, home.stack_dir("demo"), home.project_dir("own", "dev")):
        folder.mkdir(parents=True)
        (folder / "kept.key").write_text("a key")
    (tmp_path / script).write_text("")
    with tarfile.open(fileobj=io.BytesIO(_package(tmp_path / script))) as archive:
        assert archive.getnames() == [".", "./train.py"]
