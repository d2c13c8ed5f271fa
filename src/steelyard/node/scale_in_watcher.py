"""Watches for the scaling group's wish to take this node away, and tells it when the node has drained.

A member of a scaling group that is to go waits at the group's lifecycle hooks (`Removing:Wait`) until each of them is
told to go on, or its time is over. Source: the Auto Scaling API's DescribeScalingInstances, DescribeLifecycleActions
and CompleteLifecycleAction. That a hook may have one token for several instances is from memory: such a token is left
to time, so that no other node is cut short.
"""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import Sequence
from dataclasses import dataclass

from steelyard.errors import NodeError
from steelyard.node.cloud_api import Api
from steelyard.product import Product

logger = logging.getLogger(__name__)

PERIOD_S = 5.0
"""How often the scaling group is asked, in seconds."""

GROUP_TAG = "acs:autoscaling:scalingGroupId"
"""Tag by which an instance tells the scaling group that made it."""

_ECS = Product(code="ecs", version="2014-05-26")
_ESS = Product(code="ess", version="2022-02-22")
_CLUSTER_TAG = "steelyard:cluster"


@dataclass(frozen=True, kw_only=True)
class Wait:
    """A hook that waits for this node alone."""

    hook_id: str
    token: str


class ScaleInWatcher:
    """Asks the scaling group until it takes this node away.

    Args:
        api: Calls the cloud as the node's role.
        node_id: This instance.
        cluster: The cluster's name, which the instance's tags have.
        period_s: How often the group is asked, in seconds.
    """

    def __init__(self, api: Api, *, node_id: str, cluster: str, period_s: float = PERIOD_S) -> None:
        self._api = api
        self._node_id = node_id
        self._cluster = cluster
        self._period_s = period_s
        self._group_id = ""
        self._is_quiet = False

    async def notice(self) -> Sequence[Wait]:
        """Wait until the group takes this node away; returns the hooks that wait for it."""
        while True:
            found = await asyncio.to_thread(self._look)
            if found is not None:
                return found
            await asyncio.sleep(self._period_s)

    async def complete(self, waits: Sequence[Wait]) -> None:
        """Tell the hooks that this node may go.

        Raises:
            NodeError: The cloud does not take it; the hooks end by time then.
        """
        for wait in waits:
            params = {
                "LifecycleHookId": wait.hook_id,
                "LifecycleActionToken": wait.token,
                "LifecycleActionResult": "CONTINUE",
            }
            await asyncio.to_thread(self._api.call, _ESS, "CompleteLifecycleAction", params)

    def _look(self) -> Sequence[Wait] | None:
        try:
            found = self._ask()
        except NodeError as error:
            if not self._is_quiet:
                logger.warning("the scaling group is not seen for now: %s", error.message)
            self._is_quiet = True
            return None
        self._is_quiet = False
        return found

    def _ask(self) -> Sequence[Wait] | None:
        self._group_id = self._group_id or self._find_group()
        if not self._group_id:
            return None
        params = {"ScalingGroupId": self._group_id, "InstanceIds.1": self._node_id}
        rows = self._api.call(_ESS, "DescribeScalingInstances", params).get("ScalingInstances") or []
        if not rows or rows[0]["LifecycleState"] != "Removing:Wait":
            return None
        params = {"ScalingActivityId": str(rows[0]["ScalingActivityId"]), "MaxResults": "50"}
        listed = self._api.call(_ESS, "DescribeLifecycleActions", params).get("LifecycleActions") or []
        return [
            Wait(hook_id=str(one["LifecycleHookId"]), token=str(one["LifecycleActionToken"]))
            for one in listed
            if one.get("LifecycleActionStatus") == "Pending" and one.get("InstanceIds") == [self._node_id]
        ]

    def _find_group(self) -> str:
        params = {
            "InstanceIds": json.dumps([self._node_id]),
            "Tag.1.Key": _CLUSTER_TAG,
            "Tag.1.Value": self._cluster,
        }
        answer = self._api.call(_ECS, "DescribeInstances", params)
        for instance in (answer.get("Instances") or {}).get("Instance") or []:
            for tag in (instance.get("Tags") or {}).get("Tag") or []:
                if tag.get("TagKey") == GROUP_TAG:
                    return str(tag["TagValue"])
        return ""
