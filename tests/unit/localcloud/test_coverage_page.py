from __future__ import annotations

import subprocess
import sys
from pathlib import Path

TOOL = Path(__file__).parents[3] / "tools" / "describe_coverage.py"


def test_the_page_of_what_is_served_is_that_of_the_services() -> None:
    done = subprocess.run([sys.executable, str(TOOL), "--check"], capture_output=True, text=True, timeout=110)
    assert done.returncode == 0, done.stderr
