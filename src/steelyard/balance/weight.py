"""Weights of a load balancer's servers, from the same speeds as the training shares."""

from __future__ import annotations

from collections.abc import Sequence

MAX_WEIGHT = 100
"""Highest weight of a server of a classic load balancer; 0 takes no new connection."""


def load_balancer_weights(speeds: Sequence[float]) -> tuple[int, ...]:
    """Turn speeds into weights from 0 to 100, the fastest server getting 100.

    Args:
        speeds: Speed of each server in any one unit, for instance samples/s; 0 for a server that
            shall take no new connection.

    Returns:
        One weight per server. A server that works at all keeps a weight of 1 at least, so that it is
        not drained for being slow.

    Raises:
        ValueError: If a speed is below 0.
    """
    if any(not speed >= 0.0 for speed in speeds):
        raise ValueError(f"speeds must be 0 or above, got {list(speeds)}")
    fastest = max(speeds, default=0.0)
    if fastest == 0.0:
        return (0,) * len(speeds)
    return tuple(max(1, round(MAX_WEIGHT * speed / fastest)) if speed > 0.0 else 0 for speed in speeds)
