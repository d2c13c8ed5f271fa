"""A load balancer under load: 8 clients, 3 servers, over HTTP and over HTTPS.

The weights 100, 50 and 0 hold within 1 % over 10,000 requests. A server that is killed, changes of weight, draining and
reloads lose no request: each is a GET, which HAProxy may send to another server.
"""

from __future__ import annotations

import json
import signal
import ssl
import subprocess
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import pytest
from tls_pair import Authority
from traffic import Traffic, ask, wait_until

from steelyard.localcloud.proxy.balancer import ProxyBalancer
from steelyard.localcloud.proxy.config import HealthCheck, Listener, ProxyConfig, Server
from steelyard.localcloud.proxy.tls import Tls
from steelyard.localcloud.traffic.server_status import Health

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]

NUM_CLIENTS, NUM_REQUESTS, PORT = 8, 10_000, 8000
CHECK = HealthCheck(protocol="http", interval_s=1, timeout_s=1, healthy_threshold=2, unhealthy_threshold=2)


@dataclass(kw_only=True)
class Stage:
    """A load balancer before three servers that run."""

    balancer: ProxyBalancer
    address: str
    servers: list[Server]
    processes: dict[str, subprocess.Popen[bytes]]
    tls: ssl.SSLContext | None
    bundle: str

    def apply(self, *weights: int, **changes: object) -> None:
        self.apply_servers(
            [replace(one, weight=w) for one, w in zip(self.servers, weights, strict=True)], **changes
        )

    def apply_servers(self, servers: list[Server], **changes: object) -> None:
        listener = Listener(
            name="front",
            protocol="http",
            port=PORT,
            servers=tuple(servers),
            check=CHECK,
            tls=Tls(bundles=(self.bundle,)) if self.bundle else None,
        )
        changed = replace(listener, **changes)  # type: ignore[arg-type]
        self.balancer.apply(ProxyConfig(addresses=(self.address,), listeners=(changed,)))

    def wait_healthy(self, *names: str) -> None:
        wait_until(
            lambda: {
                s for (_, s), status in self.balancer.statuses().items() if status.health is Health.NORMAL
            },
            lambda found: found == set(names),
        )

    def traffic(self) -> Traffic:
        return Traffic(self.address, PORT, self.tls)


@pytest.fixture(params=["http", "https"])
def stage(
    request: pytest.FixtureRequest,
    tmp_path: Path,
    addresses: Callable[[], str],
    make_server: Callable[[str], tuple[Server, subprocess.Popen[bytes]]],
) -> Iterator[Stage]:
    made = [make_server(name) for name in "abc"]
    authority, address, is_secure = Authority(), addresses(), request.param == "https"
    balancer = ProxyBalancer("lb-proof", tmp_path / "lb-proof")
    try:
        yield Stage(
            balancer=balancer,
            address=address,
            servers=[server for server, _ in made],
            processes={server.name: process for server, process in made},
            tls=authority.trusting() if is_secure else None,
            bundle="".join(authority.issue(address)) if is_secure else "",
        )
    finally:
        balancer.discard()


@pytest.fixture
def tell(request: pytest.FixtureRequest, record_property: Callable[[str, object], None]):
    """Print what was measured as one line of JSON; `-s` shows it."""

    def tell(**measured: object) -> None:
        record_property("measured", measured)
        print(json.dumps({"proof": request.node.name, **measured}))

    return tell


def test_weights_hold_within_one_percent(stage: Stage, tell) -> None:
    stage.apply(100, 50, 0)
    stage.wait_healthy("a", "b", "c")
    traffic = ask(stage.address, PORT, NUM_REQUESTS, NUM_CLIENTS, stage.tls)
    counts = traffic.names()
    tell(requests=NUM_REQUESTS, errors=len(traffic.errors), **{name: counts[name] for name in "abc"})
    assert traffic.errors == []
    assert abs(counts["a"] / NUM_REQUESTS - 2 / 3) < 0.01
    assert abs(counts["b"] / NUM_REQUESTS - 1 / 3) < 0.01
    assert counts["c"] == 0


def test_a_killed_server_loses_no_request(stage: Stage, tell) -> None:
    stage.apply(100, 100, 100)
    stage.wait_healthy("a", "b", "c")
    traffic = stage.traffic()
    with traffic.flowing(NUM_CLIENTS):
        wait_until(lambda: len(traffic.answers) > 1000)
        stage.processes["b"].send_signal(signal.SIGKILL)
        stage.wait_healthy("a", "c")
        seen = len(traffic.answers)
        wait_until(lambda: len(traffic.answers) > seen + 1000)
    tell(requests=len(traffic.answers), errors=len(traffic.errors))
    assert traffic.errors == []


def test_changes_of_weight_draining_and_reloads_lose_no_request(stage: Stage, tell) -> None:
    stage.apply(100, 100, 100)
    stage.wait_healthy("a", "b", "c")
    traffic = stage.traffic()
    with traffic.flowing(NUM_CLIENTS):
        for change in range(5):
            seen = len(traffic.answers)
            stage.apply(100, 10 * change, 100)  # over the runtime interface
            stage.apply(100, 100, 100, idle_timeout_s=20 + change)  # by a reload
            stage.apply_servers(stage.servers[:2])  # one is drained and removed
            stage.apply(0, 100, 100)
            stage.wait_healthy("a", "b", "c")
            wait_until(lambda seen=seen: len(traffic.answers) > seen + 300)
    tell(requests=len(traffic.answers), errors=len(traffic.errors), changes=20)
    assert traffic.errors == []
