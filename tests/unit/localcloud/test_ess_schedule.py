from __future__ import annotations

import datetime

import pytest

from steelyard.localcloud.services.ess.schedule import next_run
from steelyard.localcloud.wire.error import ApiError


def at(text: str) -> float:
    return datetime.datetime.fromisoformat(f"{text}+00:00").timestamp()


def text(unix_time: float) -> str:
    return datetime.datetime.fromtimestamp(unix_time, datetime.UTC).strftime("%Y-%m-%dT%H:%M")


LAUNCH = {"LaunchTime": "2026-11-24T08:30Z"}  # A Tuesday.


@pytest.mark.parametrize(
    ("settings", "after", "wanted"),
    [
        (LAUNCH, "2026-11-24T08:00", "2026-11-24T08:30"),
        (
            {**LAUNCH, "RecurrenceType": "Daily", "RecurrenceValue": "1"},
            "2026-11-24T08:30",
            "2026-11-25T08:30",
        ),
        (
            {**LAUNCH, "RecurrenceType": "Daily", "RecurrenceValue": "3"},
            "2026-11-25T00:00",
            "2026-11-27T08:30",
        ),
        (
            {**LAUNCH, "RecurrenceType": "Daily", "RecurrenceValue": "3"},
            "2027-11-25T00:00",
            "2027-11-25T08:30",
        ),
        (
            {**LAUNCH, "RecurrenceType": "Weekly", "RecurrenceValue": "0,2"},
            "2026-11-24T09:00",
            "2026-11-29T08:30",
        ),
        (
            {**LAUNCH, "RecurrenceType": "Monthly", "RecurrenceValue": "1-2"},
            "2026-11-24T09:00",
            "2026-12-01T08:30",
        ),
        ({"RecurrenceType": "Cron", "RecurrenceValue": "15 6 * * *"}, "2026-11-24T06:15", "2026-11-25T06:15"),
        (
            {"RecurrenceType": "Cron", "RecurrenceValue": "*/20 6-7 * * 1-5"},
            "2026-11-27T07:40",
            "2026-11-30T06:00",
        ),
        ({"RecurrenceType": "Cron", "RecurrenceValue": "0 0 29 2 *"}, "2026-11-24T00:00", "2028-02-29T00:00"),
    ],
)
def test_the_next_run(settings, after, wanted):
    assert text(next_run(settings, at(after))) == wanted


@pytest.mark.parametrize(
    ("cron", "after", "wanted"),
    [
        ("0 0 L * *", "2026-11-24T00:00", "2026-11-30T00:00"),
        ("0 0 LW * *", "2027-01-15T00:00", "2027-01-29T00:00"),
        ("0 0 15W * *", "2026-11-01T00:00", "2026-11-16T00:00"),
        ("0 0 1W * *", "2026-07-15T00:00", "2026-08-03T00:00"),
        ("0 0 31W * *", "2026-11-01T00:00", "2026-12-31T00:00"),
        ("0 9 ? * 5L", "2026-11-24T00:00", "2026-11-27T09:00"),
        ("0 9 ? * 1#2", "2026-11-24T00:00", "2026-12-14T09:00"),
        ("0 0 1,L * ?", "2026-11-24T00:00", "2026-11-30T00:00"),
    ],
)
def test_a_cron_expression_may_name_days_by_letters(cron, after, wanted):
    assert text(next_run({"RecurrenceType": "Cron", "RecurrenceValue": cron}, at(after))) == wanted


def test_a_task_of_one_run_has_no_next_one():
    assert next_run(LAUNCH, at("2026-11-24T08:30")) == 0


def test_a_recurrence_ends():
    settings = {
        **LAUNCH,
        "RecurrenceType": "Daily",
        "RecurrenceValue": "1",
        "RecurrenceEndTime": "2026-11-25T08:30Z",
    }
    assert text(next_run(settings, at("2026-11-24T09:00"))) == "2026-11-25T08:30"
    assert next_run(settings, at("2026-11-25T08:30")) == 0


@pytest.mark.parametrize(
    "settings",
    [
        {"LaunchTime": "tomorrow"},
        {**LAUNCH, "RecurrenceType": "Yearly", "RecurrenceValue": "1"},
        {**LAUNCH, "RecurrenceType": "Weekly", "RecurrenceValue": "7"},
        {**LAUNCH, "RecurrenceType": "Daily", "RecurrenceValue": "x"},
        {"RecurrenceType": "Cron", "RecurrenceValue": "61 * * * *"},
        {"RecurrenceType": "Cron", "RecurrenceValue": "* * *"},
        {"RecurrenceType": "Cron", "RecurrenceValue": "0 0 32W * *"},
        {"RecurrenceType": "Cron", "RecurrenceValue": "0 0 * * 8L"},
        {"RecurrenceType": "Cron", "RecurrenceValue": "0 0 * * 1#6"},
    ],
)
def test_malformed_times_are_refused(settings):
    with pytest.raises(ApiError, match="InvalidParameter"):
        next_run(settings, at("2026-11-24T08:00"))
