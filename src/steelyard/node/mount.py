"""`python3 -m steelyard.node.mount DOMAIN FOLDER`: lets a node of the local cloud see a file system at a folder.

Nodes of the local cloud share the machine's files, and to mount takes rights that not everybody has there. So the
folder is a link to where the file system is on the machine. The cloud is asked first, as a mount asks NFS: it tells the
place to those alone whom the mount target lets in.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from steelyard import settings
from steelyard.errors import NodeError
from steelyard.metadata import ALIBABA_METADATA_URL, MetadataClient

_ITEM = "steelyard/mount-targets/"


def link_file_system(domain: str, folder: Path, environment: Mapping[str, str]) -> None:
    """Make a folder a link to a mount target's file system; it may be called any number of times.

    Args:
        domain: Host name of the mount target.
        folder: Where the node sees the file system; below the node's home, since the rest is every node's.
        environment: The environment variables, for the home and the way to the metadata service.

    Raises:
        NodeError: The mount target does not let the node in, or the folder cannot be the link.
    """
    home = Path(environment.get("HOME") or Path.home())
    folder = Path(os.path.normpath(folder))
    if not folder.is_relative_to(home) or folder == home:
        raise NodeError(
            f"{domain} cannot be mounted on {folder}: nodes of the local cloud share the machine's files",
            hint=f"mount it in the node's home, such as on {home / 'checkpoints'}",
        )
    client = MetadataClient(environment.get(settings.METADATA_URL) or ALIBABA_METADATA_URL)
    place = client.optional_item(_ITEM + domain)
    if place is None:
        raise NodeError(
            f"there is no mount target {domain} in this node's VPC", hint="was the file system deleted?"
        )
    if folder.is_symlink():
        folder.unlink()
    elif folder.exists():
        raise NodeError(f"{domain} cannot be mounted on {folder}: something is there already")
    folder.parent.mkdir(parents=True, exist_ok=True)
    folder.symlink_to(place)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command; returns its exit code."""
    parser = argparse.ArgumentParser(prog="python3 -m steelyard.node.mount", description=__doc__)
    parser.add_argument("domain", help="host name of the mount target")
    parser.add_argument("folder", type=Path, help="where the node sees the file system")
    options = parser.parse_args(arguments)
    try:
        link_file_system(options.domain, options.folder, os.environ)
    except NodeError as error:
        sys.stderr.write(f"error: {error.message}\n" + (f"hint: {error.hint}\n" if error.hint else ""))
        return error.exit_code
    return 0


if __name__ == "__main__":
    sys.exit(main())
