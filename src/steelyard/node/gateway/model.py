"""The body of `POST /v1/jobs`."""

from __future__ import annotations

import base64
import binascii
import re
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator

from steelyard.errors import GatewayError

_VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_RESERVED_NAMES = frozenset(
    {
        "RANK",
        "WORLD_SIZE",
        "LOCAL_RANK",
        "LOCAL_WORLD_SIZE",
        "GROUP_RANK",
        "MASTER_ADDR",
        "MASTER_PORT",
        "LD_PRELOAD",
    }
)
_RESERVED_PREFIXES = ("STEELYARD_", "TORCHELASTIC_", "RAY_")
_MAX_SHOWN_MISTAKES = 5


class JobRequest(BaseModel):
    """A job as it is asked for.

    Attributes:
        name: What its owner calls it.
        script: Path of the script in the package.
        args: The script's arguments.
        package: Gzipped tar archive of the script's folder, in base64.
        num_nodes: How many nodes; all of them where it is null.
        min_nodes: How few nodes it may start with and, where some are lost, go on with; all where it is null.
        node_ids: The very nodes, by rank; any where it is null.
        balance: Share the global batch out by measured speed, or equally.
        nproc_per_node: Workers on each node; one per accelerator, and one where there is none, where it is null.
        checkpoint: Folder that all nodes share, or `oss://BUCKET/PREFIX`, for checkpoints; `~/` is the home of the
            node. The job goes on from the newest one, and starts again from it where a worker is lost.
        checkpoint_every: Steps from one checkpoint to the next; the script decides where it is null.
        checkpoint_keep: How many checkpoints are kept; the script decides where it is null.
        peer_timeout_s: Seconds after which a worker that answers nothing counts as hung; the default where it is null.
        env: Variables added to the workers' environment.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: Annotated[str, Field(min_length=1, max_length=100)]
    script: Annotated[str, Field(min_length=1, max_length=1000)]
    args: tuple[str, ...] = ()
    package: Annotated[str, Field(min_length=1, repr=False)]
    num_nodes: Annotated[int, Field(ge=1)] | None = None
    min_nodes: Annotated[int, Field(ge=1)] | None = None
    node_ids: Annotated[tuple[str, ...], Field(min_length=1)] | None = None
    balance: Literal["speed", "equal"] = "speed"
    nproc_per_node: Annotated[int, Field(ge=1, le=64)] | None = None
    checkpoint: Annotated[str, Field(min_length=1, max_length=1000)] | None = None
    checkpoint_every: Annotated[int, Field(ge=1)] | None = None
    checkpoint_keep: Annotated[int, Field(ge=1)] | None = None
    peer_timeout_s: Annotated[float, Field(ge=1, allow_inf_nan=False)] | None = None
    env: dict[str, str] = Field(default_factory=dict, repr=False)

    @field_validator("name")
    @classmethod
    def _check_name(cls, name: str) -> str:
        if not name.isprintable():
            raise ValueError("name holds characters that cannot be printed")
        return name

    @field_validator("args", "script")
    @classmethod
    def _check_no_null(cls, value: str | tuple[str, ...]) -> str | tuple[str, ...]:
        if any("\0" in text for text in ([value] if isinstance(value, str) else value)):
            raise ValueError("a NUL cannot be passed to a process")
        return value

    @field_validator("checkpoint")
    @classmethod
    def _check_checkpoint(cls, place: str | None) -> str | None:
        if place is not None and not re.fullmatch(
            r"(~/[^/\0]|/)[^\0]*|oss://[a-z0-9][a-z0-9-]*(/.*)?", place
        ):
            raise ValueError(f"{place!r} is none of an absolute path, ~/FOLDER and oss://BUCKET/PREFIX")
        return place

    @field_validator("env")
    @classmethod
    def _check_env(cls, env: dict[str, str]) -> dict[str, str]:
        for name, value in env.items():
            if not _VARIABLE.fullmatch(name):
                raise ValueError(f"{name!r} is not a name of an environment variable")
            if name in _RESERVED_NAMES or name.startswith(_RESERVED_PREFIXES):
                raise ValueError(f"{name} is set by the launcher")
            if "\0" in value:
                raise ValueError(f"the value of {name} holds a NUL")
        return env

    @model_validator(mode="after")
    def _check_nodes(self) -> JobRequest:
        most = self.num_nodes or (len(self.node_ids) if self.node_ids is not None else None)
        if self.min_nodes is not None and most is not None and self.min_nodes > most:
            raise ValueError(f"min_nodes is {self.min_nodes}, above the {most} nodes that are asked for")
        if self.checkpoint is None and (self.checkpoint_every or self.checkpoint_keep):
            raise ValueError("checkpoint_every and checkpoint_keep say nothing without checkpoint")
        if self.node_ids is None:
            return self
        if len(set(self.node_ids)) != len(self.node_ids):
            raise ValueError("node_ids names a node twice")
        if self.num_nodes is not None and self.num_nodes != len(self.node_ids):
            raise ValueError(f"num_nodes is {self.num_nodes}, node_ids names {len(self.node_ids)}")
        return self

    def archive(self) -> bytes:
        """Return the package, decoded.

        Raises:
            GatewayError: It is not base64 (422).
        """
        try:
            return base64.b64decode(self.package, validate=True)
        except binascii.Error as error:
            raise GatewayError(f"package: not base64: {error}", status=422) from error


def parse_job_request(body: bytes) -> JobRequest:
    """Read the body of `POST /v1/jobs`.

    Raises:
        GatewayError: It is not such a body (422); the message names every field that is wrong.
    """
    try:
        return JobRequest.model_validate_json(body)
    except ValidationError as error:
        mistakes = [_words_for(detail["loc"], detail["msg"]) for detail in error.errors(include_url=False)]
        shown = "; ".join(mistakes[:_MAX_SHOWN_MISTAKES])
        more = (
            f"; and {len(mistakes) - _MAX_SHOWN_MISTAKES} more" if len(mistakes) > _MAX_SHOWN_MISTAKES else ""
        )
        fields = ", ".join(JobRequest.model_fields)
        raise GatewayError(shown + more, hint=f"the fields are {fields}", status=422) from None


def _words_for(location: tuple[int | str, ...], message: str) -> str:
    message = message.removeprefix("Value error, ")
    path = ".".join(str(part) for part in location)
    return f"{path}: {message}" if path else message
