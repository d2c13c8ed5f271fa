"""`Pulumi.yaml`: what a project is called, what runs it, and what its settings default to."""

from __future__ import annotations

import re
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from steelyard.deploy.engine.process import ProcessProgram
from steelyard.errors import UsageError

PROJECT_FILES = ("Pulumi.yaml", "Pulumi.yml")

_NAME = re.compile(r"[A-Za-z0-9_.-]{1,100}")


@dataclass(frozen=True, kw_only=True)
class Project:
    """A Pulumi project whose programs are Python.

    Attributes:
        name: Its name; part of every URN.
        root: Folder of its `Pulumi.yaml`.
        config_dir: Folder of its stacks' files.
        program: What runs.
        settings: Its `config` section: key -> value, or a description with a `default` or a `value`.
    """

    name: str
    root: Path
    config_dir: Path
    program: ProcessProgram
    settings: Mapping[str, Any] = field(default_factory=dict)


def load_project(root: Path) -> Project:
    """Read the project of a folder.

    Raises:
        UsageError: If there is none, or it is none that can be run here.
    """
    root = root.resolve()
    path = next((root / name for name in PROJECT_FILES if (root / name).is_file()), None)
    if path is None:
        raise UsageError(f"{root} has no Pulumi.yaml", "name the folder of a Pulumi project")
    tree = read_mapping(path)
    name = str(tree.get("name", ""))
    require_name(name, f"the project's name in {path}")
    config_dir = root / str(tree.get("stackConfigDir") or ".")
    return Project(
        name=name,
        root=root,
        config_dir=config_dir,
        program=_program(root, tree, path),
        settings=tree.get("config") or {},
    )


def read_mapping(path: Path) -> Mapping[str, Any]:
    """Read a YAML file that holds a mapping.

    Raises:
        UsageError: If it holds something else.
    """
    try:
        tree = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (yaml.YAMLError, UnicodeDecodeError) as err:
        raise UsageError(f"{path} is not YAML: {' '.join(str(err).split())}") from err
    if tree is None:
        return {}
    if not isinstance(tree, dict):
        raise UsageError(f"{path} holds no mapping", "see Pulumi's documentation of the file")
    return tree


def require_name(name: str, label: str) -> None:
    """Refuse a name that Pulumi would refuse.

    Raises:
        UsageError: Naming it.
    """
    if not _NAME.fullmatch(name) or not name.strip("."):
        raise UsageError(
            f"{label} is {name!r}",
            "Pulumi allows up to 100 letters, digits, hyphens, underscores and periods",
        )


def _program(root: Path, tree: Mapping[str, Any], path: Path) -> ProcessProgram:
    runtime: Any = tree.get("runtime")
    options: Mapping[str, Any] = {}
    if isinstance(runtime, dict):
        runtime, options = runtime.get("name"), runtime.get("options") or {}
    if runtime != "python":
        raise UsageError(
            f"{path} has the runtime {runtime!r}", "only programs with `runtime: python` run here"
        )
    entry = (root / str(tree.get("main") or ".")).resolve()
    if not (entry.is_file() or (entry / "__main__.py").is_file()):
        raise UsageError(f"{entry} is no program", "put a __main__.py there, or name the file in `main`")
    return ProcessProgram(
        interpreter=_interpreter(root, options, path),
        folder=entry if entry.is_dir() else entry.parent,
        entry=entry,
        root=root,
    )


def _interpreter(root: Path, options: Mapping[str, Any], path: Path) -> Path:
    """Return the Python of the project's virtual environment; this one where the project names none."""
    if options.get("toolchain") == "poetry":
        raise UsageError(
            f"{path} has the toolchain 'poetry', whose environment only Poetry finds",
            "name the environment: `toolchain: pip` with `virtualenv: <folder>`",
        )
    named = options.get("virtualenv")
    if not named:
        return Path(sys.executable)
    interpreter = root / str(named) / "bin" / "python"
    if not interpreter.exists():
        raise UsageError(
            f"the virtual environment that {path} names is not there: {interpreter.parent.parent}",
            f"python3 -m venv {named} && {named}/bin/pip install -r requirements.txt, in {root}",
        )
    return interpreter
