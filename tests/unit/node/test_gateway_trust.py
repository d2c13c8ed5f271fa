"""The gateway's client over TLS: whom it believes, and what it tells of whom it does not."""

from __future__ import annotations

import ssl
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

import pytest
from tls_pair import Authority

from steelyard.errors import GatewayError, UsageError
from steelyard.node.client import GatewayClient, GatewayTrust

NAME = "gateway.test"


class Gateway(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        self.send_response(200)
        self.send_header("Content-Length", "2")
        self.end_headers()
        self.wfile.write(b"{}")

    def log_message(self, *words: object) -> None:
        pass


@pytest.fixture(scope="module")
def authority() -> Authority:
    return Authority()


@pytest.fixture
def ca_file(authority: Authority, tmp_path: Path) -> str:
    path = tmp_path / "authority.pem"
    path.write_text(authority.pem)
    return str(path)


@pytest.fixture
def serve(authority: Authority, tmp_path: Path) -> Callable[..., object]:
    """Serve with a certificate for some addresses, and give the URL."""

    @contextmanager
    def serve(*addresses: str) -> Iterator[str]:
        pair = tmp_path / "server.pem"
        pair.write_text("".join(authority.issue(*addresses, name=NAME)))
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(pair)
        server = ThreadingHTTPServer(("127.0.0.1", 0), Gateway)
        server.socket = context.wrap_socket(server.socket, server_side=True)
        thread = Thread(target=server.serve_forever)
        thread.start()
        try:
            yield f"https://127.0.0.1:{server.server_address[1]}"
        finally:
            server.shutdown()
            thread.join()
            server.server_close()

    return serve


def health(url: str, **trust: str) -> object:
    with GatewayClient(url, "token", trust=GatewayTrust(**trust)) as client:
        return client.health()


def test_a_gateway_of_a_trusted_authority_is_believed(serve, ca_file: str) -> None:
    with serve("127.0.0.1") as url:
        assert health(url, ca_file=ca_file) == {}


def test_a_name_is_looked_for_in_place_of_the_address(serve, ca_file: str) -> None:
    with serve() as url:
        assert health(url, ca_file=ca_file, server_name=NAME) == {}
        with pytest.raises(GatewayError, match=r"127\.0\.0\.1"):
            health(url, ca_file=ca_file)
        with pytest.raises(GatewayError, match="CERTIFICATE_VERIFY_FAILED"):
            health(url, ca_file=ca_file, server_name="another.test")


def test_an_unknown_authority_is_not_believed_and_the_mend_is_told(serve) -> None:
    with serve("127.0.0.1") as url, pytest.raises(GatewayError) as caught:
        health(url)
    assert "load_balancer.tls.ca_file" in caught.value.hint


def test_a_file_without_an_authority_is_told(tmp_path: Path) -> None:
    path = tmp_path / "empty.pem"
    path.write_text("")
    for ca_file in (str(path), str(tmp_path / "none.pem")):
        with pytest.raises(UsageError, match="holds no authorities to trust"):
            GatewayClient("https://127.0.0.1:1", "token", trust=GatewayTrust(ca_file=ca_file))
