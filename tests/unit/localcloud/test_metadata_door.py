from __future__ import annotations

import http.client
import socket
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest

from steelyard.localcloud.hosts.metadata_door import MetadataDoor


class Cloud(BaseHTTPRequestHandler):
    """Answers with what it was asked."""

    def do_GET(self) -> None:
        body = f"{self.path} {self.headers.get('X-Forwarded-For')} {self.headers.get('Cookie')}".encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *words: object) -> None:
        pass


@pytest.fixture
def door() -> Iterator[int]:
    """A door to a cloud; gives its port."""
    cloud = HTTPServer(("127.0.0.1", 0), Cloud)
    thread = threading.Thread(target=cloud.serve_forever, args=(0.01,))
    thread.start()
    listener = socket.create_server(("127.0.0.1", 0))
    port = listener.getsockname()[1]
    door = MetadataDoor(listener, lambda address: f"http://127.0.0.1:{cloud.server_port}/metadata/i-1")
    yield port
    door.close()
    cloud.shutdown()
    cloud.server_close()
    thread.join()


def ask(port: int, path: str = "/latest/meta-data/mac", **headers: str) -> tuple[int, str]:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
    connection.request("GET", path, headers={name.replace("_", "-"): text for name, text in headers.items()})
    answer = connection.getresponse()
    text = answer.read().decode()
    connection.close()
    return answer.status, text


def test_a_request_is_passed_on_as_the_instances_with_its_query_and_what_the_service_looks_at(
    door: int,
) -> None:
    path = "/latest/dynamic/instance-identity/pkcs7?audience=a%20b"
    told = ask(door, path, X_Forwarded_For="192.0.2.1", Cookie="mine")
    assert told == (200, f"/metadata/i-1{path} 192.0.2.1 None")


@pytest.mark.parametrize("length", ["many", "-5", "9" * 30])
def test_a_request_of_no_length_is_refused_at_once(door: int, length: str) -> None:
    assert ask(door, Content_Length=length)[0] == 400
