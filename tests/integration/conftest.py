"""Workers and clouds that several modules of tests share."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import suppress
from ipaddress import IPv4Network
from pathlib import Path
from typing import Any

import psutil
import pytest
from cloud_api import api_of
from elastic_workers import ElasticRun, WorkerServer
from gradient_service import GradientService
from own_range import served
from proxy_parts import is_open
from traffic import wait_until

from steelyard.deploy import AlicloudProvider, Stack
from steelyard.deploy.provider.api import Api
from steelyard.localcloud import daemon
from steelyard.localcloud.daemon import CloudInfo
from steelyard.localcloud.hosts.address import AddressBook
from steelyard.localcloud.proxy.balancer import ProxyBalancer
from steelyard.localcloud.proxy.config import Server

OWN_RANGE = IPv4Network(served("224.0/20"))


@pytest.fixture
def data_dir(tmp_path: Path) -> Iterator[Path]:
    """Folder of a local cloud that the test starts; what runs on it at the end is stopped."""
    folder = tmp_path / "cloud"
    yield folder
    assert daemon.stop(folder).left == ()


@pytest.fixture
def addresses() -> Iterator[Callable[[], str]]:
    """Claim loopback addresses of the test's own; what listens on them must have ended before."""
    book = AddressBook()
    yield lambda: book.claim(OWN_RANGE)
    book.release_all()


@pytest.fixture
def make_server(
    addresses: Callable[[], str],
) -> Iterator[Callable[..., tuple[Server, subprocess.Popen[bytes]]]]:
    """Run servers that answer with their names; a name comes with its process."""
    running = []

    def make(name: str, weight: int = 100, delay_s: float = 0.0) -> tuple[Server, subprocess.Popen[bytes]]:
        address = addresses()
        script = Path(__file__).with_name("named_server.py")
        process = subprocess.Popen([sys.executable, "-S", script, address, "8080", name, str(delay_s)])
        running.append(process)
        wait_until(lambda: is_open(address, 8080))
        return Server(name=name, address=address, port=8080, weight=weight), process

    yield make
    for process in running:
        process.kill()
        process.wait()


@pytest.fixture
def balancer(tmp_path: Path, addresses: Callable[[], str]) -> Iterator[ProxyBalancer]:
    """A load balancer, which is gone before its addresses are given back."""
    balancer = ProxyBalancer("lb-test", tmp_path / "lb-test")
    yield balancer
    family = []
    for pid in balancer.process_ids():
        with suppress(psutil.NoSuchProcess):  # A worker that a reload has left ends with its last connection.
            family.append(psutil.Process(pid))
    balancer.discard()
    assert not any(process.is_running() for process in family)
    assert not (tmp_path / "lb-test").exists()


@pytest.fixture(scope="session")
def gradient_service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[GradientService]:
    """Three workers, started when a test first asks for them."""
    with GradientService(tmp_path_factory.mktemp("gradient_service"), 3) as service:
        yield service


@pytest.fixture(scope="session")
def worker_server() -> Iterator[WorkerServer]:
    """A process that forks training workers, started when a test first asks for them."""
    server = WorkerServer()
    yield server
    server.end()


@pytest.fixture
def runs(worker_server: WorkerServer, tmp_path: Path) -> Iterator[Any]:
    """Gives runs of training workers, and ends what is left of them."""
    begun: list[ElasticRun] = []

    def begin(**options: Any) -> ElasticRun:
        folder = tmp_path / str(len(begun))
        folder.mkdir()
        begun.append(ElasticRun(worker_server, folder, **options))
        return begun[-1]

    yield begin
    for run in begun:
        run.end()


@pytest.fixture(scope="module")
def info(tmp_path_factory: pytest.TempPathFactory) -> Iterator[CloudInfo]:
    """A real local cloud for a module's tests."""
    data_dir: Path = tmp_path_factory.mktemp("cloud")
    yield daemon.start(data_dir)
    assert daemon.stop(data_dir).left == ()
    daemon.purge(data_dir)


@pytest.fixture(scope="module")
def provider(info: CloudInfo) -> AlicloudProvider:
    """The embedded provider, pointed at the module's cloud."""
    return AlicloudProvider(
        endpoint=info.endpoint,
        access_key_id=info.access_key_id,
        access_key_secret=info.access_key_secret,
        region_id=info.region_id,
        timeout_s=60,
    )


@pytest.fixture
def stack(tmp_path: Path, provider: AlicloudProvider) -> Iterator[Stack]:
    """A stack of the test's own, which is taken down after it."""
    stack = Stack(tmp_path, project="steelyard", name="test")
    yield stack
    stack.destroy(provider)


@pytest.fixture
def api(info: CloudInfo) -> Api:
    """Calls of the module's cloud, to see with other eyes than the provider's what it made."""
    return api_of(info)
