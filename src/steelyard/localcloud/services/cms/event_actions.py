from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from steelyard.localcloud.page import number_page
from steelyard.localcloud.service import Request, action
from steelyard.localcloud.services.cms.models import SystemEvent
from steelyard.localcloud.services.cms.moment import read_moment
from steelyard.localcloud.services.cms.state import DONE, CmsState

MAX_EVENTS: Final = 1000


class EventActions(CmsState):
    """System events: what other products tell; the last 1000 are kept, and shown by the API alone."""

    def tell_event(self, event: SystemEvent) -> None:
        """Take an event from another product, inside of its transaction."""
        self.events.put(event)
        self.cloud.store.trim(SystemEvent.kind, MAX_EVENTS)

    @action("DescribeSystemEventAttribute")
    def describe_system_event_attribute(self, request: Request) -> dict[str, object]:
        """List events by product, name, level, status, words and time, the newest first."""
        now = self.cloud.clock()
        start = read_moment(request.text("StartTime"), "StartTime", 0.0)
        end = read_moment(request.text("EndTime"), "EndTime", now + 1)
        found = [
            event
            for event in reversed(self.events.list())
            if start <= event.created_at < end and _fits(event, request)
        ]
        page, _ = number_page(request, found, max_size=100)
        rows = [event.to_answer() for event in page]
        return {**DONE, "Success": "true", "SystemEvents": {"SystemEvent": rows}}


def _fits(event: SystemEvent, request: Request) -> bool:
    shown: Mapping[str, str] = {
        "Product": event.product,
        "Name": event.name,
        "Level": event.level,
        "Status": event.status,
    }
    words = request.text("SearchKeywords").split()
    return all(request.text(name) in ("", value) for name, value in shown.items()) and all(
        word in event.content for word in words
    )
