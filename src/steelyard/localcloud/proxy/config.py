"""What a load balancer does, and how that is said to HAProxy. Pure: no files, no processes."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Literal

from steelyard.localcloud.datagram.plan import DatagramListener
from steelyard.localcloud.hosts.host import Entrance
from steelyard.localcloud.proxy import handover
from steelyard.localcloud.proxy.check import HealthCheck, check_arguments, check_lines
from steelyard.localcloud.proxy.gate import gate_lines
from steelyard.localcloud.proxy.route import Route, limit_lines, pool_lines, request_lines
from steelyard.localcloud.proxy.tls import Tls, bind_arguments
from steelyard.localcloud.traffic.gate import Gate

CONNECTION_HASH = "connection-hash"
"""The scheduler that hashes a client's address and port: the other two of the four are the listener's own."""
MAX_WEIGHT = 256  # HAProxy's own bound; classic load balancers end at 100.
_CONNECT_TIMEOUT_S = 5
_HARD_STOP_S = 86_400
"""How long connections go on that a reload found open; those without traffic end by the listener's idle time."""
_MAX_RELOADS = 32
"""Reloads that a worker's connections live through: each one holds a process of 4 MiB until its last one ends."""
_MAX_CONNECTIONS = 8000
_MAX_SETTLED = 10_000
"""Clients of a pool whose server is remembered: a reload hands them over in some two seconds."""
# HAProxy's own option adds a header of its own, and there are servers that read the first one alone.
_FORWARDED_FOR = (
    "  http-request set-header X-Forwarded-For '%[req.fhdr(x-forwarded-for)], %[src]' "
    "if { req.fhdr_cnt(x-forwarded-for) 1 }",
    "  http-request add-header X-Forwarded-For %[src] unless { req.fhdr_cnt(x-forwarded-for) 1 }",
)
_SERVER_PROTOCOLS: Mapping[str, Sequence[str]] = {
    "plain": (),
    "tls": ("ssl", "verify none"),
    "h2": ("proto h2",),
}


@dataclass(frozen=True, kw_only=True)
class Server:
    """One server of a pool.

    Attributes:
        name: Unique among the pool's servers.
        address: Where it listens.
        port: The port there.
        weight: 0 to 256; 0 takes no new traffic.
        is_backup: Whether it takes traffic only while no other server can.
        instance_id: The instance that it is; empty where it is none.
        namespace: Name of the network namespace from which it is reached; HAProxy's own where it is empty.
    """

    name: str
    address: str
    port: int
    weight: int
    is_backup: bool = False
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
class ServerPool:
    """Servers that share what is sent to them.

    Attributes:
        name: Unique among the load balancer's pools.
        protocol: `http` balances requests, `tcp` connections.
        algorithm: HAProxy's word for the scheduler, e.g. `roundrobin`.
        servers: The servers.
        server_protocol: What the servers speak: plain, `tls` without a look at their certificates, or `h2` for HTTP/2
            without TLS, as gRPC has it.
        sends_proxy_header: Whether servers are told of the client by version 2 of the proxy protocol.
        check: The health check; None where every server counts as healthy.
        request_timeout_s: Seconds that a server may take to answer an HTTP request.
        cookie: Stickiness of HTTP clients.
        source_persistence_s: Seconds for which a TCP client's address stays on its server; 0 for none.
        drain_timeout_s: Seconds after which the connections to a server that was removed are closed; None leaves them
            to end by themselves.
        slow_start_s: Seconds over which the weight of a server that has become healthy grows to its own; 0 for at once.
    """

    name: str
    protocol: Literal["http", "tcp"]
    algorithm: str = "roundrobin"
    servers: tuple[Server, ...] = ()
    server_protocol: Literal["plain", "tls", "h2"] = "plain"
    sends_proxy_header: bool = False
    check: HealthCheck | None = None
    request_timeout_s: int = 60
    cookie: CookieStickiness | None = None
    source_persistence_s: int = 0
    drain_timeout_s: int | None = None
    slow_start_s: int = 0


@dataclass(frozen=True, kw_only=True)
class Listener(ServerPool):
    """One port of a load balancer, and the servers behind it.

    Attributes:
        port: The port on the load balancer's address.
        idle_timeout_s: Seconds after which a TCP connection without traffic, or one of HTTP without a request, is
            closed.
        is_client_forwarded: Whether requests carry the client's address in `X-Forwarded-For`.
        request_headers: Headers that are set on each request, with HAProxy's formats as values.
        removed_headers: Headers that are taken from each request.
        tls: How it ends TLS; None for plain traffic.
        max_connections_per_s: New connections that it takes a second, the others being refused; 0 for no bound.
        max_segment: The most bytes of a segment that its clients are told to send at once; 0 for the network's own.
        gates: Whose connections it takes: those of clients that all of them let in.
        routes: Rules for HTTP requests, of which the first that fits decides; what none fits goes to the listener's own
            servers.
    """

    port: int
    idle_timeout_s: int = 15
    is_client_forwarded: bool = True
    request_headers: tuple[tuple[str, str], ...] = ()
    removed_headers: tuple[str, ...] = ()
    tls: Tls | None = None
    max_connections_per_s: int = 0
    max_segment: int = 0
    gates: tuple[Gate, ...] = ()
    routes: tuple[Route, ...] = ()


@dataclass(frozen=True, kw_only=True)
class ProxyConfig:
    """All that one load balancer does; without listeners it does nothing and needs no process.

    Attributes:
        addresses: The load balancer's addresses, one in each zone that it stands in.
        listeners: Those that run.
        further_pools: Servers that have no port of their own.
        datagrams: Listeners for datagrams, which another process than HAProxy passes on.
        inner: Where they listen besides: in the network namespaces of VPCs.
    """

    addresses: tuple[str, ...]
    listeners: tuple[Listener, ...] = ()
    further_pools: tuple[ServerPool, ...] = ()
    datagrams: tuple[DatagramListener, ...] = ()
    inner: tuple[Entrance, ...] = ()

    @property
    def pools(self) -> tuple[ServerPool, ...]:
        """The servers of every listener, and the further ones."""
        return (*self.listeners, *self.further_pools)

    def at(self, addresses: tuple[str, ...]) -> ProxyConfig:
        """Return the same at some addresses alone; without any there is nothing to do."""
        return replace(self, addresses=addresses) if addresses else ProxyConfig(addresses=())

    def with_servers(self, change: Callable[[tuple[Server, ...]], tuple[Server, ...]]) -> ProxyConfig:
        """Return the same with other servers in each pool.

        Args:
            change: Gives a pool's new servers from its old ones.
        """
        return replace(
            self,
            listeners=tuple(replace(one, servers=change(one.servers)) for one in self.listeners),
            further_pools=tuple(replace(one, servers=change(one.servers)) for one in self.further_pools),
        )


def server_names(config: ProxyConfig) -> set[tuple[str, str]]:
    """Give pool's and server's name of each server."""
    return {(pool.name, server.name) for pool in config.pools for server in pool.servers}


def server_namespaces(config: ProxyConfig) -> dict[tuple[str, str], str]:
    """Give the network namespace of each server by pool's and server's name."""
    return {(pool.name, server.name): server.namespace for pool in config.pools for server in pool.servers}


def left_by_cookie(pool: ServerPool) -> tuple[str, ...]:
    """Give the servers to which no cookie brings a client back: those without weight, which take no new traffic."""
    return () if pool.cookie is None else tuple(one.name for one in pool.servers if not one.weight)


def pem_files(config: ProxyConfig) -> dict[str, str]:
    """Give the PEM texts that HAProxy reads from files, by the files' names."""
    found: dict[str, str] = {}
    for listener in config.listeners:
        found |= listener.tls.files if listener.tls is not None else {}
    return found


def render_config(config: ProxyConfig, state_path: str, pem_folder: str = "", doors: str = "") -> str:
    """Write HAProxy's configuration file.

    Args:
        config: What the load balancer does.
        state_path: The file from which HAProxy takes its servers' state when it starts.
        pem_folder: Where `pem_files` are.
        doors: What the names of the sockets begin with at which old workers hand over what they still get; empty
            where they need not.
    """
    head = [
        "global",
        "  nbthread 1",
        "  no strict-limits",
        f"  maxconn {_MAX_CONNECTIONS}",
        f"  hard-stop-after {_HARD_STOP_S}s",
        f"  mworker-max-reloads {_MAX_RELOADS}",
        *(f"  {line}" for line in (handover.grace_lines() if doors else ())),
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
    lines = head
    for listener in config.listeners:
        door = f"{doors}-{listener.name}" if doors else ""
        lines += _listener(places, listener, pem_folder, door)
        if door:
            longest_s = max(_answer_timeout_s(pool) for pool in (listener, *config.further_pools))
            lines += handover.pool_lines(listener.name, listener.protocol, door, longest_s)
    lines += [line for pool in config.further_pools for line in _backend(pool)]
    lines += [line for listener in config.listeners for line in limit_lines(listener.routes, listener.name)]
    return "\n".join(lines) + "\n"


def server_arguments(pool: ServerPool, server: Server) -> str:
    """Give what follows `server NAME` in the file and `add server BACKEND/NAME` on the runtime socket."""
    parts = [f"{server.address}:{server.port}{_inside(server.namespace)}", f"weight {server.weight}"]
    parts += ["backup"] if server.is_backup else []
    parts += _SERVER_PROTOCOLS[pool.server_protocol]
    if pool.sends_proxy_header:
        parts.append("send-proxy-v2")
    parts += check_arguments(pool.check) if pool.check is not None else []
    if pool.slow_start_s:
        parts.append(f"slowstart {pool.slow_start_s}s")
    if pool.cookie is not None:
        parts.append(f"cookie {server.name}")
    return " ".join(parts)


def _listener(places: Sequence[Entrance], listener: Listener, pem_folder: str, door: str) -> list[str]:
    is_http = listener.protocol == "http"
    tls = f" {bind_arguments(listener.tls, pem_folder)}" if listener.tls is not None else ""
    how = f"{f' mss {listener.max_segment}' if listener.max_segment else ''}{tls}"
    return [
        f"listen {listener.name}",
        f"  mode {listener.protocol}",
        *(f"  bind {place.address}:{listener.port}{_inside(place.namespace)}{how}" for place in places),
        *(f"  {line}" for line in (handover.entrance_lines(door) if door else ())),
        *(f"  {line}" for line in gate_lines(listener.gates)),
        *_bound(listener.max_connections_per_s),
        *_balance(listener.algorithm),
        *(f"  {line}" for line in (handover.request_lines() if door and is_http else ())),
        *(_http_clients(listener) if is_http else _tcp_clients(listener)),
        *_servers(listener, _answer_timeout_s(listener)),
        *(f"  {line}" for line in (handover.exit_lines(listener.name) if door else ())),
        *(f"  {line}" for line in pool_lines(listener.routes, listener.name)),
    ]


def _answer_timeout_s(pool: ServerPool) -> int:
    """Give how long a pool's servers may be silent: in a connection as long as its client may be."""
    return (
        pool.idle_timeout_s
        if isinstance(pool, Listener) and pool.protocol == "tcp"
        else pool.request_timeout_s
    )


def _backend(pool: ServerPool) -> list[str]:
    head = [f"backend {pool.name}", f"  mode {pool.protocol}", *_balance(pool.algorithm)]
    return [*head, *_servers(pool, pool.request_timeout_s)]


def _bound(max_connections_per_s: int) -> list[str]:
    # Those that were refused do not count.
    bound = max_connections_per_s
    return [f"  tcp-request connection reject if {{ fe_sess_rate ge {bound} }}"] if bound else []


def _balance(algorithm: str) -> list[str]:
    """Give the lines of a scheduler; one that hashes does it so that the loss of a server moves its clients alone."""
    if algorithm == CONNECTION_HASH:
        head = ["  tcp-request session set-var(sess.client_port) src_port"]
        return [*head, "  balance hash src,concat(:,sess.client_port)", "  hash-type consistent"]
    is_hash = algorithm.split()[0] in ("source", "url_param")
    return [f"  balance {algorithm}", *(["  hash-type consistent"] if is_hash else [])]


def _servers(pool: ServerPool, timeout_s: int) -> list[str]:
    return [
        f"  timeout server {timeout_s}s",
        *(_http_servers(pool) if pool.protocol == "http" else _tcp_servers(pool)),
        *(f"  {line}" for line in (check_lines(pool.check) if pool.check is not None else [])),
        *(f"  server {server.name} {server_arguments(pool, server)}" for server in pool.servers),
    ]


def _inside(namespace: str) -> str:
    return f" namespace {namespace}" if namespace else ""


def _http_clients(listener: Listener) -> list[str]:
    return [
        f"  timeout client {max(listener.idle_timeout_s, listener.request_timeout_s)}s",
        f"  timeout http-keep-alive {listener.idle_timeout_s}s",
        # Else a reload closes idle connections, perhaps just as a client sends its next request.
        "  option idle-close-on-response",
        *(f"  {line}" for line in request_lines(listener.routes, listener.name)),
        *(f"  http-request del-header {name}" for name in listener.removed_headers),
        *(_FORWARDED_FOR if listener.is_client_forwarded else ()),
        *(f"  http-request set-header {name} {value}" for name, value in listener.request_headers),
    ]


def _tcp_clients(listener: Listener) -> list[str]:
    return [f"  timeout client {listener.idle_timeout_s}s"]


def _http_servers(pool: ServerPool) -> list[str]:
    lines = [
        # A connection that is kept to a server may close just as a request is sent on it, and a request that
        # changes something cannot be sent twice; nor can a server be removed while such a connection idles.
        "  option http-server-close",
        "  retry-on conn-failure empty-response",
        "  http-request disable-l7-retry unless { method GET HEAD OPTIONS }",
    ]
    cookie = pool.cookie
    if cookie is not None:
        how = f"insert indirect nocache maxlife {cookie.max_life_s}s" if cookie.is_inserted else "rewrite"
        lines.append(f"  cookie {cookie.name} {how}")
        # A time may follow the server's name.
        came = f"cook({cookie.name}),field(1,|)"
        lines += [f"  ignore-persist if {{ {came} -m str {name} }}" for name in left_by_cookie(pool)]
    return lines


def _tcp_servers(pool: ServerPool) -> list[str]:
    if not pool.source_persistence_s:
        return []
    return [
        f"  stick-table type ip size {_MAX_SETTLED} expire {pool.source_persistence_s}s",
        "  stick on src",
    ]
