"""Application and network load balancers before instances that have networks of their own."""

from __future__ import annotations

import http.client
import shutil
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor, wait
from contextlib import closing
from pathlib import Path

import pytest
from alibabacloud_ecs20140526 import models as ecs
from local_fleet import REGION, VPC_CIDR, LocalFleet
from namespace_cloud import in_instance, standing_cloud, standing_fleets
from traffic import wait_until
from zonal_front import FRONT_PORT, ZonalFront

from steelyard.localcloud.faults.client import FaultClient
from steelyard.localcloud.faults.fault import Order
from steelyard.localcloud.hosts.choice import missing_part

MISSING = missing_part()
LATE_PORT = 8001
needs_namespaces = pytest.mark.skipif(bool(MISSING), reason=f"no namespace host here: {MISSING}")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Data folder of a cloud on the namespace host, which runs."""
    folder = tmp_path_factory.mktemp("namespaces") / "cloud"
    with standing_cloud(folder):
        yield folder


@pytest.fixture
def fleet(folder: Path) -> Iterator[LocalFleet]:
    with standing_fleets(folder) as make:
        yield make()


@pytest.fixture(params=["network", "application"])
def front(request: pytest.FixtureRequest, fleet: LocalFleet) -> ZonalFront:
    return ZonalFront(request.param, fleet)


def server_at(address: str, path: str = "/") -> str:
    """Give the instance that answers a request on a connection of its own; the empty text where none does."""
    connection = http.client.HTTPConnection(address, FRONT_PORT, timeout=5)
    try:
        connection.request("GET", path)
        answer = connection.getresponse()
        return answer.read().decode().split(" ")[0] if answer.status == 200 else ""
    except (ConnectionError, http.client.HTTPException):
        return ""
    finally:
        connection.close()


def inside(address: str) -> str:
    """Give the address under which the VPC's instances call a load balancer."""
    return address.replace("127.", "10.", 1)


def route(front: ZonalFront, path: str, group_id: str) -> None:
    """Let an application load balancer send requests of a path to a server group."""
    tuples = {"ServerGroupTuples": [{"ServerGroupId": group_id}]}
    front.call(
        "CreateRule",
        ListenerId=front.listener_id,
        RuleName="by-path",
        Priority=1,
        RuleConditions=[{"Type": "Path", "PathConfig": {"Values": [path]}}],
        RuleActions=[{"Type": "ForwardGroup", "Order": 1, "ForwardGroupConfig": tuples}],
    )


@needs_namespaces
def test_requests_reach_instances_by_rules_from_outside_and_from_within_the_vpc(fleet: LocalFleet) -> None:
    front = ZonalFront("application", fleet)
    first, second = fleet.run(2)
    front.add({first: 100})
    special = front.make_group(fleet.vpc_id)
    front.add({second: 100}, special)
    route(front, "/special/*", special)
    front.wait_healthy(first)  # No rule of a security group lets the check in, nor needs one.
    address = front.address
    wait_until(lambda: server_at(address, "/special/page"), lambda name: name == second)
    calls: list[Callable[[str], str]] = [
        lambda path: server_at(address, path),
        lambda path: in_instance(fleet, second, lambda: server_at(inside(address), path)),
    ]
    for ask in calls:
        assert [ask(path) for path in ("/", "/special/page", "/special")] == [first, second, first]


@needs_namespaces
def test_an_instance_that_dies_or_is_cut_off_is_found_out(fleet: LocalFleet, front: ZonalFront) -> None:
    first, second = fleet.run(2)
    front.add({first: 100, second: 100})
    front.wait_healthy(first, second)
    faults = FaultClient(fleet.cloud)
    faults.make(Order(kind="cut", target=second))
    front.wait_healthy(first)
    assert {server_at(front.address) for _ in range(4)} == {first}
    faults.clear()
    front.wait_healthy(first, second)
    faults.make(Order(kind="kill", target=first))
    front.wait_healthy(second)
    assert {server_at(front.address) for _ in range(4)} == {second}


@needs_namespaces
def test_security_groups_know_clients_of_the_vpc_by_their_addresses(
    fleet: LocalFleet, front: ZonalFront
) -> None:
    first, second = fleet.run(2)
    front.add({first: 100, second: 100})
    front.wait_healthy(first, second)
    address, both = front.address, {first, second}

    def served(client: str) -> bool:
        return in_instance(fleet, client, lambda: server_at(inside(address))) in both

    request = ecs.CreateSecurityGroupRequest(region_id=REGION, vpc_id=fleet.vpc_id)
    group_id = fleet.ecs_client.create_security_group(request).body.security_group_id
    front.call("LoadBalancerJoinSecurityGroup", LoadBalancerId=front.id, SecurityGroupIds=[group_id])

    def let(policy: str, cidr: str, priority: int) -> None:
        fleet.ecs_client.authorize_security_group(
            ecs.AuthorizeSecurityGroupRequest(
                region_id=REGION,
                security_group_id=group_id,
                ip_protocol="TCP",
                port_range=f"{FRONT_PORT}/{FRONT_PORT}",
                source_cidr_ip=cidr,
                policy=policy,
                priority=str(priority),
            )
        )

    let("accept", VPC_CIDR, 10)
    let("drop", "0.0.0.0/0", 100)
    assert (served(first), served(second), server_at(address)) == (True, True, "")
    let("drop", f"{fleet.addresses(first)[first]}/32", 1)
    assert (served(first), served(second)) == (False, True)
    front.call("LoadBalancerLeaveSecurityGroup", LoadBalancerId=front.id, SecurityGroupIds=[group_id])
    assert (served(first), server_at(address) in both) == (True, True)


@needs_namespaces
def test_connections_that_clients_keep_lose_no_request_to_a_change_of_the_listeners(
    fleet: LocalFleet,
) -> None:
    """What comes on them goes through a worker that has been told to stop, from where no instance is reached."""
    front = ZonalFront("application", fleet)
    first, second = fleet.run(2)
    front.add({first: 100, second: 100})
    front.wait_healthy(first, second)
    for port in (FRONT_PORT + 1, FRONT_PORT + 2):
        kept = [http.client.HTTPConnection(front.address, FRONT_PORT, timeout=5) for _ in range(4)]
        seen = [asked(connection) for connection in kept]

        front.listen(port, front.group_id)

        seen += [asked(connection) for connection in kept]
        for connection in kept:
            connection.close()
        assert {(status, client) for status, _, client in seen} == {(200, "127.0.0.1")}
        assert {name for _, name, _ in seen} == {first, second}


@needs_namespaces
def test_what_waits_for_a_server_outlives_a_change_of_the_listeners(
    fleet: LocalFleet, front: ZonalFront
) -> None:
    """A server that refuses is tried again a second later, then by a worker that has been told to stop."""
    (booting,), port = fleet.run(1), FRONT_PORT + 1
    unchecked = {"HealthCheckEnabled": False}
    group_id = str(
        front.call(
            "CreateServerGroup",
            VpcId=fleet.vpc_id,
            ServerGroupName="booting",
            HealthCheckConfig=unchecked,
        )["ServerGroupId"]
    )
    server = {"ServerId": booting, "ServerType": "Ecs", "Port": LATE_PORT, "Weight": 100}
    front.call("AddServersToServerGroup", ServerGroupId=group_id, Servers=[server])
    front.listen(port, group_id)
    address, refused = fleet.addresses(booting)[booting], num_refused(fleet, booting)
    with ThreadPoolExecutor() as pool, closing(http.client.HTTPConnection(front.address, port)) as client:
        status = pool.submit(lambda: asked(client)[0])
        wait_until(lambda: num_refused(fleet, booting) > refused)
        change = pool.submit(front.listen, FRONT_PORT + 2, group_id)
        wait([change], timeout=1.5)  # However long it takes: after the third second nothing waits any more.
        pool.submit(serve_once, fleet, booting, address)
        assert status.result() == 200


def num_refused(fleet: LocalFleet, instance_id: str) -> int:
    """Count the connections that an instance has refused."""
    words = in_instance(fleet, instance_id, lambda: Path("/proc/thread-self/net/snmp").read_text())
    names, numbers = (line.split() for line in words.splitlines() if line.startswith("Tcp:"))
    return int(numbers[names.index("OutRsts")])


def serve_once(fleet: LocalFleet, instance_id: str, address: str) -> None:
    """Answer one request on an instance."""
    with in_instance(fleet, instance_id, lambda: socket.create_server((address, LATE_PORT))) as server:
        server.settimeout(30)
        connection, _ = server.accept()
        with connection:
            connection.recv(4096)
            connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")


def asked(connection: http.client.HTTPConnection) -> tuple[int, str, str]:
    """Give an answer's status, the instance that gave it, and whom that took for its client."""
    connection.request("GET", "/")
    answer = connection.getresponse()
    name, _, client = answer.read().decode().partition(" ")
    return answer.status, name, client.strip()


@pytest.mark.slow
def test_all_this_holds_without_root_in_a_user_namespace() -> None:
    unshare = shutil.which("unshare")
    if unshare is None or subprocess.run([unshare, "-Urn", "true"], check=False).returncode != 0:
        pytest.skip("this machine allows no user namespaces")
    tests = ["-m", "pytest", "-q", "-p", "no:cacheprovider", "-m", "not slow", __file__]
    command = [unshare, "-Urn", sys.executable, *tests]
    result = subprocess.run(command, capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stdout
    assert "skipped" not in result.stdout
