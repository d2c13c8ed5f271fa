"""What a load balancer does with datagrams, and how that travels to the process that does it. Pure."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Literal

from steelyard.localcloud.traffic.gate import Gate

Scheduler = Literal["wrr", "rr", "wlc", "sch", "tch"]


@dataclass(frozen=True, kw_only=True)
class Place:
    """An address that is listened on.

    Attributes:
        address: The address.
        namespace: Name of the network namespace that has it; the process's own where it is empty.
    """

    address: str
    namespace: str = ""


@dataclass(frozen=True, kw_only=True)
class Target:
    """One server.

    Attributes:
        name: Unique among the listener's servers.
        address: Where it listens.
        port: The port there.
        weight: 0 takes no new session.
        is_backup: Whether it takes sessions only while no other server can.
        namespace: Name of the network namespace from which it is reached; the process's own where it is empty.
    """

    name: str
    address: str
    port: int
    weight: int
    is_backup: bool = False
    namespace: str = ""


@dataclass(frozen=True, kw_only=True)
class Probe:
    """How it is found out whether a server takes datagrams.

    Attributes:
        protocol: `udp` sends a datagram: refused is unhealthy, and so is another answer than the expected one; silence
            is healthy unless an answer is expected. `tcp` connects, `http` asks for a page.
        port: The port that is asked; the server's own where it is None.
        request: What a `udp` probe sends.
        expected: The answer to it; any or none where it is empty.
        path: Path of the page.
        domain: Host header; none is sent where it is empty.
        method: HEAD or GET.
        status_classes: First digits of the answers that are healthy.
        interval_s: Seconds between two probes.
        timeout_s: Seconds that an answer may take.
        healthy_threshold: Successes in a row that make a server healthy.
        unhealthy_threshold: Failures in a row that make it unhealthy.
    """

    protocol: Literal["udp", "tcp", "http"] = "udp"
    port: int | None = None
    request: str = ""
    expected: str = ""
    path: str = "/"
    domain: str = ""
    method: str = "GET"
    status_classes: str = "2"
    interval_s: float = 5
    timeout_s: float = 10
    healthy_threshold: int = 3
    unhealthy_threshold: int = 3


@dataclass(frozen=True, kw_only=True)
class DatagramListener:
    """One port of a load balancer for datagrams, and the servers behind it.

    Attributes:
        name: Unique among the load balancer's listeners.
        port: The port on the load balancer's addresses.
        scheduler: How a session's server is chosen, by the API's word.
        targets: The servers.
        probe: The health check; None where every server counts as healthy.
        idle_timeout_s: Seconds after which a session without datagrams is forgotten.
        drain_timeout_s: Seconds for which sessions with a server that was removed go on; None until they are idle.
        gates: Who is served: clients that all of them let in.
    """

    name: str
    port: int
    scheduler: Scheduler = "wrr"
    targets: tuple[Target, ...] = ()
    probe: Probe | None = None
    idle_timeout_s: float = 90
    drain_timeout_s: float | None = None
    gates: tuple[Gate, ...] = ()


def to_text(places: Sequence[Place], listeners: Sequence[DatagramListener]) -> str:
    """Write what shall be done as one line of JSON."""
    return json.dumps(
        {"places": [asdict(place) for place in places], "listeners": [asdict(one) for one in listeners]}
    )


def from_tree(tree: Mapping[str, Any]) -> tuple[list[Place], list[DatagramListener]]:
    """Read what `to_text` wrote, once it is parsed."""
    return [Place(**place) for place in tree["places"]], [_listener(one) for one in tree["listeners"]]


def _listener(tree: Mapping[str, Any]) -> DatagramListener:
    probe = tree["probe"]
    parts = {
        "targets": tuple(Target(**target) for target in tree["targets"]),
        "probe": Probe(**probe) if probe is not None else None,
        "gates": tuple(map(Gate.from_tree, tree["gates"])),
    }
    return DatagramListener(**{**tree, **parts})
