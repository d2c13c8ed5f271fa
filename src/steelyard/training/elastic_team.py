"""The workers of an elastic run: met anew for every step, through torchft's quorum."""

from __future__ import annotations

import json
import logging
import os
import time
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import torch
import torch.distributed as dist

from steelyard.errors import TrainingError
from steelyard.training.elastic_environment import ElasticEnvironment
from steelyard.training.healing import LiveState
from steelyard.training.one_hop import gather_rows, try_sum
from steelyard.training.quorum_seat import QuorumSeat, wait_at_gate
from steelyard.training.retry import ALONE_EXIT_CODE

logger = logging.getLogger(__name__)

_HEALING_TIMEOUT_S = 120.0
_GIVE_UP_S = 900.0
_PAUSE_S = 0.1
_REGATHERING_S = 1.0
"""How long a lighthouse that has begun anew is given to hear of everyone who was there before."""
_ALONE_S = 5.0
"""How long a worker that was started again asks for others: a busy machine may hold their heartbeats up."""


@dataclass(frozen=True, kw_only=True)
class _Found:
    """A quorum that is another than before.

    Attributes:
        quorum: torchft's ``QuorumResult``.
        group: Its group.
        is_void: Whether the step under way cannot be made: somebody of the quorum before has gone.
    """

    quorum: Any
    group: Any
    is_void: bool


class ElasticTeam:
    """Membership in the quorum of a step: each worker is a replica group of torchft of its own.

    After a step that all have made, the next quorum is asked for while the step computes. Where somebody comes, the
    step is made by those who began it, and the next one by all. Where somebody has gone, nothing of the step is
    summed, and those who are left make it again.

    Args:
        place: How to find the others.
        rank: The worker's number until it has joined.
        world_size: Workers that are expected first.
    """

    def __init__(self, place: ElasticEnvironment, *, rank: int, world_size: int) -> None:
        # The native parts of torchft log every step at the level "info", to the worker's own output.
        os.environ.setdefault("RUST_LOG", "warn")
        from torchft.process_group import ProcessGroupGloo

        self._place = place
        self._number = rank
        self._num_expected = world_size
        # A worker that was started again is not the first one, even where it has that one's number.
        self.rank = rank if place.restart_count == 0 else max(rank, 1)
        """Place in the quorum, from 0: those that have been in it longest come first."""
        self.world_size = world_size
        """Workers of the quorum."""
        self.group: dist.ProcessGroup | None = None
        """None: no collective of an elastic run goes past `all_reduce` and `exchange`, which never raise."""
        self._new_group = lambda: ProcessGroupGloo(timeout=timedelta(seconds=place.peer_timeout_s))
        self._pg = self._new_group()
        self._seat: QuorumSeat | None = None
        self._live = LiveState()
        # One thread for quorums and sums: what is asked of it first is done first.
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="quorum")
        self._meeting: Future[None] | None = None
        self._is_steady = False
        self._error: Exception | None = RuntimeError("there was no quorum yet")
        self._found: _Found | None = None
        self._quorum_id = -1
        self._members: tuple[str, ...] = ()
        self._num_failures = 0

    @property
    def has_failed(self) -> bool:
        """Whether a peer was lost since the quorum: what was summed since is worth nothing."""
        return self._error is not None or (self._found is not None and self._found.is_void)

    def register(self, name: str, save: Callable[[], Any], load: Callable[[Any], None]) -> None:
        """Add a state that a worker which comes (back) takes from a peer.

        Args:
            name: Its name, the same on all workers.
            save: Gives it as tensors, numbers, texts, lists and dicts; called while a step computes.
            load: Takes it over; called between steps.
        """
        self._live.register(name, save, load)

    def form(self) -> bool:
        """Meet the others for the next step.

        Blocks until there are enough of them, but after a step that all have made: then the quorum is asked for
        while the step computes, and one that is another than before is entered by the next call.

        Returns:
            Whether the quorum is another than before, or this worker took over a peer's state.

        Raises:
            TrainingError: No quorum came together.
            SystemExit: Nobody is left to take the state from.
        """
        if self._is_steady and self._found is None:
            self._is_steady, self._error = False, None
            self._meeting = self._thread.submit(self._meet, is_under_way=True)
            return False
        self._is_steady = False
        deadline_s = time.monotonic() + _GIVE_UP_S
        while True:
            if self._found is None:
                self._meet()
            if self._error is None and self._enter():
                return True
            # The lighthouse is being started again, too few workers live for now, or a quorum fell apart.
            logger.warning("no quorum, asking again: %s", self._error)
            if time.monotonic() > deadline_s:
                raise TrainingError(
                    f"no quorum of {self._place.min_workers} workers in {_GIVE_UP_S:.0f} s",
                    f"see whether the lighthouse at {self._place.lighthouse} runs and enough nodes live",
                )
            time.sleep(_PAUSE_S)

    def expect_leave(self) -> None:
        """Take note that a worker leaves after a step that was made: the next `form` waits for a quorum without it."""
        self._is_steady = False

    def all_reduce(
        self, tensor: torch.Tensor, *, timeout_s: float | None = None, is_awaited: bool = False
    ) -> torch.futures.Future[Any]:
        """Sum a tensor over the quorum, in place.

        Args:
            tensor: The tensor.
            timeout_s: How long to wait for a peer; that of a hung peer where None.
            is_awaited: Nothing is left to do meanwhile: sum before the call returns, without a change of thread.

        Returns:
            A future of the tensor. It never fails: where a peer was lost it holds anything, and `has_failed`.
        """
        future: torch.futures.Future[Any] = torch.futures.Future()
        if is_awaited:
            self._thread.submit(int).result()  # what was asked for before comes first
            self._sum(tensor, timeout_s, future)
        else:
            self._thread.submit(self._sum, tensor, timeout_s, future)
        return future

    def exchange(self, row: torch.Tensor, lengths: Sequence[int]) -> torch.Tensor | None:
        """Bring every worker's row to all, in one hop: all send to all at once.

        Args:
            row: This worker's numbers, one dimension.
            lengths: How many numbers each worker sends.

        Returns:
            The rows one after the other; None where a peer was lost.
        """
        self._end_meeting()
        if self.has_failed:
            return None
        try:
            return gather_rows(self._pg, row, lengths)
        except RuntimeError as error:
            self._lose(error)
            return None

    def commit(self, is_good: bool) -> bool:
        """Decide whether this worker makes the step; to be asked once after each `form`.

        Args:
            is_good: Whether all of the quorum have told that they hold the sum.

        Returns:
            Whether to make it. Where some did and others could not, the others take over the state of those.
        """
        self._end_meeting()
        if not is_good and not self.has_failed:
            self._lose(RuntimeError("a peer was lost or does not hold the sum"))
        is_made = self._is_steady = not self.has_failed
        if is_made:
            self._live.num_steps += 1
            self._num_failures = 0
        elif self._found is None or not self._found.is_void:
            self._fail(self._error)
        return is_made

    def gather(self, value: Any) -> list[Any]:
        """Collect a small value from every worker of the quorum; before the first one, all are taken to be alike.

        Args:
            value: A JSON value.

        Returns:
            The values as JSON brings them, by place in the quorum. Only this worker's, where a peer was lost.
        """
        text = json.dumps(value).encode()
        alone = [json.loads(text)]
        if self._seat is None:
            return alone * self.world_size
        sizes = torch.zeros(self.world_size, dtype=torch.int64)
        sizes[self.rank] = len(text)
        # Peers may be busy healing another worker.
        self.all_reduce(sizes, timeout_s=_HEALING_TIMEOUT_S).wait()
        if self.has_failed:
            return alone
        texts = torch.zeros(self.world_size, int(sizes.max()), dtype=torch.uint8)
        texts[self.rank, : len(text)] = torch.frombuffer(bytearray(text), dtype=torch.uint8)
        self.all_reduce(texts).wait()
        if self.has_failed:
            return alone
        rows = zip(texts.tolist(), sizes.tolist(), strict=True)
        return [json.loads(bytes(row[:size])) for row, size in rows]

    def leave(self, *, is_orderly: bool = True) -> None:
        """Leave the quorum; the others go on without this worker."""
        del is_orderly  # nobody is waited for: those who need this worker's last step make it again
        self._thread.shutdown(wait=False, cancel_futures=True)  # a quorum not yet asked for would be joined
        self._drop()
        self._thread.shutdown()
        self._leave_groups()

    def _meet(self, *, is_under_way: bool = False) -> None:
        """Ask for a quorum, and form its group where it is another than before.

        Args:
            is_under_way: A step of the quorum before is under way.
        """
        self._error = None
        try:
            quorum = self._ask()
        except (RuntimeError, OSError) as error:
            self._error = error
            self._drop()
            return
        if is_under_way and self._is_as_before(quorum):
            self._quorum_id = quorum.quorum_id
            return
        members, former = tuple(quorum.replica_ids), self._members
        # The same members under another number: a step failed somewhere, and its group is given up.
        is_joined = set(former) < set(members) and quorum.max_step > 0 and not quorum.heal
        self._quorum_id, self._members = quorum.quorum_id, members
        try:
            group = self._regroup(quorum)
            self._found = _Found(quorum=quorum, group=group, is_void=not (is_under_way and is_joined))
        except (RuntimeError, OSError) as error:
            self._fail(error)

    def _ask(self) -> Any:
        """Ask until the answer can be that of all; a lighthouse that has begun anew knows nobody at first.

        Nor does one that a busy machine has kept from hearing the others' heartbeats, at the job's begin or when a
        worker comes again.
        """
        seat = self._seat or self._join()
        num_expected = self._num_expected if self._is_at_begin else 0
        began_s = time.monotonic()
        while True:
            quorum = seat.ask(step=self._live.num_steps, num_failures=self._num_failures)
            members = tuple(quorum.replica_ids)
            is_anew = quorum.quorum_id < self._quorum_id or (
                quorum.quorum_id == self._quorum_id and members != self._members
            )
            is_alone = self._is_lost_newcomer(quorum)
            is_whole = not is_alone and (not is_anew or set(self._members) <= set(members))
            patience_s = _ALONE_S if is_alone else _REGATHERING_S
            if (is_whole and len(members) >= num_expected) or time.monotonic() - began_s > patience_s:
                return quorum
            time.sleep(_PAUSE_S)

    def _is_as_before(self, quorum: Any) -> bool:
        if tuple(quorum.replica_ids) != self._members or quorum.heal or quorum.recover_dst_replica_ranks:
            return False
        return bool(quorum.quorum_id <= self._quorum_id)  # lower where the lighthouse has begun to count anew

    def _regroup(self, quorum: Any) -> Any:
        """Form the group of a quorum, beside that of the one before."""
        assert self._seat is not None
        size, group = quorum.replica_world_size, self._new_group()
        # The step tells the meeting places of a lighthouse that has begun to count anew from those before.
        place = f"{quorum.store_address}/steelyard/{quorum.quorum_id}.{quorum.max_step}"
        group.configure(
            place, self._seat.name, quorum.replica_rank, size, quorum.quorum_id, 0, 1, list(range(size))
        )
        return group

    def _enter(self) -> bool:
        """Take the place in the quorum that was found, and bring those that are behind up to date.

        Returns:
            Whether it still stands.
        """
        found, self._found = self._found, None
        assert found is not None
        quorum = found.quorum
        if self._is_lost_newcomer(quorum):
            # Whether the others are done or lost is the launcher's to say; neither is an error of the script.
            logger.warning(
                "this worker was started again, and nobody is left to take the state from: it leaves"
            )
            raise SystemExit(ALONE_EXIT_CODE)
        self._pg.abort()
        self._pg, self._error = found.group, None
        self.rank, self.world_size = quorum.replica_rank, quorum.replica_world_size
        try:
            if quorum.recover_dst_replica_ranks:
                self._live.send(self._pg, quorum.recover_dst_replica_ranks)
            if quorum.heal:
                source = quorum.recover_src_replica_rank
                self._live.take_over(self._pg, source, patience_s=_HEALING_TIMEOUT_S)
        except RuntimeError as error:
            self._fail(error)
        return self._error is None

    def _fail(self, error: Exception | None) -> None:
        """Leave every group; the next quorum is a new one, whoever is in it."""
        self._error = error
        self._num_failures += 1
        self._leave_groups()

    def _leave_groups(self) -> None:
        found, self._found = self._found, None
        if found is not None:
            found.group.abort()
        self._pg.abort()

    def _is_lost_newcomer(self, quorum: Any) -> bool:
        is_first = quorum.replica_rank == 0
        return (
            self._place.restart_count > 0 and self._live.num_steps == 0 and quorum.max_step == 0 and is_first
        )

    @property
    def _is_at_begin(self) -> bool:
        return self._place.restart_count == 0 and self._quorum_id == -1 and self._live.num_steps == 0

    def _end_meeting(self) -> None:
        meeting, self._meeting = self._meeting, None
        if meeting is not None:
            meeting.result()

    def _join(self) -> QuorumSeat:
        self._seat, self._members = QuorumSeat(self._place, self._number), ()
        if self._is_at_begin:
            # Behind the seat, by which the lighthouse knows of this worker: the first quorum waits for it.
            wait_at_gate(self._place, self._number, self._num_expected)
        return self._seat

    def _sum(self, tensor: torch.Tensor, timeout_s: float | None, future: torch.futures.Future[Any]) -> None:
        """Sum one tensor; one at a time, so that the group can be left as soon as one sum fails."""
        error = "" if self.has_failed else try_sum(self._pg, tensor, self.world_size, timeout_s)
        if error:
            self._lose(RuntimeError(error))
        future.set_result(tensor)

    def _lose(self, error: Exception) -> None:
        """Take note of a loss, and leave the group.

        Peers that wait for this worker, not for the lost one, notice by the end of its connections: gloo's own
        abort leaves them open, the end of the group with nothing under way closes them.
        """
        logger.info("a peer was lost: %s", error)
        self._error = error
        self._pg.abort()

    def _drop(self) -> None:
        seat, self._seat = self._seat, None
        self._leave_groups()
        if seat is not None:
            seat.leave()
