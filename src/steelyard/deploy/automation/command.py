"""Where the Pulumi CLI is: on PATH, where Pulumi's installer puts it, or fetched by that installer."""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING

from steelyard.errors import DeployError

if TYPE_CHECKING:
    from pulumi.automation import PulumiCommand

MIN_VERSION = "3.181.0"
"""The oldest CLI that refreshes and destroys a stack of an inline program (Pulumi's SDK, `automation/_stack.py`)."""

_BY_HAND = "https://www.pulumi.com/docs/install/ tells how to install it"

MayInstall = Callable[[str], bool]
"""Told what would be installed and where, returns whether it may be."""


def find_command(*, may_install: MayInstall, home: Path | None = None) -> PulumiCommand:
    """Return the Pulumi CLI, installing it where there is none and that is allowed.

    Args:
        may_install: Asked once, where no CLI is found.
        home: Folder under which Pulumi's installer keeps its versions; the user's own where it is not given.

    Raises:
        DeployError: There is none, or only one that is too old or does not run.
    """
    version = metadata.version("pulumi")
    root = (home or Path.home()) / ".pulumi" / "versions" / version
    found = _look(None) or _look(root)
    if found is not None:
        return found
    if not may_install(f"install the Pulumi CLI {version} into {root} with Pulumi's own installer"):
        raise DeployError(
            f"target alicloud needs the Pulumi CLI, and there is none on PATH or in {root}", _BY_HAND
        )
    return _install(root)


def _look(root: Path | None) -> PulumiCommand | None:
    """Return the CLI of a folder, or of PATH; None where there is none.

    Raises:
        DeployError: It is too old, or does not run.
    """
    from pulumi.automation import InvalidVersionError, PulumiCommand
    from semver import VersionInfo

    place = str(root / "bin" / "pulumi") if root else "pulumi, found on PATH,"
    try:
        return PulumiCommand(root=str(root) if root else None, version=VersionInfo.parse(MIN_VERSION))
    except FileNotFoundError:
        return None
    except InvalidVersionError as err:
        raise DeployError(f"{place} is of a version that does not do: {err}", _BY_HAND) from err
    except (OSError, subprocess.CalledProcessError) as err:
        raise DeployError(f"{place} does not run: {err}", _BY_HAND) from err


def _install(root: Path) -> PulumiCommand:
    from pulumi.automation import PulumiCommand

    try:
        return PulumiCommand.install(root=str(root))
    except subprocess.CalledProcessError as err:
        said = (err.output or b"").decode(errors="replace").strip().splitlines()
        raise DeployError(f"Pulumi's installer failed: {said[-1] if said else err}", _BY_HAND) from err
    except OSError as err:
        raise DeployError(f"Pulumi's installer could not be fetched: {err}", _BY_HAND) from err
