"""The weights that the head sets in the load balancer's server group, as metrics."""

from __future__ import annotations

from collections.abc import Mapping

from prometheus_client import CollectorRegistry, Counter, Gauge


class WeightGauges:
    """Shows weights, and how often the cloud refused one of the calls.

    Args:
        registry: Holds them.
    """

    def __init__(self, registry: CollectorRegistry) -> None:
        self._weights = Gauge(
            "steelyard_load_balancer_weight",
            "Weight of a node in the load balancer's server group, as last seen or set",
            ["node_id"],
            registry=registry,
        )
        self._errors = Counter(
            "steelyard_load_balancer_weight_errors",
            "Looks at the server group, and changes of weights, that failed",
            registry=registry,
        )

    def show(self, weights: Mapping[str, int]) -> None:
        """Show the weights by instance id, and no others."""
        self._weights.clear()
        for node_id, weight in weights.items():
            self._weights.labels(node_id=node_id).set(weight)

    def count_error(self) -> None:
        """Count a call that failed."""
        self._errors.inc()
