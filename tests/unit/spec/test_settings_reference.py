from __future__ import annotations

import subprocess
import sys
from pathlib import Path

TOOL = Path(__file__).parents[3] / "tools" / "describe_settings.py"


def test_the_reference_is_that_of_the_spec_and_names_fields_that_the_api_has() -> None:
    done = subprocess.run([sys.executable, str(TOOL), "--check"], capture_output=True, text=True, timeout=110)
    assert done.returncode == 0, done.stderr
