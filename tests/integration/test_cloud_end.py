"""What becomes of calls that are under way when the cloud is told to end."""

from __future__ import annotations

import os
import signal
import sqlite3
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing

import alibabacloud_oss_v2 as oss
from cloud_clients import object_client
from traffic import wait_until

from steelyard.localcloud import daemon
from steelyard.localcloud.cloud_info import CloudInfo
from steelyard.localcloud.log_file import LOG_NAME

BUCKET, KEY, CONTENT = "bucket", "key", b"x" * 1000


def put(info: CloudInfo) -> bool:
    """Put an object; tell whether the cloud said that it did."""
    try:
        object_client(info).put_object(oss.PutObjectRequest(bucket=BUCKET, key=KEY, body=CONTENT))
    except oss.exceptions.OperationError:
        return False
    return True


def content(info: CloudInfo) -> bytes | None:
    client = object_client(info)
    if not client.is_object_exist(BUCKET, KEY):
        return None
    return client.get_object(oss.GetObjectRequest(bucket=BUCKET, key=KEY)).body.content


def test_an_object_whose_call_is_given_up_at_the_end_is_there_whole_or_not_at_all(data_dir):
    info = daemon.start(data_dir)
    object_client(info).put_bucket(oss.PutBucketRequest(bucket=BUCKET))
    state = closing(sqlite3.connect(data_dir / "state.sqlite", isolation_level=None))
    with state as connection, ThreadPoolExecutor(1) as pool:
        # Nobody else can write the state: the object's record waits, and is written in the end.
        connection.execute("BEGIN IMMEDIATE")
        putting = pool.submit(put, info)
        wait_until(
            lambda: [one.stat().st_size for one in (data_dir / "oss").iterdir()], [len(CONTENT)].__eq__
        )
        os.kill(info.pid, signal.SIGTERM)
        log = data_dir / LOG_NAME
        wait_until(lambda: putting.done() or "Cancel 1 running task" in log.read_text())
        connection.execute("ROLLBACK")
        assert not putting.result()
    wait_until(lambda: not daemon.is_held(data_dir))
    assert content(daemon.start(data_dir)) in (CONTENT, None)
