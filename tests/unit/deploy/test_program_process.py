"""A project's own program, run in a process of its own against the embedded engine."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import psutil
import pytest
from fake_cloud import NETWORK, FakeCloud

from steelyard.deploy import AlicloudProvider, ProcessProgram, Secret, Stack
from steelyard.errors import DeployError, ResourceError

NETWORK_OF_A_MODULE = """
import os, sys
import pulumi
from pulumi_alicloud import vpc
from place import CIDR

print("hello from", os.getcwd())
net = vpc.Network("net", vpc_name=pulumi.Config("shop").require("label"), cidr_block=CIDR)
pulumi.export("cidr", net.cidr_block)
pulumi.export("id", net.id)
pulumi.export("key", pulumi.Config("shop").require_secret("key"))
pulumi.export("modules", sorted(name for name in sys.modules if name.startswith("steelyard")))
"""
CONFIG = {"shop:label": "own", "shop:key": Secret("s3cret")}


def program(folder: Path, text: str, **modules: str) -> ProcessProgram:
    """Write a program with modules beside it."""
    folder.mkdir()
    (folder / "__main__.py").write_text(text)
    for name, source in modules.items():
        (folder / f"{name}.py").write_text(source)
    return ProcessProgram(interpreter=Path(sys.executable), folder=folder, entry=folder, root=folder)


def running_programs() -> list[psutil.Process]:
    found = []
    for child in psutil.Process().children():
        # A child of another test may end, and await its parent, while it is looked at.
        with suppress(psutil.NoSuchProcess):
            if "program_host" in " ".join(child.cmdline()):
                found.append(child)
    return found


def test_a_program_runs_in_its_folder_with_its_modules_and_its_config(
    tmp_path: Path, stack: Stack, cloud: FakeCloud
) -> None:
    one = program(tmp_path / "one", NETWORK_OF_A_MODULE, place='CIDR = "10.1.0.0/16"')
    result = stack.up(one, cloud, config=CONFIG)
    outputs = {name: output.value for name, output in result.outputs.items()}
    assert outputs == {"cidr": "10.1.0.0/16", "id": "net#1", "key": "[secret]", "modules": []}
    assert [(message.severity, message.text) for message in result.messages] == [
        ("info", f"hello from {tmp_path / 'one'}")
    ]
    assert "s3cret" not in (stack.directory / "steelyard.test.json").read_text()
    assert running_programs() == []

    # Another project's module of the same name is another module.
    two = program(tmp_path / "two", NETWORK_OF_A_MODULE, place='CIDR = "10.2.0.0/16"')
    changed = stack.preview(two, cloud, config=CONFIG)
    assert changed.num_by_op == {"replace": 1}
    assert changed.steps[0].diff == ("cidrBlock",)


def test_a_failing_program_is_told_with_its_traceback(tmp_path: Path, stack: Stack, cloud: FakeCloud) -> None:
    broken = program(tmp_path / "broken", "import pulumi\nraise ValueError('no zone left')\n")
    with pytest.raises(DeployError, match="ValueError: no zone left") as caught:
        stack.up(broken, cloud)
    assert "line 2, in <module>" in caught.value.hint
    assert cloud.live == {}


def test_a_resource_that_the_cloud_refuses_is_the_error_that_is_raised(
    tmp_path: Path, stack: Stack, cloud: FakeCloud
) -> None:
    cloud.refused["net"] = "QuotaExceeded.Vpc"
    one = program(tmp_path / "one", NETWORK_OF_A_MODULE, place='CIDR = "10.1.0.0/16"')
    with pytest.raises(ResourceError, match="net was refused"):
        stack.up(one, cloud, config=CONFIG)


def test_another_stacks_outputs_are_refused_by_name(tmp_path: Path, stack: Stack, cloud: FakeCloud) -> None:
    text = """
import pulumi
from pulumi_alicloud import vpc
vpc.Network("net", vpc_name=pulumi.StackReference("me/base/prod").get_output("name"))
"""
    with pytest.raises(DeployError, match="StackReference 'me/base/prod'"):
        stack.preview(program(tmp_path / "one", text), cloud)


def test_a_type_that_is_not_covered_is_named_with_the_nearest(tmp_path: Path, stack: Stack) -> None:
    provider = AlicloudProvider(
        endpoint="127.0.0.1:1", access_key_id="id", access_key_secret="secret", region_id="cn-hangzhou"
    )
    text = 'from pulumi_alicloud import slb\nslb.MasterSlaveServerGroup("own", load_balancer_id="lb-1")\n'
    with pytest.raises(DeployError, match="slb/masterSlaveServerGroup:MasterSlaveServerGroup") as caught:
        stack.preview(program(tmp_path / "one", text), provider)
    assert "alicloud:slb/serverGroup:ServerGroup" in caught.value.hint


def test_an_interpreter_without_pulumi_is_named(tmp_path: Path, stack: Stack, cloud: FakeCloud) -> None:
    bare = tmp_path / "bare"
    bare.write_text(f'#!/bin/sh\nexec {sys.executable} -I -S "$@"\n')
    bare.chmod(0o755)
    folder = tmp_path / "one"
    text = NETWORK_OF_A_MODULE
    one = program(folder, text)
    lacking = ProcessProgram(interpreter=bare, folder=one.folder, entry=one.entry, root=one.root)
    with pytest.raises(DeployError, match="has no Pulumi SDK"):
        stack.preview(lacking, cloud)


def test_a_program_that_hangs_is_ended(
    tmp_path: Path, cloud: FakeCloud, let_hang: Callable[[Callable[[], bool]], None]
) -> None:
    stack = Stack(tmp_path / "state", project="steelyard", name="test", idle_limit_s=3.0)
    let_hang((tmp_path / "up").exists)
    hanging = program(
        tmp_path / "one", f"import time\nopen({json.dumps(str(tmp_path / 'up'))}, 'w')\ntime.sleep(600)\n"
    )
    with pytest.raises(DeployError, match="has done nothing for 3 s"):
        stack.up(hanging, cloud)
    assert (tmp_path / "up").exists()
    assert running_programs() == []
    assert NETWORK not in str(cloud.log)


PARENT = """
import sys
from pathlib import Path
sys.path.insert(0, sys.argv[1])
from fake_cloud import FakeCloud
from steelyard.deploy import ProcessProgram, Stack

folder = Path(sys.argv[2])
program = ProcessProgram(interpreter=Path(sys.executable), folder=folder, entry=folder, root=folder)
Stack(folder / "state", project="steelyard", name="test").up(program, FakeCloud())
"""


@pytest.mark.slow
def test_a_program_ends_with_the_process_that_deploys_it(tmp_path: Path) -> None:
    hanging = program(tmp_path / "one", "import time\ntime.sleep(600)\n")
    arguments = [sys.executable, "-c", PARENT, str(Path(__file__).parent), str(hanging.folder)]
    # What a killed process cannot clear away goes with the test's folder.
    parent = subprocess.Popen(arguments, env={**os.environ, "TMPDIR": str(tmp_path)})
    try:
        children = wait_for(lambda: psutil.Process(parent.pid).children(), timeout_s=60)
    finally:
        parent.kill()
        parent.wait()
    _, alive = psutil.wait_procs(children, timeout=60)
    assert alive == []


def wait_for(look: Callable[[], list[psutil.Process]], *, timeout_s: float) -> list[psutil.Process]:
    """Poll until there is something to see; fail at the deadline."""
    deadline = time.monotonic() + timeout_s
    while not (found := look()):
        assert time.monotonic() < deadline, f"nothing after {timeout_s} s"
        time.sleep(0.05)
    return found
