from __future__ import annotations

import json
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread

import pytest

from steelyard.errors import GatewayError
from steelyard.node import client
from steelyard.node.client import GatewayClient

EVENTS = [{"kind": "step", "step": step} for step in range(1, 6)]


class CutOffGateway(BaseHTTPRequestHandler):
    """Cuts the first streams of a running job short, as a load balancer or a dying node does."""

    num_streams = 0
    job_state = "running"
    length_s = 0.0
    num_refusals = 0

    def do_GET(self) -> None:
        if type(self).num_refusals and type(self).job_state == "succeeded":
            type(self).num_refusals -= 1
            self._answer_page(503)
        elif self.path == "/healthz":
            self._answer_page(503)
        elif self.path == "/v1/nodes":
            self._answer_page(413)
        elif self.path.startswith("/v1/jobs/job-1/"):
            self._stream()
        elif self.path == "/v1/jobs/job-1":
            self._answer(200, {"id": "job-1", "state": type(self).job_state})
        else:
            self._answer(404, {"error": {"message": "no such job", "hint": "see `steelyard jobs list`"}})

    def _stream(self) -> None:
        kind = type(self)
        kind.num_streams += 1
        lines = [json.dumps(event) for event in EVENTS]
        if kind.num_streams < 3:
            lines = [*lines[: 2 * kind.num_streams], "", '{"kind": "st']
        else:
            kind.job_state = "succeeded"
        body = "\n".join(lines).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body) + (100 if kind.num_streams < 3 else 0)))
        self.end_headers()
        self.wfile.write(body)
        time.sleep(kind.length_s)

    def _answer(self, status: int, tree: dict[str, object]) -> None:
        self._send(status, json.dumps(tree).encode())

    def _answer_page(self, status: int) -> None:
        """Answer as a load balancer does by itself."""
        self._send(status, b"<html><body><h1>No server is available</h1></body></html>")

    def _send(self, status: int, body: bytes) -> None:
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the name is http.server's
        pass


@pytest.fixture
def gateway() -> Iterator[GatewayClient]:
    CutOffGateway.num_streams, CutOffGateway.job_state = 0, "running"
    CutOffGateway.length_s, CutOffGateway.num_refusals = 0.0, 0
    with ThreadingHTTPServer(("127.0.0.1", 0), CutOffGateway) as server:
        thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        with GatewayClient(f"http://127.0.0.1:{server.server_address[1]}", "token") as client:
            yield client
        server.shutdown()
        thread.join()


def test_events_come_once_each_however_often_the_stream_is_cut(gateway: GatewayClient) -> None:
    assert list(gateway.events("job-1", follow=True)) == EVENTS
    assert CutOffGateway.num_streams == 4


def test_a_stream_that_was_cut_after_longer_than_no_gateway_may_answer_is_opened_again(
    gateway: GatewayClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(client, "_PATIENCE_S", 0.1)
    CutOffGateway.length_s = 0.3
    assert list(gateway.events("job-1", follow=True)) == EVENTS


def test_a_gateway_that_is_gone_for_a_moment_at_the_end_of_a_job_costs_its_record_nothing(
    gateway: GatewayClient,
) -> None:
    list(gateway.events("job-1", follow=True))
    CutOffGateway.num_refusals = 2
    assert gateway.followed_job("job-1")["state"] == "succeeded"


def test_gateways_that_do_not_come_back_end_what_follows_a_job(
    gateway: GatewayClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(client, "_PATIENCE_S", 0.1)
    CutOffGateway.num_refusals, CutOffGateway.job_state = 10**6, "succeeded"
    with pytest.raises(GatewayError, match="no healthy node"):
        list(gateway.events("job-1", follow=True))
    with pytest.raises(GatewayError, match="no healthy node"):
        gateway.followed_job("job-1")


def test_a_refusal_is_raised_with_its_status_and_hint(gateway: GatewayClient) -> None:
    with pytest.raises(GatewayError, match=r"^no such job$") as caught:
        list(gateway.logs("job-2", follow=True))

    assert caught.value.status == 404
    assert caught.value.hint == "see `steelyard jobs list`"


def test_an_answer_of_the_load_balancers_own_is_told_in_words(gateway: GatewayClient) -> None:
    with pytest.raises(GatewayError, match="has no healthy node to pass the request to") as caught:
        gateway.health()
    assert caught.value.status == 503
    assert "steelyard status" in caught.value.hint
    with pytest.raises(GatewayError, match=r"/v1/nodes answered Request Entity Too Large \(413\)$") as caught:
        gateway.nodes()


def test_a_gateway_that_is_not_there_is_named_with_its_address() -> None:
    with (
        GatewayClient("http://127.0.0.1:9", "token") as client,
        pytest.raises(GatewayError, match=r"no gateway answers at http://127\.0\.0\.1:9") as caught,
    ):
        client.jobs()

    assert "steelyard status" in caught.value.hint
