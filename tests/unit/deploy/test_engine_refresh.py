"""What a refresh learns from the cloud, and what the next preview and up make of it."""

from __future__ import annotations

from collections.abc import Callable

import pulumi
import pulumi_alicloud as alicloud
import pytest
from fake_cloud import FakeCloud

from steelyard.deploy import Result, Stack
from steelyard.errors import ResourceError

Up = Callable[[Callable[[], object]], Result]


def program() -> None:
    vpc = alicloud.vpc.Network(
        "vpc",
        cidr_block="10.0.0.0/8",
        description="as it was",
        user_cidrs=["10.1.0.0/16", "10.2.0.0/16"],
        tags={"owner": pulumi.Output.secret("me")},
    )
    alicloud.ecs.SecurityGroup("group", vpc_id=vpc.id)


def ops(result: Result) -> dict[str, str]:
    return {step.name: step.op for step in result.steps if step.type.startswith("alicloud:")}


def test_nothing_changed_is_nothing_to_tell(stack: Stack, cloud: FakeCloud, up: Up) -> None:
    up(program)
    before = stack.resources()

    assert ops(stack.refresh(cloud)) == {"vpc": "same", "group": "same"}

    assert stack.resources() == before
    assert ops(stack.preview(program, cloud)) == {"vpc": "same", "group": "same"}


def test_a_resource_that_is_gone_is_dropped_and_made_again(stack: Stack, cloud: FakeCloud, up: Up) -> None:
    up(program)
    del cloud.live[cloud.ids("group")[0]]
    assert ops(stack.preview(program, cloud)) == {"vpc": "same", "group": "same"}, "the state is believed"

    assert ops(stack.refresh(cloud)) == {"vpc": "same", "group": "delete"}

    assert [item.name for item in stack.resources() if item.id] == ["vpc"]
    assert ops(stack.preview(program, cloud)) == {"vpc": "same", "group": "create"}
    up(program)
    assert len(cloud.ids("group")) == 1


def test_an_input_that_was_changed_behind_the_back_is_changed_back(
    stack: Stack, cloud: FakeCloud, up: Up
) -> None:
    up(program)
    vpc = cloud.live[cloud.ids("vpc")[0]]
    vpc.update(description="meddled with", tags={"owner": "somebody"})

    result = stack.refresh(cloud)

    assert [step.diff for step in result.steps if step.op == "update"] == [("description", "tags")]
    foreseen = [step for step in stack.preview(program, cloud).steps if step.op == "update"]
    assert [step.diff for step in foreseen] == [("description", "tags.owner")]
    up(program)
    assert cloud.live[cloud.ids("vpc")[0]]["description"] == "as it was"
    assert "somebody" not in stack.directory.joinpath("steelyard.test.json").read_text(), "a secret was seen"
    assert ops(stack.refresh(cloud)) == {"vpc": "same", "group": "same"}


def test_a_list_in_another_order_is_the_same(stack: Stack, cloud: FakeCloud, up: Up) -> None:
    up(program)
    cloud.live[cloud.ids("vpc")[0]]["userCidrs"] = ["10.2.0.0/16", "10.1.0.0/16"]

    assert ops(stack.refresh(cloud)) == {"vpc": "same", "group": "same"}


def test_a_preview_can_look_for_itself_and_writes_nothing(stack: Stack, cloud: FakeCloud, up: Up) -> None:
    up(program)
    cloud.live[cloud.ids("vpc")[0]]["description"] = "meddled with"
    text = stack.directory.joinpath("steelyard.test.json").read_text()

    result = stack.preview(program, cloud, refresh=True)

    assert ops(result) == {"vpc": "update", "group": "same"}
    assert stack.directory.joinpath("steelyard.test.json").read_text() == text


def test_a_refused_look_is_an_error_that_loses_nothing_else(
    stack: Stack, cloud: FakeCloud, up: Up, monkeypatch: pytest.MonkeyPatch
) -> None:
    up(program)
    group_id = cloud.ids("group")[0]
    cloud.live[cloud.ids("vpc")[0]]["description"] = "meddled with"
    look = FakeCloud.read

    def refuse(self: FakeCloud, type_token: str, resource_id: str, operation: object) -> object:
        if resource_id == group_id:
            raise ResourceError("you may not look", code="Forbidden.RAM")
        return look(self, type_token, resource_id, operation)  # type: ignore[arg-type]

    monkeypatch.setattr(FakeCloud, "read", refuse)
    with pytest.raises(ResourceError, match="you may not look"):
        stack.refresh(cloud)

    assert ops(stack.preview(program, cloud)) == {"vpc": "update", "group": "same"}
