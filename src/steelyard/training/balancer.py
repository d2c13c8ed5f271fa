"""`Balancer`: a few lines that make a data-parallel script balanced."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Mapping
from datetime import timedelta
from types import TracebackType
from typing import Any

import torch
from torch import nn
from torch.nn.parallel import DistributedDataParallel
from torch.utils.data import DataLoader, Dataset

from steelyard.balance import Policy, Shares, policy_by_name, split_equally
from steelyard.errors import UsageError
from steelyard.training.cycle import StepCycle
from steelyard.training.environment import DEFAULT_IMITATED_SAMPLE_S, WorkerEnvironment
from steelyard.training.event import EventLog
from steelyard.training.exchange import Exchange
from steelyard.training.gradient import refuse_inexact, wait_for_device, weigh_gradients
from steelyard.training.imitation import ImitatedAccelerator
from steelyard.training.journal import StepJournal
from steelyard.training.loader import BalancedLoader
from steelyard.training.plan import SharePlan
from steelyard.training.team import Team
from steelyard.training.window import Cursor, WindowSampler

_OWN_LOADER_OPTIONS = frozenset({"batch_size", "sampler", "batch_sampler", "drop_last"})


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
    This asks for a loss that is a mean of independent terms, one for each sample. With gradient
    accumulation (``model.no_sync()`` for all but the last micro-batch) each micro-batch's mean counts by
    its part of the share: ``loss * len(micro_batch) / len(batch)``.

    Dropout and random augmentation draw from each worker's own generator, so other shares draw other
    masks: the gradient is then the same in distribution, not digit by digit.

    On an accelerator the end of the local work is found by waiting for the current stream; that path was
    not measured.

    Args:
        global_batch: Samples of one step over all workers; constant whatever the shares.
        seed: Seed of the order of samples. The model's own seed is the script's.
        policy: How to share out; from ``STEELYARD_BALANCE`` where None, which is by speed if not set.
        imitated_sample_s: Seconds per sample at relative speed 1 while an accelerator is imitated; the
            environment's where None, else 6 ms. Ignored where none is imitated.
        timeout: How long a collective waits for the other workers; torch's default where None.
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
        policy: Policy | None = None,
        imitated_sample_s: float | None = None,
        timeout: timedelta | None = None,
        environment: WorkerEnvironment | None = None,
        clock: Callable[[], float] = time.perf_counter,
    ) -> None:
        if global_batch < 1:
            raise UsageError(f"the global batch is {global_batch} samples", "ask for 1 or more")
        place = environment or WorkerEnvironment.read(os.environ)
        self.global_batch = global_batch
        self._clock = clock
        self._policy = policy or _policy(place.policy_name)
        self._team = Team(place, timeout=timeout)
        accelerator = _imitated_accelerator(place, imitated_sample_s, clock)
        members = self._team.gather((place.node_id, accelerator is not None))
        self.is_imitated = any(is_imitated for _, is_imitated in members)
        self._events = EventLog(place.events_path if self.rank == 0 else None)
        self._journal = StepJournal(
            self._events,
            node_ids=[node_id for node_id, _ in members],
            policy_name=self._policy.name,
            is_imitated=self.is_imitated,
        )
        self._cycle = StepCycle(
            rank=self.rank,
            policy=self._policy,
            plan=self._first_plan(),
            exchange=Exchange(self.rank, self.world_size, self._team.group),
            cursor=Cursor(seed=seed),
            accelerator=accelerator,
            on_done=self._journal.record if self.rank == 0 else lambda outcome: None,
            clock=clock,
        )
        self._num_samples: int | None = None

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

    def prepare(self, model: nn.Module, optimizer: torch.optim.Optimizer, **ddp_options: Any) -> nn.Module:
        """Make the model's gradients those of the global batch and have the steps measured.

        Args:
            model: The model, on its device. A plain module is wrapped in `DistributedDataParallel` where
                there are other workers; a wrapped one is taken as it is. Where shares may differ the
                wrapping leaves buffers alone after the start, unless ``broadcast_buffers`` is given.
            optimizer: The optimizer of its parameters; its step ends the step.
            **ddp_options: Options of `DistributedDataParallel` for the wrapping.

        Returns:
            The model to train with.

        Raises:
            NotExactError: If the gradient could not be kept exact, by the name of the part and the reason.
        """
        is_unequal = self.world_size > 1 and not self._policy.is_equal
        refuse_inexact(model, has_unequal_shares=is_unequal)
        if self.world_size > 1 and not isinstance(model, DistributedDataParallel):
            if is_unequal:
                # Sending them at each forward pass would make every worker wait for rank 0 in what is measured.
                ddp_options.setdefault("broadcast_buffers", False)
            model = DistributedDataParallel(model, **ddp_options)
        self._follow(model, optimizer)
        return model

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
        own = sorted(_OWN_LOADER_OPTIONS & loader_options.keys())
        if own:
            raise UsageError(
                f"{', '.join(own)} of the loader is decided by Balancer",
                "say global_batch to Balancer and shuffle to Balancer.loader",
            )
        if not hasattr(dataset, "__len__") or not hasattr(dataset, "__getitem__") or len(dataset) == 0:
            raise UsageError(
                f"a {type(dataset).__name__} cannot be shared out by index",
                "give a dataset with __len__ above 0 and __getitem__",
            )
        num_samples = len(dataset)
        self._agree(num_samples, num_steps, loader_options)
        sampler = WindowSampler(
            num_samples, rank=self.rank, shares_at=lambda step: self._cycle.plan.at(step), shuffle=shuffle
        )
        return BalancedLoader(
            DataLoader(dataset, batch_sampler=sampler, **loader_options),
            sampler,
            observer=self._cycle,
            cursor=lambda: self._cycle.cursor,
            num_samples=num_samples,
            global_batch=self.global_batch,
            num_steps=num_steps,
            clock=self._clock,
        )

    def weigh(self, loss: torch.Tensor) -> torch.Tensor:
        """Return the loss to call ``backward`` on, and take note of it for the step's report.

        Under `DistributedDataParallel` the loss is returned unchanged, since its gradient is weighed in the
        communication hook.

        Args:
            loss: Mean loss over the local samples, or a micro-batch's part of it; a scalar.
        """
        self._cycle.add_loss(loss)
        return loss

    def metric(self, name: str, value: float, *, step: int | None = None) -> None:
        """Report a figure, such as a validation loss; that of rank 0 counts.

        Args:
            name: Name of the figure, with its unit.
            value: The figure.
            step: Steps made when it was taken; those made by now where None.
        """
        self._cycle.settle()
        self._events.write("metric", step=self.step if step is None else step, name=name, value=float(value))

    def result(self, values: Mapping[str, Any]) -> None:
        """Report what the training came to, as JSON values; that of rank 0 counts."""
        self._cycle.settle()
        self._events.write("result", values=dict(values))

    def state_dict(self) -> dict[str, Any]:
        """Return where training stands and what was learned of the workers, as plain values.

        The same on every worker. Taken after a step, it resumes with the next one, with any number of
        workers: the order of samples depends on neither.
        """
        self._cycle.settle()
        return {
            "version": 1,
            "cursor": self._cycle.cursor.state_dict(),
            "num_samples": self._num_samples,
            "shares": list(self.shares),
            "policy": self._policy.state_dict(),
        }

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Go on from what `state_dict` returned; on every worker, before the loader is iterated.

        What was learned of the workers is used where their number is the same; the seed is the saved one.

        Raises:
            UsageError: If the state is of another version or of a dataset of another length.
        """
        if state.get("version") != 1:
            raise UsageError(
                f"the balancer's state has version {state.get('version')!r}, not 1",
                "load a state saved by it",
            )
        saved = state["num_samples"]
        if None not in (saved, self._num_samples) and saved != self._num_samples:
            raise UsageError(
                f"the state is of a dataset of {saved} samples, and this one has {self._num_samples}",
                "resume with the same dataset",
            )
        plan = self._first_plan()
        if len(state["shares"]) == self.world_size:
            self._policy.load_state_dict(state["policy"])
            if sum(state["shares"]) == self.global_batch:
                plan = SharePlan(tuple(state["shares"]))
        self._num_samples = saved
        self._cycle.restore(Cursor(**state["cursor"]), plan)

    def close(self) -> None:
        """Finish the last step's report and leave the other workers in order."""
        self._leave(is_orderly=True)

    def __enter__(self) -> Balancer:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._leave(is_orderly=kind is None)

    def _first_plan(self) -> SharePlan:
        equal = split_equally(self.global_batch, self.world_size)
        plan = SharePlan(equal)
        plan.adopt(self._policy.plan(self.global_batch, equal), sent_in=-2)
        return plan

    def _follow(self, model: nn.Module, optimizer: torch.optim.Optimizer) -> None:
        cycle = self._cycle
        if isinstance(model, DistributedDataParallel):
            weigh_gradients(model, cycle)
        else:
            device = next(model.parameters()).device
            optimizer.register_step_pre_hook(lambda *_: wait_for_device(device))
            optimizer.register_step_pre_hook(lambda *_: cycle.end_compute())
        optimizer.register_step_pre_hook(lambda *_: cycle.before_update())
        optimizer.register_step_post_hook(lambda *_: cycle.after_update())

    def _agree(self, num_samples: int, num_steps: int | None, loader_options: Mapping[str, Any]) -> None:
        """Check that all workers draw from the same order, and find how far the deepest one draws ahead."""
        if self._num_samples not in (None, num_samples):
            raise UsageError(
                f"training began with a dataset of {self._num_samples} samples, and this one has {num_samples}",
                "go on with the same dataset; load validation data with a plain DataLoader",
            )
        order = {
            "num_samples": num_samples,
            "num_steps": num_steps,
            "global_batch": self.global_batch,
            **self._cycle.cursor.state_dict(),
        }
        depth = loader_options.get("num_workers", 0) * (loader_options.get("prefetch_factor") or 2)
        answers = self._team.gather((order, depth))
        orders = [each for each, _ in answers]
        if any(each != order for each in orders):
            raise UsageError(
                f"the workers would draw from different orders of samples: {orders}",
                "give every worker the same dataset, global batch, steps, seed and state",
            )
        self._cycle.plan.lag = max(each for _, each in answers)
        self._num_samples = num_samples
        self._journal.total_steps = num_steps

    def _leave(self, *, is_orderly: bool) -> None:
        if is_orderly:
            self._cycle.settle()
        self._team.leave(is_orderly=is_orderly)
        self._events.close()


def _policy(name: str) -> Policy:
    try:
        return policy_by_name(name)
    except ValueError as err:
        raise UsageError(
            str(err), "set STEELYARD_BALANCE, or --balance of `steelyard train`, to one of them"
        ) from err


def _imitated_accelerator(
    place: WorkerEnvironment, sample_s: float | None, clock: Callable[[], float]
) -> ImitatedAccelerator | None:
    if place.imitated_speed is None:
        return None
    base_s = sample_s or place.imitated_sample_s or DEFAULT_IMITATED_SAMPLE_S
    return ImitatedAccelerator(base_s / place.imitated_speed, clock=clock)
