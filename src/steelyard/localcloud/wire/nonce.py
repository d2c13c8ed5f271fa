from __future__ import annotations

import threading
from collections import deque
from dataclasses import dataclass, field

_NUM_GENERATIONS = 4


@dataclass
class _Generation:
    last_at: float = 0.0
    nonces: set[str] = field(default_factory=set)


class UsedNonces:
    """Remembers which nonces were used, for as long as the requests that they came with could be sent again.

    They are kept in generations, of which the oldest is forgotten whole: a use takes the same time however many there
    are.

    Args:
        lasts_s: Seconds after its request's time stamp for which a nonce is remembered at least, unless there are too
            many.
        max_nonces: How many are remembered at most; a flood pushes the oldest quarter out early.
    """

    def __init__(self, lasts_s: float, max_nonces: int) -> None:
        self._lasts_s = lasts_s
        self._max_a_generation = max(1, max_nonces // _NUM_GENERATIONS)
        self._generation_s = lasts_s / _NUM_GENERATIONS
        self._generations: deque[_Generation] = deque()
        self._begun_at = 0.0
        self._lock = threading.Lock()

    def __len__(self) -> int:
        return sum(len(generation.nonces) for generation in self._generations)

    def use(self, nonce: str, now: float, signed_at: float) -> bool:
        """Remember a nonce; tell whether this is its first use.

        Args:
            nonce: The nonce.
            now: Unix time.
            signed_at: The request's time stamp, in Unix time.
        """
        with self._lock:
            while self._generations and now - self._generations[0].last_at > self._lasts_s:
                self._generations.popleft()
            for generation in self._generations:
                if nonce in generation.nonces:
                    return False
            newest = self._newest(now)
            newest.nonces.add(nonce)
            newest.last_at = max(newest.last_at, signed_at)
            return True

    def _newest(self, now: float) -> _Generation:
        newest = self._generations[-1] if self._generations else None
        is_old = newest is not None and now - self._begun_at >= self._generation_s
        if newest is None or is_old or len(newest.nonces) >= self._max_a_generation:
            newest, self._begun_at = _Generation(), now
            self._generations.append(newest)
            while len(self) > self._max_a_generation * (_NUM_GENERATIONS - 1):
                self._generations.popleft()
        return newest
