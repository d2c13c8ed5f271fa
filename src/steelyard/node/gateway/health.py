"""`GET /healthz`: what the load balancer asks."""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route

from steelyard.node.gateway.context import gateway_of


async def get_health(request: Request) -> JSONResponse:
    """Answer 200 while the node can take a job, else 503 with the reason."""
    gateway = gateway_of(request)
    status = gateway.health.status
    body = {"status": "ok" if status.is_healthy else "unavailable", "node_id": gateway.identity.node_id}
    if not status.is_healthy:
        body["reason"] = status.reason
    return JSONResponse(body, status_code=200 if status.is_healthy else 503)


ROUTES = (Route("/healthz", get_health, methods=["GET"]),)
