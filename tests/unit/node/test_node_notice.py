"""A node whose instance is taken back drains at once, and tells the job queue, also one that is started anew."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
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

    async def call(self, method: str, **arguments: Any) -> list[str]:
        self.calls.append((method, arguments))
        self.reasons.append(self._node._health.reason)
        if len(self.calls) == 1:
            raise GatewayError("the job queue on the head does not answer", status=503)
        return []


class Watcher:
    """A scaling group that wants the node back at once."""

    completed = 0

    def __init__(self, *_: object, **__: object) -> None:
        Watcher.completed = 0

    async def notice(self) -> list[str]:
        return ["wait"]

    async def complete(self, waits: list[str]) -> None:
        Watcher.completed += 1


@pytest.fixture
def node(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> main.Node:
    monkeypatch.setattr(main, "MetadataClient", Metadata)
    monkeypatch.setattr(main, "ScaleInWatcher", Watcher)
    monkeypatch.setattr(main, "_NOTICE_PAUSE_S", 0.01)
    arguments = ["--cluster", "c", "--role", "head", "--token-file", str(tmp_path / "token"), "--elastic"]
    node = main.Node(main.parse_arguments(arguments, {"STEELYARD_METADATA_URL": "http://metadata"}), {})
    node._identity = Identity(
        node_id="i-1", private_ip="127.0.1.10", instance_type="t", region_id="r", zone_id="z"
    )
    node._health.set_reason(None)
    return node


def leave(leaving: Callable[[Any], Coroutine[Any, Any, None]], queue: Queue, *, num_calls: int) -> None:
    """Leave until the job queue was called so often."""

    async def story() -> None:
        task = asyncio.create_task(leaving(queue))
        async with asyncio.timeout(30):
            while len(queue.calls) < num_calls:
                assert not task.done(), "nobody tells a job queue that is started anew"
                await asyncio.sleep(0.001)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)

    asyncio.run(story())


def test_a_node_that_its_scaling_group_takes_goes_on_telling_the_job_queue_when_the_group_knows(
    node: main.Node,
) -> None:
    queue = Queue(node)

    leave(node._leave_on_scale_in, queue, num_calls=4)

    assert {method for method, _ in queue.calls} == {"retire"}
    assert Watcher.completed == 1


def test_it_takes_no_jobs_from_then_on_and_gives_its_workers_the_time_that_is_left(node: main.Node) -> None:
    queue = Queue(node)

    leave(node._leave_on_notice, queue, num_calls=4)

    assert {method for method, _ in queue.calls} == {"drain"}
    assert queue.reasons[0].startswith("draining: the instance is taken back at ")
    _, sent = queue.calls[1]
    assert sent["node_id"] == "i-1"
    assert 20 < sent["grace_s"] <= 60  # 75 s but for the reserve
    assert sent["timeout_s"] > sent["grace_s"]
