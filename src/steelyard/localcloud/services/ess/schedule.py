"""When a scheduled task runs: pure arithmetic of times, all in UTC."""

from __future__ import annotations

import datetime
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

from steelyard.localcloud.services.ess.cron_day import has_date, has_weekday, is_date_mark, is_week_mark
from steelyard.localcloud.wire.error import invalid_parameter

_DAY = datetime.timedelta(days=1)
_HORIZON_DAYS = 366 * 4 + 1
_CRON_RANGES = ((0, 59), (0, 23), (1, 31), (1, 12), (0, 6))


@dataclass(frozen=True, kw_only=True)
class Cron:
    """A cron expression of five fields: minute, hour, day, month, weekday (0 is Sunday).

    Attributes:
        minutes: Minutes.
        hours: Hours.
        days: Days of the month.
        months: Months.
        weekdays: Days of the week.
        date_marks: Further days of the month, such as the last one, by their marks.
        week_marks: Further days of the week, such as the second Monday, by their marks.
    """

    minutes: frozenset[int]
    hours: frozenset[int]
    days: frozenset[int]
    months: frozenset[int]
    weekdays: frozenset[int]
    date_marks: tuple[str, ...] = ()
    week_marks: tuple[str, ...] = ()

    def has_day(self, day: datetime.date) -> bool:
        """Tell whether it runs on a day; a day that is named by date or by weekday alone is enough, as in cron."""
        if day.month not in self.months:
            return False
        by_date = day.day in self.days or any(has_date(mark, day) for mark in self.date_marks)
        weekday = (day.weekday() + 1) % 7
        by_week = weekday in self.weekdays or any(has_weekday(mark, day) for mark in self.week_marks)
        all_days, all_week = len(self.days) == 31, len(self.weekdays) == 7
        if all_days or all_week:
            return by_date and by_week
        return by_date or by_week


def read_time(text: str, name: str) -> datetime.datetime:
    """Read a time such as `2026-11-24T14:00Z`, with seconds or without.

    Raises:
        ApiError: `InvalidParameter`.
    """
    form = "%Y-%m-%dT%H:%MZ" if text.count(":") == 1 else "%Y-%m-%dT%H:%M:%SZ"
    try:
        return datetime.datetime.strptime(text, form).replace(tzinfo=datetime.UTC)
    except ValueError:
        raise invalid_parameter(name, text, "a time such as 2026-11-24T14:00Z") from None


def read_cron(text: str) -> Cron:
    """Read a cron expression.

    Raises:
        ApiError: `InvalidParameter`.
    """
    fields = text.replace("?", "*").split()
    if len(fields) != 5:
        raise invalid_parameter("RecurrenceValue", text, "of five fields, such as 30 8 * * 1-5")
    date_marks, fields[2] = _parted(fields[2], is_date_mark)
    week_marks, fields[4] = _parted(fields[4], is_week_mark)
    try:
        sets = [
            cron_field(field, *bounds) if field else frozenset[int]()
            for field, bounds in zip(fields, _CRON_RANGES, strict=True)
        ]
    except ValueError:
        raise invalid_parameter("RecurrenceValue", text, "a cron expression, such as 30 8 * * 1-5") from None
    return Cron(
        minutes=sets[0],
        hours=sets[1],
        days=sets[2],
        months=sets[3],
        weekdays=sets[4],
        date_marks=date_marks,
        week_marks=week_marks,
    )


def _parted(field: str, is_mark: Callable[[str], bool]) -> tuple[tuple[str, ...], str]:
    """Give the marks of a field, and what else it says; nothing where it says marks alone."""
    parts = field.upper().split(",")
    marks = tuple(part for part in parts if is_mark(part))
    return marks, ",".join(part for part in parts if part not in marks)


def next_run(settings: Mapping[str, object], after: float) -> float:
    """Give the Unix time of a task's next run, 0 where there is none.

    Args:
        settings: `LaunchTime`, `RecurrenceType` (`Daily`, `Weekly`, `Monthly`, `Cron` or none), `RecurrenceValue` and
            `RecurrenceEndTime`.
        after: Unix time that the run is later than.

    Raises:
        ApiError: `InvalidParameter` for a setting that is malformed.
    """
    kind, value = str(settings.get("RecurrenceType") or ""), str(settings.get("RecurrenceValue") or "")
    then = datetime.datetime.fromtimestamp(after, datetime.UTC)
    launch_text = str(settings.get("LaunchTime") or "")
    end_text = str(settings.get("RecurrenceEndTime") or "")
    end = read_time(end_text, "RecurrenceEndTime") if end_text else None
    if kind == "Cron":
        start = read_time(launch_text, "LaunchTime") if launch_text else then
        runs = _cron_runs(read_cron(value), max(start, then))
    else:
        launch = read_time(launch_text, "LaunchTime")
        runs = iter([launch]) if not kind else _daily_runs(kind, value, launch, then)
    for run in runs:
        if run > then:
            return 0.0 if end is not None and run > end else run.timestamp()
    return 0.0


def _daily_runs(
    kind: str, value: str, launch: datetime.datetime, then: datetime.datetime
) -> Iterator[datetime.datetime]:
    days = _recurrence(kind, value)
    skipped = max(0, (then - launch).days)
    for i in range(skipped, skipped + _HORIZON_DAYS):
        run = launch + i * _DAY
        is_due = {
            "Daily": lambda i=i: i % min(days) == 0,
            "Weekly": lambda run=run: (run.weekday() + 1) % 7 in days,
            "Monthly": lambda run=run: run.day in days,
        }
        if is_due[kind]():
            yield run


def _recurrence(kind: str, value: str) -> frozenset[int]:
    """Read which days a recurrence means: the interval, the weekdays (0 is Sunday), or the days of the month."""
    bounds = {"Daily": (1, 31), "Weekly": (0, 6), "Monthly": (1, 31)}
    if kind not in bounds:
        raise invalid_parameter("RecurrenceType", kind, "Daily, Weekly, Monthly or Cron")
    try:
        return cron_field(value, *bounds[kind])
    except ValueError:
        wanted = {
            "Daily": "a number of days",
            "Weekly": "weekdays such as 1,2",
            "Monthly": "days such as 1-15",
        }
        raise invalid_parameter("RecurrenceValue", value, wanted[kind]) from None


def cron_field(text: str, low: int, high: int) -> frozenset[int]:
    """Read one field of a cron expression: `*`, numbers, ranges and steps, with commas between them.

    Args:
        text: The field.
        low: The least number that it may have.
        high: The greatest one.

    Raises:
        ValueError: It is none.
    """
    found: set[int] = set()
    for part in text.split(","):
        span, slash, step = part.partition("/")
        first, dash, last = span.partition("-")
        start = low if span == "*" else int(first)
        end = high if span == "*" or (slash and not dash) else int(last) if dash else start
        stride = int(step) if slash else 1
        if not low <= start <= end <= high or stride < 1:
            raise ValueError(part)
        found.update(range(start, end + 1, stride))
    return frozenset(found)


def _cron_runs(cron: Cron, start: datetime.datetime) -> Iterator[datetime.datetime]:
    for i in range(_HORIZON_DAYS):
        day = start.date() + i * _DAY
        if not cron.has_day(day):
            continue
        for hour in sorted(cron.hours):
            for minute in sorted(cron.minutes):
                run = datetime.datetime(day.year, day.month, day.day, hour, minute, tzinfo=datetime.UTC)
                if run >= start:
                    yield run
