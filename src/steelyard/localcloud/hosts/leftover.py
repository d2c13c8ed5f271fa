"""What a local cloud that has ended may have left in the kernel, besides processes; there should be nothing."""

from __future__ import annotations

import json
from collections.abc import Collection
from dataclasses import asdict
from pathlib import Path

from steelyard.localcloud.hosts.kernel import NetworkId, find_networks
from steelyard.localcloud.hosts.limit import remove_groups

CABLE_PREFIX = "syi"
"""How the names of instances' cables begin; none of them is ever in the machine's own network."""

_RECORD_NAME = "namespaces.json"


def record_networks(data_dir: Path, networks: Collection[NetworkId]) -> None:
    """Write down which network namespaces stand, in one step."""
    record = data_dir / _RECORD_NAME
    draft = record.with_suffix(".draft")
    draft.write_text(json.dumps([asdict(network) for network in networks]), encoding="utf-8")
    draft.replace(record)


def find_leftovers(data_dir: Path) -> list[str]:
    """Find network namespaces and links of a cloud that has ended, and remove its control groups.

    A namespace lives as long as a process is in it, holds it open or has it mounted, so all of these are looked at.

    Args:
        data_dir: The cloud's data folder, in which nothing runs any more.

    Returns:
        One text for each thing that is left.
    """
    record = data_dir / _RECORD_NAME
    try:
        networks = [NetworkId(**entry) for entry in json.loads(record.read_text(encoding="utf-8"))]
    except (OSError, ValueError):
        networks = []
    left = [f"network namespace {text}" for text in find_networks(networks)]
    if not left:
        record.unlink(missing_ok=True)
    links = Path("/sys/class/net").glob(f"{CABLE_PREFIX}*")
    return [*left, *(f"link {link.name}" for link in links), *remove_groups(data_dir)]
