"""Days that a cron expression names by `L`, `W` and `#` (help page "Cron expression" of Auto Scaling)."""

from __future__ import annotations

import calendar
import datetime
import re

_LAST_DAY, _LAST_WORKDAY = "L", "LW"
_NEAREST_WORKDAY = re.compile(r"(\d{1,2})W")
_LAST_OF_MONTH = re.compile(r"([0-6])L")
_NTH_OF_MONTH = re.compile(r"([0-6])#([1-5])")
_SATURDAY, _SUNDAY = 5, 6


def is_date_mark(text: str) -> bool:
    """Tell whether a part of the field of days is a mark: `L`, `LW` or e.g. `15W`."""
    match = _NEAREST_WORKDAY.fullmatch(text)
    return text in (_LAST_DAY, _LAST_WORKDAY) or (match is not None and 1 <= int(match[1]) <= 31)


def is_week_mark(text: str) -> bool:
    """Tell whether a part of the field of weekdays is a mark: e.g. `5L` or `1#2`."""
    return bool(_LAST_OF_MONTH.fullmatch(text) or _NTH_OF_MONTH.fullmatch(text))


def has_date(mark: str, day: datetime.date) -> bool:
    """Tell whether a mark of the field of days means a day; one that its month does not have is none."""
    last = calendar.monthrange(day.year, day.month)[1]
    if mark == _LAST_DAY:
        return day.day == last
    wanted = last if mark == _LAST_WORKDAY else int(mark.removesuffix("W"))
    return wanted <= last and day == _nearest_workday(day.replace(day=wanted), last)


def has_weekday(mark: str, day: datetime.date) -> bool:
    """Tell whether a mark of the field of weekdays, of which 0 is Sunday, means a day."""
    if (day.weekday() + 1) % 7 != int(mark[0]):
        return False
    if mark.endswith("L"):
        return day.day + 7 > calendar.monthrange(day.year, day.month)[1]
    return (day.day - 1) // 7 + 1 == int(mark[2])


def _nearest_workday(day: datetime.date, last: int) -> datetime.date:
    """Give the workday that is nearest to a day and in the same month."""
    if day.weekday() == _SATURDAY:
        return day + datetime.timedelta(days=-1 if day.day > 1 else 2)
    if day.weekday() == _SUNDAY:
        return day + datetime.timedelta(days=1 if day.day < last else -2)
    return day
