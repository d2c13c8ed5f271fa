"""`/v1/nodes`."""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route

from steelyard.node.gateway.context import gateway_of


async def list_nodes(request: Request) -> JSONResponse:
    """Answer with the cluster's nodes, as Ray sees them."""
    return JSONResponse({"nodes": await gateway_of(request).queue.call("nodes")})


ROUTES = (Route("/v1/nodes", list_nodes, methods=["GET"]),)
