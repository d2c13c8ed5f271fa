"""Load balancers of a cloud that ends: nothing that comes late starts one again."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from clocked_cloud import Clock, call, standing_cloud
from proxy_parts import is_open

from steelyard.localcloud.cloud import Cloud
from steelyard.localcloud.hosts.choice import choose
from steelyard.localcloud.services.ecs.actions import EcsService
from steelyard.localcloud.services.ram.actions import RamService
from steelyard.localcloud.services.slb.actions import SlbService
from steelyard.localcloud.services.vpc.actions import VpcService

PORT = 8000


@pytest.fixture
def cloud(tmp_path: Path) -> Iterator[Cloud]:
    choose(tmp_path, name="loopback", has_limits=None, is_running=False)
    services = (VpcService, RamService, EcsService, SlbService)
    with standing_cloud(tmp_path, Clock(), *services) as cloud:
        cloud.start()
        yield cloud


def test_what_changes_around_a_load_balancer_after_its_end_starts_it_no_more(cloud: Cloud) -> None:
    service = cloud.service(SlbService)
    made = call(service, "create_load_balancer", "", AddressType="internet")
    target = {"LoadBalancerId": made["LoadBalancerId"], "ListenerPort": PORT}
    settings = {"BackendServerPort": PORT, "Bandwidth": -1, "HealthCheckSwitch": "off"}
    call(service, "create_tcp_listener", "", **target, **settings)
    call(service, "start_listener", "", **target)
    assert is_open(made["Address"], PORT)
    service.stop()
    with cloud.transaction():
        service.follow(made["LoadBalancerId"])
    assert not is_open(made["Address"], PORT)
