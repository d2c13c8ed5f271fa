"""What a product of the cloud is made of: a `Service` with its `@action`s.

A product lives in `services/<code>/`: `actions.py` holds one subclass of `Service`, `models.py` its records,
`errors.py` its error codes and texts.
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass
from typing import ClassVar, Protocol, TypeVar, runtime_checkable

from steelyard.localcloud.cloud import Cloud
from steelyard.localcloud.request import Request, dry_run_passed
from steelyard.localcloud.wire.error import ApiError

__all__ = ["ActionSpec", "ApiError", "Request", "Service", "action", "dry_run_passed"]


@dataclass(frozen=True, kw_only=True)
class ActionSpec:
    """How a method serves an action.

    Attributes:
        name: The action.
        optional: Parameters that the schema calls required although the real API takes the call without them.
    """

    name: str
    optional: frozenset[str]


Handler = TypeVar("Handler", bound=Callable[..., "dict[str, object]"])

_SPEC = "__action_spec__"


def action(name: str, *, optional: Collection[str] = ()) -> Callable[[Handler], Handler]:
    """Mark a method of a `Service` as the server of an action.

    The method takes a `Request` and returns the answer's body by wire names (without `RequestId`); it may hold more
    than the action's answer has, and is cut to it. It runs under the cloud's one lock in a transaction, so it has to be
    quick: what takes long goes to a thread of the service, started by `Cloud.after_commit`.
    """

    def mark(handler: Handler) -> Handler:
        setattr(handler, _SPEC, ActionSpec(name=name, optional=frozenset(optional)))
        return handler

    return mark


@runtime_checkable
class Authorizer(Protocol):
    """A service that knows what temporary keys may do (ram)."""

    def authorize(self, product: str, request: Request) -> None:
        """Check that the caller may have a call carried out.

        Raises:
            ApiError: It may not.
        """


class Service:
    """Base of a product.

    Args:
        cloud: The cloud that it is a part of.
    """

    code: ClassVar[str]
    version: ClassVar[str]
    is_quick: ClassVar[bool] = False
    """Whether its actions, and what they leave to `Cloud.after_commit`, do nothing but read and write the state."""

    def __init__(self, cloud: Cloud) -> None:
        self.cloud = cloud

    @classmethod
    def handlers(cls) -> dict[str, tuple[ActionSpec, str]]:
        """Give the name of the serving method by action."""
        found: dict[str, tuple[ActionSpec, str]] = {}
        for attribute in dir(cls):
            spec = getattr(getattr(cls, attribute), _SPEC, None)
            if isinstance(spec, ActionSpec):
                found[spec.name] = (spec, attribute)
        return found

    @classmethod
    def call_names(cls) -> Collection[str]:
        """Name everything that it can be called for."""
        return cls.handlers().keys()

    def with_owner(self, request: Request) -> Request:
        """Give a call with the id of what owns the thing it names, where policies name the owner alone."""
        return request

    def start(self) -> None:
        """Take up what was running when the cloud was stopped; the cloud already answers calls."""

    def stop(self) -> None:
        """End every process and thread of the service; the cloud answers no more calls."""
