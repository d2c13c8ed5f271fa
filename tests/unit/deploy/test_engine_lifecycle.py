"""What the engine does with a program: preview, create, same, update, replace, delete."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pulumi
import pulumi_alicloud as alicloud
import pytest
from fake_cloud import GROUP, INSTANCE, NETWORK, FakeCloud

from steelyard.deploy import Stack, Step
from steelyard.deploy.report import Result
from steelyard.errors import DeployError

Up = Callable[[Callable[[], object]], Result]


class Fleet(pulumi.ComponentResource):
    """A network with a switch, a security group and instances that hang on all three."""

    def __init__(self, name: str, num_nodes: int, *, cidr: str = "10.0.0.0/8", label: str = "") -> None:
        super().__init__("test:index:Fleet", name)
        child = pulumi.ResourceOptions(parent=self)
        zones = alicloud.get_zones_output(available_resource_creation="VSwitch")
        self.vpc = alicloud.vpc.Network(f"{name}-vpc", cidr_block=cidr, description=label, opts=child)
        self.switch = alicloud.vpc.Switch(
            f"{name}-switch", vpc_id=self.vpc.id, cidr_block=cidr, zone_id=zones.ids[0], opts=child
        )
        self.group = alicloud.ecs.SecurityGroup(f"{name}-group", vpc_id=self.vpc.id, opts=child)
        self.nodes = [
            alicloud.ecs.Instance(
                f"{name}-node-{i}",
                image_id="ubuntu",
                security_groups=[self.group.id],
                vswitch_id=self.switch.id,
                tags={"index": str(i)},
                opts=child,
            )
            for i in range(num_nodes)
        ]
        self.register_outputs({"vpc_id": self.vpc.id})


def fleet(num_nodes: int = 2, *, cidr: str = "10.0.0.0/8", label: str = "") -> Callable[[], None]:
    def program() -> None:
        built = Fleet("demo", num_nodes, cidr=cidr, label=label)
        pulumi.export("vpc_id", built.vpc.id)
        pulumi.export("ips", pulumi.Output.all(*[node.private_ip for node in built.nodes]))
        pulumi.export("name", "demo")

    return program


def test_a_preview_creates_nothing_and_knows_what_it_cannot_know(stack: Stack, cloud: FakeCloud) -> None:
    result = stack.preview(fleet(), cloud)

    assert result.num_by_op == {"create": 6}
    assert result.is_preview
    assert not result.outputs["vpc_id"].is_known
    assert result.outputs["vpc_id"].value is None
    assert result.outputs["name"].value == "demo"
    assert cloud.live == {}
    assert not stack.directory.exists()


def test_up_creates_everything_once_and_then_finds_it_the_same(stack: Stack, cloud: FakeCloud) -> None:
    first = stack.up(fleet(), cloud)
    again = stack.up(fleet(), cloud)

    assert first.num_by_op == {"create": 6}
    assert first.num_by_type[INSTANCE] == 2
    assert again.num_by_op == {"same": 6}
    assert not again.has_changes
    assert len(cloud.live) == 5
    assert stack.outputs()["vpc_id"].value == cloud.ids("demo-vpc")[0]
    assert sorted(stack.outputs()["ips"].value) == ["10.0.0.4", "10.0.0.5"]


def test_a_preview_after_up_knows_what_stands(stack: Stack, cloud: FakeCloud) -> None:
    stack.up(fleet(), cloud)

    result = stack.preview(fleet(3), cloud)

    assert result.num_by_op == {"same": 6, "create": 1}
    assert result.outputs["vpc_id"].value == cloud.ids("demo-vpc")[0]
    assert not result.outputs["ips"].is_known


def test_scaling_makes_and_deletes_just_those_nodes(stack: Stack, cloud: FakeCloud) -> None:
    stack.up(fleet(1), cloud)
    grown = stack.up(fleet(3), cloud)
    shrunk = stack.up(fleet(1), cloud)

    assert grown.num_by_op == {"same": 5, "create": 2}
    assert shrunk.num_by_op == {"same": 5, "delete": 2}
    assert sorted(cloud.done("delete")) == ["demo-node-1", "demo-node-2"]


def test_a_changed_input_updates_in_place_and_names_the_path(stack: Stack, cloud: FakeCloud) -> None:
    def program(role: str) -> Callable[[], object]:
        return lambda: alicloud.ecs.Instance("node", image_id="ubuntu", tags={"role": role, "kept": "x"})

    stack.up(program("worker"), cloud)
    before = cloud.ids("node")
    result = stack.up(program("head"), cloud)

    assert result.num_by_op == {"update": 1}
    assert next(step for step in result.steps if step.op == "update").diff == ("tags.role",)
    assert cloud.ids("node") == before
    assert cloud.live[before[0]]["tags"] == {"role": "head", "kept": "x"}


def test_a_replacement_makes_the_new_before_the_old_goes_and_takes_dependents_along(
    stack: Stack, cloud: FakeCloud
) -> None:
    stack.up(fleet(1), cloud)
    old_vpc, old_node = cloud.ids("demo-vpc")[0], cloud.ids("demo-node-0")[0]
    cloud.log.clear()

    result = stack.up(fleet(1, cidr="172.16.0.0/12"), cloud)

    ops = {step.name: step.op for step in reversed(result.steps) if step.status == "done"}
    assert ops["demo-vpc"] == "replace"
    assert ops["demo-switch"] == "replace"
    assert ops["demo-group"] == "replace"
    # An instance takes a new switch and group in place, by its own rules.
    assert ops["demo-node-0"] == "update"
    assert result.num_by_op == {"same": 1, "replace": 3, "update": 1}
    assert cloud.ids("demo-node-0") == [old_node]
    assert old_vpc not in cloud.live
    assert len(cloud.live) == 4
    verbs = [verb for verb, _ in cloud.log]
    assert verbs == ["create"] * 3 + ["update"] + ["delete"] * 3
    assert cloud.done("delete")[-1] == "demo-vpc"


def test_a_preview_of_a_replacement_shows_dependents_without_touching_them(
    stack: Stack, cloud: FakeCloud
) -> None:
    stack.up(fleet(1), cloud)
    before = dict(cloud.live)

    result = stack.preview(fleet(1, cidr="172.16.0.0/12"), cloud)

    assert result.num_by_op == {"same": 1, "replace": 3, "update": 1}
    assert not result.outputs["vpc_id"].is_known
    assert cloud.live == before
    assert stack.preview(fleet(1), cloud).num_by_op == {"same": 5}


def test_destroy_leaves_nothing(stack: Stack, cloud: FakeCloud) -> None:
    stack.up(fleet(), cloud)
    result = stack.destroy(cloud)

    assert result.num_by_op == {"delete": 6}
    assert cloud.live == {}
    assert stack.resources() == ()
    assert stack.outputs() == {}
    stack.remove()
    assert list(stack.directory.iterdir()) == []


def test_steps_are_told_as_they_start_and_end(stack: Stack, cloud: FakeCloud) -> None:
    told: list[Step] = []
    stack.up(fleet(1), cloud, on_step=told.append)

    mine = [step for step in told if step.type == NETWORK]
    assert [step.status for step in mine] == ["started", "done"]
    assert mine[0].name == "demo-vpc"
    assert mine[0].urn == f"urn:pulumi:test::steelyard::test:index:Fleet${NETWORK}::demo-vpc"
    assert mine[1].elapsed_s >= 0


def test_resources_tell_ids_parents_and_types(stack: Stack, cloud: FakeCloud) -> None:
    stack.up(fleet(1), cloud)
    by_name = {resource.name: resource for resource in stack.resources()}

    assert by_name["demo"].id == ""
    assert by_name["demo"].outputs == {"vpc_id": cloud.ids("demo-vpc")[0]}
    assert by_name["demo-group"].type == GROUP
    assert by_name["demo-group"].parent == by_name["demo"].urn
    assert by_name["demo-node-0"].outputs["privateIp"].startswith("10.0.0.")


def test_two_resources_of_one_name_are_refused(up: Up) -> None:
    def program() -> None:
        alicloud.vpc.Network("twin")
        alicloud.vpc.Network("twin")

    with pytest.raises(DeployError, match=r"two resources have the URN .*::twin"):
        up(program)


def test_a_type_of_another_package_is_refused_by_name(up: Up) -> None:
    class Bucket(pulumi.CustomResource):
        def __init__(self) -> None:
            super().__init__("aws:s3/bucket:Bucket", "b", {})

    with pytest.raises(DeployError, match="aws:s3/bucket:Bucket is of the package 'aws'") as caught:
        up(Bucket)
    assert "alicloud" in caught.value.hint


def test_independent_resources_are_made_at_the_same_time(stack: Stack, cloud: FakeCloud) -> None:
    names = [f"net-{i}" for i in range(16)]
    gate = threading.Event()
    cloud.gates = dict.fromkeys(names, gate)

    def release() -> None:
        deadline = time.monotonic() + 60
        while cloud.max_at_once < len(names) and time.monotonic() < deadline:
            time.sleep(0.01)
        gate.set()

    helper = threading.Thread(target=release)
    helper.start()
    stack.up(lambda: [alicloud.vpc.Network(name) for name in names], cloud)
    helper.join()

    assert cloud.max_at_once == 16


def test_it_can_be_called_from_a_running_loop(stack: Stack, cloud: FakeCloud) -> None:
    async def main() -> Result:
        return await asyncio.to_thread(stack.up, fleet(1), cloud)

    assert asyncio.run(main()).num_by_op == {"create": 5}


def test_an_async_program_is_awaited(up: Up, stack: Stack) -> None:
    async def program() -> None:
        await asyncio.sleep(0)
        pulumi.export("id", alicloud.vpc.Network("net").id)

    up(program)
    assert stack.outputs()["id"].value == "net#1"


def test_stacks_in_several_threads_do_not_meet(tmp_path: Path) -> None:
    clouds = {name: FakeCloud() for name in ("a", "b", "c")}
    results: dict[str, Result] = {}

    def run(name: str) -> None:
        results[name] = Stack(tmp_path, project="p", name=name).up(fleet(3), clouds[name])

    clouds["a"].preload()
    threads = [threading.Thread(target=run, args=(name,)) for name in clouds]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert {name: result.num_by_op for name, result in results.items()} == {
        name: {"create": 7} for name in clouds
    }
    for name, cloud in clouds.items():
        assert len(cloud.live) == 6
        assert all(f"urn:pulumi:{name}::p::" in step.urn for step in results[name].steps)
