"""What a checkpoint holds of a training: parameters, optimizer, generators, and where training stands."""

from __future__ import annotations

import io
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

import torch
import torch.distributed.checkpoint as dcp
from torch import nn
from torch.distributed.checkpoint.state_dict import get_state_dict, set_state_dict

from steelyard.training.checkpoint.storage import Storage
from steelyard.training.checkpoint.writer import CheckpointReader

PLACE_FILE = "place.pt"
"""File of a checkpoint with the balancer's state and those of the kept objects."""


class Stateful(Protocol):
    """What has a state."""

    def state_dict(self) -> dict[str, Any]:
        """Return it."""
        ...

    def load_state_dict(self, state_dict: dict[str, Any]) -> Any:
        """Take it over."""
        ...


@dataclass(frozen=True, kw_only=True)
class Place:
    """Where training stands besides its tensors.

    Attributes:
        balancer: Its balancer.
        kept: The states that follow its steps.
    """

    balancer: Stateful
    kept: Stateful

    def save(self) -> dict[str, Any]:
        """Return both states."""
        return {"balancer": self.balancer.state_dict(), "kept": self.kept.state_dict()}

    def load(self, place: Mapping[str, Any]) -> None:
        """Take both states over."""
        self.balancer.load_state_dict(place["balancer"])
        self.kept.load_state_dict(place["kept"])


@dataclass(frozen=True, kw_only=True)
class Trained:
    """What is trained.

    Attributes:
        model: As the script trains it: plain, wrapped in `DistributedDataParallel`, or sharded.
        optimizer: The optimizer of its parameters.
        rank: This worker; its generators are saved under this number.
    """

    model: nn.Module
    optimizer: torch.optim.Optimizer
    rank: Callable[[], int]

    def state_dict(self) -> dict[str, Any]:
        """Return the tensors, by names that depend neither on the wrapping nor on the number of workers."""
        model, optimizer = get_state_dict(self.model, self.optimizer)
        return {"model": model, "optimizer": optimizer, "generator": {str(self.rank()): _generators()}}

    def load(self, storage: Storage, name: str, *, group: Any, is_alone: bool) -> None:
        """Take over a checkpoint's tensors; generators only where their worker had a part in it.

        Args:
            storage: Where it is kept.
            name: Its name.
            group: Gloo group of all workers; None where they are not in one.
            is_alone: Whether this worker reads without the others.
        """
        reader = CheckpointReader(storage, name)
        state = self.state_dict()
        saved = reader.read_metadata().state_dict_metadata
        prefix = f"generator.{self.rank()}."
        if not any(key.startswith(prefix) for key in saved):
            del state["generator"]
        dcp.load(state, storage_reader=reader, process_group=group, no_dist=is_alone)
        set_state_dict(
            self.model,
            self.optimizer,
            model_state_dict=state["model"],
            optim_state_dict=state["optimizer"],
        )
        if "generator" in state:
            _set_generators(state["generator"][str(self.rank())])


def pack_place(place: Mapping[str, Any]) -> bytes:
    """Return the content of a checkpoint's `PLACE_FILE`."""
    buffer = io.BytesIO()
    torch.save(dict(place), buffer)
    return buffer.getvalue()


def read_place(storage: Storage, name: str) -> dict[str, Any]:
    """Read a checkpoint's `PLACE_FILE`; nothing in it is run."""
    place: dict[str, Any] = torch.load(
        io.BytesIO(storage.read(f"{name}/{PLACE_FILE}") or b""), weights_only=True
    )
    return place


def _generators() -> dict[str, torch.Tensor]:
    states = {"cpu": torch.get_rng_state()}
    if torch.cuda.is_available():
        states["cuda"] = torch.cuda.get_rng_state()
    return states


def _set_generators(states: Mapping[str, torch.Tensor]) -> None:
    torch.set_rng_state(states["cpu"])
    if "cuda" in states:
        torch.cuda.set_rng_state(states["cuda"])
