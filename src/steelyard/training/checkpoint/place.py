"""Where checkpoints are kept: a folder, or a bucket of OSS."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from steelyard.errors import UsageError
from steelyard.training.checkpoint.folder import FolderStorage
from steelyard.training.checkpoint.storage import Storage

_OSS_SCHEME = "oss://"


def storage_at(place: str | Path, environment: Mapping[str, str]) -> Storage:
    """Return the storage that a path or an ``oss://BUCKET/PREFIX`` names.

    Args:
        place: A folder, made where it is not there, or a bucket and a prefix in it.
        environment: The environment variables, for the way to OSS.

    Raises:
        UsageError: If it is neither.
    """
    text = str(place)
    if text.startswith(_OSS_SCHEME):
        # Imported here: the vendor's client takes half a second, which a folder does without.
        from steelyard.training.checkpoint.oss import oss_at

        return oss_at(text.removeprefix(_OSS_SCHEME), environment)
    if "://" in text or not text:
        raise UsageError(
            f"checkpoints cannot be kept at {text!r}", "give the path of a folder, or oss://BUCKET/PREFIX"
        )
    return FolderStorage(Path(text).expanduser().absolute())
