"""Policies of buckets through the vendor's SDKs: whom they let in and keep out, beside RAM and access control."""

from __future__ import annotations

import json
import ssl
from collections.abc import Iterator
from pathlib import Path

import alibabacloud_oss_v2 as oss
import httpx
import pytest
from alibabacloud_ram20150501 import models as ram
from alibabacloud_ram20150501.client import Client as RamClient
from alibabacloud_sts20150401 import models as sts
from alibabacloud_sts20150401.client import Client as StsClient
from contract_storage import Shelf, storage_client, storage_refused

from steelyard.localcloud.certificate import CertificateFiles


class Visitor:
    """A RAM user with a key and no policy of its own."""

    def __init__(self, client: RamClient, cloud, bucket: str) -> None:
        self.ram = client
        self.user_id = client.create_user(ram.CreateUserRequest(user_name="visitor")).body.user.user_id
        self.key = client.create_access_key(ram.CreateAccessKeyRequest(user_name="visitor")).body.access_key
        found = storage_client(cloud, key_id=self.key.access_key_id, secret=self.key.access_key_secret)
        self.shelf = Shelf(found, bucket)

    def leave(self) -> None:
        self.ram.delete_access_key(
            ram.DeleteAccessKeyRequest(user_name="visitor", user_access_key_id=self.key.access_key_id)
        )
        self.ram.delete_user(ram.DeleteUserRequest(user_name="visitor"))


@pytest.fixture
def visitor(ram_client: RamClient, local_cloud, shelf: Shelf) -> Iterator[Visitor]:
    visitor = Visitor(ram_client, local_cloud, shelf.bucket)
    yield visitor
    visitor.leave()


def put_policy(shelf: Shelf, *statements: dict[str, object]) -> None:
    text = json.dumps({"Version": "1", "Statement": list(statements)})
    shelf.client.put_bucket_policy(oss.PutBucketPolicyRequest(bucket=shelf.bucket, body=text))


def allow(*actions: str, to: str, where: str, **more: object) -> dict[str, object]:
    return {
        "Effect": "Allow",
        "Action": list(actions),
        "Principal": [to],
        "Resource": [f"acs:oss:*:*:{where}"],
        **more,
    }


def test_a_policy_lets_a_user_in_who_has_no_right_of_its_own(shelf: Shelf, visitor: Visitor):
    shelf.put("data/1", b"one")
    shelf.put("other", b"two")
    with storage_refused("AccessDenied", 403):
        visitor.shelf.get("data/1")
    put_policy(
        shelf,
        allow("oss:GetObject", "oss:PutObject", to=visitor.user_id, where=f"{shelf.bucket}/data/*"),
        allow("oss:ListObjects", to=visitor.user_id, where=shelf.bucket),
    )
    assert visitor.shelf.get("data/1") == b"one"
    visitor.shelf.put("data/2", b"mine")
    assert visitor.shelf.keys() == ["data/1", "data/2", "other"]
    for forbidden in (lambda: visitor.shelf.get("other"), lambda: visitor.shelf.delete("data/1")):
        with storage_refused("AccessDenied", 403):
            forbidden()


def test_who_is_not_named_stays_out(shelf: Shelf, visitor: Visitor):
    shelf.put("data/1", b"one")
    put_policy(shelf, allow("oss:*", to="20000000000000001", where=f"{shelf.bucket}/*"))
    with storage_refused("AccessDenied", 403):
        visitor.shelf.get("data/1")
    others = allow("oss:*", to="", where=f"{shelf.bucket}/*")
    del others["Principal"]
    put_policy(shelf, {**others, "NotPrincipal": ["20000000000000001"]})
    assert visitor.shelf.get("data/1") == b"one"


def test_a_denial_of_the_bucket_weighs_more_than_what_ram_allows(
    shelf: Shelf, visitor: Visitor, ram_client: RamClient
):
    shelf.put("data/1", b"one")
    full = {"user_name": "visitor", "policy_name": "AliyunOSSFullAccess", "policy_type": "System"}
    ram_client.attach_policy_to_user(ram.AttachPolicyToUserRequest(**full))
    try:
        assert visitor.shelf.get("data/1") == b"one"
        put_policy(
            shelf, {**allow("oss:GetObject", to="*", where=f"{shelf.bucket}/data/*"), "Effect": "Deny"}
        )
        with storage_refused("AccessDenied", 403):
            visitor.shelf.get("data/1")
        visitor.shelf.put("data/2", b"other actions are not meant")
        assert shelf.get("data/1") == b"one", "the account itself may do anything"
    finally:
        ram_client.detach_policy_from_user(ram.DetachPolicyFromUserRequest(**full))


def test_a_role_is_named_by_its_sessions(
    shelf: Shelf, ram_client: RamClient, sts_client: StsClient, local_cloud
):
    shelf.put("data/1", b"one")
    root = f"acs:ram::{local_cloud.account_id}:root"
    statement = {"Action": "sts:AssumeRole", "Effect": "Allow", "Principal": {"RAM": [root]}}
    document = json.dumps({"Version": "1", "Statement": [statement]})
    role = ram_client.create_role(
        ram.CreateRoleRequest(role_name="guest", assume_role_policy_document=document)
    ).body.role
    try:
        key = sts_client.assume_role(
            sts.AssumeRoleRequest(role_arn=role.arn, role_session_name="run")
        ).body.credentials
        client = storage_client(
            local_cloud,
            key_id=key.access_key_id,
            secret=key.access_key_secret,
            token=key.security_token,
        )
        guest = Shelf(client, shelf.bucket)
        with storage_refused("AccessDenied", 403):
            guest.get("data/1")
        sessions = f"arn:sts::{local_cloud.account_id}:assumed-role/guest/*"
        put_policy(shelf, allow("oss:GetObject", to=sessions, where=f"{shelf.bucket}/*"))
        assert guest.get("data/1") == b"one"
    finally:
        ram_client.delete_role(ram.DeleteRoleRequest(role_name="guest"))


def test_anybody_may_be_let_in_until_public_access_is_blocked(shelf: Shelf, local_cloud):
    def look() -> int:
        return httpx.get(f"http://{local_cloud.endpoint}/{shelf.bucket}/data/1").status_code

    def status() -> bool:
        told = shelf.client.get_bucket_policy_status(oss.GetBucketPolicyStatusRequest(bucket=shelf.bucket))
        return told.policy_status.is_public

    shelf.put("data/1", b"one")
    with storage_refused("NoSuchBucketPolicy", 404):
        status()
    assert look() == 403
    public = allow("oss:GetObject", to="*", where=f"{shelf.bucket}/data/*")
    put_policy(shelf, public)
    assert (look(), status()) == (200, True)
    block = oss.PublicAccessBlockConfiguration(block_public_access=True)
    shelf.client.put_bucket_public_access_block(
        oss.PutBucketPublicAccessBlockRequest(bucket=shelf.bucket, public_access_block_configuration=block)
    )
    assert look() == 403
    with storage_refused("AccessDenied", 403):
        put_policy(shelf, public)


def test_a_policy_may_ask_for_tls(shelf: Shelf, local_cloud):
    shelf.put("data/1", b"one")
    plain = {"Bool": {"acs:SecureTransport": ["false"]}}
    put_policy(
        shelf,
        allow("oss:GetObject", to="*", where=f"{shelf.bucket}/*"),
        {**allow("oss:*", to="*", where=f"{shelf.bucket}/*", Condition=plain), "Effect": "Deny"},
    )
    authority = CertificateFiles.of(Path(local_cloud.data_dir)).authority
    trust = ssl.create_default_context(cafile=str(authority))
    place = f"{local_cloud.endpoint}/{shelf.bucket}/data/1"
    assert httpx.get(f"http://{place}").status_code == 403
    assert httpx.get(f"https://{place}", verify=trust).status_code == 200


@pytest.mark.parametrize(
    "changes",
    [
        {"Principal": []},
        {"Resource": []},
        {"Action": []},
        {"Effect": "Perhaps"},
        {"NotPrincipal": ["*"]},
        {"NotResource": ["*"]},
    ],
)
def test_a_policy_that_leaves_something_open_is_refused(shelf: Shelf, changes):
    with storage_refused("InvalidPolicyDocument", 400):
        put_policy(shelf, {**allow("oss:GetObject", to="*", where="*"), **changes})


def test_access_control_lets_others_read_until_public_access_is_blocked(shelf: Shelf, local_cloud) -> None:
    shelf.put("a", b"content")
    url = f"http://{local_cloud.endpoint}/{shelf.bucket}/a"
    assert httpx.get(url).status_code == 403
    shelf.client.put_bucket_acl(oss.PutBucketAclRequest(bucket=shelf.bucket, acl="public-read"))
    assert httpx.get(url).content == b"content"
    assert shelf.client.get_bucket_acl(oss.GetBucketAclRequest(bucket=shelf.bucket)).acl == "public-read"
    shelf.client.put_bucket_public_access_block(
        oss.PutBucketPublicAccessBlockRequest(
            bucket=shelf.bucket,
            public_access_block_configuration=oss.PublicAccessBlockConfiguration(block_public_access=True),
        )
    )
    assert httpx.get(url).status_code == 403
    with storage_refused("AccessDenied", 403):
        shelf.client.put_bucket_acl(oss.PutBucketAclRequest(bucket=shelf.bucket, acl="public-read-write"))
