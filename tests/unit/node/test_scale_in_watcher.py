from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Any

import pytest

from steelyard.errors import NodeError
from steelyard.node.scale_in_watcher import GROUP_TAG, ScaleInWatcher, Wait
from steelyard.product import Product


class ImaginedCloud:
    """Answers as the cloud does for one member of a scaling group."""

    def __init__(self, *states: str) -> None:
        self.states = list(states)
        self.calls: list[tuple[str, dict[str, str]]] = []
        self.is_deaf = False
        self.others = ["i-1"]

    def call(self, product: Product, action: str, params: Mapping[str, str]) -> Mapping[str, Any]:
        self.calls.append((f"{product.code}:{action}", dict(params)))
        if self.is_deaf:
            self.is_deaf = False
            raise NodeError("nobody answers")
        answers = {
            "DescribeInstances": self.instances,
            "DescribeScalingInstances": self.members,
            "DescribeLifecycleActions": self.actions,
            "CompleteLifecycleAction": dict,
        }
        return answers[action]()

    def instances(self) -> Mapping[str, Any]:
        tags = [
            {"TagKey": "steelyard:cluster", "TagValue": "demo"},
            {"TagKey": GROUP_TAG, "TagValue": "asg-1"},
        ]
        return {"Instances": {"Instance": [{"Tags": {"Tag": tags}}]}}

    def members(self) -> Mapping[str, Any]:
        state = self.states.pop(0) if len(self.states) > 1 else self.states[0]
        return {"ScalingInstances": [{"LifecycleState": state, "ScalingActivityId": "asa-1"}]}

    def actions(self) -> Mapping[str, Any]:
        def action(token: str, status: str, ids: list[str]) -> dict[str, Any]:
            return {
                "LifecycleHookId": "ash-1",
                "LifecycleActionToken": token,
                "LifecycleActionStatus": status,
                "InstanceIds": ids,
            }

        return {
            "LifecycleActions": [
                action("mine", "Pending", self.others),
                action("done", "Completed", ["i-1"]),
                action("another", "Pending", ["i-2"]),
            ]
        }


def watcher(cloud: ImaginedCloud) -> ScaleInWatcher:
    return ScaleInWatcher(cloud, node_id="i-1", cluster="demo", period_s=0)


def test_it_waits_until_the_group_takes_the_node_away_and_tells_it_of_the_end() -> None:
    cloud = ImaginedCloud("InService", "InService", "Removing:Wait")

    async def story() -> None:
        waits = await watcher(cloud).notice()
        assert waits == [Wait(hook_id="ash-1", token="mine")]
        await watcher(cloud).complete(waits)

    asyncio.run(story())
    actions = [name for name, _ in cloud.calls]
    assert actions == [
        "ecs:DescribeInstances",
        *3 * ["ess:DescribeScalingInstances"],
        "ess:DescribeLifecycleActions",
        "ess:CompleteLifecycleAction",
    ]
    assert cloud.calls[0][1]["Tag.1.Value"] == "demo"
    assert cloud.calls[1][1] == {"ScalingGroupId": "asg-1", "InstanceIds.1": "i-1"}
    assert cloud.calls[-1][1] == {
        "LifecycleHookId": "ash-1",
        "LifecycleActionToken": "mine",
        "LifecycleActionResult": "CONTINUE",
    }


def test_a_token_of_several_instances_is_left_to_time() -> None:
    cloud = ImaginedCloud("Removing:Wait")
    cloud.others = ["i-1", "i-3"]
    assert asyncio.run(watcher(cloud).notice()) == []


def test_a_cloud_that_does_not_answer_is_asked_again(caplog: pytest.LogCaptureFixture) -> None:
    cloud = ImaginedCloud("Removing:Wait")
    cloud.is_deaf = True
    assert len(asyncio.run(watcher(cloud).notice())) == 1
    assert "nobody answers" in caplog.text
