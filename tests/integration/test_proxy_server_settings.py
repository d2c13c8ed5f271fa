"""What holds for a proxy's servers after a start or a reload is what the configuration says, not what was before."""

from __future__ import annotations

import http.server
import socket
import ssl
import threading
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from proxy_parts import CHECK, PORT, config_of, healthy
from tls_pair import Authority
from traffic import ask, wait_until

from steelyard.localcloud.proxy.config import Server
from steelyard.localcloud.traffic.server_status import Health


class Secure(http.server.BaseHTTPRequestHandler):
    """Answers with its name."""

    def do_HEAD(self) -> None:
        self.send_response(200)
        self.end_headers()

    def do_GET(self) -> None:
        self.send_response(200)
        self.send_header("Content-Length", "6")
        self.end_headers()
        self.wfile.write(b"secure")

    def log_message(self, *arguments: object) -> None:
        pass


@pytest.fixture
def secure_server(tmp_path: Path, addresses) -> Iterator[Server]:
    """A server that speaks TLS alone."""
    address, pair = addresses(), tmp_path / "pair.pem"
    pair.write_text("".join(Authority().issue(address)))
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    tls.load_cert_chain(pair)
    with http.server.ThreadingHTTPServer((address, 8443), Secure) as server:
        server.socket = tls.wrap_socket(server.socket, server_side=True, do_handshake_on_connect=False)
        serving = threading.Thread(target=server.serve_forever)
        serving.start()
        yield Server(name="secure", address=address, port=8443, weight=100)
        server.shutdown()
        serving.join()


def test_servers_that_are_checked_are_spoken_to_by_tls_from_the_start_and_after_a_reload(
    balancer, addresses, secure_server
):
    address, check = addresses(), replace(CHECK, is_tls=True)
    for idle_timeout_s in (15, 20):
        settings = {"server_protocol": "tls", "check": check, "idle_timeout_s": idle_timeout_s}
        balancer.apply(config_of(address, secure_server, **settings))
        wait_until(lambda: healthy(balancer) == {"secure"})
        traffic = ask(address, PORT, 4)
        assert (traffic.errors, traffic.names()) == ([], {"secure": 4})


def test_a_server_is_checked_at_the_port_that_was_named_last(balancer, addresses, make_server):
    address, (server, _) = addresses(), make_server("a")
    with socket.create_server((server.address, 9001)):
        for port, health in ((9001, Health.NORMAL), (9002, Health.ABNORMAL), (None, Health.NORMAL)):
            check = replace(CHECK, protocol="tcp", port=port)
            balancer.apply(config_of(address, server, check=check))
            wait_until(
                lambda: balancer.statuses()["http-8000", "a"].health, lambda h, wanted=health: h is wanted
            )


def test_a_server_and_its_stand_in_change_places(balancer, addresses, make_server):
    address, (first, _), (second, _) = addresses(), make_server("a"), make_server("b")
    balancer.apply(config_of(address, first, replace(second, is_backup=True), check=None))
    assert ask(address, PORT, 8).names() == {"a": 8}
    balancer.apply(config_of(address, replace(first, is_backup=True), second, check=None))
    assert ask(address, PORT, 8).names() == {"b": 8}
