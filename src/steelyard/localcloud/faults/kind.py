"""What each kind of fault checks, does and undoes."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from typing import ClassVar

from steelyard.localcloud.cloud import Cloud
from steelyard.localcloud.faults.fault import Fault, Order
from steelyard.localcloud.service import ApiError, Request


class FaultKind(ABC):
    """One kind of fault.

    Attributes:
        name: What an order calls it.
        settings: Names of the settings that it takes.
        survives_restart: Whether it is still in force when the cloud is started again; a fault of a machine is not,
            since machines boot anew then.

    Args:
        cloud: The cloud that it strikes.
    """

    name: ClassVar[str]
    settings: ClassVar[frozenset[str]] = frozenset()
    survives_restart: ClassVar[bool] = False

    def __init__(self, cloud: Cloud) -> None:
        self.cloud = cloud

    @abstractmethod
    def begin(self, order: Order) -> tuple[Mapping[str, object], bool]:
        """Make it happen.

        Returns:
            How it was done, which `end` is given, and whether there is something to end.

        Raises:
            ApiError: It cannot be done; nothing has happened.
        """

    @abstractmethod
    def end(self, target: str, settings: Mapping[str, object]) -> None:
        """Undo it. What it struck may be gone by now, which is fine."""

    def take_over(
        self, target: str, before: Mapping[str, object], now: Mapping[str, object]
    ) -> Mapping[str, object]:
        """Put a fault that was begun in the place of one that strikes the same; give what `end` is to be given."""
        return now

    def tidy(self, faults: Sequence[Fault]) -> None:
        """Undo what belongs to none of the faults of this kind that are in force, as after a kill in the middle of one.

        It is called at the cloud's start.
        """
        return

    def is_void(self, target: str, settings: Mapping[str, object]) -> bool:
        """Whether it has come to nothing: what it struck was booted anew or is gone."""
        return False

    def before_call(
        self, target: str, settings: Mapping[str, object], product: str, request: Request
    ) -> ApiError | None:
        """Give the error with which a call fails because of it; None where it passes."""
        return None
