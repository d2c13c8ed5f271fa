"""What the contract tests need around the vendor's SDKs, which they use unmodified."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TypeVar

import pytest
from alibabacloud_tea_openapi.exceptions import AlibabaCloudException
from alibabacloud_tea_openapi.utils_models import Config

from steelyard.localcloud.daemon import CloudInfo

T = TypeVar("T")
DEADLINE_S = 10.0


def sdk_config(cloud: CloudInfo, **changes: str) -> Config:
    """Point an SDK client at a cloud."""
    settings = {
        "access_key_id": cloud.access_key_id,
        "access_key_secret": cloud.access_key_secret,
        "endpoint": cloud.endpoint,
        "protocol": "http",
        "region_id": cloud.region_id,
    }
    return Config(**{**settings, **changes})


@contextmanager
def refused(code: str, status: int = 400, text: str = "") -> Iterator[None]:
    """Expect the cloud to answer with an error."""
    with pytest.raises(AlibabaCloudException) as caught:
        yield
    error = caught.value
    assert (error.code, error.status_code) == (code, status), error.message
    assert text in error.message
    assert error.request_id


def wait_for(read: Callable[[], T], is_done: Callable[[T], bool], *, limit_s: float = DEADLINE_S) -> T:
    """Poll until what is read is as it should be."""
    deadline = time.monotonic() + limit_s
    while not is_done(value := read()):
        assert time.monotonic() < deadline, f"still {value!r} after {limit_s} s"
        time.sleep(0.02)
    return value
