"""The one error tree of Steelyard.

::

    SteelyardError            a message with the values, a hint with the mend, an exit code
    ├── UsageError            2  the call is wrong
    │   ├── SpecError         2  the cluster file is wrong; holds every mistake found
    │   ├── CredentialError   2  no access key, or one that the cloud does not take
    │   └── NotExactError     2  a model whose gradient the balance could not keep exact
    ├── DeployError           1  applying the program failed
    │   ├── ResourceError     1  one resource could not be created, updated or deleted
    │   │   └── PutOffError   1  it could not be made or changed for now; all the rest was done
    │   └── StackLockedError  1  another run holds the stack's state
    ├── LocalCloudError       1  the local cloud could not be started, reached or stopped
    ├── GatewayError          1  a gateway refused or could not be reached
    ├── NodeError             1  a node could not start or join its cluster
    ├── TrainingError         1  a training job failed
    └── UnhealthyError        3  the cluster stands but cannot take work
"""

from __future__ import annotations

from typing import ClassVar


class SteelyardError(Exception):
    """Base of every error that Steelyard raises on purpose.

    Args:
        message: What went wrong, with the values that made it so.
        hint: What to do about it; empty where there is nothing to say.
    """

    exit_code: ClassVar[int] = 1

    def __init__(self, message: str, hint: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint


class UsageError(SteelyardError):
    """The call itself is wrong: an argument, a file that is not there."""

    exit_code = 2


class CredentialError(UsageError):
    """There is no access key for the cloud, or the cloud does not take it."""


class DeployError(SteelyardError):
    """Applying the program to a stack failed."""


class ResourceError(DeployError):
    """One resource could not be created, read, updated or deleted.

    Args:
        message: What went wrong, with the values.
        hint: What to do about it.
        urn: The resource's URN, empty where it has none yet.
        code: The cloud's own error code, empty where the cloud gave none.
        request_id: The cloud's id of the request that failed, empty where the cloud gave none.
        status: The HTTP status of the cloud's answer, 0 where there was none.
    """

    def __init__(
        self,
        message: str,
        hint: str = "",
        *,
        urn: str = "",
        code: str = "",
        request_id: str = "",
        status: int = 0,
    ) -> None:
        super().__init__(message, hint)
        self.urn = urn
        self.code = code
        self.request_id = request_id
        self.status = status


class PutOffError(ResourceError):
    """A resource cannot be made or changed for now; the run goes on with it as it is, or without what needs it."""


class StackLockedError(DeployError):
    """Another run holds the lock of the stack's state."""


class LocalCloudError(SteelyardError):
    """The local cloud could not be started, reached or stopped."""


class GatewayError(SteelyardError):
    """A gateway answered with an error, or none could be reached.

    Args:
        message: What went wrong, with the values.
        hint: What to do about it.
        status: The HTTP status of the answer, 0 where there was none.
    """

    def __init__(self, message: str, hint: str = "", *, status: int = 0) -> None:
        super().__init__(message, hint)
        self.status = status


class NodeError(SteelyardError):
    """A node could not start or join its cluster."""


class TrainingError(SteelyardError):
    """A training job failed."""


class UnhealthyError(SteelyardError):
    """The cluster stands, but cannot take work."""

    exit_code = 3


class NotExactError(UsageError):
    """The model is built in a way with which the gradient could not stay that of the global batch."""
