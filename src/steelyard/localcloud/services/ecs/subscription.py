"""Instances that are paid for in advance: until when, and whether they are renewed then. Nothing is billed here."""

from __future__ import annotations

import calendar
from datetime import UTC, datetime, timedelta
from typing import TypedDict

from steelyard.localcloud.service import Request
from steelyard.localcloud.services.ecs import check
from steelyard.localcloud.wire.error import invalid_parameter, missing_parameter

PERIODS = {"Month": (*range(1, 10), 12, 24, 36, 48, 60), "Week": (1, 2, 3, 4)}
RENEWALS = {"Month": (1, 2, 3, 6, 12, 24, 36, 48, 60), "Week": (1, 2, 3)}


class Subscription(TypedDict):
    """Until when an instance is paid for, and by how much it is renewed."""

    expires_at: float
    renewal_status: str
    renewal_duration: int
    renewal_unit: str


def read_period(request: Request, name: str, periods: dict[str, tuple[int, ...]]) -> tuple[int, str]:
    """Read a time that is paid for: a number and its unit.

    Raises:
        ApiError: `MissingParameter`, `InvalidParameter` or `InvalidPeriodUnit.ValueNotSupported`.
    """
    unit = check.read_choice(request, "PeriodUnit", tuple(periods), "Month")
    if name not in request.params:
        raise missing_parameter(name)
    number = request.number(name, 1)
    if number not in periods[unit]:
        raise invalid_parameter(name, number, f"one of {periods[unit]} {unit}s")
    return number, unit


def read_subscription(request: Request, now: float) -> Subscription:
    """Read until when an instance that is to be made is paid for; what is said of that of one by its use has no effect.

    Raises:
        ApiError: `MissingParameter`, `InvalidParameter` or `InvalidPeriodUnit.ValueNotSupported`.
    """
    paid = Subscription(expires_at=0.0, renewal_status="Normal", renewal_duration=1, renewal_unit="Month")
    if request.text("InstanceChargeType") != "PrePaid":
        return paid
    number, unit = read_period(request, "Period", PERIODS)
    paid["expires_at"], paid["renewal_unit"] = period_end(now, number, unit), unit
    if request.flag("AutoRenew"):
        paid["renewal_status"] = "AutoRenewal"
        renewed = request.with_params({"AutoRenewPeriod": request.number("AutoRenewPeriod", 1)})
        paid["renewal_duration"], _ = read_period(renewed, "AutoRenewPeriod", RENEWALS)
    return paid


def period_end(now: float, number: int, unit: str) -> float:
    """Give the Unix time at which what is paid for from now on ends."""
    begin = datetime.fromtimestamp(now, UTC)
    if unit == "Week":
        return (begin + timedelta(weeks=number)).timestamp()
    years, month = divmod(begin.month - 1 + number, 12)
    year = begin.year + years
    day = min(begin.day, calendar.monthrange(year, month + 1)[1])
    return begin.replace(year=year, month=month + 1, day=day).timestamp()
