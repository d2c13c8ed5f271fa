"""Puts the gateway together."""

from __future__ import annotations

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware

from steelyard.errors import GatewayError
from steelyard.node.gateway import health, jobs, metrics, nodes
from steelyard.node.gateway.auth import BearerAuth
from steelyard.node.gateway.context import Gateway
from steelyard.node.gateway.metrics import CountRequests
from steelyard.node.gateway.problem import answer_gateway_error, answer_http_error


def create_app(gateway: Gateway, token: str) -> Starlette:
    """Return the gateway's ASGI application.

    Args:
        gateway: What the routes work with.
        token: The bearer token that every request but `/healthz` has to bring.
    """
    app = Starlette(
        routes=[*health.ROUTES, *jobs.ROUTES, *nodes.ROUTES, *metrics.ROUTES],
        middleware=[
            Middleware(CountRequests, counters=gateway.counters),
            Middleware(BearerAuth, token=token, open_paths=frozenset({"/healthz"})),
        ],
        exception_handlers={GatewayError: answer_gateway_error, HTTPException: answer_http_error},
    )
    app.state.gateway = gateway
    return app
