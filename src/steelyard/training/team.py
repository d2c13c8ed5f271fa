"""The workers of one training run and how they reach each other."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import Any

import torch
import torch.distributed as dist

from steelyard.training.environment import WorkerEnvironment


class Team:
    """Membership in the process group: joined on creation, left with `leave`.

    A group that the script has initialised itself is used and left standing. A lone worker needs none.

    Args:
        environment: This worker's place.
        timeout: How long a collective waits for the others; torch's default where None.
    """

    def __init__(self, environment: WorkerEnvironment, *, timeout: timedelta | None = None) -> None:
        self._is_owner = environment.world_size > 1 and not dist.is_initialized()
        if self._is_owner:
            backend = "cpu:gloo,cuda:nccl" if torch.cuda.is_available() else "gloo"
            dist.init_process_group(backend, timeout=timeout)
        is_joined = dist.is_initialized()
        self.rank = dist.get_rank() if is_joined else 0
        self.world_size = dist.get_world_size() if is_joined else 1
        self.group: dist.ProcessGroup | None = None
        """Gloo group for the balance's own small messages, so that they never queue behind gradients."""
        if self.world_size > 1:
            self.group = dist.new_group(backend="gloo", timeout=timeout)

    def gather(self, value: Any) -> list[Any]:
        """Collect a small value from every worker. Every worker must call it.

        Args:
            value: A JSON value.

        Returns:
            The values as JSON brings them, in rank order.
        """
        text = json.dumps(value).encode()
        if self.group is None:
            return [json.loads(text)]
        # Not all_gather_object: it needs NumPy, and unpickles what others send.
        sizes = [torch.zeros(1, dtype=torch.int64) for _ in range(self.world_size)]
        dist.all_gather(sizes, torch.tensor([len(text)]), group=self.group)
        longest = max(int(size) for size in sizes)
        texts = [torch.zeros(longest, dtype=torch.uint8) for _ in range(self.world_size)]
        padded = torch.frombuffer(bytearray(text.ljust(longest)), dtype=torch.uint8)
        dist.all_gather(texts, padded, group=self.group)
        return [json.loads(bytes(each.tolist())) for each in texts]

    def leave(self, *, is_orderly: bool = True) -> None:
        """Leave the group, if it was joined here.

        Args:
            is_orderly: Wait for the others first. Not after an error: they may never come.
        """
        group, self.group = self.group, None
        if group is None:
            return
        if is_orderly:
            dist.barrier(group=group)
        # Destroying the default group takes the others with it.
        dist.destroy_process_group(None if self._is_owner else group)
