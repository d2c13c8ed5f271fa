"""Load balancers of a cloud that ends: nothing that comes late starts one again."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
from proxy_parts import is_open

from steelyard.localcloud.cloud import Cloud
from steelyard.localcloud.hosts.choice import choose
from steelyard.localcloud.identity import load_identity
from steelyard.localcloud.request import Request
from steelyard.localcloud.services.ecs.actions import EcsService
from steelyard.localcloud.services.ram.actions import RamService
from steelyard.localcloud.services.slb.actions import SlbService
from steelyard.localcloud.services.vpc.actions import VpcService
from steelyard.localcloud.store import Store

PORT = 8000


@pytest.fixture
def cloud(tmp_path: Path) -> Iterator[Cloud]:
    choose(tmp_path, name="loopback", has_limits=None, is_running=False)
    store = Store(tmp_path / "state.sqlite")
    cloud = Cloud(
        data_dir=tmp_path,
        store=store,
        identity=load_identity(store, "cn-hangzhou"),
        endpoint="127.0.0.1:1",
        clock=lambda: 1000.0,
        services=(VpcService, RamService, EcsService, SlbService),
    )
    cloud.start()
    yield cloud
    cloud.stop()


def call(cloud: Cloud, name: str, params: Mapping[str, object]) -> dict[str, Any]:
    """Call an action of SLB in a transaction of its own."""
    service = cloud.service(SlbService)
    request = Request(
        action=name,
        params=params,
        region_id="cn-hangzhou",
        dry_run=False,
        request_id="",
        caller=cloud.identity.root_key(),
    )
    handler: Callable[[Request], dict[str, Any]] = getattr(service, type(service).handlers()[name][1])
    with cloud.transaction():
        return handler(request)


def test_what_changes_around_a_load_balancer_after_its_end_starts_it_no_more(cloud: Cloud) -> None:
    service = cloud.service(SlbService)
    made = call(cloud, "CreateLoadBalancer", {"AddressType": "internet"})
    target = {"LoadBalancerId": made["LoadBalancerId"], "ListenerPort": PORT}
    settings = {"BackendServerPort": PORT, "Bandwidth": -1, "HealthCheckSwitch": "off"}
    call(cloud, "CreateLoadBalancerTCPListener", {**target, **settings})
    call(cloud, "StartLoadBalancerListener", target)
    assert is_open(made["Address"], PORT)
    service.stop()
    with cloud.transaction():
        service.follow(made["LoadBalancerId"])
    assert not is_open(made["Address"], PORT)
