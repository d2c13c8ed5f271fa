"""Collectives in one hop, where little is sent: all send to all at once. A ring takes 2(n - 1) hops in turn."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta

import torch
import torch.distributed as dist
from torch.distributed.distributed_c10d import AllreduceOptions, AllToAllOptions

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


def start_sum(group: dist.ProcessGroup, tensor: torch.Tensor) -> torch.futures.Future[torch.Tensor]:
    """Start to sum a tensor over the workers, in place; see `sum_rows`.

    Returns:
        A future of the tensor; it fails where a peer was lost.
    """
    world_size = group.size()
    mine = tensor.view(torch.uint8).flatten()
    rows = mine.new_empty(world_size * len(mine))
    work = group.alltoall_base(rows, mine.repeat(world_size), [], [], AllToAllOptions())

    def add(future: torch.futures.Future[object]) -> torch.Tensor:
        future.wait()  # raises what went wrong
        _add_up(rows, world_size, tensor)
        return tensor

    return work.get_future().then(add)


def sum_rows(group: dist.ProcessGroup, tensor: torch.Tensor, world_size: int) -> None:
    """Sum a tensor over the workers, in place; in the order of ranks, so all get the same bits.

    Raises:
        RuntimeError: A peer was lost.
    """
    mine = tensor.view(torch.uint8).flatten()  # no type of its own is needed from the transport
    _add_up(gather_rows(group, mine, [len(mine)] * world_size), world_size, tensor)


def try_sum(group: dist.ProcessGroup, tensor: torch.Tensor, world_size: int, timeout_s: float | None) -> str:
    """Sum a tensor over the workers, in place: in one hop where it is small and nobody needs long.

    Args:
        group: The workers.
        tensor: The tensor.
        world_size: How many there are.
        timeout_s: How long to wait for a peer; that of the group where None.

    Returns:
        What went wrong, which leaves nothing that would hold the group's connections; empty where nothing did.
    """
    options = AllreduceOptions()  # a sum, where nothing else is said
    if timeout_s is not None:
        options.timeout = timedelta(seconds=timeout_s)
    try:
        if timeout_s is None and is_small(tensor, world_size):
            sum_rows(group, tensor, world_size)
        else:
            group.allreduce([tensor], options).wait()
    except RuntimeError as error:
        return str(error)
    return ""


def _add_up(rows: torch.Tensor, world_size: int, tensor: torch.Tensor) -> None:
    parts = rows.view(tensor.dtype).view(world_size, *tensor.shape)
    torch.sum(parts, 0, dtype=tensor.dtype, out=tensor)
