"""The demo's story, act by act."""

from __future__ import annotations

import base64
import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from steelyard.cluster import Cluster, Home
from steelyard.demo.measure import Training
from steelyard.deploy import Step
from steelyard.errors import TrainingError
from steelyard.node.client import FINAL_STATES, GatewayClient
from steelyard.node.packing import pack_files, pack_folder
from steelyard.spec import ClusterSpec

GLOBAL_BATCH = 48
"""Samples of one step in the two runs that are compared."""

IMITATED_SAMPLE_MS = 8
"""Milliseconds that an imitated accelerator of speed 1 takes for a sample: steps of 170 ms balanced, 380 ms equal."""

NUM_SMALL_JOBS = 10
NUM_HEALTH_REQUESTS = 100

SMALL_JOB = (
    'import os\nprint("hello from rank", os.environ["RANK"], "of job", os.environ["STEELYARD_JOB_ID"])\n'
)

DEMO_SPEC: Mapping[str, Any] = {
    "name": "demo",
    "node_groups": [
        {"name": "fast", "count": 2, "instance_type": "ecs.gn7i-c8g1.2xlarge", "weight": 100},
        {"name": "slow", "count": 1, "instance_type": "ecs.gn6i-c4g1.xlarge", "weight": 33},
    ],
    "load_balancer": {
        "health_check": {"interval_s": 1, "timeout_s": 1, "healthy_threshold": 2, "unhealthy_threshold": 2}
    },
}
"""Three nodes; the slow one's instance type runs at a third of the others' speed."""


@dataclass(kw_only=True)
class Demo:
    """One run of the demo.

    Args:
        home: Folder for its state; the demo leaves it as it found it.
        script: The training script, `train.py` of the character model.
        on_step: Told of each step of the deployment.
        on_event: Told of each training event, with the name of its job.
        say: Told the story, one line at a time.
        num_steps: Steps of the balanced run.
    """

    home: Home
    script: Path
    on_step: Callable[[Step], None]
    on_event: Callable[[str, Mapping[str, Any]], None]
    say: Callable[[str], None]
    num_steps: int = 120
    _started: float = field(default_factory=time.monotonic)
    _first_step_s: float | None = None

    def run(self) -> Mapping[str, Any]:
        """Run the demo to its end and return its report.

        Raises:
            SteelyardError: A part of it failed; the cluster is taken down all the same.
        """
        cluster = Cluster(self.home, ClusterSpec.model_validate(DEMO_SPEC))
        try:
            report = self._use(cluster)
        finally:
            self.say("taking it down")
            cluster.down(self.on_step)
        report["seconds"]["total"] = round(self._elapsed_s(), 1)
        return report

    def _use(self, cluster: Cluster) -> dict[str, Any]:
        self.say(f"bringing up {cluster.name} on {cluster.target_description}")
        cluster.up(self.on_step)
        cluster.wait_until_healthy(timeout_s=120)
        up_s = self._elapsed_s()
        nodes = cluster.nodes()
        self.say(f"{len(nodes)} nodes are healthy after {up_s:.1f} s")
        with cluster.gateway() as gateway:
            spread = self._spread_requests(cluster)
            self._run_small_jobs(gateway)
            train = self._train(gateway, [node.id for node in nodes])
            jobs = [
                {key: job[key] for key in ("id", "name", "accepted_by", "state")} for job in gateway.jobs()
            ]
        return {
            "resources": dict(cluster.resource_counts()),
            "outputs": cluster.outputs(),
            "nodes": [node.as_dict() for node in cluster.nodes()],
            "requests": spread,
            "jobs": jobs,
            "train": train,
            "seconds": {"up": round(up_s, 1), "first_step": round(self._first_step_s or 0.0, 1)},
        }

    def _spread_requests(self, cluster: Cluster) -> Mapping[str, int]:
        counts: Counter[str] = Counter()
        with cluster.gateway(keeps_connections=False) as gateway:
            counts.update(gateway.health()["node_id"] for _ in range(NUM_HEALTH_REQUESTS))
        self.say(f"{NUM_HEALTH_REQUESTS} requests through the load balancer: {_words(counts)}")
        return dict(counts)

    def _run_small_jobs(self, gateway: GatewayClient) -> None:
        package = base64.b64encode(pack_files({"hello.py": SMALL_JOB})).decode("ascii")
        ids = []
        for index in range(NUM_SMALL_JOBS):
            record = gateway.submit(
                {"name": f"hello-{index}", "script": "hello.py", "package": package, "num_nodes": 1}
            )
            ids.append(record["id"])
        records = {record["id"]: record for record in gateway.jobs()}
        accepted = Counter(records[job_id]["accepted_by"] for job_id in ids)
        self.say(f"{NUM_SMALL_JOBS} jobs through the load balancer were taken by: {_words(accepted)}")
        deadline = time.monotonic() + 60
        while not all(record["state"] in FINAL_STATES for record in gateway.jobs() if record["id"] in ids):
            if time.monotonic() > deadline:
                raise TrainingError(f"not all of {NUM_SMALL_JOBS} small jobs ended within 60 s")
            time.sleep(0.3)

    def _train(self, gateway: GatewayClient, node_ids: Sequence[str]) -> Mapping[str, Any]:
        self.say("each node alone, to know the limit")
        alone = [self._run_alone(gateway, node_id) for node_id in node_ids]
        limit = sum(training.samples_per_s for training in alone)
        self.say(f"the nodes alone reach {limit:.0f} samples/s in all")
        equal = self._run_job(gateway, "equal", ["--steps", "30"], balance="equal")
        balanced = self._run_job(gateway, "balanced", ["--steps", str(self.num_steps)], balance="speed")
        bits = balanced.metric("bits_per_char")
        self._say_result(equal, balanced, limit)
        return {
            "steps": balanced.num_steps,
            "bits_per_char_first": round(bits[0], 4),
            "bits_per_char_last": round(bits[-1], 4),
            "balanced_samples_per_s": round(balanced.samples_per_s, 1),
            "equal_samples_per_s": round(equal.samples_per_s, 1),
            "limit_samples_per_s": round(limit, 1),
            "balanced_step_s": round(balanced.step_s, 4),
            "equal_step_s": round(equal.step_s, 4),
            "shares": balanced.shares,
            "is_imitated": balanced.is_imitated,
        }

    def _run_alone(self, gateway: GatewayClient, node_id: str) -> Training:
        args = ["--steps", "25", "--no-validate"]
        return self._run_job(
            gateway, f"alone on {node_id}", args, global_batch=GLOBAL_BATCH // 2, node_ids=[node_id]
        )

    def _run_job(
        self,
        gateway: GatewayClient,
        name: str,
        args: Sequence[str],
        *,
        global_batch: int = GLOBAL_BATCH,
        **request: Any,
    ) -> Training:
        record = gateway.submit(
            {
                "name": name,
                "script": self.script.name,
                "args": [
                    *args,
                    "--global-batch",
                    str(global_batch),
                    "--imitated-sample-ms",
                    str(IMITATED_SAMPLE_MS),
                ],
                "package": base64.b64encode(pack_folder(self.script.parent)).decode("ascii"),
                **request,
            }
        )
        events = []
        for event in gateway.events(record["id"], follow=True):
            if event["kind"] == "step" and self._first_step_s is None:
                self._first_step_s = self._elapsed_s()
            self.on_event(name, event)
            events.append(event)
        record = gateway.followed_job(record["id"])
        if record["state"] != "succeeded":
            log = "\n".join(list(gateway.logs(record["id"]))[-20:])
            raise TrainingError(f"job {record['id']} ({name}) {record['state']}: {record['error']}\n{log}")
        return Training(events=events)

    def _say_result(self, equal: Training, balanced: Training, limit: float) -> None:
        imitated = " (imitated accelerators)" if balanced.is_imitated else ""
        self.say(
            f"equal split {equal.samples_per_s:.0f}, balanced {balanced.samples_per_s:.0f} of {limit:.0f} samples/s"
            f"{imitated}: {balanced.samples_per_s / equal.samples_per_s:.2f} times the equal split, "
            f"{balanced.samples_per_s / limit:.2f} of the limit"
        )

    def _elapsed_s(self) -> float:
        return time.monotonic() - self._started


def _words(counts: Mapping[str, int]) -> str:
    return ", ".join(f"{name} {count}" for name, count in sorted(counts.items()))
