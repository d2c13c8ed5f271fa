"""Integer shares of a global batch: pure arithmetic, the same on every machine."""

from __future__ import annotations

import heapq
import math
from collections.abc import Sequence
from itertools import accumulate, pairwise

Shares = tuple[int, ...]
"""Number of samples of one step for every worker, in rank order."""

_ROUNDING = 1e-9
"""Relative head room that keeps the first guess of `split_by_cost` from giving out more than the total."""


def split_equally(total: int, num_workers: int) -> Shares:
    """Share `total` samples out in parts that differ by at most one, the first ranks taking the larger.

    Args:
        total: Samples to share out, 0 or more.
        num_workers: Number of workers, 1 or more.

    Returns:
        One share per worker; the sum is `total`.
    """
    part, rest = divmod(total, num_workers)
    return tuple(part + 1 if rank < rest else part for rank in range(num_workers))


def split_by_cost(
    total: int,
    costs_s: Sequence[float],
    *,
    minimum: int | Sequence[int] = 0,
    maximums: Sequence[int] | None = None,
    unit: int = 1,
) -> Shares:
    """Share `total` samples out so that the slowest worker ends as early as integers allow.

    Minimises ``max(costs_s[i] * shares[i])``. Every unit goes to the worker that would finish it
    earliest (min-max greedy), which is optimal for this objective; all but the last few units are
    given out in closed form first, so the cost grows as n log n with the number of workers.

    Args:
        total: Samples to share out, 0 or more; a multiple of `unit`.
        costs_s: Seconds per sample of each worker, above 0.
        minimum: Samples that each worker gets at least; one number for all, or one for each in rank
            order. Where `total` is too small for the minimums, they fall to what an equal split gives.
        maximums: Samples that each worker can take at most, for instance for its memory; unlimited
            where None. A maximum goes before a minimum.
        unit: Every share is a multiple of it: the size of a micro-batch.

    Returns:
        One share per worker; the sum is `total`. A worker never gets more than an equally bounded
        worker that is faster.

    Raises:
        ValueError: If there is no worker, a cost is not above 0, `total` is no multiple of `unit`, or
            the maximums cannot hold `total`.
    """
    if not costs_s or not all(0.0 < cost < math.inf for cost in costs_s):
        raise ValueError(f"the costs must be finite and above 0, got {list(costs_s)}")
    num_units, rest = divmod(total, unit)
    if rest:
        raise ValueError(f"{total} samples are no multiple of micro-batches of {unit}")
    lows, highs = unit_bounds(num_units, len(costs_s), minimum=minimum, maximums=maximums, unit=unit)
    finish_s = _continuous_finish_s(num_units, costs_s, lows, highs)
    # Whole units fall short of the fractions by half a unit a worker. A later time makes up for most of that at once;
    # every unit that ends by then is among the first that the greedy rule gives out, as long as they are not too many.
    num_workers = len(costs_s)
    later = max(num_workers / 2 - math.sqrt(num_workers), 0.0) / max(num_units, 1)
    units = _units_by(finish_s * (1.0 + later), costs_s, lows, highs)
    if sum(units) > num_units:
        units = _units_by(finish_s * (1.0 - _ROUNDING), costs_s, lows, highs)
    _give_out(num_units - sum(units), units, costs_s, highs)
    return tuple(units) if unit == 1 else tuple(count * unit for count in units)


def unit_bounds(
    num_units: int,
    num_workers: int,
    *,
    minimum: int | Sequence[int] = 0,
    maximums: Sequence[int] | None = None,
    unit: int = 1,
) -> tuple[list[int], list[int]]:
    """Turn bounds in samples into bounds in units that a split can keep.

    Args:
        num_units: Units to share out.
        num_workers: Number of workers.
        minimum: As in `split_by_cost`; rounded up to whole units.
        maximums: As in `split_by_cost`; rounded down to whole units.
        unit: Samples of a unit.

    Returns:
        The fewest and the most units of each worker.

    Raises:
        ValueError: If the bounds are for another number of workers or the maximums cannot hold all units.
    """
    highs = [num_units] * num_workers
    if maximums is not None:
        highs = [min(max(high, 0) // unit, num_units) for high in maximums]
    lows = [minimum] * num_workers if isinstance(minimum, int) else list(minimum)
    if len(lows) != num_workers or len(highs) != num_workers:
        raise ValueError(f"{len(lows)} minimums and {len(highs)} maximums are not for {num_workers} workers")
    if sum(highs) < num_units:
        in_units = f" in micro-batches of {unit}" if unit > 1 else ""
        raise ValueError(f"maximums {maximums} cannot hold {num_units * unit} samples{in_units}")
    lows = [min(-(-low // unit), high) for low, high in zip(lows, highs, strict=True)]
    if sum(lows) > num_units:
        lows = [min(low, num_units // num_workers) for low in lows]
    return lows, highs


def finish_s(shares: Sequence[int], costs_s: Sequence[float]) -> float:
    """Predict when the slowest worker ends its share, in seconds from the start of the step."""
    return max(share * cost for share, cost in zip(shares, costs_s, strict=True))


def rescale(shares: Sequence[int], total: int) -> Shares:
    """Cut another, usually shorter, window in the proportions of `shares`.

    Integer arithmetic alone, so every worker gets the same answer from the same plan whatever its
    processor's rounding.

    Args:
        shares: A plan whose sum is above 0.
        total: Samples of the window, 0 or more.

    Returns:
        One share per worker; the sum is `total`.
    """
    whole = sum(shares)
    if whole == total:
        return tuple(shares)
    ends = [reached * total // whole for reached in accumulate(shares, initial=0)]
    return tuple(end - begin for begin, end in pairwise(ends))


def _continuous_finish_s(
    total: int, costs_s: Sequence[float], lows: Sequence[int], highs: Sequence[int]
) -> float:
    """Find the time by which workers that could take fractions of a unit, within bounds, end `total`.

    The units done by time T grow in straight pieces: worker i adds 1/cost units a second from the
    time its minimum is done until its maximum is. The pieces are walked in order of time.
    """
    speeds = [1.0 / cost for cost in costs_s]
    unbounded_s = total / math.fsum(speeds)
    if all(low <= unbounded_s * speed <= high for low, speed, high in zip(lows, speeds, highs, strict=True)):
        return unbounded_s
    turns = [(low * cost, speed) for cost, speed, low in zip(costs_s, speeds, lows, strict=True)]
    turns += [(high * cost, -speed) for cost, speed, high in zip(costs_s, speeds, highs, strict=True)]
    turns.sort()
    done, rate, now_s = float(sum(lows)), 0.0, 0.0
    for turn_s, change in turns:
        if rate > 0.0 and done + rate * (turn_s - now_s) >= total:
            break
        done += rate * (turn_s - now_s)
        rate, now_s = rate + change, turn_s
    return now_s + max(total - done, 0.0) / rate if rate > 0.0 else now_s


def _units_by(
    finish_s: float, costs_s: Sequence[float], lows: Sequence[int], highs: Sequence[int]
) -> list[int]:
    """Return the units that each worker ends by a time, within its bounds."""
    return [
        low if (units := int(finish_s / cost)) < low else high if units > high else units
        for cost, low, high in zip(costs_s, lows, highs, strict=True)
    ]


def _give_out(rest: int, units: list[int], costs_s: Sequence[float], highs: Sequence[int]) -> None:
    """Give `rest` units out, each to the worker that ends it earliest; ties to the faster, then by rank."""
    queue = [
        ((units[rank] + 1) * cost, cost, rank)
        for rank, cost in enumerate(costs_s)
        if units[rank] < highs[rank]
    ]
    heapq.heapify(queue)
    for _ in range(rest):
        _, cost, rank = queue[0]
        units[rank] += 1
        if units[rank] < highs[rank]:
            heapq.heapreplace(queue, ((units[rank] + 1) * cost, cost, rank))
        else:
            heapq.heappop(queue)
