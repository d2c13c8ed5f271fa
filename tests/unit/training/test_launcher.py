"""Workers are placed, followed, and started anew: real processes under real agents, without Ray between them."""

from __future__ import annotations

import asyncio
import dataclasses
import json
import os
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest
import ray

from steelyard.node.packing import pack_files
from steelyard.training import elastic_launcher, launcher
from steelyard.training.agent import WorkerAgent, WorkerSpec
from steelyard.training.elastic_launcher import ElasticGroup
from steelyard.training.launch import Launch, Outcome, Placement, spread
from steelyard.training.launcher import AgentPool, WorkerGroup

DEADLINE_S = 60.0

SCRIPT = """
import json, os, pathlib, signal, sys, time
rank, restart = int(os.environ["RANK"]), int(os.environ["TORCHELASTIC_RESTART_COUNT"])
names = ("RANK", "WORLD_SIZE", "LOCAL_RANK", "LOCAL_WORLD_SIZE", "GROUP_RANK", "STEELYARD_NODE_ID")
print(json.dumps([os.environ[name] for name in names] + [restart]), flush=True)
"""


@pytest.fixture(autouse=True)
def at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ray, "put", lambda value: value)
    for module, name in (
        (launcher, "_PLACE_PAUSE_S"),
        (launcher, "_SETTLE_S"),
        (elastic_launcher, "_LOCATE_PAUSE_S"),
        (elastic_launcher, "_GROW_PAUSE_S"),
    ):
        monkeypatch.setattr(module, name, 0.2)


class Remote:
    """An agent in this process, called as if it were a Ray actor."""

    def __init__(self, agent: WorkerAgent) -> None:
        self._agent = agent

    def __getattr__(self, name: str) -> Any:
        return type("Method", (), {"remote": staticmethod(getattr(self._agent, name))})


class Nodes:
    """Nodes that a test lists: an agent for each, and what a job may ask of them."""

    def __init__(self, folder: Path, *node_ids: str) -> None:
        self._folder = folder
        self._agents: dict[str, Remote] = {}
        self.alive = {node_id: node(node_id) for node_id in node_ids}
        self.free: list[Placement] = []
        self.settled: list[list[str]] = []
        self.lines: list[str] = []
        self.events: list[Mapping[str, Any]] = []

    def agent(self, placement: Placement) -> Any:
        if placement.node_id not in self._agents:
            folder = self._folder / placement.node_id
            self._agents[placement.node_id] = Remote(WorkerAgent("127.0.0.1", folder))
        return self._agents[placement.node_id]

    def forget(self, placement: Placement, agent: Any) -> None:
        if self._agents.get(placement.node_id) is agent:
            del self._agents[placement.node_id]

    async def locate(self, node_id: str) -> Placement | None:
        return self.alive.get(node_id)

    async def claim(self, count: int) -> Sequence[Placement]:
        given, self.free = self.free[:count], self.free[count:]
        self.alive |= {placement.node_id: placement for placement in given}
        return given

    async def settle(self, placements: Sequence[Placement]) -> None:
        self.settled.append([placement.node_id for placement in placements])

    def write_lines(self, rank: int, lines: Sequence[str]) -> None:
        self.lines += lines

    def write_events(self, events: Sequence[Mapping[str, Any]]) -> None:
        self.events += events

    def started(self) -> list[list[Any]]:
        return [json.loads(line) for line in self.lines if line.startswith("[")]

    def told(self) -> list[str]:
        return [line for line in self.lines if line.startswith("steelyard:")]


def node(node_id: str, num_gpus: int = 0) -> Placement:
    return Placement(node_id=node_id, private_ip="127.0.0.1", ray_node_id=f"ray-{node_id}", num_gpus=num_gpus)


def launch(nodes: Nodes, script: str = "", *, nproc: int | None = None, **options: Any) -> Launch:
    return Launch(
        run_id="job-000000000001",
        script="a.py",
        args=(),
        package=pack_files({"a.py": SCRIPT + script}),
        balance="speed",
        placements=spread(list(nodes.alive.values()), nproc),
        nproc_per_node=nproc,
        **options,
    )


def run(nodes: Nodes, job: Launch) -> Outcome:
    return asyncio.run(WorkerGroup(job, nodes, nodes, nodes).run())


def test_each_worker_of_each_node_knows_its_place(tmp_path: Path) -> None:
    nodes = Nodes(tmp_path, "i-0", "i-1")
    outcome = run(nodes, launch(nodes, nproc=2))
    assert (outcome.exit_codes, outcome.error) == ([0, 0, 0, 0], None)
    assert sorted(nodes.started()) == [
        ["0", "4", "0", "2", "0", "i-0", 0],
        ["1", "4", "1", "2", "0", "i-0", 0],
        ["2", "4", "0", "2", "1", "i-1", 0],
        ["3", "4", "1", "2", "1", "i-1", 0],
    ]


def test_a_node_with_accelerators_has_a_worker_for_each() -> None:
    placed = spread([node("i-0", num_gpus=2), node("i-1")], None)
    assert [(each.node_id, each.local_rank, each.local_world_size) for each in placed] == [
        ("i-0", 0, 2),
        ("i-0", 1, 2),
        ("i-1", 0, 1),
    ]


KILLED_ONCE = """
if rank == 1 and restart == 0:
    connection = open(os.environ["CONNECTION"], "wb")
    os.kill(os.getpid(), signal.SIGKILL)
if restart == 0:
    open(os.environ["CONNECTION"], "rb").read()
    sys.exit(1)  # as a peer whose connection has ended
"""


def connection(folder: Path) -> dict[str, str]:
    """Make what ends with the worker that opened it, and give the variable that tells where it is."""
    os.mkfifo(folder / "connection")
    return {"CONNECTION": str(folder / "connection")}


def test_without_checkpoints_a_killed_worker_ends_the_job(tmp_path: Path) -> None:
    nodes = Nodes(tmp_path, "i-0", "i-1")
    outcome = run(nodes, launch(nodes, KILLED_ONCE, environment=connection(tmp_path)))
    assert outcome.exit_code == -9
    assert outcome.error is not None
    assert outcome.error.startswith("rank 1 on node i-1 was ended by SIGKILL")


def test_with_checkpoints_all_workers_are_started_anew_after_one_was_killed(tmp_path: Path) -> None:
    nodes = Nodes(tmp_path, "i-0", "i-1")
    job = launch(nodes, KILLED_ONCE, environment=connection(tmp_path), is_resumable=True)
    outcome = run(nodes, job)
    assert (outcome.exit_codes, outcome.error) == ([0, 0], None)
    assert sorted(each[-1] for each in nodes.started()) == [0, 0, 1, 1]
    (told,) = nodes.told()
    assert "rank 1 on node i-1 was ended by SIGKILL" in told
    assert told.endswith("(infrastructure); all go on from the newest checkpoint")


def test_an_error_of_the_script_itself_is_tried_twice_more(tmp_path: Path) -> None:
    nodes = Nodes(tmp_path, "i-0")
    outcome = run(nodes, launch(nodes, "sys.exit(3)", is_resumable=True))
    assert outcome.exit_code == 3
    assert [each[-1] for each in nodes.started()] == [0, 1, 2]
    assert all("(user)" in line for line in nodes.told())


def test_workers_that_leave_in_order_cost_nothing_of_the_budget(tmp_path: Path) -> None:
    nodes = Nodes(tmp_path, "i-0")
    outcome = run(nodes, launch(nodes, "sys.exit(143 if restart < 5 else 0)", is_resumable=True))
    assert outcome.error is None
    assert [each[-1] for each in nodes.started()] == [0, 1, 2, 3, 4, 5]


def test_a_free_node_takes_the_place_of_one_that_is_gone(tmp_path: Path) -> None:
    nodes = Nodes(tmp_path, "i-0", "i-1")
    job = launch(nodes, "sys.exit(143 if restart == 0 else 0)", is_resumable=True)
    del nodes.alive["i-1"]
    nodes.free = [node("i-7")]
    assert run(nodes, job).error is None
    assert nodes.settled == [["i-0", "i-7"]]
    assert {each[5] for each in nodes.started() if each[-1] == 1} == {"i-0", "i-7"}


STAYS = """
def leave(number, frame):
    sys.exit(143)
signal.signal(signal.SIGTERM, leave)
pathlib.Path("ready").touch()
if restart == 0:
    time.sleep(DEADLINE_S)
""".replace("DEADLINE_S", str(2 * DEADLINE_S))


def wait_for_ready(folder: Path) -> None:
    deadline = time.monotonic() + DEADLINE_S
    while len(list(folder.glob("*/*/package/ready"))) < 2:
        assert time.monotonic() < deadline
        time.sleep(0.02)


@pytest.mark.parametrize("is_resumable", [True, False])
def test_a_job_of_all_nodes_goes_on_without_one_that_is_given_back(
    tmp_path: Path, is_resumable: bool
) -> None:
    nodes = Nodes(tmp_path, "i-0", "i-1")
    group = WorkerGroup(launch(nodes, STAYS, is_resumable=is_resumable, takes_all=True), nodes, nodes, nodes)

    async def story() -> Outcome:
        running = asyncio.create_task(group.run())
        await asyncio.to_thread(wait_for_ready, tmp_path)
        assert await group.release("i-1", DEADLINE_S) is is_resumable
        if not is_resumable:
            group.stop()
        return await running

    outcome = asyncio.run(story())
    if is_resumable:
        assert outcome.error is None
        assert nodes.settled == [["i-0"]]
        assert [each[5] for each in nodes.started() if each[-1] == 1] == ["i-0"]


GROWS = """
flag = pathlib.Path(os.environ["FLAG"])
if rank == 2:
    flag.touch()
while not flag.exists():
    time.sleep(0.02)
"""


def test_an_elastic_job_takes_in_a_node_that_comes_later_up_to_its_most(tmp_path: Path) -> None:
    nodes = Nodes(tmp_path, "i-0", "i-1")
    nodes.free = [node("i-2"), node("i-3")]
    job = launch(nodes, GROWS, min_nodes=1, max_nodes=3, environment={"FLAG": str(tmp_path / "flag")})
    group = ElasticGroup(job, nodes, nodes, nodes, address="127.0.0.1")
    outcome = asyncio.run(asyncio.wait_for(group.run(), DEADLINE_S))
    assert outcome.error is None
    assert [each.node_id for each in nodes.free] == ["i-3"]
    assert nodes.settled == [["i-0", "i-1", "i-2"]]
    (newcomer,) = (each for each in nodes.started() if each[0] == "2")
    assert newcomer[1:] == ["3", "0", "1", "2", "i-2", 1]


def test_an_elastic_job_that_lost_all_its_workers_goes_on_from_its_checkpoint(tmp_path: Path) -> None:
    nodes = Nodes(tmp_path, "i-0")
    script = """
first = not pathlib.Path("seen").exists()
pathlib.Path("seen").touch()
if first:
    os.kill(os.getpid(), signal.SIGKILL)
"""
    for is_resumable in (False, True):
        folder = tmp_path / str(is_resumable)
        nodes = Nodes(folder, "i-0")
        job = dataclasses.replace(
            launch(nodes, script.replace('"seen"', f'"{folder}-seen"'), min_nodes=1, max_nodes=1),
            is_resumable=is_resumable,
        )
        group = ElasticGroup(job, nodes, nodes, nodes, address="127.0.0.1")
        outcome = asyncio.run(asyncio.wait_for(group.run(), DEADLINE_S))
        assert outcome.exit_code == (0 if is_resumable else -9)


class SlowStart(WorkerAgent):
    """Takes a while to start workers anew, and says when it begins; it goes on without its caller, as Ray does."""

    begun: Path

    async def start(self, spec: WorkerSpec, package: bytes) -> None:
        await asyncio.shield(asyncio.create_task(self._start_late(spec, package)))

    async def _start_late(self, spec: WorkerSpec, package: bytes) -> None:
        if spec.restart_count > 0:
            self.begun.touch()
            await asyncio.sleep(1.0)
        await super().start(spec, package)


def test_a_worker_that_is_being_started_again_does_not_outlive_its_job(tmp_path: Path) -> None:
    nodes = Nodes(tmp_path, "i-0", "i-1")
    slow = SlowStart("127.0.0.1", tmp_path / "i-1")
    slow.begun = tmp_path / "begun"
    nodes._agents["i-1"] = Remote(slow)
    script = """
if rank == 1 and restart == 0:
    os.kill(os.getpid(), signal.SIGKILL)
while rank == 1 or not pathlib.Path(os.environ["BEGUN"]).exists():
    time.sleep(0.02)
"""
    job = launch(nodes, script, min_nodes=1, max_nodes=2, environment={"BEGUN": str(slow.begun)})

    async def story() -> tuple[Outcome, int]:
        outcome = await ElasticGroup(job, nodes, nodes, nodes, address="127.0.0.1").run()
        while (report := await slow.read(job.run_id, 1, DEADLINE_S)).exit_code is None:
            pass
        return outcome, report.exit_code

    outcome, exit_code = asyncio.run(asyncio.wait_for(story(), DEADLINE_S))
    assert outcome.error is None
    assert exit_code < 0


def test_who_lost_an_agent_does_not_end_the_one_that_took_its_place(monkeypatch: pytest.MonkeyPatch) -> None:
    killed: list[str] = []
    names = iter(["first", "second"])
    monkeypatch.setattr(ray, "kill", killed.append)
    monkeypatch.setattr(AgentPool, "_start", lambda pool, placement: next(names))
    pool, place = AgentPool(), node("i-0")

    lost = pool.agent(place)
    pool.forget(place, lost)
    pool.agent(place)
    pool.forget(place, lost)  # the other worker of the node hears of the loss later

    assert (pool.agent(place), killed) == ("second", ["first"])
