"""A cluster's stack on the local cloud, applied by the embedded engine."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager

from steelyard.cluster.deployment import Program
from steelyard.cluster.home import Home
from steelyard.cluster.local_target import LocalTarget
from steelyard.deploy import OnStep, Output, Resource, Result, Stack
from steelyard.deploy.provider.api import Api
from steelyard.localcloud.hosts.choice import HostChoice


class LocalDeployment:
    """One stack of the project on the local cloud of a home.

    Args:
        home: Where the state and the cloud's data lie.
        project: Name of the Pulumi project.
        name: Name of the stack.
        region_id: Region that it stands in.
    """

    spends_money = False
    look_s = 0.25

    def __init__(self, home: Home, *, project: str, name: str, region_id: str) -> None:
        self._home = home
        self._name = name
        self._region_id = region_id
        self._target = LocalTarget(home=home)
        self._stack = Stack(home.stack_dir(name), project=project, name=name)

    @property
    def description(self) -> str:
        """Where the cluster stands, in words."""
        host = HostChoice.load(self._home.cloud_dir).name
        return f"the local cloud ({self._region_id}, {host} host)"

    def prepare(self) -> None:
        """Do nothing: the local cloud comes with the program."""

    def visit(self) -> AbstractContextManager[None]:
        """Leave the cloud at the end of the block as it was found, running or not."""
        return self._target.visit()

    def preview(self, program: Program, on_step: OnStep, *, refresh: bool) -> Result:
        """Tell what `up` would do, and change nothing."""
        with self.visit():
            provider = self._target.provider(self._region_id)
            return self._stack.preview(program, provider, on_step=on_step, refresh=refresh)

    def up(self, program: Program, on_step: OnStep, *, refresh: bool) -> Result:
        """Bring the cloud to what the program declares."""
        with self._target.use():
            provider = self._target.provider(self._region_id)
            if refresh:
                self._stack.refresh(provider)
            return self._stack.up(program, provider, on_step=on_step)

    def refresh(self, on_step: OnStep) -> Result:
        """Bring the state to what the cloud says."""
        with self._target.use():
            return self._stack.refresh(self._target.provider(self._region_id), on_step=on_step)

    def down(self, on_step: OnStep) -> Result:
        """Delete all that stands, and the state."""
        with self._target.use():
            result = self._stack.destroy(self._target.provider(self._region_id), on_step=on_step)
        self._stack.remove()
        return result

    def leave(self) -> None:
        """Stop the cloud when nothing stands on it any more."""
        self._target.leave()

    def outputs(self) -> Mapping[str, Output]:
        """Return the program's exports, secrets hidden."""
        return self._stack.outputs()

    def resources(self) -> Sequence[Resource]:
        """Return what stands."""
        return self._stack.resources()

    def api(self) -> Api:
        """Return what calls the cloud, started where it does not run."""
        return self._target.api(self._region_id, urn=self._name)
