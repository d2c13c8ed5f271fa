"""The states of application load balancers and of what belongs to them, by a clock that the test moves."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from clocked_cloud import START as NOW
from clocked_cloud import Clock, standing_cloud
from clocked_cloud import call as ask

from steelyard.localcloud.service import ApiError
from steelyard.localcloud.services.alb.actions import AlbService
from steelyard.localcloud.services.alb.models import Acl, Listener, LoadBalancer, Rule, ServerGroup
from steelyard.localcloud.services.alb.setting import read_check, read_group, read_listener
from steelyard.localcloud.services.ecs.actions import EcsService
from steelyard.localcloud.services.zonal.models import ACTIVE, INTRANET

COMMON = {"created_at": NOW, "region_id": "cn-hangzhou", "settling_as": "Configuring"}


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def alb(tmp_path: Path, clock: Clock) -> Iterator[AlbService]:
    """The service with one of each thing, all of which take in a change for ten seconds."""
    with standing_cloud(tmp_path, clock, EcsService, AlbService) as cloud:
        alb = cloud.services["alb"]
        assert isinstance(alb, AlbService)
        settling = {**COMMON, "settled_at": NOW + 10}
        with cloud.transaction():
            alb.load_balancers.put(
                LoadBalancer(
                    **settling,
                    id="alb-1",
                    name="front",
                    address_type=INTRANET,
                    vpc_id="vpc-1",
                    zones=({"ZoneId": "h", "VSwitchId": "vsw-1", "PrivateIPv4Address": "127.1.0.10"},),
                    status=ACTIVE,
                    edition="Standard",
                    address_allocated_mode="Fixed",
                    deletion_protection={"Enabled": False},
                    modification_protection={},
                    security_group_ids=(),
                    resource_group_id="",
                )
            )
            alb.server_groups.put(
                ServerGroup(
                    **settling,
                    id="sgp-1",
                    vpc_id="vpc-1",
                    name="nodes",
                    settings=read_group({}),
                    check=read_check({}),
                )
            )
            alb.listeners.put(
                Listener(
                    **settling,
                    id="lsn-1",
                    load_balancer_id="alb-1",
                    server_group_id="sgp-1",
                    port=80,
                    is_running=True,
                    settings=read_listener({}),
                    protocol="HTTP",
                )
            )
            alb.rules.put(
                Rule(
                    **settling,
                    id="rule-1",
                    load_balancer_id="alb-1",
                    listener_id="lsn-1",
                    name="rule",
                    priority=1,
                    conditions=(),
                    actions=({"Type": "FixedResponse", "Order": 1, "FixedResponseConfig": {}},),
                )
            )
            alb.acls.put(Acl(**settling, id="acl-1", name="clients", resource_group_id=""))
        yield alb


def test_a_state_is_told_until_the_change_is_taken_in(alb, clock):
    def states() -> list[object]:
        return [
            ask(alb, "get_load_balancer_attribute", LoadBalancerId="alb-1")["LoadBalancerStatus"],
            ask(alb, "get_listener_attribute", ListenerId="lsn-1")["ListenerStatus"],
            ask(alb, "list_server_groups")["ServerGroups"][0]["ServerGroupStatus"],
            ask(alb, "list_rules")["Rules"][0]["RuleStatus"],
            ask(alb, "list_acls")["Acls"][0]["AclStatus"],
        ]

    assert states() == ["Configuring"] * 5
    clock.now += 10
    assert states() == ["Active", "Running", "Available", "Available", "Available"]


@pytest.mark.parametrize(
    ("method", "params", "code"),
    [
        ("delete_load_balancer", {"LoadBalancerId": "alb-1"}, "IncorrectStatus.LoadBalancer"),
        ("update_load_balancer_attribute", {"LoadBalancerId": "alb-1"}, "IncorrectStatus.LoadBalancer"),
        ("enable_deletion_protection", {"ResourceId": "alb-1"}, "IncorrectStatus.LoadBalancer"),
        ("create_listener", {"LoadBalancerId": "alb-1"}, "IncorrectStatus.LoadBalancer"),
        ("update_listener_attribute", {"ListenerId": "lsn-1"}, "IncorrectStatus.Listener"),
        ("start_listener", {"ListenerId": "lsn-1"}, "IncorrectStatus.Listener"),
        ("stop_listener", {"ListenerId": "lsn-1"}, "IncorrectStatus.Listener"),
        ("delete_listener", {"ListenerId": "lsn-1"}, "ResourceInConfiguring.Listener"),
        ("associate_acls", {"ListenerId": "lsn-1"}, "ResourceInConfiguring.Listener"),
        ("create_rule", {"ListenerId": "lsn-1"}, "ResourceInConfiguring.Listener"),
        ("update_rule_attribute", {"RuleId": "rule-1"}, "ResourceInConfiguring.Listener"),
        ("delete_rule", {"RuleId": "rule-1"}, "ResourceInConfiguring.Listener"),
        ("add_servers", {"ServerGroupId": "sgp-1"}, "IncorrectStatus.ServerGroup"),
        ("update_server_group_attribute", {"ServerGroupId": "sgp-1"}, "IncorrectStatus.ServerGroup"),
        ("delete_server_group", {"ServerGroupId": "sgp-1"}, "IncorrectStatus.ServerGroup"),
        ("add_entries", {"AclId": "acl-1"}, "IncorrectStatus.Acl"),
        ("delete_acl", {"AclId": "acl-1"}, "IncorrectStatus.Acl"),
    ],
)
def test_nothing_is_changed_that_takes_in_an_earlier_change(alb, method, params, code):
    with pytest.raises(ApiError) as caught:
        ask(alb, method, **params)
    assert (caught.value.code, caught.value.status) == (code, 400)


def test_the_clouds_own_services_change_a_server_group_without_a_wait(alb):
    with pytest.raises(ApiError) as caught:
        ask(alb, "delete_server_group", request_id="", ServerGroupId="sgp-1")
    # It is past its state, and stopped by the listener.
    assert caught.value.code == "ResourceInUse.ServerGroup"


def test_a_change_is_a_job_that_is_told_as_done_once_it_is_taken_in(alb, clock):
    clock.now += 10
    job_id = ask(alb, "update_load_balancer_attribute", LoadBalancerId="alb-1", LoadBalancerName="b1")[
        "JobId"
    ]

    def status(**filters: object) -> list[object]:
        return [job["Status"] for job in ask(alb, "list_asyn_jobs", **filters)["Jobs"]]

    assert status(JobIds=[job_id]) == ["Processing"]
    clock.now += alb.settle_s
    assert status(JobIds=[job_id], ResourceType="loadbalancer", ResourceIds=["alb-1"]) == ["Succeeded"]
    assert status(JobIds=["none"]) == []
    assert status(BeginTime=int(clock.now * 1000) + 1) == []
