"""A node whose instance is taken back drains at once, and tells the job queue until it hears it."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from steelyard.errors import GatewayError
from steelyard.node import main
from steelyard.node.identity import Identity


class Metadata:
    def __init__(self, url: str) -> None:
        assert url == "http://metadata"

    def optional_item(self, path: str) -> str:
        return f"{datetime.now(UTC) + timedelta(seconds=75):%Y-%m-%dT%H:%M:%SZ}"


class Queue:
    """A way to the job queue that is cut at first."""

    def __init__(self, node: main.Node) -> None:
        self._node = node
        self.calls: list[tuple[str, dict[str, Any]]] = []
        self.reasons: list[str] = []

    async def call(self, method: str, **arguments: Any) -> None:
        self.calls.append((method, arguments))
        self.reasons.append(self._node._health.reason)
        if len(self.calls) == 1:
            raise GatewayError("the job queue on the head does not answer", status=503)


def test_it_takes_no_jobs_from_then_on_and_gives_its_workers_the_time_that_is_left(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(main, "MetadataClient", Metadata)
    monkeypatch.setattr(main, "_NOTICE_PAUSE_S", 0.01)
    arguments = ["--cluster", "c", "--role", "head", "--token-file", str(tmp_path / "token")]
    node = main.Node(main.parse_arguments(arguments, {"STEELYARD_METADATA_URL": "http://metadata"}), {})
    node._identity = Identity(
        node_id="i-1", private_ip="127.0.1.10", instance_type="t", region_id="r", zone_id="z"
    )
    node._health.set_reason(None)
    queue = Queue(node)

    asyncio.run(node._leave_on_notice(queue))  # type: ignore[arg-type]

    assert [method for method, _ in queue.calls] == ["drain", "drain"]
    assert queue.reasons[0].startswith("draining: the instance is taken back at ")
    _, sent = queue.calls[1]
    assert sent["node_id"] == "i-1"
    assert 20 < sent["grace_s"] <= 60  # 75 s but for the reserve
    assert sent["timeout_s"] > sent["grace_s"]
