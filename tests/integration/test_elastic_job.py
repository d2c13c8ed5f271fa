"""An elastic job on real nodes goes on without a worker, and without a node, that is killed."""

from __future__ import annotations

import os
import signal

import pytest
from node_cluster import running_cluster, submit, wait_for, wait_for_end

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]

SCRIPT = """
    import os, sys
    import torch
    from torch.utils.data import TensorDataset
    from steelyard.training import Balancer

    num_steps = int(sys.argv[1])
    torch.manual_seed(0)
    model = torch.nn.Linear(4, 1)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.01)
    balancer = Balancer(12, imitated_sample_s=0.01)
    loader = balancer.loader(TensorDataset(torch.randn(96, 4)), num_steps=num_steps)
    ddp = balancer.prepare(model, optimizer)
    print("pid", os.getpid(), os.environ["TORCHELASTIC_RESTART_COUNT"], flush=True)
    for (x,) in loader:
        balancer.weigh(ddp(x).square().mean()).backward()
        optimizer.step()
        optimizer.zero_grad()
    print("end", balancer.step, f"{sum(p.abs().sum() for p in model.parameters()).item():.9f}", flush=True)
    balancer.close()
    """


def test_an_elastic_job_survives_a_killed_worker_and_a_killed_node() -> None:
    with running_cluster(2) as cluster, cluster.head.client() as head:

        def steps_of(job_id: str) -> int:
            event = head.job(job_id)["last_event"]
            return event["step"] if event else 0

        def nodes_of(job_id: str) -> int:
            event = head.job(job_id)["last_event"]
            return len(event["nodes"]) if event else 0

        job_id = submit(head, SCRIPT, args=["400"], min_nodes=1, num_nodes=2)["id"]
        wait_for(lambda: steps_of(job_id) >= 5 and nodes_of(job_id) == 2, timeout_s=120, what="two train")
        pid = next(int(line.split()[3]) for line in head.logs(job_id) if line.startswith("[rank 1] pid"))
        os.kill(pid, signal.SIGKILL)
        wait_for(lambda: nodes_of(job_id) == 1, timeout_s=90, what="one goes on")
        wait_for(lambda: nodes_of(job_id) == 2, timeout_s=120, what="the other has come back")

        cluster.worker.process.kill()
        cluster.worker.process.wait(10)
        wait_for(lambda: nodes_of(job_id) == 1, timeout_s=90, what="one goes on without the node")
        record = wait_for_end(head, job_id, timeout_s=200)
        assert (record["state"], record["exit_code"], record["error"]) == ("succeeded", 0, None)
        steps = [event["step"] for event in head.events(job_id) if event["kind"] == "step"]
        assert steps == list(range(1, 401))
        assert any("[rank 1] steelyard: rank 1" in line for line in head.logs(job_id))


def test_a_script_that_fails_on_all_workers_fails_the_job_with_its_exit_code() -> None:
    with running_cluster(2) as cluster, cluster.head.client() as head:
        job = submit(head, "raise SystemExit(3)", min_nodes=1, num_nodes=2)
        record = wait_for_end(head, job["id"])
        assert (record["state"], record["exit_code"]) == ("failed", 3)
