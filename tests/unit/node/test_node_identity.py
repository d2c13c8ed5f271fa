from __future__ import annotations

import http.server
import threading
from collections.abc import Iterator

import pytest

from steelyard.errors import NodeError
from steelyard.metadata import MetadataClient
from steelyard.node.identity import Identity, read_identity, wait_for_identity

ITEMS = {
    "instance-id": "i-bp1",
    "private-ipv4": "10.64.0.10",
    "instance/instance-type": "ecs.gn7i-c8g1.2xlarge",
    "region-id": "cn-hangzhou",
    "zone-id": "cn-hangzhou-h",
}


class MetadataHandler(http.server.BaseHTTPRequestHandler):
    items: dict[str, str] = {}
    token = "a-token"

    def log_message(self, *_: object) -> None:
        """Say nothing."""

    def do_PUT(self) -> None:
        is_token = (
            self.path == "/base/latest/api/token" and self.headers["X-aliyun-ecs-metadata-token-ttl-seconds"]
        )
        self._answer(200 if is_token else 400, self.token)

    def do_GET(self) -> None:
        if self.headers["X-aliyun-ecs-metadata-token"] != self.token:
            self._answer(403, "no")
            return
        text = self.items.get(self.path.removeprefix("/base/latest/meta-data/"))
        self._answer(404 if text is None else 200, text or "")

    def _answer(self, status: int, text: str) -> None:
        self.send_response(status)
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text.encode())


@pytest.fixture
def metadata_url() -> Iterator[str]:
    MetadataHandler.items = dict(ITEMS)
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), MetadataHandler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}/base"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def test_a_node_on_the_real_cloud_imitates_nothing(metadata_url: str) -> None:
    identity = read_identity(MetadataClient(metadata_url))
    assert identity == Identity(
        node_id="i-bp1",
        private_ip="10.64.0.10",
        instance_type="ecs.gn7i-c8g1.2xlarge",
        region_id="cn-hangzhou",
        zone_id="cn-hangzhou-h",
    )
    assert not identity.shares_machine


def test_a_node_on_the_local_cloud_has_a_speed_to_imitate(metadata_url: str) -> None:
    MetadataHandler.items |= {"steelyard/imitated-speed": "0.3333", "private-ipv4": "127.64.0.10"}
    identity = read_identity(MetadataClient(metadata_url))
    assert identity.imitated_speed == pytest.approx(0.3333)
    assert identity.shares_machine


def test_an_item_that_is_missing_is_named(metadata_url: str) -> None:
    del MetadataHandler.items["zone-id"]
    with pytest.raises(NodeError, match="has no item zone-id"):
        read_identity(MetadataClient(metadata_url))


def test_a_node_waits_for_the_service_and_gives_up_at_the_deadline() -> None:
    now = 0.0

    def sleep(seconds: float) -> None:
        nonlocal now
        now += seconds

    client = MetadataClient("http://127.0.0.1:9")
    with pytest.raises(NodeError, match="does not answer"):
        wait_for_identity(client, timeout_s=30, clock=lambda: now, sleep=sleep)
    assert 25 < now <= 30


def test_a_url_that_is_none_is_refused() -> None:
    with pytest.raises(NodeError, match="not an http URL"):
        MetadataClient("ftp://metadata")


def test_a_token_that_has_expired_is_replaced(metadata_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    client = MetadataClient(metadata_url)
    assert client.item("instance-id") == "i-bp1"
    monkeypatch.setattr(MetadataHandler, "token", "another-token")
    assert client.item("instance-id") == "i-bp1"
    assert client.optional_item("instance/spot/termination-time") is None
