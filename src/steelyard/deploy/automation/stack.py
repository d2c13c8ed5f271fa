"""A stack that the Pulumi CLI keeps, with the methods of the embedded one."""

from __future__ import annotations

import contextlib
import shutil
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from steelyard import settings
from steelyard.deploy import urn as urns
from steelyard.deploy import values
from steelyard.deploy.automation.event import EventTranslator
from steelyard.deploy.report import SECRET_TEXT, OnStep, Output, Resource, Result
from steelyard.deploy.state import hidden
from steelyard.errors import DeployError, ResourceError, StackLockedError

if TYPE_CHECKING:
    from pulumi.automation import CommandError, PulumiCommand
    from pulumi.automation import Stack as CliStack

_PROJECT_DIR = "pulumi"
_BACKEND_DIR = "pulumi-state"


class PulumiStack:
    """Applies a Pulumi program with the Pulumi CLI; its events are told as the embedded engine's steps are.

    Args:
        directory: Where the project file and, unless the environment names a backend, the state lie.
        project: Name of the project.
        name: Name of the stack.
        command: The Pulumi CLI.
        environment: What the CLI is told in variables: the cloud's key, the passphrase, the backend.
        region_id: Region of the provider.
    """

    def __init__(
        self,
        directory: Path,
        *,
        project: str,
        name: str,
        command: PulumiCommand,
        environment: Mapping[str, str],
        region_id: str,
    ) -> None:
        self.directory = directory
        self.project = project
        self.name = name
        self._command = command
        self._region_id = region_id
        backend_dir = directory / _BACKEND_DIR
        self._environment = {settings.BACKEND_URL: backend_dir.as_uri(), **environment}
        self._own_backend = backend_dir if settings.BACKEND_URL not in environment else None
        self._opened: CliStack | None = None

    def preview(
        self, program: Callable[[], None], *, on_step: OnStep | None = None, refresh: bool = False
    ) -> Result:
        """Tell what `up` would do; nothing in the cloud changes.

        Args:
            program: An inline Pulumi program, called without arguments.
            on_step: Called with every step, one at a time, from any thread.
            refresh: Whether the cloud is asked first how its resources are.

        Raises:
            DeployError: The program cannot be applied.
        """
        events = EventTranslator(on_step)
        with self._translated(events):
            self._configured().preview(program=program, refresh=refresh, on_event=events, color="never")
        return events.result(is_preview=True)

    def up(
        self, program: Callable[[], None], *, on_step: OnStep | None = None, refresh: bool = False
    ) -> Result:
        """Bring the cloud to what the program declares.

        Args:
            program: An inline Pulumi program, called without arguments.
            on_step: Called with every step, one at a time, from any thread.
            refresh: Whether the cloud is asked first how its resources are.

        Raises:
            StackLockedError: Another run holds the stack.
            ResourceError: The cloud refused a resource; what stands is remembered.
            DeployError: The program cannot be applied.
        """
        events = EventTranslator(on_step)
        with self._translated(events):
            done = self._configured().up(
                program=program, refresh=refresh, on_event=events, color="never", show_secrets=False
            )
        outputs = {name: _output(output.value, output.secret) for name, output in done.outputs.items()}
        return events.result(outputs=outputs)

    def refresh(self, *, on_step: OnStep | None = None) -> Result:
        """Bring the state to what the cloud says; nothing in the cloud changes.

        Raises:
            StackLockedError: Another run holds the stack.
            ResourceError: The cloud refused to tell of a resource.
        """
        events = EventTranslator(on_step)
        with self._translated(events):
            self._stack().refresh(on_event=events, color="never", show_secrets=False)
        return events.result()

    def destroy(self, *, on_step: OnStep | None = None) -> Result:
        """Delete all that the stack made.

        Raises:
            StackLockedError: Another run holds the stack.
            ResourceError: The cloud refused a deletion; what is left is remembered.
        """
        events = EventTranslator(on_step)
        with self._translated(events):
            self._stack().destroy(on_event=events, color="never", show_secrets=False)
        return events.result()

    def outputs(self) -> dict[str, Output]:
        """Return the exports of the last `up`, secrets hidden."""
        stacks = [item for item in self._recorded() if item["type"] == urns.STACK_TYPE]
        exports: Mapping[str, Any] = stacks[0].get("outputs") or {} if stacks else {}
        shown = hidden(exports, SECRET_TEXT)
        return {name: _output(shown[name], values.has_secret(value)) for name, value in exports.items()}

    def resources(self) -> tuple[Resource, ...]:
        """Return what stands, by the CLI's state."""
        return tuple(
            Resource(
                urn=item["urn"],
                type=item["type"],
                name=urns.name_of(item["urn"]),
                id=item.get("id") or "",
                parent=item.get("parent") or "",
                outputs=hidden(item.get("outputs") or {}, SECRET_TEXT),
                is_half_made=bool(item.get("initErrors")),
            )
            for item in self._recorded()
            if not urns.is_provider(item["type"]) and not item.get("delete")
        )

    def remove(self) -> None:
        """Remove a stack that has nothing left, and its files.

        Raises:
            DeployError: Something still stands.
        """
        with self._translated(EventTranslator(None)):
            self._stack().workspace.remove_stack(self.name)
        self._opened = None
        for folder in (self.directory / _PROJECT_DIR, self._own_backend):
            if folder is not None:
                shutil.rmtree(folder, ignore_errors=True)

    def _recorded(self) -> list[dict[str, Any]]:
        with self._translated(EventTranslator(None)):
            exported = self._stack().export_stack()
        resources: list[dict[str, Any]] = (exported.deployment or {}).get("resources") or []
        return resources

    def _stack(self) -> CliStack:
        """Return the CLI's stack, made where there is none yet."""
        if self._opened is None:
            from pulumi.automation import LocalWorkspace, ProjectSettings, Stack

            folder = self.directory / _PROJECT_DIR
            for place in (folder, self._own_backend):
                if place is not None:
                    place.mkdir(mode=0o700, parents=True, exist_ok=True)
            workspace = LocalWorkspace(
                work_dir=str(folder),
                env_vars=self._environment,
                project_settings=ProjectSettings(name=self.project, runtime="python"),
                pulumi_command=self._command,
            )
            self._opened = Stack.create_or_select(self.name, workspace)
        return self._opened

    def _configured(self) -> CliStack:
        """Return the CLI's stack with the provider's settings, which a run of the program takes."""
        from pulumi.automation import ConfigValue

        stack = self._stack()
        stack.set_config("alicloud:region", ConfigValue(value=self._region_id))
        return stack

    @contextlib.contextmanager
    def _translated(self, events: EventTranslator) -> Iterator[None]:
        """Turn the CLI's failure into an error with the cloud's own words."""
        from pulumi.automation import CommandError, ConcurrentUpdateError

        try:
            yield
        except ConcurrentUpdateError as err:
            raise StackLockedError(
                f"another run holds the stack {self.name!r}",
                "wait for it; where it was killed, `pulumi cancel` frees the stack",
            ) from err
        except CommandError as err:
            raise _failure(err, events) from err


def _failure(error: CommandError, events: EventTranslator) -> DeployError:
    failed = [step for step in events.result().steps if step.status == "failed"]
    if failed:
        first, *others = failed
        too = f"; so did {', '.join(step.name for step in others)}" if others else ""
        return ResourceError(
            f"{first.op} of {first.name} failed: {first.error}{too}",
            "what was done is remembered: the same command again goes on with the rest",
            urn=first.urn,
        )
    told = [message.text for message in events.result().messages if message.severity == "error"]
    lines = [line for line in str(error).splitlines() if line.strip()]
    return DeployError(
        f"the Pulumi CLI failed: {told[0] if told else _last_words(lines)}",
        "run again with --debug for all it said",
    )


def _last_words(lines: list[str]) -> str:
    """Return what the CLI said on its error output, the last part of the SDK's text."""
    return " ".join(line.removeprefix(" stderr:").strip() for line in lines[-3:])


def _output(value: object, is_secret: bool) -> Output:
    return Output(value=SECRET_TEXT if is_secret else value, is_secret=is_secret)
