"""Small files of a cloud's folder that are written in one step: a kill leaves the old one or the new one."""

from __future__ import annotations

import json
import secrets
import shlex
from contextlib import suppress
from pathlib import Path
from typing import TypeVar

from steelyard.errors import LocalCloudError

Kept = TypeVar("Kept")


def write_kept(path: Path, text: str) -> None:
    """Write a file, readable by its owner alone, in place of the one that was there; its folder is made if missing.

    Raises:
        LocalCloudError: The system refuses it.
    """
    # Others may be writing the file at the same moment, each its own draft.
    draft = path.with_suffix(f".{secrets.token_hex(4)}.draft")
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        draft.touch(mode=0o600)
        draft.write_text(text + "\n", encoding="utf-8")
        draft.replace(path)
    except OSError as err:
        with suppress(OSError):
            draft.unlink()
        raise unusable(path, err) from err


def load_kept(path: Path, kind: type[Kept]) -> Kept:
    """Read what was kept as a JSON object of a class's fields; the class's default where nothing was.

    Raises:
        LocalCloudError: The file cannot be read, or holds something else.
    """
    try:
        return kind(**json.loads(path.read_text(encoding="utf-8")))
    except FileNotFoundError:
        return kind()
    except OSError as err:
        raise unusable(path, err) from err
    except (TypeError, ValueError) as err:
        raise LocalCloudError(
            f"{path} is damaged: {err}",
            hint="delete it, and say again what `steelyard cloud start` was asked for, such as --host",
        ) from err


def unusable(path: Path, err: OSError) -> LocalCloudError:
    """Tell that the system does not let a file or a folder be used."""
    return LocalCloudError(
        f"{err.filename or path} cannot be used: {err.strerror or err}",
        hint="see to it, or let the local cloud have another folder: --data DIR, or $STEELYARD_HOME",
    )


def stop_hint(data_dir: Path) -> str:
    """Say how the cloud of a folder is stopped."""
    return f"stop it first: steelyard cloud stop --data {shlex.quote(str(data_dir))}"
