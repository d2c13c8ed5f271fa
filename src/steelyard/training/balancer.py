"""`Balancer`: a few lines that make a data-parallel script balanced."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from datetime import timedelta
from functools import partial
from pathlib import Path
from types import TracebackType
from typing import Any

import torch
from torch import nn
from torch.utils.data import DataLoader, Dataset

from steelyard.balance import Policy, Shares, Straggler
from steelyard.errors import UsageError
from steelyard.training.checkpoint.attach import Checkpoints
from steelyard.training.checkpoint.snapshot import Place, Trained
from steelyard.training.environment import WorkerEnvironment
from steelyard.training.event import EventLog
from steelyard.training.gradient import CommunicationHook
from steelyard.training.imitation import accelerator_of
from steelyard.training.kept_states import Stateful
from steelyard.training.leaving import Boundary
from steelyard.training.loader import BalancedLoader, loadable_length
from steelyard.training.order import STATE_VERSION, agree_on_order, check_length, check_state
from steelyard.training.run_mode import loader_for, make_cycle, make_team, prepare_for
from steelyard.training.share_bounds import ShareBounds
from steelyard.training.term import Term
from steelyard.training.window import Cursor, WindowSampler, hash_seed


class Balancer:
    """Shares each global batch out by the workers' measured speed and keeps the gradient exact.

    Works alone, under plain ``torchrun`` and under ``steelyard train``, with the same script::

        balancer = Balancer(global_batch=1024, seed=0)
        loader = balancer.loader(dataset)
        model = balancer.prepare(model, optimizer)
        for x, y in loader:                              # this worker's share; its size may change
            loss = balancer.weigh(loss_fn(model(x), y))  # a mean over the local samples, as before
            loss.backward()
            optimizer.step()
            optimizer.zero_grad()
        balancer.close()

    The gradient that the optimizer sees is that of the mean over the global batch, whatever the shares.
    This asks for a loss that is a mean of independent terms, one for each sample. Where it is a mean over
    valid tokens, give their number: ``balancer.weigh(loss, num_tokens=n)``. Gradients are accumulated over
    micro-batches with ``loader.steps()``.

    Dropout and random augmentation draw from each worker's own generator, so other shares draw other
    masks: the gradient is then the same in distribution, not digit by digit. Seed that generator with
    `worker_seed` once the model is built, so that no two workers draw the same masks.

    On an accelerator the end of the local work is found by waiting for the current stream; that path was
    not measured.

    Args:
        global_batch: Samples of one step over all workers; constant whatever the shares.
        seed: Seed of the order of samples. The model's own seed is the script's.
        micro_batch: Samples of a micro-batch: every share is a multiple of it, and ``loader.steps()`` gives
            as many at a time. Only the last window of an epoch may hold a smaller one.
        min_share: Samples of a step that this worker gets at least, so that its speed stays measured.
        max_share: Samples of a step that this worker can take, for instance for its memory; unlimited where None.
        policy: How to share out; from ``STEELYARD_BALANCE`` where None, which is by speed if not set.
        imitated_sample_s: Seconds per sample at relative speed 1 while an accelerator is imitated; the
            environment's where None, else 6 ms. Ignored where none is imitated.
        timeout: How long a collective waits for the other workers; where None that of ``steelyard train
            --peer-timeout-s``, else torch's own 30 minutes, or 10 s where workers may come and go.
        environment: This worker's place; read from the process's environment where None.
        clock: Monotonic clock in seconds.

    Raises:
        UsageError: If an argument or an environment variable does not hold what it should.
    """

    def __init__(
        self,
        global_batch: int,
        *,
        seed: int = 0,
        micro_batch: int | None = None,
        min_share: int = 1,
        max_share: int | None = None,
        policy: Policy | None = None,
        imitated_sample_s: float | None = None,
        timeout: timedelta | None = None,
        environment: WorkerEnvironment | None = None,
        clock: Callable[[], float] = time.perf_counter,
    ) -> None:
        if global_batch < 1:
            raise UsageError(f"the global batch is {global_batch} samples", "ask for 1 or more")
        place = environment or WorkerEnvironment.read(os.environ)
        bounds = ShareBounds(micro_batch=micro_batch, minimum=min_share, maximum=max_share)
        bounds.check(global_batch, policy)
        self.global_batch = global_batch
        self._clock = clock
        self._seed = seed
        self._micro_batch = micro_batch
        self._total_steps: int | None = None
        self._num_samples: int | None = None
        self._team = make_team(place, timeout=timeout)
        self._events = EventLog(place.events_path if self.rank == 0 or place.elastic else None)
        self._open_term = partial(
            Term, global_batch, self._events, policy=policy, policy_name=place.policy_name
        )
        accelerator = accelerator_of(place, imitated_sample_s, clock=clock)
        facts = {"node_id": place.node_id, "is_imitated": accelerator is not None, "bounds": asdict(bounds)}
        self._begin_term(self._team.gather(facts))
        self._cycle = make_cycle(
            self._team,
            facts,
            policy=self._term.policy,
            begin_term=self._begin_term,
            first_plan=lambda: self._term.first_plan(),
            cursor=Cursor(seed=seed),
            accelerator=accelerator,
            on_done=lambda outcome: self._term.journal.record(outcome) if self.rank == 0 else None,
            clock=clock,
        )
        self._checkpoints = Checkpoints(place, self._team, self._cycle, self._report)
        self._boundary = Boundary(self._cycle, self._checkpoints, self.close, listens=bool(place.elastic))

    @property
    def rank(self) -> int:
        """Number of this worker, from 0."""
        return self._team.rank

    @property
    def world_size(self) -> int:
        """Number of workers."""
        return self._team.world_size

    @property
    def shares(self) -> Shares:
        """Samples of each worker, in rank order, as agreed on last."""
        return self._cycle.plan.newest

    @property
    def step(self) -> int:
        """Steps given out since the start of training."""
        return self._cycle.cursor.step

    @property
    def epoch(self) -> int:
        """Number of the epoch, from 0."""
        return self._cycle.cursor.epoch

    @property
    def worker_seed(self) -> int:
        """Seed for this worker's own generator, another on each worker: for dropout and augmentation."""
        return hash_seed(self._seed, -1 - self.rank)

    @property
    def stragglers(self) -> tuple[Straggler, ...]:
        """Workers that hold the others up: how slow, since when, what it costs; none under another policy."""
        return self._term.stragglers

    @property
    def is_imitated(self) -> bool:
        """Whether any worker's accelerator is imitated."""
        return self._term.is_imitated

    def prepare(
        self,
        model: nn.Module,
        optimizer: torch.optim.Optimizer,
        *,
        inner_hook: CommunicationHook | None = None,
        inner_hook_state: Any = None,
        **ddp_options: Any,
    ) -> nn.Module:
        """Make the model's gradients those of the global batch and have the steps measured.

        Args:
            model: The model, on its device. A plain module is wrapped in `DistributedDataParallel` where
                there are other workers; a wrapped one, or one sharded by ``fully_shard``, is taken as it is.
                Where shares may differ the wrapping leaves buffers alone after the start, unless
                ``forward_sync_buffers`` is given.
            optimizer: The optimizer of its parameters; its step ends the step.
            inner_hook: A communication hook that takes the mean over the workers, such as torch's
                ``fp16_compress_hook``; it is called with the weighed gradients.
            inner_hook_state: The hook's first argument.
            **ddp_options: Options of `DistributedDataParallel` for the wrapping.

        Returns:
            The model to train with.

        Raises:
            NotExactError: If the gradient could not be kept exact, by the name of the part and the reason.
            UsageError: If a hook or options are given that would not be used.
        """
        prepared = prepare_for(
            self._cycle,
            model,
            optimizer,
            world_size=self.world_size,
            is_equal=self._term.policy.is_equal,
            inner_hook=inner_hook,
            inner_state=inner_hook_state,
            ddp_options=ddp_options,
        )
        self._checkpoints.trained = Trained(model=prepared, optimizer=optimizer, rank=lambda: self.rank)
        return prepared

    def loader(
        self,
        dataset: Dataset[Any],
        *,
        num_steps: int | None = None,
        shuffle: bool = True,
        **loader_options: Any,
    ) -> BalancedLoader:
        """Make the loader that gives this worker its share of every global batch.

        Every sample of an epoch is given out exactly once over all workers, whatever the shares. The last
        window of an epoch may be shorter; it is weighted by its true size. A worker whose share is zero
        gets one sample whose gradient counts with weight zero.

        Args:
            dataset: A dataset with a length and an index.
            num_steps: Step to end before, over as many epochs as it takes; where None, one iteration is
                one epoch.
            shuffle: Whether each epoch is another permutation, or the dataset's own order.
            **loader_options: Options of `torch.utils.data.DataLoader`, such as ``num_workers`` or
                ``collate_fn``; not those that decide on the order and size of batches.

        Raises:
            UsageError: If an option is Balancer's own, the dataset has no length, or the workers' datasets
                differ.
        """
        num_samples = loadable_length(dataset, loader_options)
        check_length(self._num_samples, num_samples)
        order = {"num_samples": num_samples, "num_steps": num_steps, "global_batch": self.global_batch}
        self._num_samples = num_samples
        self._total_steps = self._term.journal.total_steps = num_steps
        agree_on_order(self._team, self._cycle, order, loader_options)
        sampler = WindowSampler(
            num_samples, rank=self.rank, shares_at=lambda step: self._cycle.plan.at(step), shuffle=shuffle
        )
        # Of its own: a DataLoader draws a seed whenever it begins, and would do so from the generator that dropout
        # draws from, so that a resumed run would see other masks.
        generator = torch.Generator().manual_seed(self.worker_seed)
        loader_options = {"generator": generator, **loader_options}
        return loader_for(self._cycle)(
            DataLoader(dataset, batch_sampler=sampler, **loader_options),
            sampler,
            observer=self._cycle,
            cursor=lambda: self._cycle.cursor,
            num_samples=num_samples,
            global_batch=self.global_batch,
            num_steps=num_steps,
            micro_batch=self._micro_batch,
            clock=self._clock,
        )

    def weigh(self, loss: torch.Tensor, *, num_tokens: int | None = None) -> torch.Tensor:
        """Return the loss to call ``backward`` on, and take note of it for the step's report.

        The worker's weight is applied where the gradients leave for the others, so the loss keeps its size: a
        micro-batch of ``loader.steps()`` counts by its part of the share, and any other loss is returned as it is.

        Args:
            loss: Mean loss over the samples, or over the valid tokens, at hand; a scalar.
            num_tokens: Valid tokens that the loss is the mean of, 0 included; None for a mean over samples.
                Each worker then counts by its tokens over those of all, and every loss of a run must be given so.

        Raises:
            TrainingError: If tokens are not given for each loss of a step, or too late to be counted.
        """
        return self._cycle.add_loss(loss, num_tokens)

    def metric(self, name: str, value: float, *, step: int | None = None) -> None:
        """Report a figure, such as a validation loss; that of rank 0 counts.

        Args:
            name: Name of the figure, with its unit.
            value: The figure.
            step: Steps made when it was taken; those made by now where None.
        """
        self._cycle.settle()
        self._report("metric", step=self.step if step is None else step, name=name, value=float(value))

    def result(self, values: Mapping[str, Any]) -> None:
        """Report what the training came to, as JSON values; that of rank 0 counts."""
        self._cycle.settle()
        self._report("result", values=dict(values))

    def keep(self, **objects: Stateful) -> None:
        """Keep states in step, such as a schedule's or a gradient scaler's: they are part of a checkpoint.

        Where workers come and go, they also go back with a step that is made again, and a worker that comes takes
        its peers' by the same names.
        """
        self._cycle.kept.add(**objects)

    def checkpoint(
        self, path: str | Path | None = None, *, every_steps: int | None = None, keep: int | None = None
    ) -> int:
        """Save the training from now on, and go on from the newest good checkpoint that is there.

        To be called after `prepare`, `loader` and `keep`, before the loop. A checkpoint is taken between two steps
        and written in the background; the last one by `close`. It can be resumed with any number of workers.

        Args:
            path: Folder, or ``oss://BUCKET/PREFIX``; that of ``steelyard train --checkpoint`` where None, and without
                one nothing is saved. All nodes must reach it.
            every_steps: Steps from one checkpoint to the next; the launcher's where None, else at the end alone.
            keep: How many good checkpoints are kept; the launcher's where None, else 3.

        Returns:
            Steps made by the checkpoint that training goes on from; 0 where there is none.

        Raises:
            UsageError: If it was called before `prepare`, or the place is neither a folder nor a bucket.
            TrainingError: If nothing can be kept there, or a checkpoint is of another model.
        """
        place = Place(balancer=self, kept=self._cycle.kept)
        return self._checkpoints.begin(path, every_steps=every_steps, num_kept=keep, place=place)

    def state_dict(self) -> dict[str, Any]:
        """Return where training stands and what was learned of the workers, as plain values.

        The same on every worker. Taken after a step, it resumes with the next one, with any number of
        workers: the order of samples depends on neither.
        """
        self._cycle.settle()
        return {
            "version": STATE_VERSION,
            "cursor": self._cycle.cursor.state_dict(),
            "num_samples": self._num_samples,
            "shares": list(self.shares),
            "policy": self._term.policy.state_dict(),
        }

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Go on from what `state_dict` returned; on every worker, before the loader is iterated.

        What was learned of the workers is used where their number is the same; the seed is the saved one.

        Raises:
            UsageError: If the state is of another version or of a dataset of another length.
        """
        check_state(state, self._num_samples)
        shares: Shares | None = None
        if len(state["shares"]) == self.world_size:
            self._term.policy.load_state_dict(state["policy"])
            if sum(state["shares"]) == self.global_batch:
                shares = tuple(state["shares"])
        self._num_samples = state["num_samples"]
        self._seed = state["cursor"]["seed"]
        self._cycle.restore(Cursor(**state["cursor"]), self._term.first_plan(shares))

    def close(self) -> None:
        """Finish the last step's report and leave the other workers in order."""
        self._leave(is_orderly=True)

    def __enter__(self) -> Balancer:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._leave(is_orderly=kind is None)

    def _report(self, kind: str, **fields: Any) -> None:
        if self.rank == 0:
            self._events.write(kind, **fields)

    def _begin_term(self, members: Sequence[Mapping[str, Any]]) -> Policy:
        """Get to know the workers: those of the run, or of a new quorum."""
        self._term = self._open_term(members)
        self._term.journal.total_steps = self._total_steps
        return self._term.policy

    def _leave(self, *, is_orderly: bool) -> None:
        try:
            if is_orderly:
                self._cycle.settle()
                self._checkpoints.close()
        finally:
            self._boundary.close()  # who is asked to leave while the last checkpoint is written ends with it
        self._team.leave(is_orderly=is_orderly)
        self._events.close()
