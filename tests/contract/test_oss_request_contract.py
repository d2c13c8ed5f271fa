"""What object storage lets in and refuses, whatever a bucket was given: names, paths, ages and lengths of calls."""

from __future__ import annotations

import base64
import hashlib
import hmac
import http.client
import time
import uuid
from collections.abc import Callable
from email.utils import formatdate
from urllib.parse import quote
from xml.etree import ElementTree

import alibabacloud_oss_v2 as oss
import pytest
from contract_storage import Shelf, storage_refused

from steelyard.localcloud.daemon import CloudInfo


@pytest.mark.parametrize(
    ("write", "key"),
    [(quote, "ein Ordner/a+b c"), (lambda key: quote(key).replace("%20", "+"), "ein Ordner/a+b c")],
    ids=["as RFC 3986 has it", "with a plus for each space"],
)
def test_a_plus_in_a_path_is_a_space(
    shelf: Shelf, local_cloud: CloudInfo, write: Callable[[str], str], key: str
) -> None:
    """The vendor's SDK for Go writes spaces as pluses, in paths and in the sources of copies."""
    shelf.put(key, b"content", acl="public-read")
    connection = http.client.HTTPConnection(local_cloud.endpoint, timeout=30)
    connection.request("GET", f"/{shelf.bucket}/{write(key)}")
    assert connection.getresponse().read() == b"content"
    connection.close()
    source = f"/{shelf.bucket}/{write(key)}"
    shelf.client.invoke_operation(
        oss.OperationInput(
            op_name="CopyObject",
            method="PUT",
            bucket=shelf.bucket,
            key="copy",
            headers={"x-oss-copy-source": source},
        )
    )
    assert shelf.get("copy") == b"content"


def test_a_hundred_and_first_bucket_is_refused(local_cloud: CloudInfo, shelf: Shelf) -> None:
    client, made = shelf.client, []
    standing = len(client.list_buckets(oss.ListBucketsRequest(max_keys=1000)).buckets)
    try:
        for _ in range(100 - standing):
            made.append(f"full-{uuid.uuid4().hex[:12]}")
            client.put_bucket(oss.PutBucketRequest(bucket=made[-1]))
        with storage_refused("TooManyBuckets", 400):
            client.put_bucket(oss.PutBucketRequest(bucket="one-too-many"))
    finally:
        for name in made:
            client.delete_bucket(oss.DeleteBucketRequest(bucket=name))


@pytest.mark.parametrize("name", ["ab", "UPPER", "under_score", "-dash", "b" * 64])
def test_a_bucket_cannot_be_called_so(local_cloud: CloudInfo, name: str) -> None:
    assert refusal(put_by_hand(local_cloud, name)) == (400, "InvalidBucketName")


def test_a_call_that_was_signed_long_ago_is_refused(local_cloud: CloudInfo, shelf: Shelf) -> None:
    past = put_by_hand(local_cloud, shelf.bucket, age_s=3600)
    assert refusal(past) == (403, "RequestTimeTooSkewed")
    assert put_by_hand(local_cloud, shelf.bucket, age_s=60)[0] == 200


def test_a_document_is_not_longer_than_the_cloud_reads(shelf: Shelf) -> None:
    with storage_refused("EntityTooLarge", 400):
        shelf.client.invoke_operation(
            oss.OperationInput(
                op_name="PutBucketVersioning",
                method="PUT",
                parameters={"versioning": ""},
                body=b" " * (3 << 20),
                bucket=shelf.bucket,
            )
        )


def put_by_hand(cloud: CloudInfo, bucket: str, *, age_s: float = 0.0) -> tuple[int, bytes]:
    """Ask for a bucket under OSS's first signature, as the SDK refuses to: by any name, at any time."""
    date = formatdate(time.time() - age_s, usegmt=True)
    text = f"PUT\n\n\n{date}\n/{bucket}/"
    digest = hmac.new(cloud.access_key_secret.encode(), text.encode(), hashlib.sha1).digest()
    signature = base64.b64encode(digest).decode()
    connection = http.client.HTTPConnection(cloud.endpoint, timeout=30)
    headers = {"Date": date, "Authorization": f"OSS {cloud.access_key_id}:{signature}"}
    connection.request("PUT", f"/{bucket}", headers=headers)
    answer = connection.getresponse()
    found = answer.status, answer.read()
    connection.close()
    return found


def refusal(answer: tuple[int, bytes]) -> tuple[int, str]:
    """Give status and code of an answer that is an error."""
    status, body = answer
    return status, ElementTree.fromstring(body).findtext("Code", "")
