"""How `soak.py` calls a local cloud: through the vendor's SDKs, at a rate, with every call counted."""

from __future__ import annotations

import threading
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import alibabacloud_oss_v2 as oss
from alibabacloud_tea_openapi.client import Client
from alibabacloud_tea_openapi.exceptions import AlibabaCloudException
from alibabacloud_tea_openapi.utils_models import Config, OpenApiRequest, Params
from darabonba.runtime import RuntimeOptions

from steelyard.localcloud.daemon import CloudInfo

REGION = "cn-hangzhou"
DEADLINE_S = 60.0
POLL_S = 0.25


@dataclass
class Tally:
    """What was done so far.

    Attributes:
        calls: API calls.
        requests: HTTP requests through load balancers.
        turns: Turns by actor.
        errors: What failed and was not meant to, by its text.
    """

    calls: int = 0
    requests: int = 0
    turns: Counter[str] = field(default_factory=Counter)
    errors: Counter[str] = field(default_factory=Counter)


class Caller:
    """Makes calls at a rate, and counts them.

    Args:
        cloud: The cloud.
        calls_per_s: The rate of all actors together.
    """

    def __init__(self, cloud: CloudInfo, calls_per_s: float) -> None:
        self.cloud, self.tally = cloud, Tally()
        self.interval_s = 0.0
        self._wanted_interval_s = 1 / calls_per_s
        self._next_at = 0.0
        self._lock = threading.Lock()

    def hold_rate(self) -> None:
        """From now on keep to the rate; until then calls are made as fast as they can be."""
        self.interval_s = self._wanted_interval_s

    def call(self, function: Callable[..., Any], *arguments: Any) -> Any:
        """Make one call when its time has come, and give the answer's body, if it has one."""
        with self._lock:
            self.tally.calls += 1
            now = time.monotonic()
            at = self._next_at = max(now, self._next_at + self.interval_s)
        time.sleep(at - now)
        answer = function(*arguments)
        return getattr(answer, "body", answer)

    def refused(self, code: str, function: Callable[..., Any], *arguments: Any) -> None:
        """Make a call that is to be refused."""
        try:
            self.call(function, *arguments)
        except AlibabaCloudException as err:
            if err.code == code:
                return
            raise
        raise AssertionError(f"{function.__name__} was not refused with {code}")

    def wait_for(self, is_done: Callable[[], bool], what: str) -> None:
        """Ask until it is so."""
        deadline = time.monotonic() + DEADLINE_S
        while not is_done():
            if time.monotonic() > deadline:
                raise TimeoutError(f"{what} did not come within {DEADLINE_S:.0f} s")
            time.sleep(POLL_S)

    def config(self, **changes: str) -> Config:
        """Point an SDK client at the cloud."""
        cloud = self.cloud
        settings = {
            "access_key_id": cloud.access_key_id,
            "access_key_secret": cloud.access_key_secret,
            "endpoint": cloud.endpoint,
            "protocol": "http",
            "region_id": REGION,
        }
        return Config(**{**settings, **changes})

    def generic(self, action: str, query: dict[str, str], **settings: str) -> Any:
        """Call an action by its name."""
        params = Params(
            action=action,
            version="2016-04-28",
            protocol="HTTP",
            pathname="/",
            method="POST",
            auth_type="AK",
            style="RPC",
            req_body_type="formData",
            body_type="json",
        )
        client = Client(self.config(**settings))
        return client.call_api(params, OpenApiRequest(query=query), RuntimeOptions())


def storage_client(cloud: CloudInfo) -> oss.Client:
    """Make the vendor's client of the object storage."""
    config = oss.config.load_default()
    config.credentials_provider = oss.credentials.StaticCredentialsProvider(
        cloud.access_key_id, cloud.access_key_secret
    )
    config.region = cloud.region_id
    config.endpoint = f"http://{cloud.endpoint}"
    config.retry_max_attempts = 1
    return oss.Client(config)
