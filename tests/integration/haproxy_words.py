"""What HAProxy says of a configuration."""

from __future__ import annotations

import subprocess
from pathlib import Path

from steelyard.localcloud.proxy.binary import find_haproxy
from steelyard.localcloud.proxy.config import ProxyConfig, render_config
from steelyard.localcloud.proxy.health import render_state


def warnings_of(config: ProxyConfig, directory: Path) -> list[str]:
    """Let HAProxy read a configuration, with a hand-over and without, and give what it warns of."""
    path, state = directory / "haproxy.cfg", directory / "servers.state"
    state.write_text(render_state(config, {}))
    warnings = []
    for doors in ("", "lb-1"):
        path.write_text(render_config(config, str(state), doors=doors))
        done = subprocess.run([find_haproxy(), "-c", "-f", path], capture_output=True, text=True)
        assert done.returncode == 0, done.stderr
        warnings += [line for line in done.stderr.splitlines() if "WARNING" in line]
    return [line for line in warnings if "changed from server-state" not in line]
