"""The process that passes datagrams on: `python -m steelyard.localcloud.datagram SOCKET`.

It takes orders on a Unix socket, one line of JSON a connection, and answers each with one line: `{"order": "apply",
"plan": …}` brings it to a plan, all of it or nothing, `{"order": "statuses"}` asks for what it knows of the servers.
"""

from __future__ import annotations

import asyncio
import json
import resource
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from steelyard.localcloud.datagram.plan import Place, from_tree
from steelyard.localcloud.datagram.relay import Relay

_MAX_ORDER_BYTES = 16 << 20


class Relays:
    """All listeners of a load balancer."""

    def __init__(self) -> None:
        self._relays: dict[tuple[str, int], Relay] = {}
        self._places: list[Place] = []

    def apply(self, tree: Mapping[str, Any]) -> None:
        """Bring the listeners to a plan.

        Raises:
            OSError: A port is taken; all is as it was then.
        """
        places, listeners = from_tree(tree)
        wanted = {(listener.name, listener.port): listener for listener in listeners}
        kept = {key: relay for key, relay in self._relays.items() if key in wanted}
        fresh: dict[tuple[str, int], Relay] = {}
        try:
            for key, listener in wanted.items():
                if key in kept:
                    kept[key].open(places)
                else:
                    fresh[key] = Relay(places, listener)
        except OSError:
            for relay in fresh.values():
                relay.close()
            for relay in kept.values():
                relay.close_all_but(self._places)
            raise
        for key, relay in self._relays.items():
            if key in kept:
                relay.close_all_but(places)
                relay.change(wanted[key])
            else:
                relay.close()
        self._relays = {**kept, **fresh}
        self._places = places

    def statuses(self) -> dict[str, Any]:
        """Give what is known of each listener's servers."""
        return {name: relay.statuses() for (name, _), relay in self._relays.items()}

    def obey(self, order: Mapping[str, Any]) -> dict[str, Any]:
        """Carry out an order, and give the answer."""
        if order["order"] == "statuses":
            return {"statuses": self.statuses()}
        try:
            self.apply(order["plan"])
        except OSError as err:
            return {"refused": err.strerror or str(err)}
        return {"applied": True}


async def _serve(path: Path) -> None:
    relays = Relays()

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        line = await reader.readline()
        if line:
            writer.write(json.dumps(relays.obey(json.loads(line))).encode() + b"\n")
            await writer.drain()
        writer.close()

    server = await asyncio.start_unix_server(answer, path, limit=_MAX_ORDER_BYTES)
    async with server:
        await server.serve_forever()


def main() -> None:
    """Serve until the supervisor ends it."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    asyncio.run(_serve(Path(sys.argv[1])))


if __name__ == "__main__":
    main()
