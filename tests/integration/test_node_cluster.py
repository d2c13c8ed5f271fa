"""Real nodes on loopback addresses: `steelyard-node` processes with Ray below them, and a metadata service."""

from __future__ import annotations

import base64
import http.server
import json
import os
import random
import signal
import subprocess
import sys
import textwrap
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import psutil
import pytest

from steelyard.errors import GatewayError
from steelyard.node.client import GatewayClient
from steelyard.node.packing import pack_files

pytestmark = pytest.mark.timeout(180)

TOKEN = "a-token-for-tests"
GATEWAY_PORT = 8000
BOOT_TIMEOUT_S = 90.0


def wait_for(claim: Callable[[], Any], *, timeout_s: float, what: str) -> Any:
    """Poll until a claim holds; fail at the deadline."""
    deadline = time.monotonic() + timeout_s
    while not (answer := claim()):
        assert time.monotonic() < deadline, f"not within {timeout_s} s: {what}"
        time.sleep(0.05)
    return answer


class MetadataServer(http.server.ThreadingHTTPServer):
    """A metadata service for several nodes, each below a path of its own."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _MetadataHandler)
        self.items: dict[str, dict[str, str]] = {}

    def url(self, node_id: str) -> str:
        return f"http://127.0.0.1:{self.server_port}/metadata/{node_id}"


class _MetadataHandler(http.server.BaseHTTPRequestHandler):
    server: MetadataServer

    def log_message(self, *_: object) -> None:
        """Say nothing."""

    def do_PUT(self) -> None:
        self._answer(200, "metadata-token")

    def do_GET(self) -> None:
        _, _, node_id, path = self.path.split("/", 3)
        text = self.server.items[node_id].get(path.removeprefix("latest/meta-data/"))
        is_allowed = self.headers["X-aliyun-ecs-metadata-token"] == "metadata-token"
        self._answer(403 if not is_allowed else 404 if text is None else 200, text or "")

    def _answer(self, status: int, text: str) -> None:
        self.send_response(status)
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text.encode())


@dataclass(kw_only=True)
class RunningNode:
    """A `steelyard-node` process and where to find it."""

    node_id: str
    address: str
    folder: Path
    process: subprocess.Popen[bytes]

    @property
    def url(self) -> str:
        return f"http://{self.address}:{GATEWAY_PORT}"

    def client(self, token: str = TOKEN) -> GatewayClient:
        return GatewayClient(self.url, token)

    def health(self) -> tuple[int, str]:
        """Return the status of `/healthz` and the reason; 0 where nothing answers."""
        try:
            answer = httpx.get(f"{self.url}/healthz", timeout=5, trust_env=False)
        except httpx.TransportError as error:
            return 0, str(error)
        return answer.status_code, answer.json().get("reason", "")

    def tree(self) -> Sequence[psutil.Process]:
        root = psutil.Process(self.process.pid)
        return [root, *root.children(recursive=True)]

    def console(self) -> str:
        return (self.folder / "console.log").read_text()


@dataclass(kw_only=True)
class Cluster:
    """Nodes of one cluster, the head first."""

    folder: Path
    metadata: MetadataServer
    network: str
    nodes: list[RunningNode] = field(default_factory=list)

    @property
    def head(self) -> RunningNode:
        return self.nodes[0]

    @property
    def worker(self) -> RunningNode:
        return self.nodes[1]

    def start(self, node_id: str, index: int) -> RunningNode:
        address = f"{self.network}.{10 + index}"
        self.metadata.items[node_id] = {
            "instance-id": node_id,
            "private-ipv4": address,
            "instance/instance-type": "ecs.gn7i-c8g1.2xlarge",
            "region-id": "cn-hangzhou",
            "zone-id": "cn-hangzhou-h",
            "steelyard/imitated-speed": "0.5",
        }
        folder = self.folder / f"n{index}"
        folder.mkdir(exist_ok=True)
        token_file = folder / "token"
        token_file.write_text(TOKEN)
        role = ["head"] if index == 0 else ["worker", "--head-address", f"{self.network}.10"]
        with (folder / "console.log").open("ab") as console:
            process = subprocess.Popen(
                [
                    *(sys.executable, "-m", "steelyard.node.main", "--cluster", "test", "--role", *role),
                    *("--gateway-port", str(GATEWAY_PORT), "--token-file", str(token_file)),
                ],
                cwd=folder,
                env={
                    "PATH": f"{Path(sys.executable).parent}:{os.defpath}",
                    "HOME": str(folder),
                    "TMPDIR": str(folder),
                    "LANG": "C.UTF-8",
                    "STEELYARD_METADATA_URL": self.metadata.url(node_id),
                },
                stdout=console,
                stderr=subprocess.STDOUT,
            )
        return RunningNode(node_id=node_id, address=address, folder=folder, process=process)

    def wait_until_healthy(self) -> None:
        for node in self.nodes:
            wait_for(
                lambda node=node: node.health()[0] == 200,
                timeout_s=BOOT_TIMEOUT_S,
                what=f"{node.node_id} is healthy: {node.health()}\n{node.console()}",
            )

    def processes(self) -> Sequence[psutil.Process]:
        """Return every process of this cluster, found by the folder that they all run in."""
        found = []
        for process in psutil.process_iter():
            try:
                is_ours = Path(process.cwd()).is_relative_to(self.folder)
                if is_ours and process.status() != psutil.STATUS_ZOMBIE:
                    found.append(process)
            except psutil.Error:
                continue
        return found

    def only_the_head_is_left(self) -> bool:
        return {process.pid for process in self.processes()} == {process.pid for process in self.head.tree()}

    def stop(self) -> None:
        """Stop all nodes, and prove that nothing of them is left."""
        for node in self.nodes:
            node.process.send_signal(signal.SIGTERM)
        codes = {node.node_id: node.process.wait(30) for node in self.nodes}
        left = self.processes()
        for process in left:
            process.kill()
        assert not left, f"left behind: {left}"
        assert set(codes.values()) <= {0, -signal.SIGKILL}, codes
        for node in self.nodes:
            if node.process.returncode == 0:
                assert not list(node.folder.glob("sy-*")), "the node's temporary folder is left"


@contextmanager
def running_cluster(num_nodes: int) -> Iterator[Cluster]:
    metadata = MetadataServer()
    serving = threading.Thread(target=metadata.serve_forever, kwargs={"poll_interval": 0.05})
    serving.start()
    # Not pytest's own folder: Ray's Unix sockets lie below it, and their paths may have 107 bytes.
    folder = Path(subprocess.check_output(["mktemp", "-d", "-t", "syt-XXXXXX"], text=True).strip())
    network = f"127.99.{random.SystemRandom().randrange(1, 255)}"
    cluster = Cluster(folder=folder, metadata=metadata, network=network)
    try:
        cluster.nodes = [cluster.start(f"i-test{index}", index) for index in range(num_nodes)]
        cluster.wait_until_healthy()
        yield cluster
    finally:
        try:
            cluster.stop()
        finally:
            metadata.shutdown()
            serving.join()
            metadata.server_close()
            subprocess.run(["rm", "-rf", str(folder)], check=True)


@pytest.fixture(scope="module")
def cluster() -> Iterator[Cluster]:
    """Two nodes, for tests that leave them as they are."""
    with running_cluster(2) as it:
        yield it


def submit(client: GatewayClient, script: str, **changes: Any) -> Mapping[str, Any]:
    package = pack_files({"main.py": textwrap.dedent(script), "beside.py": "VALUE = 42"})
    request = {"name": "test", "script": "main.py", "package": base64.b64encode(package).decode(), **changes}
    return client.submit(request)


def wait_for_end(client: GatewayClient, job_id: str, timeout_s: float = 60.0) -> Mapping[str, Any]:
    def ended() -> Mapping[str, Any] | None:
        record = client.job(job_id)
        return record if record["state"] in ("succeeded", "failed", "cancelled") else None

    record: Mapping[str, Any] = wait_for(ended, timeout_s=timeout_s, what=f"{job_id} ends")
    return record


def wait_for_line(client: GatewayClient, job_id: str, line: str) -> None:
    """Wait until a line is in a job's log, whatever may have come before."""
    wait_for(lambda: line in client.logs(job_id), timeout_s=30, what=f"{line!r} in the log of {job_id}")


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
                timeout_s=30,
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
    for process in cluster.processes():
        assert TOKEN not in " ".join(process.cmdline())
    for node in cluster.nodes:
        assert TOKEN not in node.console()


def test_every_port_of_a_node_is_on_its_private_address(cluster: Cluster) -> None:
    if "Ray is bound to every interface" in cluster.head.console():
        pytest.skip("no C compiler here, so no bind shim")
    own = {node.address for node in cluster.nodes}
    for process in cluster.processes():
        for connection in process.net_connections(kind="tcp"):
            if connection.status == psutil.CONN_LISTEN:
                assert connection.laddr.ip.removeprefix("::ffff:") in own, process.cmdline()


def find(processes: Sequence[psutil.Process], word: str) -> psutil.Process:
    """Return the one process whose title or command holds a word."""
    (found,) = [process for process in processes if word in " ".join(process.cmdline())[:200]]
    return found


def test_a_node_gets_over_the_death_of_its_parts_and_a_cluster_over_that_of_a_node() -> None:
    with running_cluster(2) as cluster, cluster.head.client() as head:
        done = submit(head, "print('done')")
        wait_for_end(head, done["id"])

        find(cluster.head.tree(), "ray::JobQueueActor").kill()
        wait_for(
            lambda: _answers(lambda: head.job(done["id"])["state"] == "succeeded"),
            timeout_s=30,
            what="the queue is back with what it had acknowledged",
        )

        find(cluster.worker.tree(), "raylet/raylet").kill()
        wait_for(
            lambda: cluster.worker.health()[0] == 503, timeout_s=10, what="the worker says it is unhealthy"
        )
        wait_for(lambda: cluster.head.health()[0] == 200, timeout_s=10, what="the head is healthy")
        wait_for(lambda: cluster.worker.health()[0] == 200, timeout_s=60, what="the worker has joined again")

        wait_for(
            lambda: [node["is_alive"] for node in head.nodes()] == [True, True],
            timeout_s=30,
            what="both alive",
        )
        job = submit(head, "import time; print('up'); time.sleep(600)")
        for rank in (0, 1):
            wait_for_line(head, job["id"], f"[rank {rank}] up")
        cluster.worker.process.kill()
        cluster.worker.process.wait(10)
        assert cluster.worker.health()[0] == 0
        wait_for(cluster.only_the_head_is_left, timeout_s=10, what="all of the killed node has ended")
        record = wait_for_end(head, job["id"], timeout_s=40)
        assert record["state"] == "failed"
        assert record["error"].startswith(f"rank 1 on node {cluster.worker.node_id} was lost: ")
        assert cluster.head.health()[0] == 200
        wait_for(
            lambda: [node["is_alive"] for node in head.nodes()] == [True, False],
            timeout_s=20,
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
        assert cluster.worker.process.wait(20) == 0
        record = wait_for_end(head, job["id"])
        assert record["state"] == "failed"
        assert record["error"] == f"node {cluster.worker.node_id} was stopped while the job ran on it"
        assert cluster.only_the_head_is_left()

        cluster.head.process.send_signal(signal.SIGTERM)
        assert cluster.head.process.wait(20) == 0
        assert not cluster.processes()
        cluster.nodes = [cluster.start(cluster.head.node_id, 0)]
        cluster.wait_until_healthy()
        assert head.job(job["id"]) == record, "a job is known after its head was away"


def _answers(claim: Callable[[], bool]) -> bool:
    try:
        return claim()
    except GatewayError:
        return False
