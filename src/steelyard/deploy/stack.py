"""A stack: one program's resources, their state, and the runs that change them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

from steelyard.deploy import urn as urns
from steelyard.deploy import values
from steelyard.deploy.engine import fleet
from steelyard.deploy.engine.deletion import Deletion, refuse_protected
from steelyard.deploy.engine.fleet import Fleet
from steelyard.deploy.engine.journal import Journal
from steelyard.deploy.engine.monitor import Engine, Monitor
from steelyard.deploy.engine.process import ProcessProgram, ProcessRun
from steelyard.deploy.engine.program import Program, ProgramRun
from steelyard.deploy.engine.program_context import ProgramContext
from steelyard.deploy.engine.provider import Provider
from steelyard.deploy.engine.refresh import Refresh
from steelyard.deploy.engine.registrar import Registrar
from steelyard.deploy.engine.reporter import Reporter
from steelyard.deploy.engine.run import Run
from steelyard.deploy.lock import StackLock
from steelyard.deploy.report import SECRET_TEXT, Message, OnStep, Output, Planned, Resource, Result, Secret
from steelyard.deploy.sealing import Sealer
from steelyard.deploy.state import State, StateFile, hidden
from steelyard.deploy.values import Properties
from steelyard.errors import DeployError

Config = Mapping[str, str | Secret]
"""The stack's configuration by full key, such as `steelyard:name`."""


class Stack:
    """Applies a Pulumi program without the Pulumi CLI, and remembers what stands.

    Args:
        directory: Where the state, its key and its lock lie; made where it is not there, for its owner alone.
        project: Name of the project.
        name: Name of the stack.
        parallel: How many resources may be worked on at once.
        idle_limit_s: After so many seconds in which the program calls nothing it is taken to hang.
    """

    def __init__(
        self, directory: Path, *, project: str, name: str, parallel: int = 32, idle_limit_s: float = 120.0
    ) -> None:
        self.directory = directory
        self.project = project
        self.name = name
        self.last_result: Result | None = None
        self._parallel = parallel
        self._idle_limit_s = idle_limit_s
        self._lock_path = directory / f"{project}.{name}.lock"
        self._key_path = directory / f"{project}.{name}.key"
        self._file = StateFile(
            directory / f"{project}.{name}.json", Sealer(self._key_path), project=project, stack=name
        )

    def preview(
        self,
        program: Program | ProcessProgram,
        provider: Provider,
        *,
        config: Config | None = None,
        on_step: OnStep | None = None,
        refresh: bool = False,
    ) -> Result:
        """Tell what `up` would do; nothing is created, changed or written.

        Args:
            program: An inline Pulumi program, called without arguments, or a project's own.
            provider: Answers for the cloud; only its functions and reads are used.
            config: The stack's configuration.
            on_step: Called with every step, one at a time, from any thread.
            refresh: Whether the cloud is asked first how its resources are; else the state is believed.

        Raises:
            DeployError: If the program cannot be applied.
        """
        journal = Journal(self._file.load(), None)
        if refresh:
            self._read_back(journal, provider)
        run = self._begin(journal, on_step, is_preview=True)
        return self._apply(run, program, provider, config or {})

    def up(
        self,
        program: Program | ProcessProgram,
        provider: Provider,
        *,
        config: Config | None = None,
        on_step: OnStep | None = None,
    ) -> Result:
        """Bring the cloud to what the program declares; the state is saved after every step.

        A run that failed or was broken off is taken up where it ended by running it again. `last_result` tells
        the steps of a run that raised.

        Args:
            program: An inline Pulumi program, called without arguments, or a project's own.
            provider: Makes the resources.
            config: The stack's configuration.
            on_step: Called with every step, one at a time, from any thread.

        Raises:
            StackLockedError: If another run holds the stack.
            ResourceError: If the cloud refused a resource; a `PutOffError` is raised when all the rest is done.
            DeployError: If the program cannot be applied.
            BaseException: What the program itself raised, as it was raised.
        """
        self._make_directory()
        with StackLock(self._lock_path, self.name):
            run = self._begin(Journal(self._file.load(), self._file), on_step, is_preview=False)
            return self._apply(run, program, provider, config or {})

    def refresh(self, provider: Provider, *, on_step: OnStep | None = None) -> Result:
        """Bring the state to what the cloud says: a resource that is gone is dropped, a changed input set down.

        Nothing in the cloud changes. The next preview shows the differences, the next `up` mends them.

        Args:
            provider: Reads the resources.
            on_step: Called with every step, one at a time: `delete` for one that is gone, `update` for one that has
                other inputs, `same`.

        Raises:
            StackLockedError: If another run holds the stack.
            ResourceError: If the cloud refused to tell of a resource; what it told of the others is kept.
        """
        self._make_directory()
        with StackLock(self._lock_path, self.name):
            journal = Journal(self._file.load(), self._file)
            run = self._begin(journal, on_step, is_preview=False)
            providers = Fleet(provider, journal, project=self.project, stack=self.name)

            def work() -> Properties:
                Refresh(run, providers).execute()
                return journal.state.outputs

            return self._conclude(run, work)

    def destroy(self, provider: Provider, *, on_step: OnStep | None = None) -> Result:
        """Delete all that the stack made, each after what depends on it.

        Args:
            provider: Deletes the resources; a resource that is gone already is no error.
            on_step: Called with every step, one at a time, from any thread.

        Raises:
            StackLockedError: If another run holds the stack.
            ResourceError: If the cloud refused a deletion; what could go is gone.
            DeployError: If a resource is protected.
        """
        self._make_directory()
        with StackLock(self._lock_path, self.name):
            journal = Journal(self._file.load(), self._file)
            run = self._begin(journal, on_step, is_preview=False)
            providers = Fleet(provider, journal, project=self.project, stack=self.name)
            return self._conclude(run, lambda: self._delete_all(run, providers))

    def outputs(self, *, show_secrets: bool = False) -> dict[str, Output]:
        """Return the exports of the last clean `up`; secrets are hidden unless they are asked for."""
        return _outputs(self._file.load().outputs, show_secrets=show_secrets)

    def resources(self) -> tuple[Resource, ...]:
        """Return what stands, by the state, in the order in which it was first made."""
        return tuple(
            Resource(
                urn=record.urn,
                type=record.type,
                name=record.name,
                id=record.id,
                parent=record.parent,
                outputs=hidden(record.outputs, SECRET_TEXT),
                is_half_made=record.is_half_made,
            )
            for record in self._file.load().resources.values()
            if not fleet.is_default(record)
        )

    def remove(self) -> None:
        """Remove the files of a stack that has nothing left.

        Raises:
            DeployError: If anything still stands.
            StackLockedError: If a run holds the stack.
        """
        if not self.directory.exists():
            return
        with StackLock(self._lock_path, self.name):
            state = self._file.load()
            num_left = len(state.resources) + len(state.superseded)
            if num_left:
                raise DeployError(f"stack {self.name!r} still has {num_left} resources", "destroy it first")
            for path in (self._file.path, self._file.log.path, self._key_path, self._lock_path):
                path.unlink(missing_ok=True)

    def _read_back(self, journal: Journal, provider: Provider) -> None:
        """Refresh a journal without a word."""
        run = self._begin(journal, None, is_preview=False)
        Refresh(run, Fleet(provider, journal, project=self.project, stack=self.name)).execute()

    def _begin(self, journal: Journal, on_step: OnStep | None, *, is_preview: bool) -> Run:
        return Run(
            project=self.project,
            stack=self.name,
            journal=journal,
            reporter=Reporter(on_step),
            is_preview=is_preview,
            parallel=self._parallel,
        )

    def _apply(
        self, run: Run, program: Program | ProcessProgram, provider: Provider, config: Config
    ) -> Result:
        texts = {key: value.value if isinstance(value, Secret) else value for key, value in config.items()}
        secret_keys = tuple(key for key, value in config.items() if isinstance(value, Secret))
        providers = Fleet(provider, run.journal, project=self.project, stack=self.name)
        registrar = Registrar(run, providers)
        monitor = Monitor(run, registrar, providers, config=texts, secret_keys=secret_keys)
        context = ProgramContext(
            run=run,
            monitor=monitor,
            engine=Engine(run),
            config=texts,
            secret_keys=secret_keys,
            idle_limit_s=self._idle_limit_s,
        )
        execution: ProgramRun | ProcessRun
        if isinstance(program, ProcessProgram):
            execution = ProcessRun(program, context)
        else:
            provider.preload()
            execution = ProgramRun(program, context)

        def work() -> Properties:
            execution.execute()
            Deletion(run, providers, registrar.finish()).execute()
            run.journal.set_outputs(monitor.outputs if run.is_preview else values.known(monitor.outputs))
            run.left.refuse()
            return monitor.outputs

        return self._conclude(run, work)

    def _delete_all(self, run: Run, providers: Fleet) -> Properties:
        state: State = run.journal.state
        records = [*state.superseded, *state.resources.values()]
        refuse_protected(records)
        Deletion(run, providers, records).execute()
        for urn in run.journal.forget_attempts():
            text = (
                "an earlier run broke off while it was being created: it may exist, under an id unknown here"
            )
            run.reporter.log(Message(severity="warning", text=text, urn=urn))
        run.journal.set_outputs({})
        return {}

    def _conclude(self, run: Run, work: Callable[[], Properties]) -> Result:
        """Do the work and keep its result, also when it fails."""
        outputs: Properties = {}
        error: BaseException | None = None
        try:
            outputs = work()
        except BaseException as err:
            error = err
            raise
        finally:
            self._file.sync()
            self.last_result = Result(
                steps=run.reporter.steps,
                outputs=_outputs(outputs, show_secrets=False),
                messages=run.reporter.messages,
                error=error,
                is_preview=run.is_preview,
                planned=_planned(run.journal.state) if run.is_preview and error is None else (),
            )
        return self.last_result

    def _make_directory(self) -> None:
        self.directory.mkdir(mode=0o700, parents=True, exist_ok=True)


def _planned(state: State) -> tuple[Planned, ...]:
    return tuple(
        Planned(urn=record.urn, type=record.type, name=record.name, inputs=hidden(record.inputs, SECRET_TEXT))
        for record in state.resources.values()
        if record.is_custom and not urns.is_provider(record.type) and not record.is_external
    )


def _outputs(properties: Properties, *, show_secrets: bool) -> dict[str, Output]:
    outputs = {}
    for name, value in properties.items():
        is_secret, is_known = values.has_secret(value), not values.has_unknown(value)
        shown = values.plain(value) if show_secrets else hidden({name: value}, SECRET_TEXT)[name]
        outputs[name] = Output(value=shown if is_known else None, is_secret=is_secret, is_known=is_known)
    return outputs
