"""The `steelyard` command: finds the verb, runs it, and turns errors into one line and an exit code.

Exit codes: 0 done, 1 failed, 2 the call or the cluster file is wrong, 3 the cluster is unhealthy, 130 ctrl-C.
"""

from __future__ import annotations

import logging
import os
import signal
import sys
import traceback
from collections.abc import MutableMapping, Sequence

from cyclopts import App, CycloptsError
from rich.markup import escape

from steelyard import __version__
from steelyard.cli.console import stderr
from steelyard.errors import SteelyardError

app = App(
    name="steelyard",
    version=__version__,
    help=(
        "Load-balanced clusters for distributed AI training on Alibaba Cloud.\n\n"
        "With `--debug` any verb tells what it does, and where in the code an error comes from."
    ),
    help_format="markdown",
    result_action="return_value",
    suppress_keyboard_interrupt=False,
)
jobs = App(name="jobs", help="List, show, follow and cancel training jobs.")
cloud = App(name="cloud", help="Start, stop and inspect the local Alibaba Cloud.")

fault = App(
    name="fault",
    help=(
        "Make things go wrong on the local cloud.\n\n**Examples**\n\n`steelyard cloud fault kill i-3xmp1q0f`\n\n"
        "`steelyard cloud fault slow i-3xmp1q0f --share 0.25 --for 60`\n\n"
        "`steelyard cloud fault throttle 'Describe*' --times 3`\n\n`steelyard cloud fault clear`"
    ),
)

for verb in ("up", "preview", "refresh", "status", "down", "train", "demo"):
    app.command(f"steelyard.cli.{verb}:{verb}", name=verb)
for verb in ("list", "show", "logs", "cancel"):
    jobs.command(
        f"steelyard.cli.jobs:{verb}_jobs" if verb == "list" else f"steelyard.cli.jobs:{verb}_job", name=verb
    )
for verb in ("start", "stop", "status", "env"):
    cloud.command(f"steelyard.cli.cloud:{verb}_cloud", name=verb)
for verb in ("kill", "hang", "slow", "cut", "reclaim", "zone", "throttle", "fail", "stock", "list", "clear"):
    fault.command(f"steelyard.cli.cloud_fault:{verb}_fault", name=verb)
cloud.command(fault)
app.command(jobs)
app.command(cloud)


_AFTER_INTERRUPT = {
    "up": "`steelyard up` again goes on, `steelyard down` clears what stands",
    "down": "`steelyard down` again goes on",
    "cloud": "`steelyard cloud status` tells whether it runs, `steelyard cloud stop` ends it",
}
"""What to do next, by the verb that was broken off in what it was changing."""


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command line and exit."""
    words = list(sys.argv[1:] if arguments is None else arguments)
    is_debug = "--debug" in words[: words.index("--")] if "--" in words else "--debug" in words
    if is_debug:
        words.remove("--debug")
    logging.basicConfig(
        level=logging.DEBUG if is_debug else logging.ERROR, format="%(levelname)s %(name)s: %(message)s"
    )
    # A plain kill unwinds like ctrl-C, so that what a verb must clear is cleared.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    _keep_proxies_off_loopback(os.environ)
    sys.exit(_run(words, is_debug=is_debug))


def _keep_proxies_off_loopback(environment: MutableMapping[str, str]) -> None:
    """Keep calls of the local cloud off a proxy: the vendor's client sends even those through it otherwise."""
    for name in ("NO_PROXY", "no_proxy"):
        environment[name] = ",".join(filter(None, [environment.get(name), "127.0.0.0/8", "localhost"]))


def _run(words: list[str], *, is_debug: bool) -> int:
    try:
        _load_listed(words)
        result = app(words, exit_on_error=False, print_error=False)
    except CycloptsError as error:
        return _report(" ".join(str(error).split()), f"see `{_verb(words)} --help`", exit_code=2)
    except SteelyardError as error:
        if is_debug:
            traceback.print_exc()
        return _report(error.message, error.hint, exit_code=error.exit_code)
    except KeyboardInterrupt:
        return _report("interrupted", _AFTER_INTERRUPT.get("".join(words[:1]), ""), exit_code=130)
    except BrokenPipeError:
        return 0
    except OSError as error:
        if is_debug or error.filename is None:
            return _report_unforeseen(error, is_debug=is_debug)
        hint = "see that its folder is there, and that you may write there"
        return _report(f"{error.filename}: {error.strerror}", hint, exit_code=1)
    except Exception as error:  # noqa: BLE001 - the last resort of the command line
        return _report_unforeseen(error, is_debug=is_debug)
    return result if isinstance(result, int) else 0


def _verb(words: Sequence[str]) -> str:
    """Give the verb that was typed, as far as there is one."""
    group, verb = app, ["steelyard"]
    for word in words:
        if word.startswith("-") or word not in group:
            break
        verb.append(word)
        group = group[word]
    return " ".join(verb)


def _load_listed(words: Sequence[str]) -> None:
    """Load the verbs of a group whose list is asked for: what each does is written where it is."""
    group = app
    for word in words:
        if word.startswith("-"):
            break
        if word not in group or not isinstance(found := group[word], App):
            return
        group = found
    if group.default_command is None:
        for name in group:
            _ = group[name]


def _report_unforeseen(error: Exception, *, is_debug: bool) -> int:
    if is_debug:
        traceback.print_exc()
    return _report(
        f"{type(error).__name__}: {error}", "run again with --debug for the traceback", exit_code=1
    )


def _report(message: str, hint: str, *, exit_code: int) -> int:
    console = stderr()
    console.print(f"[bold red]error:[/] {escape(message)}")
    if hint:
        console.print(f"[dim]hint:[/] {escape(hint)}")
    return exit_code
