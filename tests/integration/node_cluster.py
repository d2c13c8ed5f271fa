"""Real nodes on loopback addresses: `steelyard-node` processes with Ray below them, and a metadata service."""

from __future__ import annotations

import base64
import http.server
import os
import random
import signal
import subprocess
import sys
import textwrap
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import psutil

from steelyard.localcloud.hosts.address import AddressBook, AddressInUse
from steelyard.node.client import GatewayClient
from steelyard.node.packing import pack_files

TOKEN = "a-token-for-tests"
GATEWAY_PORT = 8000
BOOT_TIMEOUT_S = 180.0  # Ray itself gives up after half a minute, and is started again.


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

    def read(self, what: Callable[[psutil.Process], Any]) -> list[Any]:
        """Read something of every process of this cluster; Ray's workers come and go meanwhile."""
        found = []
        for process in self.processes():
            with suppress(psutil.Error):
                found.append(what(process))
        return found

    def only_the_head_is_left(self) -> bool:
        return {process.pid for process in self.processes()} == {process.pid for process in self.head.tree()}

    def stop(self) -> None:
        """Stop all nodes, and prove that nothing of them is left."""
        for node in self.nodes:
            node.process.send_signal(signal.SIGTERM)
        codes = {node.node_id: node.process.wait(60) for node in self.nodes}
        left = self.processes()
        for process in left:
            process.kill()
        assert not left, f"left behind: {left}"
        assert set(codes.values()) <= {0, -signal.SIGKILL}, codes
        for node in self.nodes:
            if node.process.returncode == 0:
                assert not list(node.folder.glob("sy-*")), "the node's temporary folder is left"


@contextmanager
def own_network() -> Iterator[str]:
    """Give a network of loopback addresses that no other cluster of these tests has meanwhile."""
    book = AddressBook()
    for number in random.SystemRandom().sample(range(1, 255), 254):
        with suppress(AddressInUse):
            book.claim_exactly(f"127.99.{number}.10")
            break
    try:
        (head_address,) = book.held()
        yield head_address.removesuffix(".10")
    finally:
        book.release_all()


@contextmanager
def running_cluster(num_nodes: int) -> Iterator[Cluster]:
    metadata = MetadataServer()
    serving = threading.Thread(target=metadata.serve_forever, kwargs={"poll_interval": 0.05})
    serving.start()
    # Not pytest's own folder: Ray's Unix sockets lie below it, and their paths may have 107 bytes.
    folder = Path(subprocess.check_output(["mktemp", "-d", "-t", "syt-XXXXXX"], text=True).strip())
    try:
        with own_network() as network:
            cluster = Cluster(folder=folder, metadata=metadata, network=network)
            try:
                cluster.nodes = [cluster.start(f"i-test{index}", index) for index in range(num_nodes)]
                cluster.wait_until_healthy()
                yield cluster
            except BaseException:
                for node in cluster.nodes:
                    print(f"{node.node_id} said:\n{node.console()}")
                raise
            finally:
                cluster.stop()
    finally:
        metadata.shutdown()
        serving.join()
        metadata.server_close()
        subprocess.run(["rm", "-rf", str(folder)], check=True)


def submit(client: GatewayClient, script: str, **changes: Any) -> Mapping[str, Any]:
    package = pack_files({"main.py": textwrap.dedent(script), "beside.py": "VALUE = 42"})
    request = {"name": "test", "script": "main.py", "package": base64.b64encode(package).decode(), **changes}
    return client.submit(request)


def wait_for_end(client: GatewayClient, job_id: str, timeout_s: float = 120.0) -> Mapping[str, Any]:
    def ended() -> Mapping[str, Any] | None:
        record = client.job(job_id)
        return record if record["state"] in ("succeeded", "failed", "cancelled") else None

    record: Mapping[str, Any] = wait_for(ended, timeout_s=timeout_s, what=f"{job_id} ends")
    return record


def wait_for_line(client: GatewayClient, job_id: str, line: str) -> None:
    """Wait until a line is in a job's log, whatever may have come before."""
    wait_for(lambda: line in client.logs(job_id), timeout_s=120, what=f"{line!r} in the log of {job_id}")
