"""Which cluster a verb means: the one that is named, that of ./cluster.yaml, or the only one there is."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated

from cyclopts import Parameter
from rich.markup import escape

from steelyard.cli.consent import ask
from steelyard.cli.console import stderr
from steelyard.cluster import CloudAccess, Cluster, Home
from steelyard.spec import ClusterSpec, load_spec

DEFAULT_FILE = Path("cluster.yaml")

SpecFile = Annotated[
    Path | None,
    Parameter(help="The cluster file; ./cluster.yaml where it is not given.", name=["--file", "-f"]),
]


def home() -> Home:
    """Return the home that the environment names."""
    return Home.from_environment(os.environ)


def spec_from(file: Path | None) -> ClusterSpec:
    """Load the cluster file that a verb was given."""
    return load_spec(file or DEFAULT_FILE)


def cloud_access(*, yes: bool = False) -> CloudAccess:
    """Return the way to Alibaba Cloud that the environment names.

    Args:
        yes: Whether the Pulumi CLI may be installed without a question.
    """
    return CloudAccess(
        environment=dict(os.environ),
        may_install=lambda question: ask(question, yes=yes),
        say=lambda words: stderr().print(f"[dim]{escape(words)}[/]"),
    )


def cluster_named(name: str | None, *, yes: bool = False) -> Cluster:
    """Return the standing cluster that a verb means.

    Args:
        name: Its name, where it was given.
        yes: Whether the Pulumi CLI may be installed without a question.
    """
    place = home()
    if name is None and DEFAULT_FILE.exists():
        candidate = load_spec(DEFAULT_FILE).name
        if candidate in place.clusters():
            name = candidate
    return Cluster.open(place, name or place.only_cluster(), cloud_access(yes=yes))
