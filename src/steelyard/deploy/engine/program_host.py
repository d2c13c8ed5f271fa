"""Runs a Pulumi project's program: the whole of a child process, in the project's own interpreter.

It is run as a file, never imported by Steelyard, and needs nothing but Python and the project's own Pulumi SDK. The
first line of its standard input is a JSON object with what it is to run; when the input ends, so does it: a child
whose parent is gone deploys nothing more. It runs the program as Pulumi's own language host does (pulumi's
`sdk/python/cmd/pulumi-language-python-exec`).
"""

from __future__ import annotations

import asyncio
import json
import logging
import os
import runpy
import sys
import threading
import traceback
from concurrent.futures import ThreadPoolExecutor
from typing import Any

NO_SDK_EXIT_CODE = 81
"""The interpreter has no Pulumi SDK."""


def main() -> int:
    """Run the program that the first line of standard input names; return the exit code."""
    lifeline = os.fdopen(os.dup(0), "rb", buffering=0)
    order = json.loads(_first_line(lifeline))
    # The program finds an empty input, and modules of its own folder, never those beside this file.
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
    sys.path[0] = order["folder"]
    sys.argv = [order["entry"]]
    threading.Thread(target=_end_with, args=(lifeline,), daemon=True).start()
    try:
        import pulumi.runtime
    except ImportError:
        return NO_SDK_EXIT_CODE
    pulumi.runtime.set_all_config(order["config"], order["secret_keys"])
    pulumi.runtime.configure(
        pulumi.runtime.Settings(
            project=order["project"],
            stack=order["stack"],
            monitor=order["address"],
            engine=order["address"],
            parallel=order["parallel"],
            dry_run=order["is_preview"],
            organization="organization",
            root_directory=order["root"],
        )
    )
    return _run(order)


def _first_line(file: Any) -> bytes:
    line = b""
    while not line.endswith(b"\n"):
        part = file.read(65536)
        if not part:
            raise SystemExit("the order broke off")
        line += part
    return line


def _end_with(lifeline: Any) -> None:
    while lifeline.read(1):
        pass
    os._exit(1)


def _run(order: dict[str, Any]) -> int:
    import pulumi

    loop = asyncio.new_event_loop()
    asyncio.set_event_loop(loop)
    loop.set_default_executor(ThreadPoolExecutor(order["parallel"]))
    # A failed resource leaves hundreds of futures that nobody awaits.
    logging.getLogger("asyncio").setLevel(logging.CRITICAL)

    def program() -> None:
        runpy.run_path(order["entry"], run_name="__main__")

    try:
        loop.run_until_complete(pulumi.runtime.run_in_stack(program))
    except pulumi.RunError as err:
        pulumi.log.error(str(err))
        return 1
    except Exception:  # noqa: BLE001  whatever the program raises is told to the parent
        pulumi.log.error(traceback.format_exc())
        return 1
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
    return 0


if __name__ == "__main__":
    sys.exit(main())
