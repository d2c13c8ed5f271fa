"""A stack of a user's own Pulumi project on the local cloud."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import AbstractContextManager, suppress
from pathlib import Path
from typing import Any

from steelyard.cluster.home import Home
from steelyard.cluster.local_target import LocalTarget
from steelyard.cluster.price import HourlyPrice, ask_price
from steelyard.deploy import OnStep, Result, Stack
from steelyard.deploy.project import Project, load_config, stack_names
from steelyard.deploy.project.stack_file import Passphrase
from steelyard.deploy.report import Secret
from steelyard.errors import UsageError
from steelyard.spec.model import DEFAULT_REGION

NEW_STACK = "local"
"""Name of the stack of a project that has no stack file."""

_REGION = "alicloud:region"


class ProjectStack:
    """One stack of a project: what it asks for, and what stands of it on the local cloud.

    Args:
        home: Where its state lies.
        project: The project.
        stack: Name of the stack.
        passphrase: Gives the passphrase of its secrets.
    """

    def __init__(self, home: Home, project: Project, stack: str, passphrase: Passphrase) -> None:
        self._project = project
        self._passphrase = passphrase
        self._target = LocalTarget(home=home)
        self._folder = home.project_dir(project.name, stack)
        self._stack = Stack(self._folder, project=project.name, name=stack)

    @property
    def name(self) -> str:
        """Project and stack."""
        return f"{self._project.name}/{self._stack.name}"

    def preview(self, on_step: OnStep | None, *, refresh: bool = False) -> Result:
        """Tell what `up` would do, and change nothing.

        Args:
            on_step: Called with every step.
            refresh: Whether the cloud is asked first how its resources are.

        Raises:
            UsageError: The stack's configuration is wrong.
            DeployError: The program cannot be applied here; a type that is not covered is named.
        """
        config = self._config()
        with self._target.visit():
            provider = self._target.provider(_region(config))
            return self._stack.preview(
                self._project.program, provider, config=config, on_step=on_step, refresh=refresh
            )

    def visit(self) -> AbstractContextManager[None]:
        """Leave the cloud at the end of the block as it was found, running or not."""
        return self._target.visit()

    def price(self, foreseen: Result) -> HourlyPrice:
        """Ask what the stack would cost by the hour.

        Args:
            foreseen: What a preview found.

        Raises:
            ResourceError: The cloud does not answer.
        """
        with self.visit():
            api = self._target.api(_region(self._config()), urn=self.name)
            return ask_price(api, foreseen.planned, cluster=self._project.name)

    def up(self, on_step: OnStep | None) -> Result:
        """Bring the local cloud to what the program declares.

        The program is previewed first, so that what is not covered is named before anything is created.

        Raises:
            UsageError: The stack's configuration is wrong.
            ResourceError: The cloud refused a resource; what stands is remembered.
            DeployError: The program cannot be applied here.
        """
        config = self._config()
        with self._target.occupy():
            provider = self._target.provider(_region(config))
            self._stack.preview(self._project.program, provider, config=config)
            return self._stack.up(self._project.program, provider, config=config, on_step=on_step)

    def refresh(self, on_step: OnStep | None) -> Result:
        """Bring what is remembered to what the cloud says; nothing in the cloud changes.

        Raises:
            UsageError: Nothing stands.
            ResourceError: The cloud refused to tell of a resource.
        """
        self._require_standing()
        with self._target.use():
            return self._stack.refresh(self._target.provider(DEFAULT_REGION), on_step=on_step)

    def _require_standing(self) -> None:
        if not self._folder.exists():
            raise UsageError(f"nothing stands of {self.name}", "`steelyard up --program` brings it up")

    def down(self, on_step: OnStep | None) -> Result:
        """Delete all that stands, and stop the local cloud when nothing else stands on it.

        Neither the program nor its configuration is needed for it.

        Raises:
            UsageError: Nothing stands.
            ResourceError: The cloud refused a deletion; what is left is remembered.
        """
        self._require_standing()
        with self._target.use():
            result = self._stack.destroy(self._target.provider(DEFAULT_REGION), on_step=on_step)
        self._stack.remove()
        with suppress(OSError):  # another command may have begun, and another stack of the project may stand
            self._folder.rmdir()
            self._folder.parent.rmdir()
        self._target.leave()
        return result

    def outputs(self) -> Mapping[str, Any]:
        """Return the program's exports, secrets hidden."""
        return {name: output.value for name, output in sorted(self._stack.outputs().items())}

    def _config(self) -> dict[str, str | Secret]:
        return load_config(self._project, self._stack.name, self._passphrase)


def stack_named(project: Project, name: str | None) -> str:
    """Return the stack that a call means: the one named, the only one with a file, or `local` where none has.

    Raises:
        UsageError: Several have one.
    """
    names = stack_names(project)
    if name is None and len(names) > 1:
        raise UsageError(
            f"the project {project.name} has {len(names)} stacks: {', '.join(names)}", "name one with --stack"
        )
    return name or (names[0] if names else NEW_STACK)


def passphrase_from(environment: Mapping[str, str], *, name: str, file_name: str) -> Passphrase:
    """Return what looks a passphrase up where the Pulumi CLI does: in a variable, then in a file.

    Args:
        environment: The environment.
        name: Variable that holds the passphrase.
        file_name: Variable that names the file that holds it.
    """

    def look_up() -> str | None:
        if name in environment:
            return environment[name]
        path = environment.get(file_name)
        if not path:
            return None
        try:
            return Path(path).read_text(encoding="utf-8").rstrip("\r\n")
        except OSError as err:
            raise UsageError(f"{file_name} names {path}: {err.strerror}") from err

    return look_up


def _region(config: Mapping[str, str | Secret]) -> str:
    region = config.get(_REGION)
    if not region:
        raise UsageError(
            f"{_REGION} is not set, and the provider has no default",
            "add `alicloud:region: cn-hangzhou` to the stack's config",
        )
    return region.value if isinstance(region, Secret) else region
