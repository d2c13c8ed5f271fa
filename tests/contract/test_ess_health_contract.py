"""Scaling groups that ask load balancers for their members' health, through the vendor's SDKs."""

from __future__ import annotations

import urllib.request
from collections.abc import Iterator

import pytest
from alibabacloud_alb20200616.client import Client as AlbClient
from alibabacloud_ess20220222 import models as ess
from alibabacloud_ess20220222.client import Client as EssClient
from alibabacloud_nlb20220430.client import Client as NlbClient
from contract_application import Application
from contract_fleet import REGION, encoded
from contract_network import NetworkBalancer
from contract_scaling import Scaling
from contract_sdk import refused, sdk_config, wait_for
from contract_servers import HTTP_PORT, Servers

# It is well until it is asked to be sick.
MORTAL = """#!/usr/bin/env python3
import http.server, os, urllib.request

url = os.environ["STEELYARD_METADATA_URL"] + "/latest/meta-data/private-ipv4"
address = urllib.request.urlopen(url).read().decode()
status = 200


class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        global status
        self.send_response(status)
        self.send_header("Content-Length", "0")
        self.end_headers()
        status = 500 if self.path == "/sicken" else status

    do_HEAD = do_GET

    def log_message(self, *words):
        pass


http.server.ThreadingHTTPServer((address, 8000), Handler).serve_forever()
"""
# The group asks for itself, and is to have seen its member well before that is found sick.
CHECK = {"health_check_enabled": True, "health_check_interval": 1, "unhealthy_threshold": 10}


@pytest.fixture
def beside(ess_client: EssClient, servers: Servers) -> Iterator[Scaling]:
    """Make scaling groups in the network of the standing servers."""
    scaling = Scaling(ess_client, servers.fleet)
    yield scaling
    scaling.clear()


def grow(scaling: Scaling, row: ess.CreateScalingGroupRequestServerGroups, **settings: object) -> str:
    """Make a group of one member that serves behind a server group; gives its id."""
    group_id = scaling.make(is_enabled=False, desired_capacity=1, server_groups=[row], **settings)
    scaling.enable(group_id, scaling.configure(group_id, user_data=encoded(MORTAL)))
    return group_id


def check_that_the_sick_go(scaling: Scaling, group_id: str, is_well) -> None:
    """Let the one member become sick, and wait for another one."""
    (first,) = scaling.wait_members(group_id, 1)
    wait_for(lambda: is_well(first), bool)
    urllib.request.urlopen(f"http://{scaling.fleet.address(first)}:{HTTP_PORT}/sicken", timeout=5).close()
    wait_for(lambda: scaling.ids(group_id), lambda ids: len(ids) == 1 and ids != [first], limit_s=60)
    wait_for(lambda: scaling.fleet.status(first), lambda status: status == "gone")
    request = ess.DescribeScalingActivitiesRequest(region_id=REGION, scaling_group_id=group_id)
    causes = [
        one.cause for one in scaling.client.describe_scaling_activities(request).body.scaling_activities
    ]
    assert any(first in cause and "health check of a load balancer" in cause for cause in causes)


def test_who_fails_the_check_of_a_network_load_balancer_is_replaced(
    beside: Scaling, nlb_client: NlbClient, servers: Servers
) -> None:
    balancer = NetworkBalancer(nlb_client, servers)
    try:
        check = {**CHECK, "health_check_type": "HTTP", "health_check_url": "/healthz"}
        server_group_id = balancer.make_group(check=check)
        listener_id = balancer.listen("TCP", 8080, server_group_id)
        row = ess.CreateScalingGroupRequestServerGroups(
            server_group_id=server_group_id, type="NLB", port=HTTP_PORT, weight=100
        )
        group_id = grow(beside, row, health_check_type="LOAD_BALANCER")
        check_that_the_sick_go(beside, group_id, lambda member: member not in balancer.unhealthy(listener_id))
        beside.clear()
    finally:
        balancer.delete()


def test_who_fails_the_check_of_an_application_load_balancer_is_replaced(
    beside: Scaling, local_cloud, servers: Servers
) -> None:
    application = Application(
        AlbClient(sdk_config(local_cloud)), servers.fleet.vpc_id, list(servers.vswitch_ids)
    )
    try:
        server_group_id = application.group({**CHECK, "health_check_path": "/healthz"})
        listener_id = application.listen(application.balance(), server_group_id)
        row = ess.CreateScalingGroupRequestServerGroups(
            server_group_id=server_group_id, type="ALB", port=HTTP_PORT, weight=100
        )
        group_id = grow(beside, row, health_check_types=["ECS", "LOAD_BALANCER"])
        assert beside.group(group_id).health_check_types == ["ECS", "LOAD_BALANCER"]
        check_that_the_sick_go(
            beside, group_id, lambda member: member not in application.unhealthy(listener_id)
        )
        beside.clear()
    finally:
        application.clear()


def test_the_older_form_weighs_more_than_the_newer(scaling: Scaling) -> None:
    group_id = scaling.make(
        is_enabled=False, health_check_type="NONE", health_check_types=["ECS", "LOAD_BALANCER"]
    )
    group = scaling.group(group_id)
    assert (group.health_check_type, group.health_check_types) == ("NONE", ["NONE"])
    scaling.modify(group_id, health_check_types=["LOAD_BALANCER"])
    group = scaling.group(group_id)
    # The Terraform provider reads the newer form where the older one is not answered.
    assert (group.health_check_type, group.health_check_types) == (None, ["LOAD_BALANCER"])
    scaling.modify(group_id, health_check_type="ECS")
    group = scaling.group(group_id)
    assert (group.health_check_type, group.health_check_types) == ("ECS", ["ECS"])
    with refused("InvalidParameter", text="HealthCheckTypes"):
        scaling.modify(group_id, health_check_types=["PULSE"])
    with refused("InvalidParameter", text="HealthCheckType"):
        scaling.modify(group_id, health_check_type="PULSE")
