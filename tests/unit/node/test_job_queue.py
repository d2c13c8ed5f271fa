from __future__ import annotations

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from steelyard.errors import GatewayError
from steelyard.node.job.queue import JobQueue
from steelyard.node.job.record import ClusterNode, JobRecord, JobState

NOW = datetime(2026, 1, 2, tzinfo=UTC)


def node(index: int, *, is_alive: bool = True) -> ClusterNode:
    return ClusterNode(
        node_id=f"i-{index}",
        private_ip=f"10.0.0.{index}",
        instance_type="t",
        ray_node_id=f"r{index}",
        is_alive=is_alive,
    )


def job(index: int, **changes: object) -> JobRecord:
    record = JobRecord(
        id=f"job-{index:012x}",
        name="j",
        script="a.py",
        accepted_by="i-0",
        created_at="2026-01-02T00:00:00.000Z",
    )
    return JobRecord(**{**record.__dict__, **changes})


NODES = [node(0), node(1), node(2)]


def started(queue: JobQueue, nodes: list[ClusterNode] = NODES) -> dict[str, list[str]]:
    """Start what can start; return the nodes by job."""
    starts = queue.plan(nodes)
    for start in starts:
        queue.start(start, NOW)
    return {start.job_id[-1]: [node.node_id for node in start.nodes] for start in starts}


def test_a_job_without_a_wish_runs_on_all_living_nodes_in_order() -> None:
    queue = JobQueue()
    queue.submit(job(1), NODES)
    assert started(queue, [node(0), node(1, is_alive=False), node(2)]) == {"1": ["i-0", "i-2"]}


def test_jobs_on_different_nodes_run_at_once_and_on_the_same_one_after_the_other() -> None:
    queue = JobQueue()
    for index, node_id in enumerate(["i-0", "i-1", "i-0"], start=1):
        queue.submit(job(index, node_ids=(node_id,)), NODES)
    assert started(queue) == {"1": ["i-0"], "2": ["i-1"]}
    assert started(queue) == {}
    queue.finish(job(1).id, JobState.SUCCEEDED, NOW)
    assert started(queue) == {"3": ["i-0"]}


def test_a_large_job_is_not_overtaken_by_small_ones_for_ever() -> None:
    queue = JobQueue()
    queue.submit(job(1, num_nodes=1), NODES)
    queue.submit(job(2), NODES)
    queue.submit(job(3, num_nodes=1), NODES)
    assert started(queue) == {"1": ["i-0"]}
    queue.finish(job(1).id, JobState.SUCCEEDED, NOW)
    assert started(queue) == {"2": ["i-0", "i-1", "i-2"]}


def test_an_elastic_job_starts_with_the_nodes_that_are_free_and_takes_no_more_than_it_asks_for() -> None:
    queue = JobQueue()
    queue.submit(job(1, num_nodes=1), NODES)
    queue.submit(job(2, min_nodes=2, num_nodes=3), NODES)
    queue.submit(job(3, min_nodes=1), NODES)
    assert started(queue) == {"1": ["i-0"], "2": ["i-1", "i-2"]}
    queue.finish(job(1).id, JobState.SUCCEEDED, NOW)
    assert started(queue) == {"3": ["i-0"]}


def test_an_elastic_job_needs_its_minimum_alive() -> None:
    queue = JobQueue()
    left = [node(0), node(1, is_alive=False), node(2, is_alive=False)]
    with pytest.raises(GatewayError, match="min_nodes: 2 are asked for, 1 are alive"):
        queue.submit(job(1, min_nodes=2, num_nodes=3), left)
    queue.submit(job(2, min_nodes=1, num_nodes=3), left)
    assert started(queue, left) == {"2": ["i-0"]}


def test_a_job_keeps_the_order_of_the_nodes_that_it_names() -> None:
    queue = JobQueue()
    queue.submit(job(1, node_ids=("i-2", "i-0")), NODES)
    assert started(queue) == {"1": ["i-2", "i-0"]}


def test_the_same_id_twice_is_one_job() -> None:
    queue = JobQueue()
    first = queue.submit(job(1), NODES)
    assert queue.submit(job(1, name="again"), NODES) is first
    assert len(queue.records()) == 1


def test_a_job_for_nodes_that_died_waits_and_says_why() -> None:
    queue = JobQueue()
    queue.submit(job(1, node_ids=("i-1",)), NODES)
    queue.submit(job(2, num_nodes=3), NODES)
    left = [node(0), node(1, is_alive=False), node(2)]
    assert started(queue, left) == {}
    assert queue.unsatisfied(left) == {
        job(1).id: "i-1 is not alive",
        job(2).id: "3 nodes are asked for, 2 are alive",
    }


def test_a_job_ends_once() -> None:
    queue = JobQueue()
    queue.submit(job(1), NODES)
    started(queue)
    ended = queue.finish(job(1).id, JobState.FAILED, NOW, exit_codes=[0, 3], exit_code=3, error="rank 1")
    assert [node.exit_code for node in ended.nodes] == [0, 3, None]
    with pytest.raises(ValueError, match="cannot go from failed to succeeded"):
        queue.finish(job(1).id, JobState.SUCCEEDED, NOW)


def test_an_unknown_job_is_404() -> None:
    with pytest.raises(GatewayError) as caught:
        JobQueue().record("job-x")
    assert caught.value.status == 404


def test_a_record_comes_back_from_its_file_as_it_was() -> None:
    queue = JobQueue()
    queue.submit(job(1, args=("a",), env={"K": "V"}, node_ids=("i-0",)), NODES)
    started(queue)
    record = queue.finish(job(1).id, JobState.SUCCEEDED, NOW, exit_codes=[0], exit_code=0)
    back = JobRecord.from_state(record.to_state())
    assert back.to_state() == record.to_state()
    with pytest.raises(ValueError, match="not a job record"):
        JobRecord.from_state({"id": "job-1"})


@given(
    wishes=st.lists(
        st.one_of(
            st.none(),
            st.integers(1, 3),
            st.lists(st.sampled_from(["i-0", "i-1", "i-2"]), min_size=1, unique=True),
        ),
        max_size=12,
    ),
    choices=st.lists(st.integers(0, 100), max_size=30),
)
def test_no_node_ever_runs_two_jobs_and_every_job_gets_its_turn(
    wishes: list[object], choices: list[int]
) -> None:
    queue = JobQueue()
    for index, wish in enumerate(wishes):
        changes = {"num_nodes": wish} if isinstance(wish, int) else {"node_ids": wish and tuple(wish)}
        queue.submit(job(index, **changes), NODES)
    picks = iter(choices)
    for _ in range(2 * len(wishes) + 1):
        started(queue)
        running = [record for record in queue.records() if record.state is JobState.RUNNING]
        busy = [node.node_id for record in running for node in record.nodes]
        assert len(busy) == len(set(busy))
        if running:
            queue.finish(running[next(picks, 0) % len(running)].id, JobState.SUCCEEDED, NOW)
    assert all(record.state is JobState.SUCCEEDED for record in queue.records())
