from __future__ import annotations

import json
import shutil
import subprocess
from dataclasses import replace
from pathlib import Path

import pytest

from steelyard.localcloud.certificate import CertificateFiles, server_context
from steelyard.localcloud.metadata.identity import AuthoritySigner
from steelyard.localcloud.metadata.items import InstanceMetadata, InterfaceMetadata
from steelyard.localcloud.metadata.service import (
    CREDENTIAL_S,
    FORWARDED_HEADER,
    MAX_TTL_S,
    TOKEN_HEADER,
    TTL_HEADER,
    MetadataService,
)
from steelyard.localcloud.wire.message import WireRequest
from steelyard.spec.catalogue import INSTANCE_TYPES

TYPE = "ecs.gn7i-c8g1.2xlarge"
NODE = InstanceMetadata(
    instance_id="i-1",
    private_ipv4="127.64.1.10",
    region_id="cn-hangzhou",
    zone_id="cn-hangzhou-h",
    instance_type=TYPE,
    hostname="demo-workers-0",
    vpc_id="vpc-1",
    vswitch_id="vsw-1",
    user_data="#!/bin/sh\n",
    http_tokens="required",
    ram_role_name="demo-node",
    name="worker-0",
    image_id="ubuntu_24_04",
    owner_account_id="1716016463976967",
    mac_address="00:16:3e:00:00:0a",
    serial_number="00163e00000a",
    elastic_ipv4="127.5.0.1",
    interfaces=(
        InterfaceMetadata(
            id="eni-1",
            mac_address="00:16:3e:00:00:0a",
            addresses=("10.0.1.10", "10.0.1.11"),
            vpc_id="vpc-1",
            vswitch_id="vsw-1",
            vpc_cidr_block="10.0.0.0/8",
            vswitch_cidr_block="10.0.1.0/24",
        ),
    ),
)
OPEN = InstanceMetadata(
    instance_id="i-2",
    private_ipv4="127.64.1.11",
    region_id="cn-hangzhou",
    zone_id="cn-hangzhou-h",
    instance_type="ecs.unknown",
    hostname="open",
    vpc_id="vpc-1",
    vswitch_id="vsw-1",
)


def sign(content: bytes) -> str:
    return f"signed: {content.decode()}"


class Directory:
    def __init__(self, *instances: InstanceMetadata) -> None:
        self._instances = {instance.instance_id: instance for instance in instances}

    def instance_metadata(self, instance_id: str) -> InstanceMetadata | None:
        return self._instances.get(instance_id)


class Issuer:
    def __init__(self) -> None:
        self.num_issued = 0
        self.forgotten: set[str] = set()

    def instance_credentials(self, role_name: str, instance_id: str) -> dict[str, object] | None:
        self.num_issued += 1
        return {"AccessKeyId": f"STS.{role_name}.{instance_id}.{self.num_issued}"}

    def knows_key(self, access_key_id: str) -> bool:
        return access_key_id not in self.forgotten


class Clock:
    now = 1_795_000_000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def issuer() -> Issuer:
    return Issuer()


@pytest.fixture
def service(clock, issuer) -> MetadataService:
    return MetadataService(
        directory=Directory(NODE, OPEN), issuer=issuer, key="secret", clock=clock, sign_identity=sign
    )


def ask(service, path, method="GET", query="", **headers):
    request = WireRequest(
        method=method,
        path=f"/metadata/{path}",
        query_string=query,
        headers={name.replace("_", "-"): value for name, value in headers.items()},
    )
    return service.answer(request, path)


def get_token(service, instance_id="i-1", ttl="60"):
    reply = ask(service, f"{instance_id}/latest/api/token", "PUT", **{TTL_HEADER: ttl})
    assert reply.status == 200
    return reply.text


@pytest.mark.parametrize(
    ("item", "text"),
    [
        ("instance-id", "i-1"),
        ("private-ipv4", "127.64.1.10"),
        ("region-id", "cn-hangzhou"),
        ("zone-id", "cn-hangzhou-h"),
        ("instance/instance-type", TYPE),
        ("hostname", "demo-workers-0"),
        ("vpc-id", "vpc-1"),
        ("vswitch-id", "vsw-1"),
        ("steelyard/imitated-speed", str(INSTANCE_TYPES[TYPE].imitated_speed)),
        ("ram/security-credentials/", "demo-node"),
        ("instance/instance-name", "worker-0"),
        ("serial-number", "00163e00000a"),
        ("mac", "00:16:3e:00:00:0a"),
        ("network-type", "vpc"),
        ("eipv4", "127.5.0.1"),
        ("vpc-cidr-block", "10.0.0.0/8"),
        ("vswitch-cidr-block", "10.0.1.0/24"),
        ("sub-private-ipv4-list", '["10.0.1.11"]'),
        ("network/interfaces/macs/", "00:16:3e:00:00:0a/"),
        ("network/interfaces/macs/00:16:3e:00:00:0a/network-interface-id", "eni-1"),
        ("network/interfaces/macs/00:16:3e:00:00:0a/private-ipv4s", '["10.0.1.10", "10.0.1.11"]'),
        ("network/interfaces/macs/00:16:3e:00:00:0a/netmask", "255.255.255.0"),
        ("network/interfaces/macs/00:16:3e:00:00:0a/gateway", "10.0.1.253"),
        ("instance/", "instance-name\ninstance-type"),
    ],
)
def test_an_instance_learns_who_it_is(service, item, text):
    reply = ask(service, f"i-1/latest/meta-data/{item}", **{TOKEN_HEADER: get_token(service)})
    assert (reply.status, reply.text) == (200, text)


def test_an_instance_reads_its_user_data_and_the_list_of_items(service):
    token = {TOKEN_HEADER: get_token(service)}
    assert ask(service, "i-1/latest/user-data", **token).text == "#!/bin/sh\n"
    assert "instance-id" in ask(service, "i-1/latest/meta-data/", **token).text.split("\n")


def test_folders_of_items_list_what_is_below_them(service):
    token = {TOKEN_HEADER: get_token(service)}
    assert ask(service, "i-1/", **token).text == "2016-01-01\nlatest"
    for version in ("latest", "2016-01-01"):
        assert ask(service, f"i-1/{version}/", **token).text == "dynamic/\nmeta-data/\nuser-data"
        assert ask(service, f"i-1/{version}/meta-data/instance-id", **token).text == "i-1"
    listed = ask(service, "i-1/latest/meta-data", **token).text.split("\n")
    assert {"instance-id", "instance/", "network/", "ram/"} <= set(listed)
    assert "eipv4" not in ask(service, "i-2/latest/meta-data").text
    assert ask(service, "i-2/latest/user-data").status == 404


def test_an_instance_has_an_identity_document_and_its_signature(service):
    token = {TOKEN_HEADER: get_token(service)}
    place = "i-1/latest/dynamic/instance-identity"
    assert ask(service, f"{place}/document").status == 403
    document = json.loads(ask(service, f"{place}/document", **token).text)
    assert document == {
        "owner-account-id": "1716016463976967",
        "instance-id": "i-1",
        "mac": "00:16:3e:00:00:0a",
        "region-id": "cn-hangzhou",
        "serial-number": "00163e00000a",
        "zone-id": "cn-hangzhou-h",
        "instance-type": TYPE,
        "image-id": "ubuntu_24_04",
        "private-ipv4": "127.64.1.10",
    }
    for query, expected in (("", document), ("audience=app%201", {**document, "audience": "app 1"})):
        signed = ask(service, f"{place}/pkcs7", query=query, **token).text.removeprefix("signed: ")
        assert json.loads(signed) == expected
        assert list(json.loads(signed)) == list(expected)


@pytest.mark.skipif(shutil.which("openssl") is None, reason="there is no openssl to verify with")
@pytest.mark.parametrize("is_forged", [False, True])
def test_the_signature_is_one_that_openssl_verifies(tmp_path: Path, is_forged: bool):
    server_context(tmp_path)
    files = CertificateFiles.of(tmp_path)
    content = tmp_path / "document"
    content.write_text('{"instance-id":"i-1"}')
    body = AuthoritySigner(files)(content.read_bytes())
    (tmp_path / "signature").write_text(f"-----BEGIN PKCS7-----\n{body}\n-----END PKCS7-----\n")
    if is_forged:
        content.write_text('{"instance-id":"i-2"}')
    words = "openssl smime -verify -inform PEM -noverify -in signature -content document -certfile"
    verified = subprocess.run(
        [*words.split(), str(files.authority)], cwd=tmp_path, capture_output=True, check=False
    )
    assert (verified.returncode == 0) is not is_forged, verified.stderr


def test_a_token_is_not_given_to_whoever_asks_through_a_proxy(service):
    headers = {TTL_HEADER: "60", FORWARDED_HEADER: "192.0.2.1"}
    assert ask(service, "i-1/latest/api/token", "PUT", **headers).status == 403


def test_without_a_token_only_an_open_instance_is_answered(service):
    assert ask(service, "i-1/latest/meta-data/instance-id").status == 403
    assert ask(service, "i-2/latest/meta-data/instance-id").text == "i-2"


def test_a_token_serves_its_own_instance_until_it_expires(service, clock):
    token = {TOKEN_HEADER: get_token(service, ttl="60")}
    assert ask(service, "i-2/latest/meta-data/instance-id", **token).status == 403
    clock.now += 59
    assert ask(service, "i-1/latest/meta-data/instance-id", **token).status == 200
    clock.now += 2
    assert ask(service, "i-1/latest/meta-data/instance-id", **token).status == 403


def test_a_token_is_good_over_a_restart_of_the_cloud(service, clock, issuer):
    token = {TOKEN_HEADER: get_token(service)}
    again = MetadataService(
        directory=Directory(NODE), issuer=issuer, key="secret", clock=clock, sign_identity=sign
    )
    assert ask(again, "i-1/latest/meta-data/instance-id", **token).status == 200
    other = MetadataService(
        directory=Directory(NODE), issuer=issuer, key="another", clock=clock, sign_identity=sign
    )
    assert ask(other, "i-1/latest/meta-data/instance-id", **token).status == 403


@pytest.mark.parametrize("token", ["", "x", "99999999999-forged", "-", "١-x", "9" * 5000 + "-x"])  # noqa: RUF001
def test_a_forged_token_is_refused(service, token):
    assert ask(service, "i-1/latest/meta-data/instance-id", **{TOKEN_HEADER: token}).status == 403


@pytest.mark.parametrize("ttl", ["0", str(MAX_TTL_S + 1), "long", "-1", "", "9" * 5000])
def test_a_token_of_a_bad_life_is_refused(service, ttl):
    assert ask(service, "i-1/latest/api/token", "PUT", **{TTL_HEADER: ttl}).status == 400


def test_a_token_is_put_and_items_are_got(service):
    assert ask(service, "i-1/latest/api/token").status == 405
    assert ask(service, "i-1/latest/meta-data/instance-id", "PUT").status == 405


def test_what_is_not_there_is_not_found(service, clock, issuer):
    token = {TOKEN_HEADER: get_token(service)}
    assert ask(service, "i-1/latest/meta-data/teapot", **token).status == 404
    assert ask(service, "i-none/latest/meta-data/instance-id").status == 404
    # No speed is imitated for a type that the catalogue does not have, and on the real cloud for none.
    assert ask(service, "i-2/latest/meta-data/steelyard/imitated-speed").status == 404
    empty = MetadataService(directory=None, issuer=issuer, key="secret", clock=clock, sign_identity=sign)
    assert ask(empty, "i-1/latest/meta-data/instance-id").status == 404


def test_an_instance_gets_keys_of_its_own_role_alone_and_new_ones_in_time(service, clock, issuer):
    path = "i-1/latest/meta-data/ram/security-credentials"
    token = {TOKEN_HEADER: get_token(service, ttl=str(MAX_TTL_S))}
    first = json.loads(ask(service, f"{path}/demo-node", **token).text)
    assert first["Code"] == "Success"
    assert json.loads(ask(service, f"{path}/demo-node", **token).text) == first
    assert ask(service, f"{path}/another-role", **token).status == 404
    clock.now += CREDENTIAL_S / 2
    assert json.loads(ask(service, f"{path}/demo-node", **token).text) != first
    assert issuer.num_issued == 2
    assert ask(service, "i-2/latest/meta-data/ram/security-credentials/").status == 404


def test_an_instance_gets_a_new_key_once_the_cloud_has_forgotten_the_one_it_has(clock, issuer):
    node = replace(NODE, http_tokens="optional")
    service = MetadataService(
        directory=Directory(node), issuer=issuer, key="key", clock=clock, sign_identity=sign
    )
    path = f"i-1/latest/meta-data/ram/security-credentials/{node.ram_role_name}"
    first = json.loads(ask(service, path).text)["AccessKeyId"]
    issuer.forgotten.add(first)
    second = json.loads(ask(service, path).text)["AccessKeyId"]
    assert second != first
    assert json.loads(ask(service, path).text)["AccessKeyId"] == second


def test_keys_of_instances_that_are_gone_leave_no_memory_behind(clock, issuer):
    nodes = [replace(NODE, instance_id=f"i-{number}", http_tokens="optional") for number in range(50)]
    service = MetadataService(
        directory=Directory(*nodes), issuer=issuer, key="key", clock=clock, sign_identity=sign
    )
    for node in nodes:
        path = f"{node.instance_id}/latest/meta-data/ram/security-credentials/{node.ram_role_name}"
        assert ask(service, path).status == 200
        clock.now += CREDENTIAL_S / 20
    assert len(service._credentials) <= 11
