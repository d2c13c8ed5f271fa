"""The order in which resources are deleted."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable

import pulumi_alicloud as alicloud
import pytest
from fake_cloud import FakeCloud
from hypothesis import given
from hypothesis import strategies as st
from pulumi import ResourceOptions

from steelyard.deploy import Stack
from steelyard.deploy.engine.deletion import Deletion
from steelyard.deploy.engine.fleet import Fleet
from steelyard.deploy.engine.journal import Journal
from steelyard.deploy.engine.reporter import Reporter
from steelyard.deploy.engine.run import Run
from steelyard.deploy.record import Record
from steelyard.deploy.report import Result
from steelyard.deploy.state import State
from steelyard.errors import DeployError, ResourceError

Up = Callable[[Callable[[], object]], Result]


def delete(records: list[Record], cloud: FakeCloud) -> State:
    state = State(resources={record.urn: record for record in records})
    journal = Journal(state, None)
    run = Run(project="p", stack="s", journal=journal, reporter=Reporter(None), is_preview=False, parallel=4)
    try:
        Deletion(run, Fleet(cloud, journal, project="p", stack="s"), records).execute()
    finally:
        state.resources = journal.state.resources
    return state


def record(number: int, needs: list[int]) -> Record:
    def urn(i: int) -> str:
        return f"urn:pulumi:s::p::alicloud:vpc/network:Network::n{i}"

    dependencies = tuple(urn(i) for i in needs)
    return Record(urn=urn(number), is_custom=True, id=f"n{number}#{number}", dependencies=dependencies)


@given(data=st.data(), num=st.integers(1, 8))
def test_nothing_goes_before_what_depends_on_it(data: st.DataObject, num: int) -> None:
    needs = [data.draw(st.lists(st.integers(0, i - 1), unique=True)) if i else [] for i in range(num)]
    order = data.draw(st.permutations(range(num)))
    cloud = FakeCloud()

    left = delete([record(i, needs[i]) for i in order], cloud)

    assert left.resources == {}
    gone = [int(name.removeprefix("n")) for name in cloud.done("delete")]
    assert sorted(gone) == list(range(num))
    for number, its_needs in enumerate(needs):
        assert all(gone.index(number) < gone.index(needed) for needed in its_needs)


def test_deletion_follows_the_recorded_dependencies_and_not_the_age(
    up: Up, stack: Stack, cloud: FakeCloud
) -> None:
    def first() -> None:
        alicloud.ecs.Instance("node")

    def second() -> None:
        # The instance is the older of the two, and depends on the younger.
        group = alicloud.ecs.SecurityGroup("group")
        alicloud.ecs.Instance("node", security_groups=[group.id])

    up(first)
    up(second)
    stack.destroy(cloud)
    assert cloud.done("delete") == ["node", "group"]


def test_depends_on_alone_is_followed(up: Up, stack: Stack, cloud: FakeCloud) -> None:
    def program() -> None:
        a = alicloud.vpc.Network("a")
        b = alicloud.vpc.Network("b", opts=ResourceOptions(depends_on=[a]))
        alicloud.vpc.Network("c", opts=ResourceOptions(depends_on=[b]))

    up(program)
    stack.destroy(cloud)
    assert cloud.done("delete") == ["c", "b", "a"]


def test_what_does_not_depend_on_a_failed_deletion_still_goes(up: Up, stack: Stack, cloud: FakeCloud) -> None:
    def program() -> None:
        net = alicloud.vpc.Network("net")
        alicloud.vpc.Switch("switch", vpc_id=net.id)
        other = alicloud.vpc.Network("other")
        alicloud.vpc.Switch("other-switch", vpc_id=other.id)

    up(program)
    cloud.stuck.update(cloud.ids("switch"))
    with pytest.raises(ResourceError, match="in use"):
        stack.destroy(cloud)
    assert sorted(resource.name for resource in stack.resources()) == ["net", "switch"]

    cloud.stuck.clear()
    assert stack.destroy(cloud).num_by_op == {"delete": 2}


def test_independent_resources_go_at_the_same_time() -> None:
    meeting = threading.Barrier(4, timeout=60)

    class Meeting(FakeCloud):
        def delete(self, type_token, resource_id, inputs, operation):
            meeting.wait()
            super().delete(type_token, resource_id, inputs, operation)

    assert delete([record(i, []) for i in range(4)], Meeting()).resources == {}


def test_what_was_not_begun_because_the_run_ends_is_not_taken_for_gone() -> None:
    class Interrupted(FakeCloud):
        def delete(self, type_token, resource_id, inputs, operation):
            super().delete(type_token, resource_id, inputs, operation)
            run.cancel()

    records = [record(0, []), record(1, [0])]
    journal = Journal(State(resources={each.urn: each for each in records}), None)
    run = Run(project="p", stack="s", journal=journal, reporter=Reporter(None), is_preview=False, parallel=4)
    with pytest.raises(DeployError, match="not begun, because the run is ending"):
        Deletion(run, Fleet(Interrupted(), journal, project="p", stack="s"), records).execute()
    assert [each.id for each in journal.state.resources.values()] == ["n0#0"]


@pytest.mark.parametrize("is_refused", [False, True], ids=["gone", "refused"])
def test_what_goes_with_another_is_made_again_only_when_it_is_gone(stack: Stack, is_refused: bool) -> None:
    is_going, is_made_again = threading.Event(), threading.Event()

    class Slow(FakeCloud):
        def delete(self, type_token, resource_id, inputs, operation):
            if resource_id.startswith("switch"):
                is_going.set()
                is_made_again.wait(0.5)  # it is not, and would be at once
            if is_refused:
                raise ResourceError(f"{resource_id} is in use", urn=operation.urn, code="InUse")
            super().delete(type_token, resource_id, inputs, operation)

        def create(self, type_token, name, inputs, operation):
            if is_going.is_set() and name == "switch":
                is_made_again.set()
            return super().create(type_token, name, inputs, operation)

    cloud = Slow()

    def net(cidr: str) -> alicloud.vpc.Network:
        options = ResourceOptions(delete_before_replace=True)
        return alicloud.vpc.Network("net", cidr_block=cidr, opts=options)

    async def apart() -> None:
        net("10.0.0.0/9")
        assert await asyncio.to_thread(is_going.wait, 60)
        alicloud.vpc.Switch("switch", vpc_id="another")

    stack.up(lambda: alicloud.vpc.Switch("switch", vpc_id=net("10.0.0.0/8").id), cloud)
    if is_refused:
        with pytest.raises(ResourceError, match="is in use"):
            stack.up(apart, cloud)
    else:
        stack.up(apart, cloud)
    known = {resource.id for resource in stack.resources()} | {
        record.id for record in stack._file.load().superseded
    }
    assert known >= set(cloud.live), "nothing that lives is forgotten"
    if not is_refused:
        done = [op for op, resource_id in cloud.log if resource_id.startswith("switch")]
        assert done == ["create", "delete", "create"]


def test_a_resource_that_is_gone_already_is_no_error(up: Up, stack: Stack, cloud: FakeCloud) -> None:
    up(lambda: alicloud.vpc.Network("net"))
    cloud.live.clear()
    assert stack.destroy(cloud).num_by_op == {"delete": 1}


def test_old_and_new_selves_that_need_each_other_do_not_block(up: Up, stack: Stack, cloud: FakeCloud) -> None:
    def program(cidr: str, *, turned: bool) -> Callable[[], object]:
        def declare() -> None:
            if turned:
                group = alicloud.ecs.SecurityGroup("group")
                options = ResourceOptions(depends_on=[group])
                alicloud.vpc.Network("net", cidr_block=cidr, opts=options)
            else:
                net = alicloud.vpc.Network("net", cidr_block=cidr)
                alicloud.ecs.SecurityGroup("group", opts=ResourceOptions(depends_on=[net]))

        return declare

    up(program("10.0.0.0/8", turned=False))
    cloud.stuck.add("net#1")
    with pytest.raises(ResourceError):
        up(program("10.0.0.0/9", turned=True))
    cloud.stuck.clear()
    stack.destroy(cloud)
    assert cloud.live == {}
