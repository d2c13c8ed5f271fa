"""Real nodes whose parts are killed, and nodes that are lost or stopped."""

from __future__ import annotations

import signal
from collections.abc import Callable, Sequence
from contextlib import suppress

import psutil
import pytest
from node_cluster import BOOT_TIMEOUT_S, running_cluster, submit, wait_for, wait_for_end, wait_for_line

from steelyard.errors import GatewayError

pytestmark = pytest.mark.timeout(600)


def find(processes: Sequence[psutil.Process], word: str) -> psutil.Process:
    """Return the one process whose title or command holds a word."""
    found = []
    for process in processes:
        with suppress(psutil.Error):  # Others come and go.
            if word in " ".join(process.cmdline())[:200]:
                found.append(process)
    (one,) = found
    return one


def test_a_node_gets_over_the_death_of_its_parts_and_a_cluster_over_that_of_a_node() -> None:
    with running_cluster(2) as cluster, cluster.head.client() as head:
        done = submit(head, "print('done')")
        wait_for_end(head, done["id"])

        find(cluster.head.tree(), "ray::JobQueueActor").kill()
        wait_for(
            lambda: _answers(lambda: head.job(done["id"])["state"] == "succeeded"),
            timeout_s=90,
            what="the queue is back with what it had acknowledged",
        )

        find(cluster.worker.tree(), "raylet/raylet").kill()
        wait_for(
            lambda: cluster.worker.health()[0] == 503, timeout_s=90, what="the worker says it is unhealthy"
        )
        wait_for(lambda: cluster.head.health()[0] == 200, timeout_s=90, what="the head is healthy")
        wait_for(
            lambda: cluster.worker.health()[0] == 200,
            timeout_s=BOOT_TIMEOUT_S,
            what="the worker has joined again",
        )

        wait_for(
            lambda: [node["is_alive"] for node in head.nodes()] == [True, True],
            timeout_s=90,
            what="both alive",
        )
        job = submit(head, "import time; print('up'); time.sleep(600)")
        for rank in (0, 1):
            wait_for_line(head, job["id"], f"[rank {rank}] up")
        cluster.worker.process.kill()
        cluster.worker.process.wait(30)
        assert cluster.worker.health()[0] == 0
        wait_for(cluster.only_the_head_is_left, timeout_s=90, what="all of the killed node has ended")
        record = wait_for_end(head, job["id"])
        assert record["state"] == "failed"
        assert record["error"].startswith(f"rank 1 on node {cluster.worker.node_id} was lost: ")
        assert cluster.head.health()[0] == 200
        wait_for(
            lambda: [node["is_alive"] for node in head.nodes()] == [True, False],
            timeout_s=90,
            what="one alive",
        )
        after = submit(head, "print('still here')")
        assert list(head.logs(after["id"], follow=True)) == ["[rank 0] still here"]


def test_a_node_that_is_stopped_ends_its_jobs_and_the_cluster_knows_why() -> None:
    with running_cluster(2) as cluster, cluster.head.client() as head:
        job = submit(head, "import time; print('up'); time.sleep(600)")
        for rank in (0, 1):
            wait_for_line(head, job["id"], f"[rank {rank}] up")
        cluster.worker.process.send_signal(signal.SIGTERM)
        assert cluster.worker.process.wait(60) == 0
        record = wait_for_end(head, job["id"])
        assert record["state"] == "failed"
        assert record["error"] == f"node {cluster.worker.node_id} was stopped while the job ran on it"
        wait_for(cluster.only_the_head_is_left, timeout_s=30, what="all of the stopped node has ended")

        cluster.head.process.send_signal(signal.SIGTERM)
        assert cluster.head.process.wait(60) == 0
        assert not cluster.processes()
        cluster.nodes = [cluster.start(cluster.head.node_id, 0)]
        cluster.wait_until_healthy()
        assert head.job(job["id"]) == record, "a job is known after its head was away"


def _answers(claim: Callable[[], bool]) -> bool:
    try:
        return claim()
    except GatewayError:
        return False
