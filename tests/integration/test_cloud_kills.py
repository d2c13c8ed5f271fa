"""A local cloud that is killed (SIGKILL) under load: what was acknowledged is there, and no change is there by half."""

from __future__ import annotations

import os
import random
import signal
import sqlite3
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import alibabacloud_oss_v2 as oss
import pytest
from alibabacloud_vpc20160428 import models
from cloud_clients import network_client, object_client

from steelyard.localcloud import daemon
from steelyard.localcloud.daemon import CloudInfo
from steelyard.localcloud.terms import agree

REGION = "cn-hangzhou"
BUCKET = "kill-bucket"
DEADLINE_S = 40.0
PART_BYTES = 100 * 1024


class Load:
    """Clients that change a cloud until it is gone, and remember what was acknowledged."""

    def __init__(self) -> None:
        self.vpc_ids: list[str] = []
        self.pair: list[str] = []
        self.tag_asked, self.tag_done = 0, 0
        self.objects: dict[str, tuple[bytes, bytes]] = {}
        """By key: the content that was acknowledged last, and the one that was asked for last."""

    def connect(self, cloud: CloudInfo) -> None:
        self.cloud = cloud
        self.network, self.storage = network_client(cloud), object_client(cloud)

    def prepare(self) -> None:
        self.storage.put_bucket(oss.PutBucketRequest(bucket=BUCKET))
        self.pair = [self.create_vpc(), self.create_vpc()]

    def create_vpc(self) -> str:
        request = models.CreateVpcRequest(region_id=REGION, cidr_block="10.0.0.0/8")
        return self.network.create_vpc(request).body.vpc_id

    def make_vpcs(self) -> None:
        while True:
            self.vpc_ids.append(self.create_vpc())

    def tag_pair(self) -> None:
        """Change two records in one call, again and again."""
        while True:
            self.tag_asked += 1
            tag = models.TagResourcesRequestTag(key="n", value=str(self.tag_asked))
            request = models.TagResourcesRequest(
                region_id=REGION, resource_type="VPC", resource_id=self.pair, tag=[tag]
            )
            self.network.tag_resources(request)
            self.tag_done = self.tag_asked

    def put_objects(self) -> None:
        rng = random.Random(os.urandom(8))
        while True:
            key = f"key-{rng.randrange(20)}"
            content = rng.randbytes(rng.choice((0, 10, 3 * PART_BYTES)))
            before = self.objects.get(key, (b"", b""))[0]
            self.objects[key] = (before, content)
            if len(content) > PART_BYTES and rng.random() < 0.5:
                self._put_in_parts(key, content)
            else:
                self.storage.put_object(oss.PutObjectRequest(bucket=BUCKET, key=key, body=content))
            self.objects[key] = (content, content)

    def _put_in_parts(self, key: str, content: bytes) -> None:
        begin = oss.InitiateMultipartUploadRequest(bucket=BUCKET, key=key)
        upload_id = self.storage.initiate_multipart_upload(begin).upload_id
        parts = []
        for number, start in enumerate(range(0, len(content), PART_BYTES), 1):
            request = oss.UploadPartRequest(
                bucket=BUCKET,
                key=key,
                upload_id=upload_id,
                part_number=number,
                body=content[start : start + PART_BYTES],
            )
            etag = self.storage.upload_part(request).etag
            parts.append(oss.UploadPart(part_number=number, etag=etag))
        self.storage.complete_multipart_upload(
            oss.CompleteMultipartUploadRequest(
                bucket=BUCKET,
                key=key,
                upload_id=upload_id,
                complete_multipart_upload=oss.CompleteMultipartUpload(parts=parts),
            )
        )

    def run(self, kill: Callable[[], None]) -> None:
        """Work on the cloud with three clients until `kill` has done its work."""
        is_killed = threading.Event()
        faults: list[Exception] = []

        def work(job: Callable[[], None]) -> None:
            try:
                job()
            except Exception as err:  # noqa: BLE001 - whatever a client says of a cloud that is gone
                if not is_killed.wait(DEADLINE_S):
                    faults.append(err)

        jobs = (self.make_vpcs, self.tag_pair, self.put_objects)
        threads = [threading.Thread(target=work, args=(job,)) for job in jobs]
        for thread in threads:
            thread.start()
        kill()
        is_killed.set()
        for thread in threads:
            thread.join(DEADLINE_S)
            assert not thread.is_alive()
        assert not faults, faults

    def check(self) -> None:
        """Compare the cloud with what was acknowledged."""
        for vpc_id in self.vpc_ids:
            request = models.DescribeVpcsRequest(region_id=REGION, vpc_id=vpc_id)
            assert self.network.describe_vpcs(request).body.total_count == 1, vpc_id
        self.vpc_ids = self.vpc_ids[-20:]
        tags = {self._tag(vpc_id) for vpc_id in self.pair}
        assert len(tags) == 1, tags  # both or none
        assert self.tag_done <= int(tags.pop()) <= self.tag_asked
        for key, (done, asked) in self.objects.items():
            found = self._content(key)
            assert found in (done, asked), key
            self.objects[key] = (found, found)
        assert stored_blobs(self.cloud) == referred_blobs(self.cloud)

    def _content(self, key: str) -> bytes:
        if not self.storage.is_object_exist(bucket=BUCKET, key=key):
            return b""
        content: bytes = self.storage.get_object(oss.GetObjectRequest(bucket=BUCKET, key=key)).body.content
        return content

    def _tag(self, vpc_id: str) -> str:
        request = models.ListTagResourcesRequest(region_id=REGION, resource_type="VPC", resource_id=[vpc_id])
        tags = self.network.list_tag_resources(request).body.tag_resources.tag_resource
        return next((tag.tag_value for tag in tags), "0")


def stored_blobs(cloud: CloudInfo) -> set[str]:
    return {path.name for path in Path(cloud.data_dir, "oss").iterdir()}


def referred_blobs(cloud: CloudInfo) -> set[str]:
    state = sqlite3.connect(f"file:{Path(cloud.data_dir, 'state.sqlite')}?mode=ro", uri=True)
    try:
        objects = state.execute(
            "SELECT json_extract(segment.value, '$[0]') FROM resource, json_each(body, '$.segments') AS segment "
            "WHERE kind IN ('oss_object', 'oss_version')"
        ).fetchall()
        parts = state.execute(
            "SELECT json_extract(body, '$.blob') FROM resource WHERE kind = 'oss_part'"
        ).fetchall()
    finally:
        state.close()
    return {name for (name,) in (*objects, *parts)}


@pytest.fixture
def data_dir() -> Iterator[Path]:
    with tempfile.TemporaryDirectory(prefix="sy-kill-") as folder:
        data_dir = Path(folder) / "cloud"
        agree(data_dir, calls_per_s=None, has_quotas=False, is_running=False)
        yield data_dir
        assert daemon.stop(data_dir).left == ()


def kill_and_restart(data_dir: Path, num_kills: int, seed: int) -> Load:
    rng = random.Random(seed)
    load = Load()
    load.connect(daemon.start(data_dir))
    load.prepare()
    for _ in range(num_kills):
        pid = load.cloud.pid

        def kill(pid: int = pid) -> None:
            time.sleep(
                rng.uniform(0.05, 0.6)
            )  # at any moment: this is what is tested, not what is waited for
            os.kill(pid, signal.SIGKILL)

        load.run(kill)
        deadline = time.monotonic() + DEADLINE_S
        while daemon.status(data_dir) is not None:
            assert time.monotonic() < deadline
            time.sleep(0.01)
        load.connect(daemon.start(data_dir))
        load.check()
    return load


def test_kills_under_load_lose_nothing_that_was_acknowledged(data_dir: Path) -> None:
    load = kill_and_restart(data_dir, 3, seed=3)
    assert load.tag_done > 0
    assert load.objects


@pytest.mark.slow
@pytest.mark.timeout(3000)
def test_a_hundred_kills_under_load_lose_nothing_that_was_acknowledged(data_dir: Path) -> None:
    load = kill_and_restart(data_dir, 100, seed=5)
    assert load.tag_done > 100
    assert len(load.objects) == 20
