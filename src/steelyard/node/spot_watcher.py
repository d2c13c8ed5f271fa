"""Watches for the notice that a spot instance is taken back.

Source: https://www.alibabacloud.com/help/en/ecs/user-guide/view-instance-metadata (as of 2026-11): the item
`instance/spot/termination-time` is there once the instance is to be released, as a UTC time; that this is five minutes
ahead is what the help page on spot instances says.
"""

from __future__ import annotations

import asyncio
import logging
from datetime import UTC, datetime
from typing import Protocol

from steelyard.errors import NodeError

logger = logging.getLogger(__name__)

TERMINATION_TIME = "instance/spot/termination-time"
"""Item of the metadata service; not there until there is a notice."""

PERIOD_S = 5.0
"""How often the metadata service is asked, in seconds."""

RESERVE_S = 15.0
"""Seconds before the end by which workers are to have left, for what is written behind them."""

_MAX_GRACE_S = 240.0


class Metadata(Protocol):
    """The metadata service; see `metadata.MetadataClient`."""

    def optional_item(self, path: str) -> str | None:
        """Return one item, or None where the service does not know it."""


class SpotWatcher:
    """Asks the metadata service until there is a notice.

    Args:
        metadata: The metadata service.
        period_s: How often it is asked, in seconds.
    """

    def __init__(self, metadata: Metadata, *, period_s: float = PERIOD_S) -> None:
        self._metadata = metadata
        self._period_s = period_s
        self._is_quiet = False

    async def notice(self) -> datetime:
        """Wait for the notice; returns when the instance is taken back, in UTC."""
        while True:
            text = await asyncio.to_thread(self._ask)
            if text is not None and (end := parse_time(text)) is not None:
                return end
            await asyncio.sleep(self._period_s)

    def _ask(self) -> str | None:
        try:
            text = self._metadata.optional_item(TERMINATION_TIME)
        except NodeError as error:
            if not self._is_quiet:
                logger.warning("notices of a reclaim are not seen for now: %s", error.message)
            self._is_quiet = True
            return None
        self._is_quiet = False
        return text


def parse_time(text: str) -> datetime | None:
    """Read a UTC time as the metadata service writes it, such as `2026-11-24T18:30:00Z`; None where it is none."""
    try:
        moment = datetime.fromisoformat(text.strip())
    except ValueError:
        return None
    return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)


def grace_s(end: datetime, now: datetime) -> float:
    """Return how long workers may take for the step that they are in, in seconds.

    Args:
        end: When the instance is taken back.
        now: The time.
    """
    return min(max((end - now).total_seconds() - RESERVE_S, 1.0), _MAX_GRACE_S)
