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
    minimum: int = 0,
    maximums: Sequence[int] | None = None,
) -> Shares:
    """Share `total` samples out so that the slowest worker ends as early as integers allow.

    Minimises ``max(costs_s[i] * shares[i])``. Every sample goes to the worker that would finish it
    earliest (min-max greedy), which is optimal for this objective; all but the last few samples are
    given out in closed form first, so the cost grows as n log n with the number of workers.

    Args:
        total: Samples to share out, 0 or more.
        costs_s: Seconds per sample of each worker, above 0.
        minimum: Samples that each worker gets at least. Where `total` is too small for that, the
            minimum falls to what an equal split gives.
        maximums: Samples that each worker can take at most, for instance for its memory; unlimited
            where None.

    Returns:
        One share per worker; the sum is `total`. A worker never gets more than an equally bounded
        worker that is faster.

    Raises:
        ValueError: If there is no worker, a cost is not above 0, or the maximums cannot hold `total`.
    """
    if not costs_s or not all(cost > 0 and math.isfinite(cost) for cost in costs_s):
        raise ValueError(f"the costs must be finite and above 0, got {list(costs_s)}")
    highs = [total] * len(costs_s) if maximums is None else [min(high, total) for high in maximums]
    if len(highs) != len(costs_s) or sum(highs) < total:
        raise ValueError(f"maximums {highs} cannot hold {total} samples of {len(costs_s)} workers")
    floor = min(minimum, total // len(costs_s))
    lows = [min(floor, high) for high in highs]
    finish_s = _continuous_finish_s(total, costs_s, lows, highs) * (1.0 - _ROUNDING)
    shares = [
        min(max(int(finish_s / cost), low), high)
        for cost, low, high in zip(costs_s, lows, highs, strict=True)
    ]
    _give_out(total - sum(shares), shares, costs_s, highs)
    return tuple(shares)


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
    """Find the time by which workers that could take fractions of a sample, within bounds, end `total`.

    The samples done by time T grow in straight pieces: worker i adds 1/cost samples a second from the
    time its minimum is done until its maximum is. The pieces are walked in order of time.
    """
    turns = [(low * cost, 1.0 / cost) for cost, low in zip(costs_s, lows, strict=True)]
    turns += [(high * cost, -1.0 / cost) for cost, high in zip(costs_s, highs, strict=True)]
    turns.sort()
    done, rate, now_s = float(sum(lows)), 0.0, 0.0
    for turn_s, change in turns:
        if rate > 0.0 and done + rate * (turn_s - now_s) >= total:
            break
        done += rate * (turn_s - now_s)
        rate, now_s = rate + change, turn_s
    return now_s + max(total - done, 0.0) / rate if rate > 0.0 else now_s


def _give_out(rest: int, shares: list[int], costs_s: Sequence[float], highs: Sequence[int]) -> None:
    """Give `rest` samples out, each to the worker that ends it earliest; ties to the faster, then by rank."""
    queue = [
        ((shares[rank] + 1) * cost, cost, rank)
        for rank, cost in enumerate(costs_s)
        if shares[rank] < highs[rank]
    ]
    heapq.heapify(queue)
    for _ in range(rest):
        _, cost, rank = heapq.heappop(queue)
        shares[rank] += 1
        if shares[rank] < highs[rank]:
            heapq.heappush(queue, ((shares[rank] + 1) * cost, cost, rank))
