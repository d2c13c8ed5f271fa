from __future__ import annotations

import base64
import errno
import http.client
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TypeVar

import alibabacloud_oss_v2 as oss
import pytest
from alibabacloud_ecs20140526 import models as ecs
from local_fleet import PORT, REGION, VSWITCH_CIDR, LocalFleet
from namespace_cloud import PATIENCE_S, environments, in_instance, standing_cloud, standing_fleets
from traffic import wait_until
from udp_servers import EchoServer, names

from steelyard import settings
from steelyard.errors import UsageError
from steelyard.localcloud import daemon
from steelyard.localcloud.faults.client import FaultClient
from steelyard.localcloud.faults.fault import Order
from steelyard.localcloud.hosts.choice import choose, missing_part

T = TypeVar("T")
MISSING = missing_part()
needs_namespaces = pytest.mark.skipif(bool(MISSING), reason=f"no namespace host here: {MISSING}")


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Iterator[Path]:
    """Data folder of a cloud on the namespace host, which runs."""
    folder = tmp_path_factory.mktemp("namespaces") / "cloud"
    with standing_cloud(folder):
        yield folder


@pytest.fixture
def fleets(folder) -> Iterator[Callable[[], LocalFleet]]:
    with standing_fleets(folder) as make:
        yield make


def ask(address: str, port: int, method: str = "GET", path: str = "/", **headers: str) -> tuple[int, str]:
    """Send one request, and give the answer's status and text."""
    connection = http.client.HTTPConnection(address, port, timeout=5)
    try:
        connection.request(
            method, path, headers={f"X-aliyun-ecs-metadata-{k}": v for k, v in headers.items()}
        )
        answer = connection.getresponse()
        return answer.status, answer.read().decode()
    finally:
        connection.close()


def name_at(address: str, port: int) -> str:
    """Ask who serves."""
    return ask(address, port)[1].split(" ")[0]


def passes(fleet: LocalFleet, client: str, address: str, port: int = PORT) -> bool:
    """Tell whether a connection from an instance is answered; one that is dropped is given up on."""

    def connect() -> bool:
        try:
            socket.create_connection((address, port), timeout=PATIENCE_S).close()
        except TimeoutError:
            return False
        except OSError as err:
            # Neighbours that were not found are told of for a moment after they are back.
            if err.errno == errno.EHOSTUNREACH:
                return False
            raise
        return True

    return in_instance(fleet, client, connect)


def make_group(fleet: LocalFleet) -> str:
    request = ecs.CreateSecurityGroupRequest(region_id=REGION, vpc_id=fleet.vpc_id)
    return fleet.ecs_client.create_security_group(request).body.security_group_id


def rule(group_id: str, ports: str = f"{PORT}/{PORT}", **peer: str) -> dict[str, str]:
    return {
        "region_id": REGION,
        "security_group_id": group_id,
        "ip_protocol": "TCP",
        "port_range": ports,
        **peer,
    }


def authorize(fleet: LocalFleet, group_id: str, **what: str) -> None:
    fleet.ecs_client.authorize_security_group(ecs.AuthorizeSecurityGroupRequest(**rule(group_id, **what)))


def revoke(fleet: LocalFleet, group_id: str, **what: str) -> None:
    fleet.ecs_client.revoke_security_group(ecs.RevokeSecurityGroupRequest(**rule(group_id, **what)))


def serve(fleet: LocalFleet, group_id: str = "") -> tuple[str, str]:
    """Run an instance that serves, and give its id and address."""
    (instance_id,) = fleet.run(1, group_id=group_id)
    address = fleet.addresses(instance_id)[instance_id]

    def is_served() -> bool:
        try:
            return in_instance(fleet, instance_id, lambda: name_at(address, PORT)) == instance_id
        except OSError:
            return False

    wait_until(is_served)
    return instance_id, address


def bound_calls(fleet: LocalFleet, group_id: str, address: str) -> None:
    """Let the members of a group call the cloud's own services and one address."""
    for policy, cidr, priority in (
        ("accept", "100.64.0.0/10", "1"),
        ("accept", f"{address}/32", "1"),
        ("drop", "0.0.0.0/0", "100"),
    ):
        fleet.ecs_client.authorize_security_group_egress(
            ecs.AuthorizeSecurityGroupEgressRequest(
                region_id=REGION,
                security_group_id=group_id,
                ip_protocol="ALL",
                port_range="-1/-1",
                policy=policy,
                dest_cidr_ip=cidr,
                priority=priority,
            )
        )


@needs_namespaces
def test_what_no_rule_allows_is_dropped_and_a_change_takes_effect_when_it_is_answered(fleets):
    fleet = fleets()
    clients, servers = make_group(fleet), make_group(fleet)
    client, client_address = serve(fleet, clients)
    server, address = serve(fleet, servers)
    assert not passes(fleet, client, address)
    authorize(fleet, servers, source_group_id=clients)
    assert passes(fleet, client, address)
    assert not passes(fleet, server, client_address)  # Only one way.
    authorize(fleet, servers, source_cidr_ip=f"{client_address}/32", policy="drop")
    assert not passes(fleet, client, address)  # At the same priority Drop wins.
    revoke(fleet, servers, source_cidr_ip=f"{client_address}/32", policy="drop")
    assert passes(fleet, client, address)
    revoke(fleet, servers, source_group_id=clients)
    assert not passes(fleet, client, address)
    authorize(fleet, servers, ports=f"1/{PORT - 1}", source_cidr_ip=VSWITCH_CIDR)
    assert not passes(fleet, client, address)
    # What an instance may call is bounded as the firewall component bounds it.
    authorize(fleet, servers, source_cidr_ip=VSWITCH_CIDR)
    _, unlisted = serve(fleet, servers)
    assert passes(fleet, client, address)
    assert passes(fleet, client, unlisted)
    bound_calls(fleet, clients, address)
    assert passes(fleet, client, address)
    assert not passes(fleet, client, unlisted)
    assert in_instance(fleet, client, lambda: ask("100.100.100.200", 80)[0]) == 200, "metadata is reached"


@needs_namespaces
def test_what_a_prefix_list_names_passes_until_it_names_it_no_more(fleets):
    fleet = fleets()
    clients, servers = make_group(fleet), make_group(fleet)
    client, client_address = serve(fleet, clients)
    _, address = serve(fleet, servers)
    entry = ecs.CreatePrefixListRequestEntry(cidr=f"{client_address}/32")
    prefix_list_id = fleet.ecs_client.create_prefix_list(
        ecs.CreatePrefixListRequest(
            region_id=REGION,
            prefix_list_name="clients",
            address_family="IPv4",
            max_entries=5,
            entry=[entry],
        )
    ).body.prefix_list_id
    authorize(fleet, servers, source_prefix_list_id=prefix_list_id)
    assert passes(fleet, client, address)
    fleet.ecs_client.modify_prefix_list(
        ecs.ModifyPrefixListRequest(
            region_id=REGION,
            prefix_list_id=prefix_list_id,
            remove_entry=[ecs.ModifyPrefixListRequestRemoveEntry(cidr=f"{client_address}/32")],
        )
    )
    assert not passes(fleet, client, address)


@needs_namespaces
def test_members_of_a_group_reach_each_other_unless_its_inner_policy_is_drop(fleets):
    fleet = fleets()
    first, _ = serve(fleet)
    _, address = serve(fleet)
    assert passes(fleet, first, address)
    fleet.ecs_client.modify_security_group_policy(
        ecs.ModifySecurityGroupPolicyRequest(
            region_id=REGION, security_group_id=fleet.group_id, inner_access_policy="Drop"
        )
    )
    assert not passes(fleet, first, address)


@needs_namespaces
def test_two_vpcs_have_the_same_addresses_and_each_balancer_reaches_its_own(fleets):
    first, second = fleets(), fleets()
    (one, address), (other, same_address) = serve(first), serve(second)
    assert address == same_address
    for fleet, instance_id in ((first, one), (second, other)):
        fleet.add({instance_id: 100})
        fleet.listen()
        fleet.wait_healthy(instance_id)  # Although no rule lets the check in.
        assert fleet.address.startswith("127.")
        assert name_at(fleet.address, 8080) == instance_id
        inside = fleet.address.replace("127.", "10.", 1)
        assert in_instance(fleet, instance_id, lambda at=inside: name_at(at, 8080)) == instance_id


@needs_namespaces
def test_datagrams_reach_an_instance_through_its_balancer_from_outside_and_from_inside(fleets):
    fleet = fleets()
    instance_id, address = serve(fleet)
    server = in_instance(fleet, instance_id, lambda: EchoServer(instance_id, address, 9000))
    try:
        fleet.listen_for_datagrams(53, [{"ServerId": instance_id, "Port": 9000, "Weight": 100}])
        assert names(fleet.address, 53, 2) == [instance_id] * 2
        inside = fleet.address.replace("127.", "10.", 1)
        assert in_instance(fleet, instance_id, lambda: names(inside, 53, 2, address)) == [instance_id] * 2
    finally:
        server.close()


@needs_namespaces
def test_a_pulled_cable_lets_nothing_through_until_it_is_plugged_in_again(fleets):
    fleet = fleets()
    client, _ = serve(fleet)
    server, address = serve(fleet)
    held = in_instance(fleet, client, lambda: socket.create_connection((address, PORT), timeout=2))
    faults = FaultClient(fleet.cloud)

    fault = faults.make(Order(kind="cut", target=server))
    assert not passes(fleet, client, address)
    assert fleet.statuses(server) == {server: "Running"}

    faults.clear(fault.id)
    wait_until(lambda: passes(fleet, client, address))
    assert in_instance(fleet, server, lambda: ask("100.100.100.200", 80)[0]) == 200, "its ways are back"
    held.sendall(b"GET / HTTP/1.0\r\n\r\n")
    held.settimeout(5)
    assert server.encode() in held.recv(1000), "a connection that was open outlives the cut"
    held.close()


@needs_namespaces
def test_an_instance_reaches_its_metadata_and_neither_the_machine_nor_the_world(fleets):
    fleet = fleets()
    instance_id, address = serve(fleet)

    def look() -> tuple[tuple[int, str], tuple[int, str], list[int]]:
        metadata = "100.100.100.200", 80
        _, token = ask(*metadata, "PUT", "/latest/api/token", **{"token-ttl-seconds": "60"})
        item = ask(*metadata, path="/latest/meta-data/private-ipv4", token=token)
        missing = ask(*metadata, path="/latest/meta-data/no-such-thing")
        places = [("127.0.0.1", int(fleet.cloud.endpoint.partition(":")[2])), ("192.0.2.1", 80)]
        errors = []
        for place in places:
            with socket.socket() as probe:
                probe.settimeout(2)
                errors.append(probe.connect_ex(place))
        return item, missing, errors

    item, missing, errors = in_instance(fleet, instance_id, look)
    assert item == (200, address)
    assert missing[0] == 404
    assert all(errors)


@needs_namespaces
def test_an_instance_proves_who_it_is_and_reads_of_its_network(fleets):
    fleet = fleets()
    instance_id, address = serve(fleet)
    metadata, identity = ("100.100.100.200", 80), "/latest/dynamic/instance-identity"

    def look() -> tuple[str, str, str, str]:
        mac = ask(*metadata, path="/latest/meta-data/mac")[1]
        _, document = ask(*metadata, path=f"{identity}/document")
        _, signature = ask(*metadata, path=f"{identity}/pkcs7?audience=a%20b")
        _, block = ask(
            *metadata, path=f"/2016-01-01/meta-data/network/interfaces/macs/{mac}/vswitch-cidr-block"
        )
        return mac, document, signature, block

    mac, document, signature, block = in_instance(fleet, instance_id, look)
    told = json.loads(document)
    assert (told["instance-id"], told["private-ipv4"], told["mac"]) == (instance_id, address, mac)
    assert block == VSWITCH_CIDR
    assert len(base64.b64decode(signature)) > 300


@needs_namespaces
def test_an_instance_reaches_the_object_storage_by_the_endpoint_in_its_environment(fleets):
    fleet = fleets()
    instance_id, _ = serve(fleet)
    (endpoint,) = {environment[settings.OSS_ENDPOINT] for _, environment in environments(fleet, instance_id)}
    content = os.urandom(3 << 20)

    def client(endpoint: str) -> oss.Client:
        config = oss.config.load_default()
        config.credentials_provider = oss.credentials.StaticCredentialsProvider(
            fleet.cloud.access_key_id, fleet.cloud.access_key_secret
        )
        config.region, config.endpoint = REGION, endpoint
        return oss.Client(config)

    def there_and_back() -> bytes:
        inside = client(endpoint)
        inside.put_bucket(oss.PutBucketRequest(bucket="from-inside"))
        inside.put_object(oss.PutObjectRequest(bucket="from-inside", key="a", body=content))
        return inside.get_object(oss.GetObjectRequest(bucket="from-inside", key="a")).body.content

    assert in_instance(fleet, instance_id, there_and_back) == content
    outside = client(f"http://{fleet.cloud.endpoint}")
    found = outside.get_object(oss.GetObjectRequest(bucket="from-inside", key="a"))
    assert found.body.content == content


@needs_namespaces
def test_instances_of_a_killed_cloud_serve_on_and_the_next_one_takes_their_networks_up(fleets, folder):
    fleet = fleets()
    clients, servers = make_group(fleet), make_group(fleet)
    client, _ = serve(fleet, clients)
    server, address = serve(fleet, servers)
    fleet.add({server: 100})
    fleet.listen()
    fleet.wait_healthy(server)
    record = json.loads((folder / "namespaces.json").read_text())

    os.kill(fleet.cloud.pid, signal.SIGKILL)
    wait_until(lambda: daemon.status(folder) is None)
    assert name_at(fleet.address, 8080) == server, "the load balancer serves without a cloud"
    fleet.connect(daemon.start(folder))

    assert {client, server} <= set(fleet.cloud.adopted)
    assert all(network in json.loads((folder / "namespaces.json").read_text()) for network in record)
    assert name_at(fleet.address, 8080) == server
    assert in_instance(fleet, client, lambda: ask("100.100.100.200", 80)[0]) == 200, "metadata is reached"
    assert not passes(fleet, client, address)
    authorize(fleet, servers, source_group_id=clients)
    assert passes(fleet, client, address), "a change of the rules is in force"
    newcomer, _ = serve(fleet, clients)
    assert passes(fleet, newcomer, address), "who boots now is in the same network"


@needs_namespaces
def test_a_running_cloud_keeps_its_host(folder, fleets):
    fleets().run(1)
    with pytest.raises(UsageError, match="the local cloud runs on the namespace host"):
        choose(folder, name="loopback", has_limits=None, is_running=True)
    with pytest.raises(UsageError, match="addresses are those of the namespace host"):
        choose(folder, name="loopback", has_limits=None, is_running=False)


@pytest.mark.slow
def test_all_this_holds_without_root_in_a_user_namespace():
    unshare = shutil.which("unshare")
    if unshare is None or subprocess.run([unshare, "-Urn", "true"], check=False).returncode != 0:
        pytest.skip("this machine allows no user namespaces")
    tests = ["-m", "pytest", "-q", "-p", "no:cacheprovider", "-m", "not slow", __file__]
    command = [unshare, "-Urn", sys.executable, *tests]
    result = subprocess.run(command, capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stdout
    assert "skipped" not in result.stdout
