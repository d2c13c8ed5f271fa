"""What weights that follow the measured speed need."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from steelyard.spec.balancer import ABILITIES
from steelyard.spec.mistake import Finding

_BLIND_SCHEDULERS = ("rr", "sch")
"""Those that do not choose by weight."""


def weight_findings(raw: Mapping[str, Any]) -> Iterator[Finding]:
    """Give what stands against weights that are measured, each with its mend.

    Args:
        raw: The spec's values as YAML or JSON gives them, with every key there.
    """
    balancer, role = _mapping(raw.get("load_balancer")), _mapping(raw.get("node_role"))
    if balancer.get("weights") != "measured":
        return
    path = ("load_balancer", "weights")
    ability = ABILITIES.get(str(balancer.get("kind")))
    if ability is not None and ability.lists_servers:
        message = (
            f"the server group of a load balancer of kind {balancer['kind']} is made after the nodes, which "
            "cannot know it"
        )
        yield Finding(path=path, message=message, hint="take `given`, or `kind: network` or `classic`")
    if balancer.get("scheduler") in _BLIND_SCHEDULERS:
        message = f"the scheduler `{balancer['scheduler']}` does not look at weights"
        yield Finding(path=path, message=message, hint="take `given`, or `scheduler: wrr`")
    if role.get("enabled") is False:
        message = "the head sets the weights under the nodes' role, and there is none"
        yield Finding(path=path, message=message, hint="take `given`, or `node_role.enabled: true`")


def _mapping(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}
