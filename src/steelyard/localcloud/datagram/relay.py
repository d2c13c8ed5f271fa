"""The sockets of one listener, and the sessions between its clients and servers."""

from __future__ import annotations

import asyncio
import socket
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from ipaddress import IPv4Address
from typing import Any

from steelyard.localcloud.datagram.choice import Chooser, Client
from steelyard.localcloud.datagram.health import Watch
from steelyard.localcloud.datagram.namespace import open_socket
from steelyard.localcloud.datagram.plan import DatagramListener, Place, Target

MAX_SESSIONS = 8000
_MAX_DATAGRAM = 65535
_BURST = 64
"""Datagrams that are taken from one socket before the others get their turn."""
_BUFFER_BYTES = 4 << 20


@dataclass(kw_only=True)
class Session:
    """A client's datagrams and the server that takes them.

    Attributes:
        client: The client's address and port.
        front: The socket that the client calls.
        target: The server.
        back: A socket of its own towards the server.
        used_at: When a datagram passed last, by the loop's clock.
    """

    client: Client
    front: socket.socket
    target: Target
    back: socket.socket
    used_at: float


class Relay:
    """One listener.

    Args:
        places: Where it listens.
        listener: What it does.

    Raises:
        OSError: A port is taken.
    """

    def __init__(self, places: Sequence[Place], listener: DatagramListener) -> None:
        self._loop = asyncio.get_running_loop()
        self._listener = listener
        self._chooser = Chooser()
        self._sessions: dict[tuple[int, Client], Session] = {}
        self._num_sessions: Counter[str] = Counter()
        self._watches: dict[str, Watch] = {}
        self._leaving: dict[str, asyncio.TimerHandle] = {}
        self._fronts: dict[Place, socket.socket] = {}
        try:
            self.open(places)
        except OSError:
            self.close_all_but(())
            raise
        self._watch_all({})
        self._sweeper = asyncio.create_task(self._sweep())

    def open(self, places: Sequence[Place]) -> None:
        """Listen in further places.

        Raises:
            OSError: A port is taken; those before it are listened on.
        """
        for place in places:
            if place not in self._fronts:
                front = self._fronts[place] = _bound(place, self._listener.port)
                self._loop.add_reader(front, self._take, front)

    def close_all_but(self, places: Sequence[Place]) -> None:
        """Listen in some places alone, and forget the sessions of the others."""
        for place in self._fronts.keys() - {*places}:
            front = self._fronts.pop(place)
            for session in [one for one in self._sessions.values() if one.front is front]:
                self._drop(session)
            self._loop.remove_reader(front)
            front.close()

    def change(self, listener: DatagramListener) -> None:
        """Take up another plan for the same port; sessions with servers that stay are not touched."""
        old = {target.name: target for target in self._listener.targets}
        new = {target.name: target for target in listener.targets}
        has_same_probe = self._listener.probe == listener.probe
        self._listener = listener
        moved = {name for name in old.keys() & new.keys() if _moved(old[name], new[name])}
        gone = {name for name in self._watches if not has_same_probe or name not in new or name in moved}
        before = {name: self._watches.pop(name) for name in gone}
        for watch in before.values():
            watch.stop()
        for name in moved:
            self._drop_target(name)
        self._watch_all({name: watch for name, watch in before.items() if name not in moved})
        for name in new:
            timer = self._leaving.pop(name, None)
            if timer is not None:
                timer.cancel()
        for name in old.keys() - new.keys():
            if listener.drain_timeout_s is not None:
                self._leaving[name] = self._loop.call_later(listener.drain_timeout_s, self._drop_target, name)

    def statuses(self) -> dict[str, dict[str, Any]]:
        """Give what is known of each server, by its name."""
        found = {}
        for target in self._listener.targets:
            watch = self._watches.get(target.name)
            found[target.name] = {
                "is_healthy": watch.is_healthy if watch is not None else None,
                "reason": watch.reason if watch is not None else "",
                "weight": target.weight,
                "num_sessions": self._num_sessions[target.name],
            }
        return found

    def close(self) -> None:
        """Listen no more, and forget all sessions."""
        for timer in self._leaving.values():
            timer.cancel()
        for watch in self._watches.values():
            watch.stop()
        self._sweeper.cancel()
        self.close_all_but(())

    def _watch_all(self, before: Mapping[str, Watch]) -> None:
        probe = self._listener.probe
        for target in self._listener.targets:
            if probe is not None and target.name not in self._watches:
                on_loss = partial(self._drop_target, target.name)
                self._watches[target.name] = Watch(probe, target, on_loss, before.get(target.name))

    def _take(self, front: socket.socket) -> None:
        for _ in range(_BURST):
            try:
                data, client = front.recvfrom(_MAX_DATAGRAM)
            except (BlockingIOError, ConnectionError):
                return
            session = self._sessions.get((front.fileno(), client)) or self._open(front, client)
            if session is None:
                continue
            session.used_at = self._loop.time()
            try:
                session.back.send(data)
            except BlockingIOError:
                continue  # A full buffer loses a datagram, as any router's would.
            except OSError:
                self._drop(session)

    def _give_back(self, session: Session) -> None:
        for _ in range(_BURST):
            try:
                data = session.back.recv(_MAX_DATAGRAM)
            except BlockingIOError:
                return
            except OSError:
                # The server's port is closed: the client's next datagram finds another server.
                self._drop(session)
                return
            session.used_at = self._loop.time()
            try:
                session.front.sendto(data, session.client)
            except (BlockingIOError, ConnectionError):
                continue

    def _open(self, front: socket.socket, client: Client) -> Session | None:
        if not self._lets_in(client):
            return None
        target = self._chooser.choose(self._listener.scheduler, self._healthy(), client, self._num_sessions)
        if target is None:
            return None
        if len(self._sessions) >= MAX_SESSIONS:
            self._drop(min(self._sessions.values(), key=lambda one: one.used_at))
        try:
            back = open_socket(socket.SOCK_DGRAM, target.namespace)
            back.connect((target.address, target.port))
        except OSError:
            return None
        session = Session(client=client, front=front, target=target, back=back, used_at=self._loop.time())
        self._loop.add_reader(back, self._give_back, session)
        self._sessions[front.fileno(), client] = session
        self._num_sessions[target.name] += 1
        return session

    def _lets_in(self, client: Client) -> bool:
        address = IPv4Address(client[0])
        return all(gate.lets_in(address, client[1]) for gate in self._listener.gates)

    def _healthy(self) -> list[Target]:
        watches = self._watches
        found = [
            target
            for target in self._listener.targets
            if target.name not in watches or watches[target.name].is_healthy
        ]
        return [target for target in found if not target.is_backup] or found

    def _drop(self, session: Session) -> None:
        if self._sessions.pop((session.front.fileno(), session.client), None) is not None:
            self._num_sessions[session.target.name] -= 1
            if not self._num_sessions[session.target.name]:
                # Servers come and go for as long as the listener stands.
                del self._num_sessions[session.target.name]
            self._loop.remove_reader(session.back)
            session.back.close()

    def _drop_target(self, name: str) -> None:
        self._leaving.pop(name, None)
        for session in [one for one in self._sessions.values() if one.target.name == name]:
            self._drop(session)

    async def _sweep(self) -> None:
        while True:
            await asyncio.sleep(min(1.0, self._listener.idle_timeout_s / 2))
            limit = self._loop.time() - self._listener.idle_timeout_s
            for session in [one for one in self._sessions.values() if one.used_at < limit]:
                self._drop(session)


def _bound(place: Place, port: int) -> socket.socket:
    front = open_socket(socket.SOCK_DGRAM, place.namespace)
    front.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, _BUFFER_BYTES)
    try:
        front.bind((place.address, port))
    except OSError as err:
        front.close()
        raise OSError(err.errno, f"cannot bind {place.address}:{port}: {err.strerror}") from err
    return front


def _moved(old: Target, new: Target) -> bool:
    return (old.address, old.port, old.namespace) != (new.address, new.port, new.namespace)
