"""A local cloud that kills itself (SIGKILL) at a chosen point; it is run as the module is, by `--data DIR` and so on.

Once the file `crash` is in its folder, with a number in it, the points that it comes by are counted: before and after
each commit, each fork of a supervisor and order to one, each file that takes its name and each folder that is removed.
At the one of that number it dies.
"""

from __future__ import annotations

import os
import shutil
import signal
import sys
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

from steelyard.localcloud import __main__ as cloud
from steelyard.localcloud.hosts.link import SupervisorLink
from steelyard.localcloud.store import Store

ORDER_NAME = "crash"


def main() -> int:
    order = Path(sys.argv[sys.argv.index("--data") + 1]) / ORDER_NAME
    num_points = 0

    def pass_point() -> None:
        nonlocal num_points
        with suppress(FileNotFoundError):
            text = order.read_text()
            num_points += 1
            if num_points == int(text or 0):
                os.kill(os.getpid(), signal.SIGKILL)
                signal.pause()

    def around(call: Callable[..., Any]) -> Callable[..., Any]:
        def run(*arguments: Any, **settings: Any) -> Any:
            pass_point()
            answer = call(*arguments, **settings)
            pass_point()
            return answer

        return run

    end = Store.end

    def end_visibly(store: Store, *, is_kept: bool) -> None:
        commits = is_kept and store._depth == 1 and store._has_written
        (around(end) if commits else end)(store, is_kept=is_kept)

    Store.end = end_visibly  # type: ignore[method-assign]
    for owner, name in (
        (Path, "replace"),
        (Path, "rename"),
        (shutil, "rmtree"),
        (SupervisorLink, "order_end"),
    ):
        setattr(owner, name, around(getattr(owner, name)))
    fork = SupervisorLink.fork.__func__
    SupervisorLink.fork = classmethod(around(fork))  # type: ignore[method-assign, assignment]
    return cloud.main()


if __name__ == "__main__":
    sys.exit(main())
