"""A local cloud under malformed requests: none is answered with a fault of its own, and nothing is lost."""

from __future__ import annotations

import contextlib
import re
import socket
import tempfile
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import alibabacloud_oss_v2 as oss
import pytest
from alibabacloud_vpc20160428 import models
from cloud_clients import network_client, object_client
from mangler import Mangler

from steelyard.localcloud import daemon
from steelyard.localcloud.daemon import CloudInfo

TIMEOUT_S = 40.0


@pytest.fixture
def cloud() -> Iterator[CloudInfo]:
    with tempfile.TemporaryDirectory(prefix="sy-fuzz-") as folder:
        yield daemon.start(Path(folder) / "cloud")
        assert daemon.stop(Path(folder) / "cloud").left == ()


class Kept:
    """Something of each kind that has to be there after whatever came."""

    def __init__(self, cloud: CloudInfo) -> None:
        self._network, self._storage = network_client(cloud), object_client(cloud)
        request = models.CreateVpcRequest(region_id="cn-hangzhou", cidr_block="10.0.0.0/8", vpc_name="kept")
        self._vpc_id = self._network.create_vpc(request).body.vpc_id
        self._storage.put_bucket(oss.PutBucketRequest(bucket="fuzz-bucket"))
        self._storage.put_object(oss.PutObjectRequest(bucket="fuzz-bucket", key="kept", body=b"content"))

    def check(self) -> None:
        request = models.DescribeVpcAttributeRequest(region_id="cn-hangzhou", vpc_id=self._vpc_id)
        assert self._network.describe_vpc_attribute(request).body.vpc_name == "kept"
        found = self._storage.get_object(oss.GetObjectRequest(bucket="fuzz-bucket", key="kept"))
        assert found.body.content == b"content"


def send(cloud: CloudInfo, request: bytes, *, is_whole: bool) -> bytes:
    """Send bytes on a connection of their own, and give what came back before its end.

    A client that hangs up in the middle of a request gets no answer; one that sent all of it waits for one.
    """
    host, port = cloud.endpoint.split(":")
    with socket.create_connection((host, int(port)), timeout=TIMEOUT_S) as connection:
        answer = b""
        # The cloud may hang up before it has read everything.
        with contextlib.suppress(ConnectionError):
            connection.sendall(request)
            if not is_whole:
                connection.shutdown(socket.SHUT_WR)
            while data := connection.recv(65536):
                answer += data
        return answer


def fuzz(cloud: CloudInfo, num_requests: int, seed: int) -> Counter[int]:
    """Send malformed requests; give how often each status came, 0 for none."""
    mangler, statuses = Mangler(cloud, seed), Counter[int]()
    for _ in range(num_requests):
        request, is_whole = mangler.request()
        answer = send(cloud, request, is_whole=is_whole)
        match = re.match(rb"HTTP/1\.\d (\d{3})", answer)
        status = int(match[1]) if match else 0
        assert status != 500, f"{request[:2000]!r} got {answer[:2000]!r}"
        assert status or not is_whole, f"{request[:2000]!r} got no answer"
        statuses[status] += 1
    return statuses


def test_malformed_requests_are_refused_and_cost_nothing(cloud: CloudInfo) -> None:
    kept = Kept(cloud)
    statuses = fuzz(cloud, 400, seed=7)
    kept.check()
    assert statuses[400] > 50


@pytest.mark.slow
@pytest.mark.timeout(1200)
def test_ten_thousand_malformed_requests_are_refused_and_cost_nothing(cloud: CloudInfo) -> None:
    kept = Kept(cloud)
    statuses = fuzz(cloud, 10_000, seed=11)
    kept.check()
    assert sum(statuses.values()) == 10_000
    info = daemon.status(Path(cloud.data_dir))
    assert info is not None
    assert info.pid == cloud.pid  # the same process as before
