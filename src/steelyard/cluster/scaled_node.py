"""Nodes that a scaling group made, which are in no stack's state."""

from __future__ import annotations

from collections.abc import Sequence

from steelyard.deploy.provider.api import ESS, Api, pages

_SERVING = ("InService", "Protected")


def scaled_ids(api: Api, group_ids: Sequence[str]) -> list[str]:
    """Return the instances that serve in scaling groups, the first to come first; those that come or go are left out.

    Args:
        api: Sends the calls.
        group_ids: The scaling groups.

    Raises:
        ResourceError: The cloud refused a call.
    """
    return [
        str(row["InstanceId"])
        for group_id in group_ids
        for answer in pages(api, ESS, "DescribeScalingInstances", {"ScalingGroupId": group_id})
        for row in (answer.get("ScalingInstances") or {}).get("ScalingInstance") or []
        if row["LifecycleState"] in _SERVING
    ]
