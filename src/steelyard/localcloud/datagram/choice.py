"""Choice of the server that a new session goes to. Pure."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Mapping, Sequence

from steelyard.localcloud.datagram.plan import Scheduler, Target

Client = tuple[str, int]
"""A client's address and port."""


class Chooser:
    """Chooses servers, and remembers whose turn it is.

    `wrr` and `rr` take turns that are spread evenly (smooth weighted round robin), `wlc` takes the server with the
    fewest sessions for its weight. `sch` and `tch` hash the client's address, with its port or without it, by weighted
    rendezvous: a server that goes moves no client but its own.
    """

    def __init__(self) -> None:
        self._turns: dict[str, float] = {}

    def choose(
        self, scheduler: Scheduler, targets: Sequence[Target], client: Client, sessions: Mapping[str, int]
    ) -> Target | None:
        """Give the server of a new session.

        Args:
            scheduler: How to choose.
            targets: Servers that are healthy; those of weight 0 are passed over.
            client: Who opens the session.
            sessions: Number of open sessions by server's name.

        Returns:
            None where no server takes a session.
        """
        able = [target for target in targets if target.weight > 0]
        if not able:
            return None
        if scheduler in ("sch", "tch"):
            key = client[0] if scheduler == "sch" else f"{client[0]}:{client[1]}"
            return max(able, key=lambda target: _score(key, target))
        if scheduler == "wlc":
            return min(able, key=lambda target: (sessions.get(target.name, 0) + 1) / target.weight)
        return self._next({target.name: 1 if scheduler == "rr" else target.weight for target in able}, able)

    def _next(self, weights: Mapping[str, int], able: Sequence[Target]) -> Target:
        self._turns = {name: self._turns.get(name, 0.0) + weight for name, weight in weights.items()}
        best = max(able, key=lambda target: self._turns[target.name])
        self._turns[best.name] -= sum(weights.values())
        return best


def _score(key: str, target: Target) -> float:
    """Weighted rendezvous hashing (Mosko et al.): the weight over the negative logarithm of a uniform hash."""
    digest = hashlib.blake2b(f"{key}|{target.name}".encode(), digest_size=8).digest()
    uniform = (int.from_bytes(digest) + 0.5) / 2**64
    return target.weight / -math.log(uniform)
