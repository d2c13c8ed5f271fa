"""Collectives in one hop: all send to all at once. A ring takes 2(n - 1) hops, one after the other."""

from __future__ import annotations

from collections.abc import Sequence

import torch
import torch.distributed as dist
from torch.distributed.distributed_c10d import AllToAllOptions

MOST_BYTES = 512 * 1024
"""Up to this, over all workers, a sum goes in one hop: a hop costs more than its bytes."""


def is_small(tensor: torch.Tensor, world_size: int) -> bool:
    """Whether a tensor of the host is worth one hop; the same on all workers."""
    return tensor.device.type == "cpu" and tensor.numel() * tensor.element_size() * world_size <= MOST_BYTES


def gather_rows(group: dist.ProcessGroup, row: torch.Tensor, lengths: Sequence[int]) -> torch.Tensor:
    """Bring every worker's row to all.

    Args:
        group: The workers.
        row: This worker's numbers, one dimension.
        lengths: How many numbers each worker sends.

    Returns:
        The rows one after the other.

    Raises:
        RuntimeError: A peer was lost.
    """
    rows = row.new_empty(sum(lengths))
    counts = [len(row)] * len(lengths)
    group.alltoall_base(rows, row.repeat(len(lengths)), list(lengths), counts, AllToAllOptions()).wait()
    return rows


def sum_rows(group: dist.ProcessGroup, tensor: torch.Tensor, world_size: int) -> None:
    """Sum a tensor over the workers, in place; in the order of ranks, so all get the same bits.

    Raises:
        RuntimeError: A peer was lost.
    """
    mine = tensor.view(torch.uint8).flatten()  # no type of its own is needed from the transport
    rows = gather_rows(group, mine, [len(mine)] * world_size).view(tensor.dtype)
    torch.sum(rows.view(world_size, *tensor.shape), 0, dtype=tensor.dtype, out=tensor)
