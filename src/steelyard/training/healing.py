"""How a worker that comes (back) takes the live state from a peer: over the group that was just formed."""

from __future__ import annotations

import io
from datetime import timedelta
from typing import Any

import torch
from torchft.checkpointing import CheckpointTransport
from torchft.process_group import ProcessGroup

CHUNK_BYTES = 16 * 1024 * 1024
"""The state travels in pieces of this length, so that the group's timeout watches each piece, not the whole."""


class GroupTransport(CheckpointTransport[Any]):
    """Sends a state over the process group itself: no further port, and nothing that is unpickled freely.

    torchft's own transport serves the state by HTTP on every interface of the host, to whoever asks.

    Args:
        group: The group that torchft re-forms for each quorum.
    """

    def __init__(self, group: ProcessGroup) -> None:
        self._group = group

    def metadata(self) -> str:
        """Return what a peer needs to find the state: nothing, the group reaches it."""
        return ""

    def send_checkpoint(self, dst_ranks: list[int], step: int, state_dict: Any, timeout: timedelta) -> None:
        """Send the state to those who need it, one after the other.

        Args:
            dst_ranks: Their places in the quorum.
            step: The step that the state is of.
            state_dict: Tensors, numbers, texts, lists and dicts.
            timeout: Not used; the group's own timeout holds for each piece.
        """
        buffer = io.BytesIO()
        torch.save(state_dict, buffer)
        content = torch.frombuffer(buffer.getbuffer(), dtype=torch.uint8)
        header = torch.tensor([step, len(content)])
        for rank in dst_ranks:
            self._group.send([header], rank, 0).wait()
            for chunk in content.split(CHUNK_BYTES):
                self._group.send([chunk], rank, 0).wait()

    def recv_checkpoint(self, src_rank: int, metadata: str, step: int, timeout: timedelta) -> Any:
        """Receive the state of a step from a peer.

        Args:
            src_rank: Its place in the quorum.
            metadata: Not used.
            step: The step that the state is to be of.
            timeout: Not used; the group's own timeout holds for each piece.

        Raises:
            RuntimeError: The peer was lost, or sends the state of another step.
        """
        header = torch.zeros(2, dtype=torch.int64)
        self._group.recv([header], src_rank, 0).wait()
        sent_step, length = header.tolist()
        if sent_step != step:
            raise RuntimeError(f"the peer sends the state of step {sent_step}, not of step {step}")
        content = torch.zeros(length, dtype=torch.uint8)
        for chunk in content.split(CHUNK_BYTES):
            self._group.recv([chunk], src_rank, 0).wait()
        return torch.load(io.BytesIO(content.numpy().tobytes()), weights_only=True)
