"""The local cloud's log file, kept within a bound while the cloud runs."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

LOG_NAME = "cloud.log"
MAX_LOG_BYTES = 4 << 20
"""Bytes of the log from which on it is moved to `cloud.log.1`: some 40,000 lines, hours of a busy cluster's calls."""


def keep_log_short(data_dir: Path, max_bytes: int = MAX_LOG_BYTES) -> bool:
    """Move the log to `cloud.log.1`, in place of what was there, if it has grown beyond its bound.

    It is copied and then emptied, not renamed: the cloud and what it starts hold the file open, all of them to append
    to it, and go on at its new beginning. What is written between the two steps is lost, and where the disk has no room
    for the copy, so is what the log held.

    Args:
        data_dir: The cloud's data folder.
        max_bytes: The bound.

    Returns:
        Whether it was moved.

    Raises:
        OSError: The log cannot be emptied.
    """
    path = data_dir / LOG_NAME
    try:
        if path.stat().st_size <= max_bytes:
            return False
    except FileNotFoundError:
        return False
    kept, draft = path.with_suffix(".log.1"), path.with_suffix(".log.draft")
    try:
        shutil.copyfile(path, draft)
        draft.chmod(0o600)
        draft.replace(kept)
    except OSError:
        draft.unlink(missing_ok=True)
    os.truncate(path, 0)
    return True
