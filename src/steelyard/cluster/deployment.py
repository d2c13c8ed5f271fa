"""What a cluster asks of the place that it stands on, whichever it is."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from typing import Protocol

from steelyard.deploy import OnStep, Output, Resource, Result
from steelyard.deploy.provider.api import Api

Program = Callable[[], None]
"""The Pulumi program of a cluster."""


class Deployment(Protocol):
    """One cluster's stack on its target."""

    @property
    def description(self) -> str:
        """Where the cluster stands, in words."""
        ...

    @property
    def spends_money(self) -> bool:
        """Whether what is created there costs anything."""
        ...

    @property
    def look_s(self) -> float:
        """Seconds between two looks at the nodes."""
        ...

    def prepare(self) -> None:
        """Make sure that the target can be used, asking what has to be asked."""
        ...

    def visit(self) -> AbstractContextManager[None]:
        """Leave the target at the end of the block as it was found."""
        ...

    def preview(self, program: Program, on_step: OnStep, *, refresh: bool) -> Result:
        """Tell what `up` would do, and change nothing."""
        ...

    def up(self, program: Program, on_step: OnStep, *, refresh: bool) -> Result:
        """Bring the target to what the program declares."""
        ...

    def refresh(self, on_step: OnStep) -> Result:
        """Bring the state to what the cloud says."""
        ...

    def down(self, on_step: OnStep) -> Result:
        """Delete all that stands, and the state."""
        ...

    def leave(self) -> None:
        """Clear what nothing needs any more, after `down`."""
        ...

    def outputs(self) -> Mapping[str, Output]:
        """Return the program's exports, secrets hidden."""
        ...

    def resources(self) -> Sequence[Resource]:
        """Return what stands."""
        ...

    def api(self) -> Api:
        """Return what calls the cloud."""
        ...
