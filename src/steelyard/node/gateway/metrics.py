"""`GET /metrics`, and the counting of requests."""

from __future__ import annotations

from collections import Counter

from prometheus_client import CONTENT_TYPE_LATEST, generate_latest
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from steelyard.errors import GatewayError
from steelyard.node.gateway.context import Gateway, gateway_of
from steelyard.node.gateway.counters import Counters
from steelyard.node.job.record import JobState

_QUEUE_TIMEOUT_S = 2.0


async def get_metrics(request: Request) -> Response:
    """Answer in Prometheus' text format; what only the head knows is left out while it does not answer."""
    gateway = gateway_of(request)
    _set_node_gauges(gateway)
    await _set_cluster_gauges(gateway)
    return Response(generate_latest(gateway.counters.registry), media_type=CONTENT_TYPE_LATEST)


def _set_node_gauges(gateway: Gateway) -> None:
    identity, counters = gateway.identity, gateway.counters
    counters.healthy.set(1 if gateway.health.status.is_healthy else 0)
    counters.ray_restarts.set(gateway.queue.num_restarts)
    counters.info.labels(
        node_id=identity.node_id,
        instance_type=identity.instance_type,
        zone_id=identity.zone_id,
        role=gateway.role,
        bind_shim="true" if gateway.is_shimmed else "false",
    ).set(1)


async def _set_cluster_gauges(gateway: Gateway) -> None:
    counters = gateway.counters
    counters.running.clear()
    try:
        jobs = await gateway.queue.call("jobs", timeout_s=_QUEUE_TIMEOUT_S)
        nodes = await gateway.queue.call("nodes", timeout_s=_QUEUE_TIMEOUT_S)
    except GatewayError:
        counters.jobs.clear()
        counters.nodes_alive.set(float("nan"))
        return
    num_by_state = Counter(job["state"] for job in jobs)
    for state in JobState:
        counters.jobs.labels(state=state.value).set(num_by_state[state.value])
    counters.nodes_alive.set(sum(node["is_alive"] for node in nodes))
    counters.running.set(jobs)


class CountRequests:
    """Counts requests by the route that served them.

    Args:
        app: The application behind it.
        counters: Where they are counted.
    """

    def __init__(self, app: ASGIApp, *, counters: Counters) -> None:
        self._app = app
        self._counters = counters

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""

        async def count(message: Message) -> None:
            if message["type"] == "http.response.start":
                endpoint = scope.get("endpoint")
                route = getattr(endpoint, "__name__", "none")
                self._counters.requests.labels(route=route, status=str(message["status"])).inc()
            await send(message)

        await self._app(scope, receive, count if scope["type"] == "http" else send)


ROUTES = (Route("/metrics", get_metrics, methods=["GET"]),)
