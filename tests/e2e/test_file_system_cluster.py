"""A cluster whose nodes mount a file system, and a training that keeps its checkpoints there, on either host."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from command_line import CommandLine, clear

from steelyard.localcloud.hosts.choice import missing_part

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]

SCRIPT = """
import os, pathlib, sys
import torch
from torch.utils.data import TensorDataset
from steelyard.training import Balancer

torch.manual_seed(0)
model = torch.nn.Linear(4, 1)
optimizer = torch.optim.SGD(model.parameters(), lr=0.01)
balancer = Balancer(8)
loader = balancer.loader(TensorDataset(torch.linspace(0, 1, 160).view(40, 4)), num_steps=int(sys.argv[1]))
model = balancer.prepare(model, optimizer)
print("went on from step", balancer.checkpoint())
for (x,) in loader:
    balancer.weigh(model(x).square().mean()).backward()
    optimizer.step()
    optimizer.zero_grad()
balancer.close()
place = pathlib.Path(os.environ["STEELYARD_CHECKPOINT"]).expanduser()
print("mounted on", place.parent)
place.joinpath("seen-by-" + os.environ["RANK"]).write_text(str(place))
"""


@pytest.fixture(params=["loopback", "namespace"])
def line(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[CommandLine]:
    """A command line in a folder with a cluster file and a script, and a local cloud on a host."""
    if request.param == "namespace" and (reason := missing_part()):
        pytest.skip(reason)
    line = CommandLine(folder=tmp_path)
    spec = {"name": "kept", "node_groups": [{"name": "workers", "count": 2}], "checkpoints": {"kind": "nas"}}
    (tmp_path / "cluster.yaml").write_text(json.dumps(spec))
    script = tmp_path / "job" / "train.py"
    script.parent.mkdir()
    script.write_text(SCRIPT)
    line("cloud", "start", "--host", request.param)
    try:
        yield line
    finally:
        if list((line.folder / "home" / "stacks").glob("*/cluster.json")):
            allow_deletion(line)
            line("up", timeout_s=240)
        clear(line)


def train(line: CommandLine, num_steps: int) -> str:
    """Train up to a step with checkpoints in the cluster's own store; returns the job's log."""
    options = ("--checkpoint", "run-1", "--checkpoint-every", "2", "--detach")
    job = line.json("train", *options, str(line.folder / "job" / "train.py"), str(num_steps))
    log = line("jobs", "logs", job["id"], "--follow").stdout
    assert line.json("jobs", "show", job["id"])["state"] == "succeeded", log
    return log


def test_nodes_share_checkpoints_on_a_file_system_that_goes_with_the_cluster(line: CommandLine) -> None:
    up = line.json("up", timeout_s=240)
    assert up["outputs"]["checkpoint_url"] == "~/checkpoints"
    assert line.json("up")["changes"].keys() == {"same"}

    first, second = train(line, 4), train(line, 6)
    assert first.count("went on from step 0") == 2
    assert second.count("went on from step 4") == 2
    homes = {text.split("mounted on ")[1] for text in second.splitlines() if "mounted on " in text}
    assert len(homes) == 2, "each node has the folder in a home of its own"

    (kept,) = Path(line.folder, "home").glob("**/nas/file-systems/*")
    run = kept / "run-1"
    assert {path.name for path in run.glob("seen-by-*")} == {"seen-by-0", "seen-by-1"}
    assert list(run.glob("step-*"))

    assert "`checkpoints.force_destroy`" in line("down", expect=2).stderr
    assert list(run.glob("step-*"))
    allow_deletion(line)
    line("up", timeout_s=240)
    line("down")
    assert not kept.exists()


def allow_deletion(line: CommandLine) -> None:
    path = line.folder / "cluster.yaml"
    spec = json.loads(path.read_text())
    spec["checkpoints"]["force_destroy"] = True
    path.write_text(json.dumps(spec))
