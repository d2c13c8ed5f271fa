"""The workers of an elastic run: met anew for every step, through torchft's quorum."""

from __future__ import annotations

import contextlib
import json
import logging
import os
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any

import torch
import torch.distributed as dist
from torch.distributed.distributed_c10d import AllreduceOptions

from steelyard.errors import TrainingError
from steelyard.training.elastic_environment import ElasticEnvironment

logger = logging.getLogger(__name__)

_GATE_TIMEOUT_S = 60.0
_QUORUM_SLACK_S = 2.0
_HEALING_TIMEOUT_S = 120.0
_GIVE_UP_S = 900.0
_PAUSE_S = 0.1


class ElasticTeam:
    """Membership in the quorum of a step: each worker is a replica group of torchft of its own.

    torchft's manager finds the quorum, re-forms the group and heals; its mean over the participants is not
    used: gradients come weighted by their samples and are summed.

    Args:
        place: How to find the others.
        rank: The worker's number until it has joined.
        world_size: Workers that are expected first.
    """

    def __init__(self, place: ElasticEnvironment, *, rank: int, world_size: int) -> None:
        # The native parts of torchft log every step at the level "info", to the worker's own output.
        os.environ.setdefault("RUST_LOG", "warn")
        logging.getLogger("torchft.manager").setLevel(logging.ERROR)
        from torchft.process_group import ProcessGroupGloo

        self._place = place
        self._seat = rank
        self._num_expected = world_size
        # A worker that was started again is not the first one, even where it has that one's number.
        self.rank = rank if place.restart_count == 0 else max(rank, 1)
        """Place in the quorum, from 0: those that have been in it longest come first."""
        self.world_size = world_size
        """Workers of the quorum."""
        self.group: dist.ProcessGroup | None = None
        """None: no collective of an elastic run goes past `all_reduce`, which never raises."""
        self._pg = ProcessGroupGloo(timeout=timedelta(seconds=place.peer_timeout_s))
        self._manager: Any = None
        self._store: dist.TCPStore | None = None
        self._states: dict[str, tuple[Callable[[Any], None], Callable[[], Any]]] = {}
        self._sums = ThreadPoolExecutor(1, thread_name_prefix="quorum_sum")
        self._quorum_id = -1
        self._num_steps = 0

    @property
    def has_failed(self) -> bool:
        """Whether a peer was lost since the quorum: what was summed since is worth nothing."""
        return self._manager is None or self._manager.errored() is not None

    def register(self, name: str, save: Callable[[], Any], load: Callable[[Any], None]) -> None:
        """Add a state that a worker which comes (back) takes from a peer.

        Args:
            name: Its name, the same on all workers.
            save: Gives it as tensors, numbers, texts, lists and dicts.
            load: Takes it over.
        """
        self._states[name] = (load, save)

    def form(self) -> bool:
        """Meet the others for the next step; blocks until there are enough of them.

        Returns:
            Whether the quorum is another than before, or this worker took over a peer's state.

        Raises:
            TrainingError: No quorum came together, or nobody is left to take the state from.
        """
        deadline_s = time.monotonic() + _GIVE_UP_S
        while True:
            try:
                if self._ask():
                    break
            except (RuntimeError, TimeoutError, OSError) as error:
                # The lighthouse is being started again, or too few workers live for now.
                logger.warning("no quorum, asking again: %s", error)
                self._drop()
            if time.monotonic() > deadline_s:
                raise TrainingError(
                    f"no quorum of {self._place.min_workers} workers in {_GIVE_UP_S:.0f} s",
                    f"see whether the lighthouse at {self._place.lighthouse} runs and enough nodes live",
                )
            time.sleep(_PAUSE_S)
        manager = self._manager
        is_new = manager._quorum_id != self._quorum_id
        self._quorum_id = manager._quorum_id
        self.rank, self.world_size = manager.participating_rank(), manager.num_participants()
        return is_new

    def all_reduce(
        self, tensor: torch.Tensor, *, timeout_s: float | None = None
    ) -> torch.futures.Future[Any]:
        """Sum a tensor over the quorum, in place.

        Args:
            tensor: The tensor.
            timeout_s: How long to wait for a peer; that of a hung peer where None.

        Returns:
            A future of the tensor. It never fails: where a peer was lost it holds anything, and `has_failed`.
        """
        future: torch.futures.Future[Any] = torch.futures.Future()
        self._sums.submit(self._sum, tensor, timeout_s, future)
        return future

    def commit(self, is_good: bool) -> bool:
        """Decide whether this worker makes the step; to be asked once after each `form`.

        Args:
            is_good: Whether all of the quorum have told that they hold the sum.

        Returns:
            Whether to make it. Where some did and others could not, the others take over the state of those.
        """
        if not is_good and not self.has_failed:
            self._lose(RuntimeError("a peer was lost or does not hold the sum"))
        is_made: bool = self._manager.should_commit()
        self._num_steps = self._manager.current_step()
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
        if self._manager is None:
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
        self._drop()
        self._sums.shutdown()

    def _ask(self) -> bool:
        """Ask for a quorum once; False where it fell apart while it formed."""
        manager = self._manager or self._join()
        manager.start_quorum()
        if manager._quorum_id < self._quorum_id:
            # The lighthouse began to count anew: its numbers, which name the meeting places, are used already.
            raise RuntimeError("the lighthouse was started again")
        if manager.errored() is None and self._pg.size() != manager.num_participants():
            manager.report_error(RuntimeError("the group is another than the quorum"))
        if manager.errored() is not None:
            manager.should_commit()  # counts the failure, which makes the next quorum a new one
            return False
        if self._is_lost_newcomer(manager):
            raise TrainingError(
                "this worker was started again, and nobody is left to take the state from",
                "start the job again from its newest checkpoint",
            )
        self._num_steps = manager.current_step()
        return True

    def _is_lost_newcomer(self, manager: Any) -> bool:
        is_first = manager.participating_rank() == 0
        return (
            self._place.restart_count > 0
            and self._num_steps == 0
            and manager.current_step() == 0
            and is_first
        )

    def _join(self) -> Any:
        from torchft.manager import Manager

        from steelyard.training.healing import GroupTransport

        if self._quorum_id == -1 and self._num_steps == 0:
            self._wait_at_gate()
        place = self._place
        self._store = dist.TCPStore(place.address, 0, is_master=True, wait_for_workers=False)
        manager = Manager(
            pg=self._pg,
            load_state_dict=None,
            state_dict=None,
            min_replica_size=place.min_workers,
            use_async_quorum=False,
            timeout=timedelta(seconds=_HEALING_TIMEOUT_S),
            quorum_timeout=timedelta(seconds=place.peer_timeout_s + _QUORUM_SLACK_S),
            connect_timeout=timedelta(seconds=place.peer_timeout_s),
            rank=0,
            world_size=1,
            store_addr=place.address,
            store_port=self._store.port,
            lighthouse_addr=place.lighthouse,
            # The quorum is sorted by this name: who came first keeps the first place.
            replica_id=f"{place.restart_count:06d}.{self._seat:06d}",
            hostname=place.address,
            checkpoint_transport=GroupTransport(self._pg),
        )
        for name, (load, save) in self._states.items():
            manager.register_state_dict_fn(name, load, save)
        manager.load_state_dict({"step": self._num_steps, "batches_committed": 0})
        self._manager, self._quorum_id = manager, -1
        return manager

    def _wait_at_gate(self) -> None:
        """Let the first workers begin together; one that does not come is not waited for for ever."""
        place = self._place
        if place.restart_count > 0 or place.master_address is None or self._num_expected < 2:
            return
        with contextlib.suppress(dist.DistError, TimeoutError):
            gate = dist.TCPStore(
                place.master_address,
                place.master_port,
                is_master=self._seat == 0,
                wait_for_workers=False,
                timeout=timedelta(seconds=_GATE_TIMEOUT_S),
            )
            # The second turn keeps the store, which is the first worker's, until nobody waits there any more.
            for turn in ("come", "gone"):
                if gate.add(turn, 1) >= self._num_expected:
                    gate.set(f"all {turn}", "")
                if turn == "come" or self._seat == 0:
                    gate.wait([f"all {turn}"])

    def _sum(self, tensor: torch.Tensor, timeout_s: float | None, future: torch.futures.Future[Any]) -> None:
        """Sum one tensor; one at a time, so that the group can be left as soon as one sum fails."""
        error = "" if self.has_failed else self._try_sum(tensor, timeout_s)
        if error:
            self._lose(RuntimeError(error))
        future.set_result(tensor)

    def _try_sum(self, tensor: torch.Tensor, timeout_s: float | None) -> str:
        """Return what went wrong, and leave nothing that would hold the group's connections."""
        options = AllreduceOptions()  # a sum, where nothing else is said
        if timeout_s is not None:
            options.timeout = timedelta(seconds=timeout_s)
        try:
            self._pg.allreduce([tensor], options).wait()
        except RuntimeError as error:
            return str(error)
        return ""

    def _lose(self, error: Exception) -> None:
        """Take note of a loss, and leave the group.

        Peers that wait for this worker, not for the lost one, notice by the end of its connections: gloo's own
        abort leaves them open, the end of the group with nothing under way closes them.
        """
        logger.info("a peer was lost: %s", error)
        self._manager.report_error(error)
        self._pg.abort()

    def _drop(self) -> None:
        manager, self._manager = self._manager, None
        self._pg.abort()
        if manager is not None:
            manager.shutdown(wait=True)
        self._store = None
