"""A worker's seat at its job's lighthouse, through which it asks for the quorum of a step."""

from __future__ import annotations

import contextlib
import math
import socket
import time
import uuid
from datetime import timedelta
from typing import Any

import torch.distributed as dist

from steelyard.training.elastic_environment import ElasticEnvironment

_GATE_TIMEOUT_S = 60.0
_HEARTBEAT_S = 0.1
_RETRY_S = 0.1
_SLACK_S = 2.0
"""By this a request outlives the lighthouse's own patience with a worker that lives and does not come."""


class QuorumSeat:
    """torchft's native manager of one replica group: its heartbeats, and its requests for quorums.

    torchft's Python manager is left out: it asks its own server for leave to make a step, which costs milliseconds
    and tells a group of one worker nothing, and it would apply a peer's state wherever it is called.

    Args:
        place: How to find the lighthouse.
        number: The worker's number.

    Raises:
        RuntimeError: The lighthouse does not answer.
    """

    def __init__(self, place: ElasticEnvironment, number: int) -> None:
        from torchft.coordination import ManagerClient, ManagerServer

        patience = timedelta(seconds=place.peer_timeout_s)
        self._timeout = patience + timedelta(seconds=_SLACK_S)
        self._store = dist.TCPStore(place.address, 0, is_master=True, wait_for_workers=False)
        # The quorum is sorted by this name: who came first keeps the first place.
        self.name = f"{place.restart_count:06d}.{number:06d}:{uuid.uuid4()}"
        self._server = ManagerServer(
            replica_id=self.name,
            lighthouse_addr=place.lighthouse,
            hostname=place.address,
            bind=f"{place.address}:0",
            store_addr=f"{place.address}:{self._store.port}",
            world_size=1,
            heartbeat_interval=timedelta(seconds=_HEARTBEAT_S),
            connect_timeout=patience,
            # Else a lighthouse that dies with a request leaves it unanswered up to its timeout.
            quorum_retries=math.ceil(self._timeout.total_seconds() / _RETRY_S),
        )
        self._client = ManagerClient(self._server.address(), connect_timeout=patience)

    def ask(self, *, step: int, num_failures: int) -> Any:
        """Ask for a quorum; blocks until all that live have asked for it too.

        Args:
            step: Steps that this worker has made.
            num_failures: Steps that failed since; above 0 the quorum counts as a new one, whoever is in it.

        Returns:
            torchft's ``QuorumResult``.

        Raises:
            RuntimeError: There was none in time; an open request may still be answered, so the seat is lost.
        """
        return self._client._quorum(
            group_rank=0,
            step=step,
            checkpoint_metadata="",  # a state goes over the group: see `healing`
            shrink_only=False,
            timeout=self._timeout,
            commit_failures=num_failures,
            init_sync=True,  # all begin with the state of the first
        )

    def leave(self) -> None:
        """Give the seat up."""
        self._server.shutdown()


def wait_at_gate(place: ElasticEnvironment, number: int, num_expected: int) -> None:
    """Let the first workers begin together; one that does not come is not waited for for ever.

    Args:
        place: Where the gate is, if there is one.
        number: The worker's number.
        num_expected: Workers that are expected first.
    """
    if place.restart_count > 0 or place.master_address is None or num_expected < 2:
        return
    with contextlib.suppress(dist.DistError, TimeoutError):
        if number > 0:
            _wait_for_listener(place.master_address, place.master_port)
        gate = dist.TCPStore(
            place.master_address,
            place.master_port,
            is_master=number == 0,
            wait_for_workers=False,
            timeout=timedelta(seconds=_GATE_TIMEOUT_S),
        )
        # The second turn keeps the store, which is the first worker's, until nobody waits there any more.
        for turn in ("come", "gone"):
            if gate.add(turn, 1) >= num_expected:
                gate.set(f"all {turn}", "")
            if turn == "come" or number == 0:
                gate.wait([f"all {turn}"])


def _wait_for_listener(host: str, port: int) -> None:
    """Wait until somebody listens: torch's own client goes on asking for twice its time and longer.

    Raises:
        TimeoutError: Nobody does.
    """
    end_s = time.monotonic() + _GATE_TIMEOUT_S
    while True:
        try:
            socket.create_connection((host, port), timeout=_RETRY_S * 10).close()
        except OSError as error:
            if time.monotonic() > end_s:
                raise TimeoutError(f"nobody listens at {host}:{port}") from error
            time.sleep(_RETRY_S)
        else:
            return
