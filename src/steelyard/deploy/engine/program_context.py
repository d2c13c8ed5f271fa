"""What a program runs in, in whichever process."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from steelyard.deploy.engine.monitor import Engine, Monitor
from steelyard.deploy.engine.run import Run
from steelyard.errors import DeployError


@dataclass(frozen=True, kw_only=True)
class ProgramContext:
    """The run that a program is executed in, and what answers it.

    Attributes:
        run: The run at hand.
        monitor: Answers the program's registrations.
        engine: Takes its messages.
        config: The stack's configuration by full key.
        secret_keys: Those of its keys that are secret.
        idle_limit_s: After so many seconds without any call the program is taken to hang.
    """

    run: Run
    monitor: Monitor
    engine: Engine
    config: Mapping[str, str]
    secret_keys: tuple[str, ...]
    idle_limit_s: float

    def refuse_idling(self) -> None:
        """Raise where the program hangs.

        Raises:
            DeployError: It has called nothing for longer than it may.
        """
        if self.run.idle_s > self.idle_limit_s:
            raise DeployError(
                f"the program has done nothing for {self.idle_limit_s:g} s and has not ended",
                "look for an Output that waits for itself, or for a call that does not return",
            )
