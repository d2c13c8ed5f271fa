"""What stands, and what the next run does, after a run that failed or was broken off."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
import textwrap
import threading
import time
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pulumi
import pulumi_alicloud as alicloud
import pytest
from fake_cloud import FakeCloud
from interruption import heeding_interruptions

from steelyard.deploy import Stack
from steelyard.deploy.engine.journal import Journal
from steelyard.deploy.engine.monitor import Engine
from steelyard.deploy.engine.program import ProgramRun
from steelyard.deploy.engine.program_context import ProgramContext
from steelyard.deploy.engine.reporter import Reporter
from steelyard.deploy.engine.run import Run
from steelyard.deploy.report import Result
from steelyard.deploy.sealing import Sealer
from steelyard.deploy.state import State, StateFile
from steelyard.errors import DeployError, ResourceError, StackLockedError

Up = Callable[[Callable[[], object]], Result]


def chain(cidr: str = "10.0.0.0/8") -> None:
    net = alicloud.vpc.Network("net", cidr_block=cidr)
    switch = alicloud.vpc.Switch("switch", vpc_id=net.id)
    node = alicloud.ecs.Instance("node", vswitch_id=switch.id)
    pulumi.export("ip", node.private_ip)


def test_a_refusal_is_raised_as_it_was_and_what_stands_is_kept(
    up: Up, stack: Stack, cloud: FakeCloud
) -> None:
    cloud.refused["node"] = "OperationDenied.NoStock"

    with pytest.raises(ResourceError, match="node was refused") as caught:
        up(chain)

    assert caught.value.code == "OperationDenied.NoStock"
    assert caught.value.urn.endswith("::node")
    assert [resource.name for resource in stack.resources()] == ["net", "switch"]
    assert stack.last_result is not None
    assert stack.last_result.error is caught.value
    failed = [step for step in stack.last_result.steps if step.status == "failed"]
    assert [(step.name, step.error) for step in failed] == [("node", "node was refused")]

    cloud.refused.clear()
    assert up(chain).num_by_op == {"same": 2, "create": 1}


def test_a_failed_run_deletes_nothing_and_keeps_the_old_outputs(
    up: Up, stack: Stack, cloud: FakeCloud
) -> None:
    up(chain)
    cloud.refused["extra"] = "QuotaExceeded"
    with pytest.raises(ResourceError):
        up(lambda: alicloud.vpc.Network("extra"))

    assert len(cloud.live) == 3
    assert stack.outputs()["ip"].value == "10.0.0.3"


def test_what_cannot_be_changed_for_now_keeps_nothing_else_from_being_done(
    up: Up, stack: Stack, cloud: FakeCloud
) -> None:
    def program(status: str) -> None:
        nodes = [alicloud.ecs.Instance(f"node-{i}", status=status) for i in range(3)]
        net = alicloud.vpc.Network("net", vpc_name=nodes[0].id, description=status)
        pulumi.export("told", net.description)

    up(lambda: program("Stopped"))
    left = {*cloud.ids("node-0"), *cloud.ids("node-2")}
    cloud.puts_off |= left
    with pytest.raises(ResourceError) as caught:
        up(lambda: program("Running"))

    assert caught.value.message.startswith("node-0, node-2 stand as they were; the first: node-")
    assert sorted(cloud.done("update")) == ["net", "node-1"]
    assert stack.outputs()["told"].value == "Running"
    assert stack.last_result is not None
    failed = [step.name for step in stack.last_result.steps if step.status == "failed"]
    assert sorted(failed) == ["node-0", "node-2"]

    cloud.puts_off.clear()
    assert up(lambda: program("Running")).num_by_op == {"same": 2, "update": 2}


def test_a_half_made_resource_is_remembered_and_made_anew(up: Up, stack: Stack, cloud: FakeCloud) -> None:
    cloud.breaks_after_id.add("node")
    with pytest.raises(ResourceError, match="never became ready"):
        up(chain)
    half_made = next(resource for resource in stack.resources() if resource.name == "node")
    assert half_made.is_half_made
    assert half_made.id == "node#3"

    cloud.breaks_after_id.clear()
    result = up(chain)

    assert result.num_by_op == {"same": 2, "replace": 1}
    assert cloud.ids("node") == ["node#4"]
    assert not any(resource.is_half_made for resource in stack.resources())


def test_a_half_made_resource_can_be_destroyed(up: Up, stack: Stack, cloud: FakeCloud) -> None:
    cloud.breaks_after_id.add("node")
    with pytest.raises(ResourceError):
        up(chain)
    stack.destroy(cloud)
    assert cloud.live == {}


def test_a_half_made_replacement_leaves_both_in_the_state(up: Up, stack: Stack, cloud: FakeCloud) -> None:
    up(chain)
    cloud.breaks_after_id.add("net")
    with pytest.raises(ResourceError):
        up(lambda: chain("172.16.0.0/12"))
    assert cloud.ids("net") == ["net#1", "net#4"]

    stack.destroy(cloud)
    assert cloud.live == {}
    assert stack.resources() == ()


def test_a_replaced_resource_that_could_not_be_deleted_is_deleted_by_the_next_run(
    up: Up, stack: Stack, cloud: FakeCloud
) -> None:
    up(chain)
    cloud.stuck.add("net#1")
    with pytest.raises(ResourceError, match="in use") as caught:
        up(lambda: chain("172.16.0.0/12"))
    assert caught.value.code == "DependencyViolation"
    assert "net#1" in cloud.live

    cloud.stuck.clear()
    result = up(lambda: chain("172.16.0.0/12"))
    assert result.num_by_op == {"same": 3}
    assert result.has_changes
    assert "net#1" not in cloud.live


def test_a_creation_whose_answer_was_lost_is_sent_again_with_its_token(
    up: Up, stack: Stack, cloud: FakeCloud
) -> None:
    cloud.loses_answer.add("net")
    with pytest.raises(ResourceError, match="no answer"):
        up(chain)
    assert cloud.ids("net") == ["net#1"]
    assert stack.resources() == ()

    cloud.loses_answer.clear()
    up(chain)
    assert cloud.ids("net") == ["net#1"]


def test_destroy_warns_of_a_creation_whose_answer_was_lost(up: Up, stack: Stack, cloud: FakeCloud) -> None:
    cloud.loses_answer.add("net")
    with pytest.raises(ResourceError):
        up(chain)
    messages = stack.destroy(cloud).messages
    assert [message.severity for message in messages] == ["warning"]
    assert messages[0].urn.endswith("::net")


def test_an_error_in_an_apply_comes_out_as_it_was(up: Up) -> None:
    def program() -> None:
        alicloud.vpc.Network("net").id.apply(lambda _: 1 / 0)

    with pytest.raises(ZeroDivisionError):
        up(program)


def test_an_error_of_the_program_comes_out_as_it_was_and_keeps_what_was_made(up: Up, stack: Stack) -> None:
    def program() -> None:
        alicloud.vpc.Network("net")
        raise ValueError("a mistake in the program")

    with pytest.raises(ValueError, match="a mistake in the program"):
        up(program)
    assert [resource.name for resource in stack.resources()] == ["net"]


def test_a_failing_function_comes_out_as_it_was(up: Up, cloud: FakeCloud) -> None:
    cloud.refused["alicloud:index/getZones:getZones"] = "InvalidZone.NotFound"
    with pytest.raises(ResourceError, match="getZones was refused") as caught:
        up(lambda: alicloud.get_zones())
    assert caught.value.code == "InvalidZone.NotFound"


def test_a_preview_raises_what_up_would(stack: Stack, cloud: FakeCloud) -> None:
    def program() -> None:
        alicloud.vpc.Network("twin")
        alicloud.vpc.Network("twin")

    with pytest.raises(DeployError, match="two resources have the URN"):
        stack.preview(program, cloud)


def test_after_one_failure_nothing_new_is_begun(stack: Stack, cloud: FakeCloud) -> None:
    cloud.refused["bad"] = "Refused"
    cloud.gates["bad"], cloud.gates["slow"] = threading.Event(), threading.Event()

    def program() -> None:
        bad = alicloud.vpc.Network("bad")
        slow = alicloud.vpc.Network("slow")
        alicloud.vpc.Switch("late", vpc_id=slow.id)
        bad.id.apply(lambda _: None)

    def on_step(step) -> None:
        if step.name == "slow" and step.status == "started":
            cloud.gates["bad"].set()
        if step.status == "failed":
            cloud.gates["slow"].set()

    with pytest.raises(ResourceError, match="bad was refused"):
        stack.up(program, cloud, on_step=on_step)
    assert cloud.done("create") == ["slow"]
    assert [resource.name for resource in stack.resources()] == ["slow"]


def test_a_program_that_hangs_is_ended(
    tmp_path: Path, cloud: FakeCloud, let_hang: Callable[[Callable[[], bool]], None]
) -> None:
    stack = Stack(tmp_path, project="steelyard", name="test", idle_limit_s=0.5)
    hangs = threading.Event()
    let_hang(hangs.is_set)

    async def program() -> None:
        await alicloud.vpc.Network("net").id.future()
        hangs.set()
        await asyncio.get_running_loop().create_future()

    with pytest.raises(DeployError, match=r"has done nothing for 0\.5 s"):
        stack.up(program, cloud)
    assert [resource.name for resource in stack.resources()] == ["net"]


def test_an_interruption_at_the_very_end_of_a_program_stays_one(monkeypatch: pytest.MonkeyPatch) -> None:
    journal, reporter = Journal(State(), None), Reporter(None)
    run = Run(project="p", stack="s", journal=journal, reporter=reporter, is_preview=False, parallel=1)
    nothing: Any = None
    context = ProgramContext(
        run=run, monitor=nothing, engine=Engine(run), config={}, secret_keys=(), idle_limit_s=60.0
    )
    execution = ProgramRun(lambda: None, context)
    ending: Any = SimpleNamespace(cancel=lambda: None)
    execution._task = ending
    # The loop that was open at a look is closed at the next call.
    monkeypatch.setattr(execution._loop, "is_closed", lambda: False)
    execution._loop.close()
    execution._ended.set()

    execution._stop()

    assert run.is_cancelled()


def test_a_second_run_is_told_who_holds_the_stack(stack: Stack, cloud: FakeCloud) -> None:
    cloud.gates["net"] = threading.Event()
    first = threading.Thread(target=stack.up, args=(lambda: alicloud.vpc.Network("net"), cloud))
    cloud.preload()
    first.start()
    assert cloud.started.wait(60)
    try:
        with pytest.raises(StackLockedError, match=f"locked by process {os.getpid()} since"):
            stack.destroy(cloud)
    finally:
        cloud.gates["net"].set()
        first.join()
    assert stack.destroy(cloud).num_by_op == {"delete": 1}


INTERRUPTED = """
    import sys, warnings
    from pathlib import Path
    sys.path.insert(0, {here!r})
    warnings.simplefilter("ignore")
    import threading
    import pulumi_alicloud as alicloud
    from fake_cloud import FakeCloud
    from steelyard.deploy import Stack

    cloud = FakeCloud()
    cloud.gates["slow"] = threading.Event()

    def program():
        net = alicloud.vpc.Network("net")
        alicloud.vpc.Switch("slow", vpc_id=net.id)

    try:
        Stack(Path({state!r}), project="steelyard", name="test").up(program, cloud)
    except KeyboardInterrupt:
        sys.exit(130)
"""


def noted_attempts(directory: Path) -> list[str]:
    """Return the names of the resources whose creation was begun and not answered, by the state."""
    path = directory / "steelyard.test.json"
    file = StateFile(path, Sealer(directory / "steelyard.test.key"), project="steelyard", stack="test")
    return [urn.rsplit("::", 1)[1] for urn in file.load().attempts]


@pytest.mark.parametrize(
    ("sent", "status"), [(signal.SIGINT, 130), (signal.SIGKILL, -signal.SIGKILL)], ids=["ctrl-c", "killed"]
)
def test_a_run_that_is_broken_off_leaves_a_truthful_state(
    tmp_path: Path, cloud: FakeCloud, sent: signal.Signals, status: int
) -> None:
    script = textwrap.dedent(INTERRUPTED).format(here=str(Path(__file__).parent), state=str(tmp_path))
    with heeding_interruptions():
        child = subprocess.Popen([sys.executable, "-c", script])
    try:
        deadline = time.monotonic() + 60
        while noted_attempts(tmp_path) != ["slow"] and time.monotonic() < deadline:
            time.sleep(0.01)
        child.send_signal(sent)
        assert child.wait(60) == status
    finally:
        child.kill()
        child.wait()

    stack = Stack(tmp_path, project="steelyard", name="test")
    assert [resource.name for resource in stack.resources()] == ["net"]
    assert noted_attempts(tmp_path) == ["slow"]
    # The kernel took the lock of the dead process back.
    cloud.live["net#1"] = {}
    assert stack.destroy(cloud).num_by_op == {"delete": 1}
