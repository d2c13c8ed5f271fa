"""Security groups of network and application load balancers: whose connections their listeners take."""

from __future__ import annotations

import http.client
import socket
from collections.abc import Callable
from dataclasses import dataclass

import pytest
from alibabacloud_alb20200616 import models as alb
from alibabacloud_alb20200616.client import Client as AlbClient
from alibabacloud_ecs20140526 import models as ecs
from alibabacloud_nlb20220430 import models as nlb
from contract_application import Application, ask
from contract_fleet import REGION
from contract_network import NetworkBalancer
from contract_sdk import refused, sdk_config
from contract_servers import UDP_PORT

ALL = "0.0.0.0/0"


@dataclass(frozen=True, kw_only=True)
class Front:
    """A load balancer of either kind with listeners for TCP on the ports 8080 and 8081.

    Attributes:
        join: Puts it into security groups, and waits until that is done.
        leave: Takes it out of them.
        group_ids: Gives the groups that it is in.
    """

    address: str
    join: Callable[..., None]
    leave: Callable[..., None]
    group_ids: Callable[[], list[str]]

    def lets_in(self, source: str = "127.0.0.1", port: int = 8080) -> bool:
        """Tell whether a client of this address is served."""
        try:
            return ask(self.address, port, source=source).status == 200
        except (ConnectionError, http.client.HTTPException):
            return False


@pytest.fixture
def network(nlb_client, servers):
    balancer = NetworkBalancer(nlb_client, servers)
    yield balancer
    balancer.delete()


@pytest.fixture
def network_front(network):
    group_id = network.make_group()
    for port in (8080, 8081):
        network.listen("TCP", port, group_id)
    return network_front_of(network)


def network_front_of(network: NetworkBalancer) -> Front:
    client, names = network.client, {"region_id": REGION, "load_balancer_id": network.id}

    def change(call, request_class, group_ids):
        done = call(request_class(**names, security_group_ids=list(group_ids))).body
        assert client.get_job_status(nlb.GetJobStatusRequest(job_id=done.job_id)).body.status == "Succeeded"

    return Front(
        address=network.address,
        join=lambda *ids: change(
            client.load_balancer_join_security_group, nlb.LoadBalancerJoinSecurityGroupRequest, ids
        ),
        leave=lambda *ids: change(
            client.load_balancer_leave_security_group, nlb.LoadBalancerLeaveSecurityGroupRequest, ids
        ),
        group_ids=lambda: (
            client.get_load_balancer_attribute(
                nlb.GetLoadBalancerAttributeRequest(**names)
            ).body.security_group_ids
        ),
    )


@pytest.fixture
def application_front(local_cloud, servers):
    client = AlbClient(sdk_config(local_cloud))
    application = Application(client, servers.fleet.vpc_id, list(servers.vswitch_ids))
    balancer_id = application.balance()
    group_id = application.group(servers=dict.fromkeys(servers.ids, 100))
    for port in (8080, 8081):
        application.listen(balancer_id, group_id, port)

    def change(call, request_class, group_ids):
        done = call(request_class(load_balancer_id=balancer_id, security_group_ids=list(group_ids))).body
        application.wait_job(done.job_id)

    yield Front(
        address=application.address(balancer_id),
        join=lambda *ids: change(
            client.load_balancer_join_security_group, alb.LoadBalancerJoinSecurityGroupRequest, ids
        ),
        leave=lambda *ids: change(
            client.load_balancer_leave_security_group, alb.LoadBalancerLeaveSecurityGroupRequest, ids
        ),
        group_ids=lambda: application.describe(balancer_id).security_group_ids,
    )
    application.clear()


@pytest.fixture(params=["network", "application"])
def front(request):
    return request.getfixturevalue(f"{request.param}_front")


class Groups:
    """Security groups of the servers' VPC, by the names of the tests' verbs."""

    def __init__(self, client, vpc_id: str) -> None:
        self.client, self._vpc_id = client, vpc_id
        self.made: list[str] = []

    def make(self, kind: str = "normal", vpc_id: str = "") -> str:
        request = ecs.CreateSecurityGroupRequest(
            region_id=REGION, vpc_id=vpc_id or self._vpc_id, security_group_type=kind
        )
        self.made.append(self.client.create_security_group(request).body.security_group_id)
        return self.made[-1]

    def let(self, group_id: str, policy: str, source: str = ALL, **settings: str) -> None:
        self.client.authorize_security_group(
            self._rule(ecs.AuthorizeSecurityGroupRequest, group_id, policy, source, **settings)
        )

    def revoke(self, group_id: str, policy: str, source: str = ALL, **settings: str) -> None:
        self.client.revoke_security_group(
            self._rule(ecs.RevokeSecurityGroupRequest, group_id, policy, source, **settings)
        )

    def delete(self, group_id: str) -> None:
        self.client.delete_security_group(
            ecs.DeleteSecurityGroupRequest(region_id=REGION, security_group_id=group_id)
        )
        self.made.remove(group_id)

    @staticmethod
    def _rule(request_class, group_id: str, policy: str, source: str, **settings: str):
        rule = {"ip_protocol": "TCP", "port_range": "1/65535", "priority": "1", "source_cidr_ip": source}
        return request_class(
            region_id=REGION, security_group_id=group_id, policy=policy, **{**rule, **settings}
        )


@pytest.fixture
def groups(ecs_client, servers, request):
    groups = Groups(ecs_client, servers.fleet.vpc_id)
    yield groups
    # The load balancers are gone by now where they were asked for after this one.
    for group_id in list(groups.made):
        groups.delete(group_id)


def test_keep_nobody_out_until_a_rule_drops_and_then_who_no_rule_drops_comes_in(groups, front):
    group_id = groups.make()
    groups.let(group_id, "accept", "127.0.0.2/32")
    front.join(group_id)
    assert front.lets_in("127.0.0.1")
    groups.let(group_id, "drop", "127.0.0.0/29", priority="2")
    assert [front.lets_in(f"127.0.0.{number}") for number in (1, 2, 8)] == [False, True, True]
    groups.let(group_id, "drop", "127.0.0.2/32")
    assert not front.lets_in("127.0.0.2")  # At the same priority Drop comes first.
    groups.revoke(group_id, "drop", "127.0.0.2/32")
    groups.let(group_id, "drop", priority="100")
    assert [front.lets_in(f"127.0.0.{number}") for number in (1, 2, 8)] == [False, True, False]
    front.leave(group_id)
    assert front.lets_in("127.0.0.1")


def test_mean_the_ports_and_the_protocol_that_their_rules_say(groups, front):
    group_id = groups.make("enterprise")
    front.join(group_id)
    groups.let(group_id, "drop", port_range="8081/8090")
    groups.let(group_id, "drop", ip_protocol="UDP")
    assert [front.lets_in(port=port) for port in (8080, 8081)] == [True, False]
    groups.let(group_id, "drop", ip_protocol="ALL", port_range="-1/-1", priority="50")
    assert [front.lets_in(port=port) for port in (8080, 8081)] == [False, False]


def test_know_the_members_of_a_source_group_as_they_come_and_go(groups, front, servers, ecs_client):
    clients, group_id = groups.make(), groups.make()
    groups.let(group_id, "accept", "", source_group_id=clients)
    groups.let(group_id, "drop", priority="2")
    front.join(group_id)
    member, address = next(iter(servers.addresses.items()))
    assert not front.lets_in(address)

    def regroup(*group_ids: str) -> None:
        ecs_client.modify_instance_attribute(
            ecs.ModifyInstanceAttributeRequest(instance_id=member, security_group_ids=list(group_ids))
        )

    regroup(servers.fleet.group_id, clients)
    try:
        assert front.lets_in(address)
        assert not front.lets_in("127.0.0.1")
    finally:
        regroup(servers.fleet.group_id)
    assert not front.lets_in(address)
    front.leave(group_id)
    groups.delete(group_id)


def test_of_several_are_one_list_by_priority(groups, front):
    first, second = groups.make(), groups.make()
    groups.let(first, "drop", priority="10")
    groups.let(second, "accept", "127.0.0.2/32", priority="5")
    front.join(first)
    front.join(second)
    assert front.group_ids() == [first, second]
    assert [front.lets_in(f"127.0.0.{number}") for number in (1, 2)] == [False, True]
    front.leave(first)
    assert front.lets_in("127.0.0.1")


def test_touch_no_connection_that_is_open(groups, front):
    group_id = groups.make()
    front.join(group_id)
    client = http.client.HTTPConnection(front.address, 8080, timeout=5)
    client.request("GET", "/")
    assert client.getresponse().read()
    groups.let(group_id, "drop")
    assert not front.lets_in()
    client.request("GET", "/")
    assert client.getresponse().read()
    client.close()


def test_that_a_load_balancer_is_in_are_not_deleted(groups, front):
    group_id = groups.make()
    front.join(group_id)
    with refused("DependencyViolation", 403, "load balancer"):
        groups.delete(group_id)
    front.leave(group_id)
    groups.delete(group_id)


def test_that_cannot_be_are_refused(groups, front, make_vpc, ecs_client):
    own = [groups.make() for _ in range(5)]
    with refused("InvalidParameter", text="at most 4"):
        front.join(*own)
    front.join(own[0])
    with refused("InvalidParameter", text="of one type"):
        front.join(groups.make("enterprise"))
    with refused("InvalidSecurityGroupId.NotFound", 404):
        front.join("sg-none")
    elsewhere = groups.make(vpc_id=make_vpc("10.79.0.0/16"))
    with refused("InvalidParameter.Mismatch"):
        front.join(elsewhere)
    groups.delete(elsewhere)
    assert front.group_ids() == [own[0]]


def test_keep_datagrams_out_as_well(groups, network):
    network.listen("UDP", 5353, network.make_group(UDP_PORT, protocol="UDP"))
    group_id = groups.make()
    network_front_of(network).join(group_id)

    def is_answered(source: str, within_s: float = 0.5) -> bool:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as client:
            client.bind((source, 0))
            client.settimeout(within_s)
            client.sendto(b"hello", (network.address, 5353))
            try:
                return bool(client.recv(100))
            except TimeoutError:
                return False

    assert is_answered("127.0.0.1", within_s=5)
    groups.let(group_id, "drop", "127.0.0.1/32", ip_protocol="UDP")
    assert (is_answered("127.0.0.1"), is_answered("127.0.0.2", within_s=5)) == (False, True)
    groups.let(group_id, "accept", "127.0.0.1/32", ip_protocol="TCP")
    assert not is_answered("127.0.0.1")
