"""The gateway's HTTP server."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import uvicorn
from starlette.types import ASGIApp


class GatewayServer(uvicorn.Server):
    """Uvicorn in a process that has signal handlers of its own."""

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Leave signals to the process."""
        yield


def create_server(app: ASGIApp, *, grace_s: int) -> GatewayServer:
    """Return a server for an application; it is stopped by its `should_exit`.

    Args:
        app: The application.
        grace_s: How long answers that are under way may take once it is stopped, in seconds.
    """
    config = uvicorn.Config(
        app,
        loop="asyncio",
        http="h11",
        ws="none",
        lifespan="off",
        log_config=None,
        log_level="warning",
        access_log=False,
        server_header=False,
        timeout_graceful_shutdown=grace_s,
    )
    return GatewayServer(config)
