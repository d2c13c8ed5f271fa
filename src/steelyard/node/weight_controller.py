"""Keeps the weights of the load balancer's servers by the measured speed of training; runs on the head alone."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Protocol

from steelyard.errors import GatewayError, NodeError
from steelyard.node.repeat import Queue, repeat
from steelyard.node.server_group import ServerGroup
from steelyard.node.weight_decision import SpeedStep, WeightDecision

logger = logging.getLogger(__name__)

PERIOD_S = 2.0
"""How often the job queue is asked for the newest steps, in seconds."""

MIN_PAUSE_S = 10.0
"""The cloud is asked, and weights are set, no more often than once in so many seconds."""


class Board(Protocol):
    """Where the weights are shown; see `gateway.weight_gauges.WeightGauges`."""

    def show(self, weights: Mapping[str, int]) -> None:
        """Show the weights by instance id."""

    def count_error(self) -> None:
        """Count a call that failed."""


class WeightController:
    """Sets weights as `WeightDecision` has them. What fails is told once and tried again; no job knows of it.

    Args:
        queue: The way to the job queue.
        group: The load balancer's server group.
        board: Where the weights are shown.
        clock: A monotonic clock, in seconds.
    """

    def __init__(
        self, queue: Queue, group: ServerGroup, board: Board, *, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._queue = queue
        self._group = group
        self._board = board
        self._clock = clock
        self._decision = WeightDecision()
        self._next_at = clock()
        self._has_seen_group = False
        self._is_quiet = False

    async def run(self) -> None:
        """Go on for ever."""
        await repeat(self.turn, every_s=PERIOD_S, what="the weights")

    async def turn(self) -> None:
        """Take the newest steps, and set what is to change."""
        try:
            jobs = await self._queue.call("running")
        except GatewayError:
            return  # the node is not ready, which its health says
        steps = (SpeedStep.of_job(job) for job in jobs)
        self._decision.note([step for step in steps if step is not None])
        now = self._clock()
        if now < self._next_at or (self._has_seen_group and not self._decision.has_news):
            return
        self._next_at = now + MIN_PAUSE_S
        try:
            await asyncio.to_thread(self._balance)
        except NodeError as error:
            self._board.count_error()
            if not self._is_quiet:
                logger.warning("the load balancer's weights stay as they are for now: %s", error.message)
            self._is_quiet = True
        else:
            self._is_quiet = False

    def _balance(self) -> None:
        members = self._group.members()
        weights = {member.server_id: member.weight for member in members}
        self._board.show(weights)
        self._has_seen_group = True
        wanted = self._decision.changes(weights)
        # What does not fit into one call is still off at the next one.
        changed = [
            replace(member, weight=wanted[member.server_id])
            for member in members
            if member.server_id in wanted
        ][: self._group.max_servers]
        if not changed:
            return
        self._group.set_weights(changed)
        set_now = {member.server_id: member.weight for member in changed}
        self._board.show({**weights, **set_now})
        logger.info(
            "the load balancer's weights follow the %s speed: %s",
            "imitated" if self._decision.is_imitated else "measured",
            ", ".join(f"{node_id} {weights[node_id]} -> {weight}" for node_id, weight in set_now.items()),
        )
