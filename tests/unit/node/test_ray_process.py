"""The process that holds Ray, where it ends sooner than anybody looks."""

from __future__ import annotations

import asyncio
import subprocess
from typing import Any

import pytest

from steelyard.node import ray_process
from steelyard.node.health import Health
from steelyard.node.ray_bridge import BridgeConfig
from steelyard.node.ray_cluster import RayConfig
from steelyard.node.ray_process import RayProcess


def test_one_that_ends_before_it_is_told_what_to_start_is_started_again(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    class Ended(subprocess.Popen[bytes]):
        """A process that is dead by the time its starter goes on."""

        def __init__(self, command: list[str], **options: Any) -> None:
            super().__init__(["true"], **options)
            self.wait()

    monkeypatch.setattr(ray_process.subprocess, "Popen", Ended)
    monkeypatch.setattr(ray_process, "_FIRST_PAUSE_S", 0.01)
    monkeypatch.setattr(ray_process, "end_descendants", lambda grace_s: ())
    address = "127.0.1.10"
    ray = RayConfig(
        role="head",
        address=address,
        head_address=address,
        temp_dir="/nowhere",
        labels={},
        shares_machine=True,
    )

    async def story() -> None:
        process = RayProcess(BridgeConfig(ray=ray, data_dir="/nowhere"), {}, Health())
        keeping = asyncio.create_task(process.run())
        async with asyncio.timeout(30):
            while process.num_restarts < 2:
                assert not keeping.done(), keeping.exception()
                await asyncio.sleep(0.01)
        keeping.cancel()
        await asyncio.gather(keeping, return_exceptions=True)

    asyncio.run(story())
