"""How a worker that comes (back) takes the live state from a peer: over the group that was just formed.

No further port, and nothing that is unpickled freely; torchft's own transport serves the state by HTTP on every
interface of the host, to whoever asks.
"""

from __future__ import annotations

import io
from collections.abc import Callable, Sequence
from datetime import timedelta
from typing import Any

import torch
import torch.distributed as dist

CHUNK_BYTES = 16 * 1024 * 1024
"""The state travels in pieces of this length, so that the group's timeout watches each piece, not the whole."""


class LiveState:
    """What the members of a quorum have in common: how many steps they made, and the states that came of them."""

    def __init__(self) -> None:
        self.num_steps = 0
        self._parts: dict[str, tuple[Callable[[], Any], Callable[[Any], None]]] = {}

    def register(self, name: str, save: Callable[[], Any], load: Callable[[Any], None]) -> None:
        """Add a part; see `ElasticTeam.register`."""
        self._parts[name] = (save, load)

    def send(self, group: dist.ProcessGroup, ranks: Sequence[int]) -> None:
        """Send it to those who need it; see `send_state`.

        Raises:
            RuntimeError: A peer was lost.
        """
        send_state(group, ranks, self.num_steps, {name: save() for name, (save, _) in self._parts.items()})

    def take_over(self, group: dist.ProcessGroup, rank: int, *, patience_s: float) -> None:
        """Take it from a peer; see `receive_state`.

        Raises:
            RuntimeError: The peer was lost.
        """
        self.num_steps, state = receive_state(group, rank, patience_s=patience_s)
        for name, (_, load) in self._parts.items():
            load(state[name])


def send_state(group: dist.ProcessGroup, ranks: Sequence[int], step: int, state: Any) -> None:
    """Send a state to those who need it, one after the other.

    Args:
        group: The group of the quorum; its timeout holds for each piece.
        ranks: Their places in the quorum.
        step: Steps that the state comes of.
        state: Tensors, numbers, texts, lists and dicts.

    Raises:
        RuntimeError: A peer was lost.
    """
    buffer = io.BytesIO()
    torch.save(state, buffer)
    content = torch.frombuffer(buffer.getbuffer(), dtype=torch.uint8)
    header = torch.tensor([step, len(content)])
    for rank in ranks:
        group.send([header], rank, 0).wait()
        for chunk in content.split(CHUNK_BYTES):
            group.send([chunk], rank, 0).wait()


def receive_state(group: dist.ProcessGroup, rank: int, *, patience_s: float) -> tuple[int, Any]:
    """Receive a state from a peer.

    Args:
        group: The group of the quorum.
        rank: The peer's place in it.
        patience_s: How long the peer may take to begin: it ends its step first.

    Returns:
        Steps that the state comes of, and the state.

    Raises:
        RuntimeError: The peer was lost.
    """
    header = torch.zeros(2, dtype=torch.int64)
    group.recv([header], rank, 0).wait(timedelta(seconds=patience_s))
    step, length = header.tolist()
    content = torch.zeros(length, dtype=torch.uint8)
    for chunk in content.split(CHUNK_BYTES):
        group.recv([chunk], rank, 0).wait()
    return step, torch.load(io.BytesIO(content.numpy().tobytes()), weights_only=True)
