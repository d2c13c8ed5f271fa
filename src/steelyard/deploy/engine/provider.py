"""The seam between the engine and the cloud: what a provider must do. It is only ever given plain values."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

Values = Mapping[str, Any]


@dataclass(frozen=True, kw_only=True)
class Rules:
    """How a resource type changes.

    Attributes:
        replace_keys: Inputs that cannot be changed in place.
        deletes_before_replace: Whether old and new cannot stand side by side.
        secret_outputs: Outputs that are secret whatever the program says.
    """

    replace_keys: frozenset[str] = frozenset()
    deletes_before_replace: bool = False
    secret_outputs: frozenset[str] = frozenset()


@dataclass(frozen=True, kw_only=True)
class Created:
    """A resource that now stands: the cloud's id, and its properties by wire name."""

    id: str
    outputs: Values


def _ignore(resource_id: str) -> None:
    """Stand in for `allocated` where nobody needs to know."""


def _never() -> bool:
    return False


@dataclass(frozen=True, kw_only=True)
class Operation:
    """What the engine tells a provider about the call at hand.

    Attributes:
        urn: The resource, for errors.
        timeout_s: How long the operation may take; None means the provider's own default.
        token: A client token: the same create sent again with it makes nothing new.
        allocated: To be called with the id as soon as the cloud has given it, so that a creation that fails
            later is remembered.
        is_cancelled: Tells a waiter that the run is to end.
    """

    urn: str
    timeout_s: float | None = None
    token: str = ""
    allocated: Callable[[str], None] = field(default=_ignore)
    is_cancelled: Callable[[], bool] = field(default=_never)


class Provider(Protocol):
    """Makes, reads, changes and deletes the resources of one Pulumi package.

    Every method may be called from several threads at once. Failures are raised as `ResourceError`.
    """

    @property
    def package(self) -> str:
        """The Pulumi package, such as `alicloud`."""
        ...

    @property
    def config(self) -> Values:
        """The configuration of the default provider; a changed value in `replace_keys` replaces all it made."""
        ...

    def preload(self) -> None:
        """Import the SDK's modules: its lazy loader must not be met by several threads first."""
        ...

    def configured(self, config: Values) -> Provider:
        """Return this provider with the settings of an explicit one in the program."""
        ...

    def rules(self, type_token: str) -> Rules:
        """Return how a type changes.

        Raises:
            DeployError: If the type is not supported, naming the nearest that are.
        """
        ...

    def check(self, type_token: str, inputs: Values) -> None:
        """Look at a resource's inputs, which may hold unknowns, before anything is done.

        Raises:
            DeployError: If the type cannot be given such inputs.
        """
        ...

    def create(self, type_token: str, name: str, inputs: Values, operation: Operation) -> Created:
        """Make a resource and wait until it is ready."""
        ...

    def read(self, type_token: str, resource_id: str, operation: Operation) -> Values | None:
        """Return a resource's properties, None where the cloud has no such resource."""
        ...

    def update(
        self, type_token: str, resource_id: str, old: Values, new: Values, operation: Operation
    ) -> Values:
        """Change a resource in place from the old inputs to the new; return its properties."""
        ...

    def delete(self, type_token: str, resource_id: str, inputs: Values, operation: Operation) -> None:
        """Delete a resource and wait until it is gone; one that is gone already is no error."""
        ...

    def invoke(self, token: str, args: Values) -> Values:
        """Answer a function of the package, such as `alicloud:index/getZones:getZones`."""
        ...
