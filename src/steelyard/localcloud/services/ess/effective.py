"""When an alarm task is in effect: an expression such as `TZ=+00 * * 8-18 * * ?` (help page of CreateAlarm)."""

from __future__ import annotations

import datetime
import re
from dataclasses import dataclass

from steelyard.localcloud.services.ess.schedule import cron_field
from steelyard.localcloud.wire.error import invalid_parameter

_FORM = re.compile(r"(?:TZ=([+-]\d{1,2})\s+)?(\S+(?:\s+\S+){5})")
_DEFAULT_ZONE_H = 8
_RANGES = ((0, 59), (0, 59), (0, 23), (1, 31), (1, 12), (1, 7))


@dataclass(frozen=True, kw_only=True)
class Window:
    """The seconds, minutes, hours, days, months and weekdays that all have to fit.

    That 1 is Sunday among the weekdays is from memory; the help page names none.

    Attributes:
        zone_h: Hours that the times are ahead of UTC.
        fields: What each may be, in this order.
    """

    zone_h: int
    fields: tuple[frozenset[int], ...]

    def has(self, now: float) -> bool:
        """Tell whether a moment, in Unix seconds, lies in it."""
        zone = datetime.timezone(datetime.timedelta(hours=self.zone_h))
        at = datetime.datetime.fromtimestamp(now, zone)
        parts = (at.second, at.minute, at.hour, at.day, at.month, at.isoweekday() % 7 + 1)
        return all(part in field for part, field in zip(parts, self.fields, strict=True))


def read_window(text: str) -> Window:
    """Read an expression; UTC+8 where it names no time zone.

    Raises:
        ApiError: `InvalidParameter`.
    """
    wanted = "six fields, such as * * 8-18 * * ?, or TZ=+00 before them"
    found = _FORM.fullmatch(text.strip())
    if found is None:
        raise invalid_parameter("Effective", text, wanted)
    zone_h = int(found.group(1) or _DEFAULT_ZONE_H)
    words = found.group(2).replace("?", "*").split()
    try:
        fields = tuple(cron_field(word, *bounds) for word, bounds in zip(words, _RANGES, strict=True))
    except ValueError:
        raise invalid_parameter("Effective", text, wanted) from None
    if not -12 <= zone_h <= 14:
        raise invalid_parameter("Effective", text, "a time zone from TZ=-12 to TZ=+14")
    return Window(zone_h=zone_h, fields=fields)


def is_effective(text: str, now: float) -> bool:
    """Tell whether a moment lies in what an expression says; an alarm without one is always in effect."""
    return not text or read_window(text).has(now)
