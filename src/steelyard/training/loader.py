"""A data loader that gives each worker its share of every window."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from typing import Any, Protocol

from torch.utils.data import DataLoader, Dataset

from steelyard.errors import TrainingError, UsageError
from steelyard.training.micro_batch import MicroBatches
from steelyard.training.window import Cursor, Window, WindowSampler

_OWN_OPTIONS = frozenset({"batch_size", "sampler", "batch_sampler", "drop_last"})


class StepObserver(Protocol):
    """Who is told of the steps."""

    def begin_step(self, window: Window, behind: Cursor, began_s: float) -> None:
        """Begin a step.

        Args:
            window: The samples of all workers.
            behind: The cursor behind the window.
            began_s: Time of the monotonic clock at which this worker began to load its data.
        """
        ...

    def begin_micro_batch(self, part: float, *, is_last: bool) -> None:
        """Begin a micro-batch of the step; see `micro_batch.MicroBatchObserver`."""
        ...

    def settle(self) -> None:
        """Finish what is under way: no step follows for now."""
        ...

    @property
    def on_boundary(self) -> Callable[[], None]:
        """Called between two steps."""
        ...


class BalancedLoader:
    """Iterates over this worker's part of each window; made by `Balancer.loader`.

    Each iteration goes from where training stands to the end of the epoch or, where a number of steps
    was given, to that step. A loop that was left early is taken up where it was left.

    Args:
        batches: Loads the indices that `sampler` gives.
        sampler: Cuts the windows.
        observer: Is told of every step.
        cursor: Gives where training stands.
        num_samples: Samples of an epoch.
        global_batch: Samples of a full window.
        num_steps: Step to end before, over as many epochs as it takes; None for one epoch at a time.
        micro_batch: Samples of a micro-batch; None for a worker's whole share in one.
        clock: Monotonic clock in seconds.
    """

    def __init__(
        self,
        batches: DataLoader[Any],
        sampler: WindowSampler,
        *,
        observer: StepObserver,
        cursor: Callable[[], Cursor],
        num_samples: int,
        global_batch: int,
        num_steps: int | None = None,
        micro_batch: int | None = None,
        clock: Callable[[], float] = time.perf_counter,
    ) -> None:
        self._batches = batches
        self._sampler = sampler
        self._observer = observer
        self._cursor = cursor
        self._num_samples = num_samples
        self._global_batch = global_batch
        self._num_steps = num_steps
        self._micro_batch = micro_batch
        self._clock = clock

    def __len__(self) -> int:
        """Return how many steps an iteration that began now would make."""
        cursor = self._cursor()
        if self._num_steps is not None:
            return max(self._num_steps - cursor.step, 0)
        return -(-(self._num_samples - cursor.position) // self._global_batch)

    def __iter__(self) -> Iterator[Any]:
        for batch, _ in self._begin_steps(self._rewound(None)):
            yield batch

    def steps(self) -> Iterator[MicroBatches]:
        """Iterate over steps, each an iterator over this worker's micro-batches.

        Gradients stay on this worker until the last micro-batch of the step, whose backward pass sends them to
        the others; no ``no_sync`` is needed. Workers may have different numbers of micro-batches.

        Yields:
            The micro-batches of the next step. All of them must be run before the next step is asked for.

        Raises:
            TrainingError: If micro-batches of a step were left out.
        """
        batches = self._rewound(self._micro_batch)
        for first, window in self._begin_steps(batches):
            sizes = self._sampler.sizes(window)
            step = MicroBatches(first, batches, sizes=sizes, observer=self._observer)
            yield step
            if step.num_left:
                raise TrainingError(
                    f"{step.num_left} of {len(sizes)} micro-batches of step {window.step} were left out, so its"
                    " gradient was never summed over the workers",
                    "run every micro-batch that loader.steps() gives before the next step",
                )

    def _rewound(self, micro_batch: int | None) -> Iterator[Any]:
        """Begin to load where training stands."""
        self._observer.settle()
        cursor = self._cursor()
        last_step = None if self._num_steps is None else max(self._num_steps, cursor.step)
        self._sampler.rewind(cursor, last_step, micro_batch=micro_batch)
        return iter(self._batches)

    def _begin_steps(self, batches: Iterator[Any]) -> Iterator[tuple[Any, Window]]:
        """Begin each step with its first batch; the caller draws the others of the step."""
        while True:
            self._observer.on_boundary()
            began_s = self._clock()
            try:
                batch = next(batches)
            except StopIteration:
                self._observer.settle()
                return
            window, behind = self._sampler.drawn.popleft()
            self._observer.begin_step(window, behind, began_s)
            yield batch, window


def loadable_length(dataset: Dataset[Any], loader_options: Mapping[str, Any]) -> int:
    """Return the length of a dataset that can be shared out by index, with the options given for its loader.

    Raises:
        UsageError: If not, or if an option is Balancer's own to decide.
    """
    own = sorted(_OWN_OPTIONS & loader_options.keys())
    if own:
        raise UsageError(
            f"{', '.join(own)} of the loader is decided by Balancer",
            "say global_batch and micro_batch to Balancer and shuffle to Balancer.loader",
        )
    if not hasattr(dataset, "__len__") or not hasattr(dataset, "__getitem__") or len(dataset) == 0:
        raise UsageError(
            f"a {type(dataset).__name__} cannot be shared out by index",
            "give a dataset with __len__ above 0 and __getitem__",
        )
    return len(dataset)
