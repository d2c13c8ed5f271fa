"""Buckets in the host's name, as the vendor's SDKs put them where the endpoint is no IP address.

The SDKs are unmodified; the names of the tests are made to resolve to the machine, as a hosts file would.
"""

from __future__ import annotations

import socket
from datetime import timedelta

import alibabacloud_oss_v2 as oss
import httpx
import pytest
from contract_storage import Shelf, storage_client, storage_refused

_OURS = (".aliyuncs.com", ".localhost")


@pytest.fixture(autouse=True)
def names_that_resolve(monkeypatch: pytest.MonkeyPatch) -> None:
    real = socket.getaddrinfo

    def resolve(host: str, *arguments: object, **settings: object) -> object:
        return real("127.0.0.1" if str(host).endswith(_OURS) else host, *arguments, **settings)

    monkeypatch.setattr(socket, "getaddrinfo", resolve)


@pytest.mark.parametrize("version", ["v1", "v4"])
@pytest.mark.parametrize(
    "name", ["oss-cn-hangzhou.aliyuncs.com", "oss-cn-hangzhou-internal.aliyuncs.com", "localhost"]
)
def test_a_bucket_is_in_front_of_the_endpoints_name(local_cloud, shelf: Shelf, name: str, version: str):
    port = local_cloud.endpoint.rpartition(":")[2]
    client = storage_client(local_cloud, version=version, endpoint=f"http://{name}:{port}")
    hosted = Shelf(client, shelf.bucket)
    hosted.put("runs/step 1+2", b"weights")
    assert hosted.get("runs/step 1+2", range_header="bytes=1-3") == b"eig"
    assert hosted.keys(prefix="runs/") == shelf.keys() == ["runs/step 1+2"]
    assert shelf.bucket in [one.name for one in client.list_buckets(oss.ListBucketsRequest()).buckets]
    upload_id = hosted.begin("parts")
    hosted.complete("parts", upload_id, [hosted.upload_part("parts", upload_id, 1, b"1")])
    signed = client.presign(
        oss.GetObjectRequest(bucket=shelf.bucket, key="parts"), expires=timedelta(minutes=1)
    )
    assert httpx.URL(signed.url).host == f"{shelf.bucket}.{name}"
    assert httpx.get(signed.url).content == b"1"
    with storage_refused("NoSuchBucket", 404):
        Shelf(client, "no-such-bucket").get("a")


def test_a_name_in_front_of_an_ip_address_is_a_bucket_too(local_cloud, shelf: Shelf):
    """The provider's newer resources write it so, whatever the endpoint is."""
    shelf.client.put_bucket_acl(oss.PutBucketAclRequest(bucket=shelf.bucket, acl="public-read"))
    shelf.put("open", b"1")
    headers = {"Host": f"{shelf.bucket}.{local_cloud.endpoint}"}
    assert httpx.get(f"http://{local_cloud.endpoint}/open", headers=headers).content == b"1"
