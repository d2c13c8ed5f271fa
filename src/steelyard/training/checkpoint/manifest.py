"""The manifest: written last, it makes a checkpoint good, and tells a torn one from a whole one."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass

from steelyard.training.checkpoint.storage import FileFact, Storage

MANIFEST = "manifest.json"
"""Name of its file."""

_VERSION = 1
_NAME = re.compile(r"step-(\d{8,})-[0-9a-f]{8}")


@dataclass(frozen=True, kw_only=True)
class Manifest:
    """What a checkpoint consists of.

    Attributes:
        step: Steps made when it was taken.
        world_size: Workers that took part.
        files: Every file but this one.
    """

    step: int
    world_size: int
    files: Mapping[str, FileFact]

    @property
    def num_bytes(self) -> int:
        """Length of all files, in bytes."""
        return sum(fact.size for fact in self.files.values())

    def to_json(self) -> bytes:
        """Return it as its file holds it."""
        return json.dumps({"version": _VERSION, **asdict(self)}, indent=1).encode()

    @classmethod
    def from_json(cls, body: bytes) -> Manifest:
        """Read what `to_json` gave.

        Raises:
            ValueError: It is no manifest, or one of another version.
        """
        try:
            values = json.loads(body)
            if values.pop("version") != _VERSION:
                raise ValueError("it is of another version")
            files = {name: FileFact(**fact) for name, fact in values.pop("files").items()}
            return cls(files=files, **values)
        except (AttributeError, KeyError, TypeError) as error:
            raise ValueError(f"it lacks or has an unknown entry: {error}") from error


def checkpoint_name(step: int, token: str) -> str:
    """Return the name of a checkpoint.

    Args:
        step: Steps made.
        token: Eight hexadecimal digits of the process group that writes it: another one, such as one that
            was taken for dead, never writes into the same checkpoint.
    """
    return f"step-{step:08d}-{token}"


def by_age(storage: Storage) -> Sequence[tuple[int, str]]:
    """Return the step and the name of every checkpoint, good or torn, the newest first."""
    found = ((_NAME.fullmatch(name), name) for name in storage.names())
    return sorted(((int(match[1]), name) for match, name in found if match), reverse=True)


def read_manifest(storage: Storage, name: str) -> Manifest | str:
    """Return a checkpoint's manifest, or in words why there is none."""
    body = storage.read(f"{name}/{MANIFEST}")
    if body is None:
        return "it was not finished"
    try:
        return Manifest.from_json(body)
    except ValueError as error:
        return f"its manifest cannot be read: {error}"


def first_fault(storage: Storage, name: str, manifest: Manifest, *, part: int, num_parts: int) -> str:
    """Check one part of a checkpoint's files; empty where they are as they were written.

    Args:
        storage: Where it is kept.
        name: The checkpoint.
        manifest: Its manifest.
        part: Number of the part, from 0.
        num_parts: How many parts there are, one for each worker.
    """
    for key in sorted(manifest.files)[part::num_parts]:
        if fault := storage.fault(f"{name}/{key}", manifest.files[key]):
            return fault
    return ""


def prune(storage: Storage, *, num_kept: int) -> None:
    """Delete what is old: all but the newest good checkpoints, and torn ones that a good one has overtaken."""
    num_good = 0
    for _, name in by_age(storage):
        is_good = storage.exists(f"{name}/{MANIFEST}")
        if num_good and (not is_good or num_good >= num_kept):
            # Without its manifest first: what is left of a deletion cut short is not good.
            storage.delete(f"{name}/{MANIFEST}")
            storage.drop(name)
        num_good += is_good
