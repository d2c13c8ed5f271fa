from __future__ import annotations

import subprocess
import sys
import textwrap

TREE = """
import subprocess, sys, time
from steelyard.node import process_tree

process_tree.become_subreaper()
ignore = "import time, signal; signal.signal(signal.SIGTERM, signal.SIG_IGN)"
grandchild = ignore + "; print('up', flush=True); time.sleep(600)"
start = f"subprocess.Popen([sys.executable, '-S', '-c', {grandchild!r}], start_new_session=True)"
child = "import subprocess, sys; " + start
starter = subprocess.Popen([sys.executable, "-S", "-c", child], env={"MARK": "1"}, stdout=subprocess.PIPE)
assert starter.stdout.readline() == b"up\\n"
starter.wait()
found = process_tree.descendants()
print(len(found), len(process_tree.with_variable(found, "MARK")), len(process_tree.with_variable(found, "OTHER")))
print(process_tree.end_descendants(grace_s=0.1), process_tree.descendants())
"""


def test_a_process_that_left_its_session_and_ignores_sigterm_is_found_and_ended() -> None:
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(TREE)], capture_output=True, text=True, timeout=60
    )
    assert done.stderr == ""
    assert done.stdout.splitlines() == ["1 1 0", "[] []"]
