"""What each resource type of the provider must say of itself."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from typing import Any, ClassVar

from steelyard.deploy.engine.provider import Rules, Values
from steelyard.deploy.provider.api import Api
from steelyard.errors import ResourceError


class ResourceType(ABC):
    """One Pulumi resource type and the API calls behind it.

    Attributes:
        token: The Pulumi type token.
        create_only: Inputs that cannot be changed in place: a change replaces the resource.
        changeable: Inputs that `update` changes in place. There are no other inputs: one that is in neither set is
            refused, since leaving it out in silence would deploy something else than was asked for.
        deletes_before_replace: Whether old and new cannot stand side by side.
    """

    token: ClassVar[str]
    create_only: ClassVar[frozenset[str]]
    changeable: ClassVar[frozenset[str]] = frozenset()
    deletes_before_replace: ClassVar[bool] = False

    @property
    def rules(self) -> Rules:
        """How the engine is to change it."""
        return Rules(replace_keys=self.create_only, deletes_before_replace=self.deletes_before_replace)

    @abstractmethod
    def create(self, api: Api, inputs: Values) -> str:
        """Make it, wait until it is ready, return its id; `api.operation.allocated` is told the id first."""

    @abstractmethod
    def read(self, api: Api, resource_id: str) -> Values | None:
        """Return its properties by Pulumi's wire names; None, or a not-found refusal, where it is not there."""

    def update(self, api: Api, resource_id: str, old: Values, new: Values) -> None:
        """Change it in place."""
        raise AssertionError(f"{self.token} has no input that changes in place")

    @abstractmethod
    def delete(self, api: Api, resource_id: str, inputs: Values) -> None:
        """Delete it and wait until it is gone; a not-found refusal means that it is."""


def wire(inputs: Values, names: Mapping[str, str]) -> dict[str, Any]:
    """Return the inputs that are set under the API's names.

    Args:
        inputs: The inputs by Pulumi's names.
        names: Pulumi's name -> the API's.
    """
    return {api_name: inputs[name] for name, api_name in names.items() if inputs.get(name) is not None}


def nested(inputs: Values, names: Mapping[str, str], label: str) -> dict[str, Any]:
    """Return the inputs of a nested object that are set under the API's names.

    Args:
        inputs: The object's inputs by Pulumi's names.
        names: Pulumi's name -> the API's.
        label: What the object is called in errors.

    Raises:
        ResourceError: For an input that would have to be left out.
    """
    unknown = sorted(name for name, value in inputs.items() if value is not None and name not in names)
    if unknown:
        raise ResourceError(
            f"{label} has the input {unknown[0]!r}, which the embedded provider does not support",
            f"it has {', '.join(sorted(names))}",
        )
    return wire(inputs, names)


def changes(old: Values, new: Values, names: Mapping[str, str]) -> dict[str, Any]:
    """Return what differs under the API's names; an input that was taken away is sent as empty text."""
    return {
        api_name: "" if new.get(name) is None else new[name]
        for name, api_name in names.items()
        if old.get(name) != new.get(name)
    }


def shown(answer: Mapping[str, Any], names: Mapping[str, str]) -> dict[str, Any]:
    """Return an answer's fields under Pulumi's names.

    Args:
        answer: The API's answer.
        names: Pulumi's name -> the API's.
    """
    return {name: answer[api_name] for name, api_name in names.items() if answer.get(api_name) is not None}


def wait_gone(api: Api, is_there: Callable[[], bool], label: str) -> None:
    """Wait until a resource is no longer there; a not-found refusal from the look passes through.

    Args:
        api: Tells how long and how often to look.
        is_there: Looks once.
        label: What the resource is called in errors.
    """
    api.wait(lambda: None if is_there() else True, what=f"deletion of {label}")
