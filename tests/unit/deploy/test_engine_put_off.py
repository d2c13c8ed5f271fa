"""What a run does around a resource for which the cloud has no room for now."""

from __future__ import annotations

import sys
import textwrap
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pulumi
import pulumi_alicloud as alicloud
import pytest
from fake_cloud import FakeCloud

from steelyard.deploy import Stack
from steelyard.deploy.engine.process import ProcessProgram
from steelyard.deploy.report import Result
from steelyard.errors import PutOffError

Up = Callable[[Callable[[], object]], Result]


def names(stack: Stack) -> list[str]:
    return sorted(resource.name for resource in stack.resources())


def nodes(count: int, *, cidr: str = "10.0.0.0/16", image: str = "a") -> None:
    """Nodes in a network, each with a part that needs it, and what needs none of them."""
    net = alicloud.vpc.Network("net", cidr_block="10.0.0.0/8")
    switch = alicloud.vpc.Switch("switch", vpc_id=net.id, cidr_block=cidr, zone_id="h")
    made = [
        alicloud.ecs.Instance(f"node-{i}", vswitch_id=switch.id, image_id=image, status="Running")
        for i in range(count)
    ]
    for i, node in enumerate(made):
        alicloud.ecs.SecurityGroup(f"part-{i}", vpc_id=net.id, description=node.private_ip)
    alicloud.ecs.SecurityGroup("other", vpc_id=net.id)
    pulumi.export("node_ids", [node.id for node in made])
    pulumi.export("first", made[0].private_ip)
    pulumi.export("net", net.id)


def test_what_there_is_no_room_for_keeps_only_what_needs_it_from_being_made(
    up: Up, stack: Stack, cloud: FakeCloud
) -> None:
    cloud.no_room |= {"node-0", "node-2"}
    with pytest.raises(PutOffError) as caught:
        up(lambda: nodes(3))

    assert names(stack) == ["net", "node-1", "other", "part-1", "switch"]
    assert caught.value.message == (
        "node-0, node-2 could not be made; the first: there is no room for node-0; "
        "left for later with them: part-0, part-2"
    )
    assert "`steelyard up`" in caught.value.hint
    assert stack.outputs()["node_ids"].value == cloud.ids("node-1")
    assert "first" not in stack.outputs()
    assert stack.last_result is not None
    failed = {step.name: step.error for step in stack.last_result.steps if step.status == "failed"}
    assert failed["part-0"] == "left for later: it needs node-0"

    cloud.no_room.clear()
    assert up(lambda: nodes(3)).num_by_op == {"same": 5, "create": 4}
    assert stack.outputs()["first"].value is not None


def test_one_alone_is_told_in_its_own_words(up: Up, cloud: FakeCloud) -> None:
    cloud.no_room.add("node-0")
    with pytest.raises(PutOffError, match=r"^node-0 could not be made: there is no room for node-0$"):
        up(lambda: alicloud.ecs.Instance("node-0"))


def test_a_node_whose_successor_has_no_room_stands_with_all_that_it_needs(
    up: Up, stack: Stack, cloud: FakeCloud
) -> None:
    up(lambda: nodes(2))
    before = {name: cloud.ids(name) for name in ("switch", "node-0", "part-0")}
    cloud.no_room.add("node-0")

    with pytest.raises(PutOffError, match="node-0 stands as it was: there is no room"):
        up(lambda: nodes(2, cidr="10.1.0.0/16", image="b"))

    assert cloud.ids("node-0") == before["node-0"]
    assert before["switch"][0] in cloud.live, "the node stands in it"
    assert len(cloud.ids("switch")) == 2
    assert len(cloud.ids("node-1")) == 1
    assert cloud.live[cloud.ids("node-1")[0]]["imageId"] == "b"

    cloud.no_room.clear()
    up(lambda: nodes(2, cidr="10.1.0.0/16", image="b"))
    assert [len(cloud.ids(name)) for name in ("switch", "node-0", "node-1")] == [1, 1, 1]
    assert cloud.ids("node-0") != before["node-0"]


def test_what_stands_and_needs_a_missing_part_stays_as_it_was(up: Up, stack: Stack, cloud: FakeCloud) -> None:
    def program(count: int) -> None:
        made = [alicloud.ecs.Instance(f"node-{i}") for i in range(count)]
        ips = pulumi.Output.all(*[node.private_ip for node in made])
        front = alicloud.ecs.SecurityGroup("front", description=ips.apply(lambda all_: ",".join(all_)))
        alicloud.vpc.Network("behind", description=front.id)

    up(lambda: program(1))
    before = dict(cloud.live)
    cloud.no_room.add("node-1")
    with pytest.raises(PutOffError, match=r"left for later with it: front$"):
        up(lambda: program(2))
    assert cloud.live == before
    assert names(stack) == ["behind", "front", "node-0"]


def test_what_is_read_by_the_id_of_a_missing_part_is_left_with_what_needs_it(
    up: Up, stack: Stack, cloud: FakeCloud
) -> None:
    def program() -> None:
        node = alicloud.ecs.Instance("node")
        seen = alicloud.vpc.Network.get("seen", id=node.id)
        alicloud.vpc.Switch("switch", vpc_id=seen.id)

    cloud.no_room.add("node")
    with pytest.raises(PutOffError, match=r"left for later with it: seen, switch$"):
        up(program)
    assert names(stack) == []


def test_nothing_that_went_from_the_program_stays_for_want_of_room_elsewhere(
    up: Up, cloud: FakeCloud
) -> None:
    up(lambda: nodes(2))
    cloud.no_room.add("extra")

    def fewer() -> None:
        nodes(1)
        alicloud.ecs.Instance("extra")

    with pytest.raises(PutOffError, match="extra could not be made"):
        up(fewer)
    assert (cloud.ids("node-1"), cloud.ids("part-1")) == ([], [])


def test_a_program_in_a_process_of_its_own_is_told_too(
    stack: Stack, cloud: FakeCloud, tmp_path: Path
) -> None:
    (tmp_path / "__main__.py").write_text(
        textwrap.dedent("""
            import pulumi, pulumi_alicloud as alicloud
            nodes = [alicloud.ecs.Instance(f"node-{i}") for i in range(2)]
            for i, node in enumerate(nodes):
                alicloud.vpc.Network(f"part-{i}", description=node.id)
            pulumi.export("ids", [node.id for node in nodes])
        """)
    )
    settings: dict[str, Any] = {"folder": tmp_path, "entry": tmp_path, "root": tmp_path}
    cloud.no_room.add("node-1")
    with pytest.raises(PutOffError, match="node-1 could not be made"):
        stack.up(ProcessProgram(interpreter=Path(sys.executable), **settings), cloud)
    assert names(stack) == ["node-0", "part-0"]
    assert stack.outputs()["ids"].value == cloud.ids("node-0")
