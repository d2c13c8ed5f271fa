"""Jobs and their logs on two real nodes, through either gateway."""

from __future__ import annotations

import json
import signal
from collections.abc import Iterator

import psutil
import pytest
from node_cluster import TOKEN, Cluster, running_cluster, submit, wait_for, wait_for_end

from steelyard.errors import GatewayError

pytestmark = pytest.mark.timeout(600)


@pytest.fixture(scope="module")
def cluster() -> Iterator[Cluster]:
    """Two nodes, for tests that leave them as they are."""
    with running_cluster(2) as it:
        yield it


def test_a_job_given_to_one_gateway_is_seen_and_read_through_the_other(cluster: Cluster) -> None:
    with cluster.worker.client() as worker, cluster.head.client() as head:
        job = submit(
            worker,
            """
            import json, os, sys, beside
            print("value", beside.VALUE, sys.argv[1:], os.environ["EXTRA"])
            with open(os.environ["STEELYARD_EVENTS_PATH"], "a") as file:
                file.write(json.dumps({"kind": "step", "step": 1, "rank": int(os.environ["RANK"])}) + "\\n")
            """,
            args=["--a", "b c"],
            env={"EXTRA": "more"},
        )
        assert (job["state"], job["accepted_by"]) == ("queued", cluster.worker.node_id)
        lines = sorted(head.logs(job["id"], follow=True))
        assert lines == [f"[rank {rank}] value 42 ['--a', 'b c'] more" for rank in (0, 1)]
        record = wait_for_end(head, job["id"])
        assert (record["state"], record["exit_code"], record["error"]) == ("succeeded", 0, None)
        assert [(node["node_id"], node["rank"], node["exit_code"]) for node in record["nodes"]] == [
            (cluster.head.node_id, 0, 0),
            (cluster.worker.node_id, 1, 0),
        ]
        assert [event["rank"] for event in worker.events(job["id"])] == [0]
        assert record["last_event"] == {"kind": "step", "step": 1, "rank": 0}
        assert job["id"] in [known["id"] for known in worker.jobs()]


def test_the_log_streams_while_the_job_runs(cluster: Cluster) -> None:
    script = """
        import os, time
        from pathlib import Path
        print("waiting")
        while not Path(os.environ["GO"]).exists(): time.sleep(0.02)
        print("going")
        """
    go = cluster.folder / "go"
    with cluster.head.client() as head, cluster.worker.client() as worker:
        job = submit(head, script, node_ids=[cluster.worker.node_id], env={"GO": str(go)})
        lines = worker.logs(job["id"], follow=True)
        assert next(lines) == "[rank 0] waiting"
        assert head.job(job["id"])["state"] == "running"
        go.touch()
        assert list(lines) == ["[rank 0] going"]


def test_gradients_can_be_summed_over_the_nodes_with_gloo(cluster: Cluster) -> None:
    with cluster.head.client() as head:
        job = submit(
            head,
            """
            import torch, torch.distributed as dist
            dist.init_process_group("gloo")
            value = torch.full((4,), float(dist.get_rank() + 1))
            dist.all_reduce(value)
            print("sum", value.tolist(), "of", dist.get_world_size())
            dist.destroy_process_group()
            """,
        )
        lines = list(head.logs(job["id"], follow=True))
        assert wait_for_end(head, job["id"])["state"] == "succeeded", lines
        for rank in (0, 1):
            assert f"[rank {rank}] sum [3.0, 3.0, 3.0, 3.0] of 2" in lines


def test_a_cancelled_job_ends_its_workers_on_every_node(cluster: Cluster) -> None:
    with cluster.head.client() as head, cluster.worker.client() as worker:
        job = submit(head, "import os, time; print('pid', os.getpid()); time.sleep(600)")
        for rank in (0, 1):
            wait_for(
                lambda rank=rank: any(line.startswith(f"[rank {rank}] pid") for line in head.logs(job["id"])),
                timeout_s=120,
                what=f"rank {rank} runs",
            )
        pids = [int(line.split()[-1]) for line in head.logs(job["id"])]
        record = worker.cancel(job["id"])
        assert record["state"] == "cancelled"
        assert [node["exit_code"] for node in record["nodes"]] == [-signal.SIGTERM, -signal.SIGTERM]
        assert not [pid for pid in pids if psutil.pid_exists(pid)]
        assert worker.cancel(job["id"]) == record


def test_a_failing_script_fails_the_job_with_its_exit_code_and_last_words(cluster: Cluster) -> None:
    with cluster.head.client() as head:
        job = submit(
            head,
            """
            import os, sys, time
            if os.environ["RANK"] == "0":
                time.sleep(600)
            print("Traceback and more", file=sys.stderr)
            print("ValueError: no such data", file=sys.stderr)
            sys.exit(3)
            """,
        )
        record = wait_for_end(head, job["id"])
        assert (record["state"], record["exit_code"]) == ("failed", 3)
        assert record["error"] == (
            f"rank 1 on node {cluster.worker.node_id} ended with exit code 3: ValueError: no such data"
        )
        assert [node["exit_code"] for node in record["nodes"]] == [-signal.SIGTERM, 3]
        assert "[rank 1] Traceback and more" in list(head.logs(job["id"]))


def test_jobs_on_one_node_run_one_after_the_other(cluster: Cluster) -> None:
    script = "import time; print(time.time()); time.sleep(0.2); print(time.time())"
    with cluster.head.client() as head:
        jobs = [submit(head, script, node_ids=[cluster.worker.node_id])["id"] for _ in range(3)]
        spans = []
        for job_id in jobs:
            lines = list(head.logs(job_id, follow=True))
            spans.append([float(line.split()[-1]) for line in lines])
        assert all(spans[index][1] <= spans[index + 1][0] for index in range(2))


def test_a_worker_has_its_node_in_its_environment_and_none_of_the_clusters_secrets(cluster: Cluster) -> None:
    with cluster.head.client() as head:
        script = "import os, json; print(json.dumps(dict(os.environ)))"
        job = submit(head, script, node_ids=[cluster.worker.node_id])
        (line,) = head.logs(job["id"], follow=True)
        environment = json.loads(line.removeprefix("[rank 0] "))
        assert environment["STEELYARD_NODE_ID"] == cluster.worker.node_id
        assert environment["STEELYARD_IMITATED_SPEED"] == "0.5"
        assert environment["MASTER_ADDR"] == cluster.worker.address
        assert not [name for name in environment if name.startswith("RAY_")]
        assert TOKEN not in line


def test_the_nodes_are_listed_with_their_imitated_speed(cluster: Cluster) -> None:
    with cluster.worker.client() as worker:
        assert worker.nodes() == [
            {
                "node_id": node.node_id,
                "private_ip": node.address,
                "instance_type": "ecs.gn7i-c8g1.2xlarge",
                "is_alive": True,
                "num_gpus": 0,
                "imitated_speed": 0.5,
                "takes_work": True,
            }
            for node in cluster.nodes
        ]


def test_a_wrong_token_opens_nothing(cluster: Cluster) -> None:
    with cluster.head.client("wrong") as client, pytest.raises(GatewayError) as caught:
        client.jobs()
    assert caught.value.status == 401


def test_no_command_line_and_no_log_holds_the_token(cluster: Cluster) -> None:
    for words in cluster.read(psutil.Process.cmdline):
        assert TOKEN not in " ".join(words)
    for node in cluster.nodes:
        assert TOKEN not in node.console()


def test_every_port_of_a_node_is_on_its_private_address(cluster: Cluster) -> None:
    if "Ray is bound to every interface" in cluster.head.console():
        pytest.skip("no C compiler here, so no bind shim")
    own = {node.address for node in cluster.nodes}
    for words, connections in cluster.read(lambda one: (one.cmdline(), one.net_connections(kind="tcp"))):
        for connection in connections:
            if connection.status == psutil.CONN_LISTEN:
                assert connection.laddr.ip.removeprefix("::ffff:") in own, words
