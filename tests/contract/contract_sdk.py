"""What the contract tests need around the vendor's SDKs, which they use unmodified."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any, TypeVar

import pytest
from alibabacloud_tea_openapi.client import Client
from alibabacloud_tea_openapi.exceptions import AlibabaCloudException
from alibabacloud_tea_openapi.utils_models import Config, OpenApiRequest, Params
from darabonba.runtime import RuntimeOptions

from steelyard.localcloud.daemon import CloudInfo

T = TypeVar("T")
_PATIENCE_MS = 60_000
DEADLINE_S = 30.0  # For a machine that is slow and busy; who waits goes on as soon as he may.


def sdk_config(cloud: CloudInfo, **changes: str) -> Config:
    """Point an SDK client at a cloud."""
    settings = {
        "access_key_id": cloud.access_key_id,
        "access_key_secret": cloud.access_key_secret,
        "endpoint": cloud.endpoint,
        "protocol": "http",
        "region_id": cloud.region_id,
    }
    # By itself a client waits for ten seconds, which a busy machine may take.
    return Config(connect_timeout=_PATIENCE_MS, read_timeout=_PATIENCE_MS, **{**settings, **changes})


def call_generic(
    cloud: CloudInfo, action: str, query: Mapping[str, str], *, version: str = "2016-04-28", **settings: str
) -> Any:
    """Call an action by its name, as the SDK's generic client does; the settings are those of `sdk_config`."""
    params = Params(
        action=action,
        version=version,
        protocol="HTTP",
        pathname="/",
        method="POST",
        auth_type="AK",
        style="RPC",
        req_body_type="formData",
        body_type="json",
    )
    client = Client(sdk_config(cloud, **settings))
    return client.call_api(params, OpenApiRequest(query=query), RuntimeOptions())["body"]


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


def wait_refusal(code: str, make: Callable[[], T], use: Callable[[T], object]) -> None:
    """Make a thing and use it at once, until that comes in the moment in which it is refused."""

    def try_at_once() -> str:
        made = make()
        return code_of(lambda: use(made))

    wait_for(try_at_once, lambda seen: seen == code)


def code_of(call: Callable[[], object]) -> str:
    """Give the code of a refusal, nothing where there is none."""
    try:
        call()
    except AlibabaCloudException as err:
        return err.code
    return ""


@contextmanager
def made(make: Callable[[int], str], number: int, delete: Callable[[str], object]) -> Iterator[list[str]]:
    """Make so many things, and delete them afterwards."""
    ids: list[str] = []
    try:
        ids.extend(make(i) for i in range(number))
        yield ids
    finally:
        for one in ids:
            delete(one)
