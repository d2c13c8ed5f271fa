"""A node sees the notice that it is taken back, whatever the metadata service does meanwhile."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta

import pytest

from steelyard.errors import NodeError
from steelyard.node.health import Health
from steelyard.node.spot_watcher import SpotWatcher, grace_s, parse_time

END = datetime(2026, 11, 24, 18, 30, tzinfo=UTC)


class Metadata:
    """Answers in turn; the last answer stays."""

    def __init__(self, *answers: str | Exception | None) -> None:
        self._answers = list(answers)
        self.num_asked = 0

    def optional_item(self, path: str) -> str | None:
        assert path == "instance/spot/termination-time"
        self.num_asked += 1
        answer = self._answers.pop(0) if len(self._answers) > 1 else self._answers[0]
        if isinstance(answer, Exception):
            raise answer
        return answer


def test_it_asks_until_there_is_a_notice() -> None:
    metadata = Metadata(None, NodeError("no answer"), "soon", None, "2026-11-24T18:30:00Z")
    assert asyncio.run(SpotWatcher(metadata, period_s=0.001).notice()) == END
    assert metadata.num_asked == 5


@pytest.mark.parametrize(
    ("text", "moment"),
    [
        ("2026-11-24T18:30:00Z", END),
        ("2026-11-24T18:30:00", END),
        ("2026-11-24T20:30:00+02:00\n", END),
        ("", None),
        ("never", None),
    ],
)
def test_the_time_is_read_as_utc(text: str, moment: datetime | None) -> None:
    assert parse_time(text) == moment


def test_workers_have_the_time_that_is_left_but_for_a_reserve() -> None:
    assert grace_s(END, END - timedelta(seconds=75)) == 60
    assert grace_s(END, END - timedelta(hours=1)) == 240
    assert grace_s(END, END + timedelta(seconds=5)) == 1


def test_a_node_that_is_taken_back_says_so_until_its_end() -> None:
    health = Health()
    health.set_reason(None)
    health.drain("draining: the instance is taken back at 2026-11-24T18:30:00Z")
    health.drain()
    health.set_reason(None)
    assert not health.status.is_healthy
    assert health.reason == "draining: the instance is taken back at 2026-11-24T18:30:00Z"
