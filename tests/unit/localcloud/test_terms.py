from __future__ import annotations

from pathlib import Path

import pytest

from steelyard.errors import UsageError
from steelyard.localcloud.service import ApiError
from steelyard.localcloud.terms import Terms, Throttle, agree


def is_admitted(throttle: Throttle) -> bool:
    try:
        throttle.admit("AK", "v", "DescribeVpcs")
    except ApiError:
        return False
    return True


def test_a_key_may_call_an_action_at_its_rate_and_no_faster() -> None:
    now = 0.0
    throttle = Throttle(5.0, lambda: now)
    admitted = 0
    for _ in range(1000):  # ten seconds, a call every ten milliseconds
        now += 0.01
        admitted += is_admitted(throttle)
    assert 50 <= admitted <= 55
    throttle.admit("AK", "v", "CreateVpc")
    throttle.admit("other", "v", "DescribeVpcs")


def test_a_rate_below_one_still_lets_a_call_through() -> None:
    now = 0.0
    throttle = Throttle(0.1, lambda: now)
    throttle.admit("AK", "v", "a")
    with pytest.raises(ApiError) as caught:
        throttle.admit("AK", "v", "a")
    assert caught.value.code == "Throttling.User"
    now = 10.0
    throttle.admit("AK", "v", "a")


def test_keys_that_come_and_go_leave_no_memory_behind() -> None:
    throttle = Throttle(5.0, lambda: 0.0)
    for number in range(10_100):
        throttle.admit(f"key-{number}", "v", "a")
    assert len(throttle._buckets) == 10_000


def test_terms_are_kept_until_others_are_asked_for(tmp_path: Path) -> None:
    assert agree(tmp_path, calls_per_s=None, has_quotas=None, is_running=False) == Terms()
    wanted = agree(tmp_path, calls_per_s=20.0, has_quotas=False, is_running=False)
    assert wanted == Terms.load(tmp_path) == Terms(calls_per_s=20.0, has_quotas=False)
    assert agree(tmp_path, calls_per_s=None, has_quotas=None, is_running=True) == wanted
    with pytest.raises(UsageError, match="runs on other terms"):
        agree(tmp_path, calls_per_s=0.0, has_quotas=None, is_running=True)
    with pytest.raises(UsageError):
        agree(tmp_path, calls_per_s=-1.0, has_quotas=None, is_running=False)
