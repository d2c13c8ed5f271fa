"""Whether an alarm rule fires, by the figures of its last periods."""

from __future__ import annotations

import math
import operator
import re
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Final

from steelyard.localcloud.services.cms.models import ALARM, NO_DATA, OK
from steelyard.localcloud.services.cms.series import Bucket

COMPARISONS: Final[Mapping[str, Callable[[float, float], bool]]] = {
    "GreaterThanThreshold": operator.gt,
    "GreaterThanOrEqualToThreshold": operator.ge,
    "LessThanThreshold": operator.lt,
    "LessThanOrEqualToThreshold": operator.le,
    "NotEqualToThreshold": operator.ne,
    "EqualToThreshold": operator.eq,
}

SETTLE_S: Final = 1.0
"""Seconds after a period's end in which its last samples may still come."""

_UTC_8_S: Final = 8 * 3600


def last_period_end(now: float, period_s: int) -> float:
    """Give the end of the newest period whose samples have all come."""
    return float(math.floor((now - SETTLE_S) / period_s) * period_s)


def judge(
    periods: Sequence[Bucket],
    *,
    end: float,
    period_s: int,
    times: int,
    statistic: str,
    comparison: str,
    threshold: float,
) -> tuple[str, float | None]:
    """Judge the last periods of one metric.

    Args:
        periods: What is known, by periods (see `by_periods`).
        end: End of the newest period to look at, in Unix seconds.
        period_s: Length of a period in seconds.
        times: How many periods in a row have to be beyond the threshold.
        statistic: The figure that is compared.
        comparison: One of `COMPARISONS`.
        threshold: What it is compared with.

    Returns:
        `ALARM`, `OK`, or `INSUFFICIENT_DATA` where a period knows nothing; and the newest period's figure.
    """
    by_start = {bucket.start: bucket for bucket in periods}
    values = []
    for i in range(times, 0, -1):
        bucket = by_start.get(end - i * period_s)
        if bucket is None:
            return NO_DATA, None
        values.append(bucket.statistic(statistic))
    compare = COMPARISONS[comparison]
    is_beyond = all(compare(value, threshold) for value in values)
    return (ALARM if is_beyond else OK), values[-1]


def is_number(text: str) -> bool:
    """Tell whether a text is a finite number."""
    try:
        return math.isfinite(float(text))
    except ValueError:
        return False


def is_effective(interval: str, now: float) -> bool:
    """Tell whether a time of day lies in an interval such as `00:00-23:59`, both ends included, in UTC+8.

    That the API means UTC+8 is from memory.
    """
    found = re.fullmatch(r"(\d\d?):(\d\d)-(\d\d?):(\d\d)", interval)
    if found is None:
        return True
    numbers = [int(part) for part in found.groups()]
    begin, end = numbers[0] * 60 + numbers[1], numbers[2] * 60 + numbers[3]
    day = time.gmtime(now + _UTC_8_S)
    minute = day.tm_hour * 60 + day.tm_min
    return begin <= minute <= end if begin <= end else minute >= begin or minute <= end
