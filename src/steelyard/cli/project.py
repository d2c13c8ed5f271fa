"""`--program`: up, preview and down of a user's own Pulumi project."""

from __future__ import annotations

import os
import time
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Annotated, Any

from cyclopts import Parameter
from rich.markup import escape

from steelyard import settings
from steelyard.cli.console import OutputFormat, counted, print_json, print_record, stderr, stdout
from steelyard.cli.foreseen import foresee, print_price
from steelyard.cli.progress import DeployProgress
from steelyard.cli.target import home
from steelyard.cluster import ProjectStack
from steelyard.cluster.project_stack import passphrase_from, stack_named
from steelyard.deploy import Result
from steelyard.deploy.project import load_project
from steelyard.errors import UsageError

ProgramDir = Annotated[
    Path | None,
    Parameter(help="Folder of a Pulumi project of your own, in place of a cluster file.", name="--program"),
]
StackName = Annotated[
    str | None,
    Parameter(
        help="Stack of the project; the only one with a `Pulumi.<stack>.yaml` where it is not given.",
        name=["--stack", "-s"],
    ),
]


def require_one(program: Path | None, stack: str | None, other: object, other_name: str) -> None:
    """Refuse a call that names a program and a cluster, or a stack without a program.

    Raises:
        UsageError: Naming both.
    """
    if program is not None and other is not None:
        raise UsageError(f"--program and {other_name} name two things", "give one of them")
    if program is None and stack is not None:
        raise UsageError("--stack names a stack of a project", "give --program as well")


def up_project(program: Path, stack: str | None, *, output: OutputFormat) -> None:
    """Bring a project's stack up."""
    started = time.monotonic()
    wanted = _project_stack(program, stack)
    with DeployProgress() as progress:
        progress.say(f"[bold]{escape(wanted.name)}[/] on the local cloud")
        result = wanted.up(progress)
    seconds = time.monotonic() - started
    _print_messages(result)
    if output == "json":
        changes: dict[str, Any] = {"project": wanted.name, "changes": result.num_by_op}
        print_json({**changes, "outputs": wanted.outputs(), "seconds": round(seconds, 2)})
        return
    changed = ", ".join(f"{count} {op}" for op, count in sorted(result.num_by_op.items())) or "no resources"
    print_record("Outputs", wanted.outputs())
    stderr().print(f"up in {seconds:.1f} s: {changed}")


def preview_project(program: Path, stack: str | None, *, refresh: bool, output: OutputFormat) -> None:
    """Show what `up` would do with a project's stack."""
    wanted = _project_stack(program, stack)
    result, price = foresee(wanted, refresh=refresh, shows=True, shows_same=True)
    _print_messages(result)
    print_foreseen(wanted.name, "project", result, output=output, more={"price": price.as_dict()})
    if output == "text":
        print_price(price, stdout())


def down_project(program: Path, stack: str | None, *, output: OutputFormat) -> None:
    """Take a project's stack down."""
    standing = _project_stack(program, stack)
    with DeployProgress() as progress:
        result = standing.down(progress)
    if output == "json":
        print_json({"project": standing.name, "changes": result.num_by_op})
        return
    deleted = counted(result.num_by_op.get("delete", 0), "resource")
    stderr().print(f"{standing.name} is down: {deleted} deleted")


def refresh_project(program: Path, stack: str | None) -> tuple[str, Result]:
    """Bring what is remembered of a project's stack to what the cloud says; return its name and what was found."""
    standing = _project_stack(program, stack)
    with DeployProgress() as progress:
        return standing.name, standing.refresh(progress)


def print_foreseen(
    name: str,
    kind: str,
    result: Result,
    *,
    output: OutputFormat,
    more: Mapping[str, Any] = MappingProxyType({}),
) -> None:
    """Print what a preview found.

    Args:
        name: Of what was previewed.
        kind: What that is, the name's key in JSON.
        result: What the preview found.
        output: Form of what is printed on stdout.
        more: Further keys of the JSON.
    """
    if output == "json":
        steps = [
            {"op": step.op, "type": step.type, "name": step.name, "urn": step.urn, "diff": list(step.diff)}
            for step in result.steps
        ]
        print_json({kind: name, "changes": result.num_by_op, "steps": steps, **more})
        return
    changes = ", ".join(
        f"{count} to {op}" if op != "same" else f"{count} unchanged" for op, count in result.num_by_op.items()
    )
    stderr().print(f"{name}: {changes or 'nothing to do'}")


def _project_stack(program: Path, stack: str | None) -> ProjectStack:
    project = load_project(program)
    passphrase = passphrase_from(
        os.environ, name=settings.CONFIG_PASSPHRASE, file_name=settings.CONFIG_PASSPHRASE_FILE
    )
    return ProjectStack(home(), project, stack_named(project, stack), passphrase)


def _print_messages(result: Result) -> None:
    for message in result.messages:
        stderr().print(f"[dim]{message.severity}:[/] {escape(message.text)}")
