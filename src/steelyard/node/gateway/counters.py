"""What the gateway counts, in a registry of its own."""

from __future__ import annotations

from dataclasses import dataclass

from prometheus_client import CollectorRegistry, Counter, Gauge

from steelyard.node.gateway.job_gauges import JobGauges


@dataclass(frozen=True, kw_only=True)
class Counters:
    """The gateway's metrics.

    Attributes:
        registry: Holds them.
        requests: HTTP requests, by route and status.
        jobs_accepted: Jobs that this gateway took.
        healthy: 1 while the node can take a job.
        ray_restarts: How often Ray was started again.
        info: Who the node is; always 1.
        jobs: Jobs of the whole cluster, by state.
        nodes_alive: Nodes of the cluster that Ray counts on.
        running: What running jobs reach.
    """

    registry: CollectorRegistry
    requests: Counter
    jobs_accepted: Counter
    healthy: Gauge
    ray_restarts: Gauge
    info: Gauge
    jobs: Gauge
    nodes_alive: Gauge
    running: JobGauges


def create_counters() -> Counters:
    """Return new metrics, all at zero."""
    registry = CollectorRegistry()
    return Counters(
        registry=registry,
        requests=Counter(
            "steelyard_gateway_requests", "HTTP requests served", ["route", "status"], registry=registry
        ),
        jobs_accepted=Counter(
            "steelyard_gateway_jobs_accepted", "Jobs that this gateway took", registry=registry
        ),
        healthy=Gauge("steelyard_node_healthy", "1 while the node can take a job", registry=registry),
        ray_restarts=Gauge(
            "steelyard_node_ray_restarts", "How often Ray was started again", registry=registry
        ),
        info=Gauge(
            "steelyard_node_info",
            "Who the node is; bind_shim tells whether Ray's ports are bound to the private address alone",
            ["node_id", "instance_type", "zone_id", "role", "bind_shim"],
            registry=registry,
        ),
        jobs=Gauge("steelyard_jobs", "Jobs of the cluster", ["state"], registry=registry),
        nodes_alive=Gauge("steelyard_nodes_alive", "Nodes of the cluster that are alive", registry=registry),
        running=JobGauges(registry),
    )
