"""The files that a cluster file names are read before anything starts, and only where they are needed."""

from __future__ import annotations

from pathlib import Path

import pytest

from steelyard.cluster import Cluster, Home
from steelyard.errors import UsageError
from steelyard.spec import ClusterSpec


def cluster(folder: Path, **tls: str) -> Cluster:
    spec = ClusterSpec.model_validate({"name": "named", "load_balancer": {"tls": tls}})
    return Cluster(Home(root=folder), spec)


def test_a_file_that_is_not_there_is_told_before_up(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"tls\.ca_file: .*ca\.pem cannot be read: No such file"):
        cluster(tmp_path, ca_file=str(tmp_path / "ca.pem")).check_files()


def test_a_file_that_is_gone_keeps_nothing_from_being_taken_down(tmp_path: Path) -> None:
    cluster(tmp_path, ca_file=str(tmp_path / "ca.pem")).prepare()


def test_a_bundle_of_authorities_may_have_comments_in_any_language(tmp_path: Path) -> None:
    bundle = tmp_path / "ca.pem"
    bundle.write_text("# NetLock Főtanúsítvány\n", encoding="utf-8")
    cluster(tmp_path, ca_file=str(bundle)).check_files()
