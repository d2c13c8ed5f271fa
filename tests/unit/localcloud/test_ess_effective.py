from __future__ import annotations

import datetime

import pytest

from steelyard.localcloud.services.ess.effective import is_effective, read_window
from steelyard.localcloud.wire.error import ApiError


def at(text: str) -> float:
    return datetime.datetime.fromisoformat(text).timestamp()


@pytest.mark.parametrize(
    ("text", "moment", "is_in"),
    [
        ("", "2026-11-29T03:00:00Z", True),
        (" * * * * * ?  ", "2026-11-29T03:00:00Z", True),
        # Hours are UTC+8 where nothing else is said.
        ("* * 17-18 * * ?", "2026-11-29T09:00:00Z", True),
        ("* * 17-18 * * ?", "2026-11-29T10:59:59Z", True),
        ("* * 17-18 * * ?", "2026-11-29T11:00:00Z", False),
        ("* * 17-18 * * ?", "2026-11-29T17:30:00Z", False),
        ("TZ=+00 * * 1-2 * * ?", "2026-11-29T02:59:59Z", True),
        ("TZ=+00 * * 1-2 * * ?", "2026-11-29T00:59:59Z", False),
        ("TZ=-05 * * 0 1 * ?", "2026-12-01T05:30:00Z", True),
        # The 29th of November 2026 is a Sunday.
        ("TZ=+00 * * * ? * 1", "2026-11-29T12:00:00Z", True),
        ("TZ=+00 * * * ? * 2-6", "2026-11-29T12:00:00Z", False),
        ("TZ=+00 * */15 * * 11 ?", "2026-11-29T12:45:00Z", True),
        ("TZ=+00 * */15 * * 11 ?", "2026-11-29T12:46:00Z", False),
    ],
)
def test_a_moment_lies_in_what_an_expression_says(text: str, moment: str, is_in: bool) -> None:
    assert is_effective(text, at(moment)) is is_in


@pytest.mark.parametrize(
    "text", ["always", "* * * * *", "* * 25 * * ?", "TZ=+20 * * * * * ?", "* * 8-x * * ?"]
)
def test_what_is_no_expression_is_refused(text: str) -> None:
    with pytest.raises(ApiError, match="Effective"):
        read_window(text)
