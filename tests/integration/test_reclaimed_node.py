"""Real nodes that come, are taken back with notice, and whose workers are killed: what it costs their jobs."""

from __future__ import annotations

import os
import signal
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from node_cluster import Cluster, running_cluster, submit, wait_for, wait_for_end

from steelyard.node.client import GatewayClient

pytestmark = [pytest.mark.slow, pytest.mark.timeout(400)]

SCRIPT = """
    import os, sys
    import torch
    from torch.utils.data import TensorDataset
    from steelyard.training import Balancer

    torch.manual_seed(0)
    model = torch.nn.Linear(4, 1)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.01)
    balancer = Balancer(12, imitated_sample_s=0.01)
    loader = balancer.loader(TensorDataset(torch.randn(96, 4)), num_steps=int(sys.argv[1]))
    ddp = balancer.prepare(model, optimizer)
    balancer.checkpoint()
    print("pid", os.getpid(), os.environ["TORCHELASTIC_RESTART_COUNT"], flush=True)
    for (x,) in loader:
        balancer.weigh(ddp(x).square().mean()).backward()
        optimizer.step()
        optimizer.zero_grad()
    balancer.close()
    """


def last_event(client: GatewayClient, job_id: str) -> dict[str, Any]:
    return dict(client.job(job_id)["last_event"] or {"step": 0, "nodes": []})


def wait_for_nodes(client: GatewayClient, job_id: str, count: int) -> None:
    wait_for(
        lambda: len(last_event(client, job_id)["nodes"]) == count, timeout_s=120, what=f"{count} nodes train"
    )


def take_back(cluster: Cluster, node_id: str) -> None:
    """Serve the notice that an instance is taken back in a minute."""
    end = datetime.now(UTC) + timedelta(seconds=60)
    cluster.metadata.items[node_id]["instance/spot/termination-time"] = f"{end:%Y-%m-%dT%H:%M:%SZ}"


def events(client: GatewayClient, job_id: str, kind: str) -> list[Any]:
    return [event for event in client.events(job_id) if event["kind"] == kind]


def test_an_elastic_job_takes_in_a_new_node_and_lets_one_go_without_losing_a_step() -> None:
    with running_cluster(2) as cluster, cluster.head.client() as head:
        job_id = submit(head, SCRIPT, args=["700"], min_nodes=1, num_nodes=3)["id"]
        wait_for_nodes(head, job_id, 2)
        cluster.nodes.append(cluster.start("i-test2", 2))
        wait_for_nodes(head, job_id, 3)

        take_back(cluster, "i-test1")
        wait_for(lambda: cluster.worker.health()[0] == 503, timeout_s=30, what="the node says that it drains")
        assert cluster.worker.health()[1].startswith("draining: the instance is taken back at ")
        wait_for_nodes(head, job_id, 2)
        record = wait_for_end(head, job_id, timeout_s=200)

        assert (record["state"], record["error"]) == ("succeeded", None)
        assert [event["step"] for event in events(head, job_id, "step")] == list(range(1, 701))
        assert [event["node_id"] for event in events(head, job_id, "leave")] == ["i-test1"]
        assert {node["node_id"] for node in record["nodes"]} == {"i-test0", "i-test1", "i-test2"}
        assert any("node i-test2 is taken in" in line for line in head.logs(job_id))
        assert record["gain"]["num_steps"] > 500


def test_a_fixed_job_goes_on_from_its_checkpoint_after_a_kill_and_after_a_notice() -> None:
    with running_cluster(2) as cluster, cluster.head.client() as head:
        place = str(cluster.folder / "kept")
        job_id = submit(head, SCRIPT, args=["400"], checkpoint=place, checkpoint_every=20)["id"]
        wait_for(lambda: last_event(head, job_id)["step"] >= 45, timeout_s=120, what="step 45")
        pid = next(int(line.split()[3]) for line in head.logs(job_id) if line.startswith("[rank 1] pid"))
        os.kill(pid, signal.SIGKILL)
        wait_for(lambda: events(head, job_id, "resume"), timeout_s=120, what="the job goes on")
        resumed_at = events(head, job_id, "resume")[0]["step"]
        assert resumed_at >= 40
        wait_for(lambda: last_event(head, job_id)["step"] >= 100, timeout_s=120, what="step 100")

        take_back(cluster, "i-test1")
        wait_for_nodes(head, job_id, 1)
        record = wait_for_end(head, job_id, timeout_s=200)

        assert (record["state"], record["error"]) == ("succeeded", None)
        assert [node["node_id"] for node in record["nodes"]] == ["i-test0"]
        told = [line for line in head.logs(job_id) if "all go on from the newest checkpoint" in line]
        assert ["(infrastructure)" in line for line in told] == [True, False]
        assert "(reclaim)" in told[1]
        steps = [event["step"] for event in events(head, job_id, "step")]
        assert steps[-1] == 400
        # After the kill what followed the checkpoint is made again; after the notice nothing is.
        again = steps.index(resumed_at + 1, steps.index(resumed_at + 1) + 1)
        assert steps[:again] == list(range(1, again + 1))
        assert steps[again:] == list(range(resumed_at + 1, 401))
