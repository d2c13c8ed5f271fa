"""What a load balancer does, and how that is said to HAProxy. Pure: no files, no processes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from steelyard.localcloud.hosts.host import Entrance

MAX_WEIGHT = 256  # HAProxy's own bound; classic load balancers end at 100.
_CONNECT_TIMEOUT_S = 5
_HARD_STOP_S = 900  # The longest idle time that a listener may have.
_MAX_CONNECTIONS = 8000


@dataclass(frozen=True, kw_only=True)
class HealthCheck:
    """How a listener finds out which of its servers can take traffic.

    Attributes:
        protocol: `http` asks for a page, `tcp` only connects.
        port: The port that is checked; the server's own where it is None.
        path: Path and query of the page.
        domain: Host header; none is sent where it is empty.
        method: HEAD or GET.
        status_classes: First digits of the answers that are healthy, e.g. `23` for 2xx and 3xx.
        interval_s: Seconds between two checks.
        timeout_s: Seconds after which an answer comes too late.
        healthy_threshold: Successes in a row that make a server healthy.
        unhealthy_threshold: Failures in a row that make it unhealthy.
    """

    protocol: Literal["http", "tcp"]
    port: int | None = None
    path: str = "/"
    domain: str = ""
    method: str = "HEAD"
    status_classes: str = "2"
    interval_s: int = 2
    timeout_s: int = 5
    healthy_threshold: int = 3
    unhealthy_threshold: int = 3


@dataclass(frozen=True, kw_only=True)
class Server:
    """One server of a listener.

    Attributes:
        name: Unique among the listener's servers.
        address: Where it listens.
        port: The port there.
        weight: 0 to 256; 0 takes no new traffic.
        instance_id: The instance that it is; empty where it is none.
        namespace: Name of the network namespace from which it is reached; HAProxy's own where it is empty.
    """

    name: str
    address: str
    port: int
    weight: int
    instance_id: str = ""
    namespace: str = ""


@dataclass(frozen=True, kw_only=True)
class CookieStickiness:
    """A client is kept on its server by a cookie.

    Attributes:
        name: The cookie's name; one that HAProxy sets, or one of the servers' own that it rewrites.
        is_inserted: Whether HAProxy sets it.
        max_life_s: Seconds after which an inserted cookie no longer counts.
    """

    name: str
    is_inserted: bool
    max_life_s: int = 0


@dataclass(frozen=True, kw_only=True)
class Listener:
    """One port of a load balancer and the servers behind it.

    Attributes:
        name: Unique among the load balancer's listeners.
        protocol: `http` balances requests, `tcp` connections.
        port: The port on the load balancer's address.
        algorithm: HAProxy's word for the scheduler, e.g. `roundrobin`.
        servers: The servers.
        check: The health check; None where every server counts as healthy.
        idle_timeout_s: Seconds after which a connection without traffic, or in HTTP without a request, is closed.
        request_timeout_s: Seconds that a server may take to answer or, in TCP, to be silent.
        cookie: Stickiness of HTTP clients.
        source_persistence_s: Seconds for which a TCP client's address stays on its server; 0 for none.
        is_client_forwarded: Whether requests carry the client's address in `X-Forwarded-For`.
        request_headers: Headers that are set on each request, with HAProxy's formats as values.
        drain_timeout_s: Seconds after which the connections to a server that was removed are closed; None leaves them
            to end by themselves.
    """

    name: str
    protocol: Literal["http", "tcp"]
    port: int
    algorithm: str = "roundrobin"
    servers: tuple[Server, ...] = ()
    check: HealthCheck | None = None
    idle_timeout_s: int = 15
    request_timeout_s: int = 60
    cookie: CookieStickiness | None = None
    source_persistence_s: int = 0
    is_client_forwarded: bool = True
    request_headers: tuple[tuple[str, str], ...] = ()
    drain_timeout_s: int | None = None


@dataclass(frozen=True, kw_only=True)
class ProxyConfig:
    """All that one load balancer does; without listeners it does nothing and needs no process.

    Attributes:
        addresses: The load balancer's addresses, one in each zone that it stands in.
        listeners: Those that run.
        inner: Where they listen besides: in the network namespaces of VPCs.
    """

    addresses: tuple[str, ...]
    listeners: tuple[Listener, ...] = ()
    inner: tuple[Entrance, ...] = ()


def server_names(config: ProxyConfig) -> set[tuple[str, str]]:
    """Give listener's and server's name of each server."""
    return {(listener.name, server.name) for listener in config.listeners for server in listener.servers}


def render_config(config: ProxyConfig, state_path: str) -> str:
    """Write HAProxy's configuration file.

    Args:
        config: What the load balancer does.
        state_path: The file from which HAProxy takes its servers' state when it starts.
    """
    head = [
        "global",
        "  nbthread 1",
        "  no strict-limits",
        f"  maxconn {_MAX_CONNECTIONS}",
        f"  hard-stop-after {_HARD_STOP_S}s",
        f"  server-state-file {state_path}",
        "  log stdout format raw daemon notice",
        "defaults",
        "  log global",
        f"  timeout connect {_CONNECT_TIMEOUT_S}s",
        "  retries 3",
        "  option redispatch 1",
        "  load-server-state-from-file global",
    ]
    places = [*(Entrance(address=address) for address in config.addresses), *config.inner]
    lines = head + [line for listener in config.listeners for line in _listener(places, listener)]
    return "\n".join(lines) + "\n"


def server_arguments(listener: Listener, server: Server) -> str:
    """Give what follows `server NAME` in the file and `add server BACKEND/NAME` on the runtime socket."""
    parts = [f"{server.address}:{server.port}{_inside(server.namespace)}", f"weight {server.weight}"]
    check = listener.check
    if check is not None:
        parts.append(
            f"check inter {check.interval_s}s fall {check.unhealthy_threshold} rise {check.healthy_threshold}"
        )
        if check.port is not None:
            parts.append(f"port {check.port}")
    if listener.cookie is not None:
        parts.append(f"cookie {server.name}")
    return " ".join(parts)


def _listener(places: Sequence[Entrance], listener: Listener) -> list[str]:
    return [
        f"listen {listener.name}",
        f"  mode {listener.protocol}",
        *(f"  bind {place.address}:{listener.port}{_inside(place.namespace)}" for place in places),
        f"  balance {listener.algorithm}",
        *(_http(listener) if listener.protocol == "http" else _tcp(listener)),
        *(_check(listener.check) if listener.check is not None else []),
        *(f"  server {server.name} {server_arguments(listener, server)}" for server in listener.servers),
    ]


def _inside(namespace: str) -> str:
    return f" namespace {namespace}" if namespace else ""


def _http(listener: Listener) -> list[str]:
    lines = [
        f"  timeout client {max(listener.idle_timeout_s, listener.request_timeout_s)}s",
        f"  timeout http-keep-alive {listener.idle_timeout_s}s",
        f"  timeout server {listener.request_timeout_s}s",
        *(["  option forwardfor"] if listener.is_client_forwarded else []),
        # A connection that is kept to a server may close just as a request is sent on it, and a request that
        # changes something cannot be sent twice; nor can a server be removed while such a connection idles.
        "  option http-server-close",
        # Else a reload closes idle connections, perhaps just as a client sends its next request.
        "  option idle-close-on-response",
        "  retry-on conn-failure empty-response",
        "  http-request disable-l7-retry unless { method GET HEAD OPTIONS }",
        *(f"  http-request set-header {name} {value}" for name, value in listener.request_headers),
    ]
    cookie = listener.cookie
    if cookie is not None:
        how = f"insert indirect nocache maxlife {cookie.max_life_s}s" if cookie.is_inserted else "rewrite"
        lines.append(f"  cookie {cookie.name} {how}")
    return lines


def _tcp(listener: Listener) -> list[str]:
    lines = [
        f"  timeout client {listener.idle_timeout_s}s",
        f"  timeout server {listener.idle_timeout_s}s",
    ]
    if listener.source_persistence_s:
        lines.append(f"  stick-table type ip size 100k expire {listener.source_persistence_s}s")
        lines.append("  stick on src")
    return lines


def _check(check: HealthCheck) -> list[str]:
    lines = [f"  timeout check {check.timeout_s}s"]
    if check.protocol == "http":
        host = f" hdr Host {check.domain}" if check.domain else ""
        lines.append("  option httpchk")
        lines.append(f"  http-check send meth {check.method} uri {check.path} ver HTTP/1.0{host}")
        lines.append(f"  http-check expect rstatus ^[{check.status_classes}]")
    return lines
