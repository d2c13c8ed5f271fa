"""The bind shim: keeps every port of Ray and of training processes on the node's private address."""

from __future__ import annotations

import hashlib
import logging
import os
import shutil
import subprocess
import sys
import tempfile
from importlib import resources
from pathlib import Path

logger = logging.getLogger(__name__)

_COMPILE_TIMEOUT_S = 30.0


def compile_shim(folder: Path) -> Path | None:
    """Compile the bind shim into a folder, once for each version of its source.

    Args:
        folder: Where the library goes; made where it is not there.

    Returns:
        The library for `LD_PRELOAD`, or None where this machine has no C compiler or cannot use the library: Ray's
        ports are then open on every interface, and its token is what guards them.
    """
    compiler = shutil.which("cc")
    if compiler is None or not sys.platform.startswith("linux"):
        return None
    source = resources.files("steelyard.node").joinpath("bind_shim.c").read_bytes()
    library = folder / f"bind_shim-{hashlib.sha256(source).hexdigest()[:16]}.so"
    if library.exists():
        return library
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.NamedTemporaryFile(dir=folder, suffix=".so", delete=False) as output:
        unfinished = Path(output.name)
    try:
        subprocess.run(
            [compiler, "-O2", "-shared", "-fPIC", "-x", "c", "-o", str(unfinished), "-", "-ldl"],
            input=source,
            capture_output=True,
            check=True,
            timeout=_COMPILE_TIMEOUT_S,
        )
        os.replace(unfinished, library)  # another node on this machine may compile the same one
    except (subprocess.SubprocessError, OSError) as error:
        logger.warning("the bind shim was not compiled: %s", error)
        unfinished.unlink(missing_ok=True)
        return None
    return library
