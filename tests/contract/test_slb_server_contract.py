"""Servers of classic load balancers: their groups, weights and health."""

from __future__ import annotations

import json
import os
import signal
from contextlib import suppress

import psutil
import pytest
from alibabacloud_ecs20140526 import models as ecs
from alibabacloud_slb20140515 import models
from contract_classic import NOT_FOUND, named
from contract_fleet import REGION, SERVER
from contract_sdk import refused, wait_for


class TestServers:
    def test_weights_are_kept_changed_and_removed(self, fleet, balancer):
        first, second = fleet.run(amount=2)
        balancer.add(**{named(first): 100, named(second): 50})
        assert balancer.servers() == {first: 100, second: 50}
        balancer.client.set_vserver_group_attribute(
            models.SetVServerGroupAttributeRequest(
                region_id=REGION,
                vserver_group_id=balancer.group_id,
                backend_servers=json.dumps([{"ServerId": first, "Port": 8000, "Weight": 0}]),
            )
        )
        assert balancer.servers() == {first: 0, second: 50}
        balancer.client.modify_vserver_group_backend_servers(
            models.ModifyVServerGroupBackendServersRequest(
                region_id=REGION,
                vserver_group_id=balancer.group_id,
                old_backend_servers=json.dumps([{"ServerId": second, "Port": 8000}]),
                new_backend_servers=json.dumps([{"ServerId": second, "Port": 8001, "Weight": 7}]),
            )
        )
        assert balancer.servers() == {first: 0, second: 7}
        balancer.client.remove_vserver_group_backend_servers(
            models.RemoveVServerGroupBackendServersRequest(
                region_id=REGION,
                vserver_group_id=balancer.group_id,
                backend_servers=json.dumps([{"ServerId": first, "Port": 8000}]),
            )
        )
        assert balancer.servers() == {second: 7}

    @pytest.mark.parametrize("weight", [-1, 101])
    def test_a_weight_is_from_0_to_100(self, fleet, balancer, weight):
        (instance_id,) = fleet.run()
        with refused("InvalidParameter", text="from 0 to 100"):
            balancer.add(**{named(instance_id): weight})

    def test_only_running_instances_are_added(self, fleet, balancer):
        with refused("InvalidServerId.NotFound", 404):
            balancer.add(i_none=100)

    def test_default_servers_take_the_listeners_port(self, fleet, balancer):
        (instance_id,) = fleet.run(SERVER)
        done = balancer.client.add_backend_servers(
            models.AddBackendServersRequest(
                load_balancer_id=balancer.id,
                backend_servers=json.dumps([{"ServerId": instance_id, "Weight": "100"}]),
            )
        ).body
        assert done.load_balancer_id == balancer.id
        balancer.listen(vserver_group_id=None, backend_server_port=8000)
        balancer.wait_health(**{named(instance_id): "normal"})
        assert balancer.get() == 200
        balancer.client.set_backend_servers(
            models.SetBackendServersRequest(
                load_balancer_id=balancer.id,
                backend_servers=json.dumps([{"ServerId": instance_id, "Weight": "0"}]),
            )
        )
        attribute = balancer.client.describe_load_balancer_attribute(
            models.DescribeLoadBalancerAttributeRequest(load_balancer_id=balancer.id)
        ).body
        assert [(s.server_id, s.weight) for s in attribute.backend_servers.backend_server] == [
            (instance_id, 0)
        ]
        balancer.client.remove_backend_servers(
            models.RemoveBackendServersRequest(
                load_balancer_id=balancer.id, backend_servers=json.dumps([instance_id])
            )
        )
        assert balancer.health() == {}

    def test_a_group_stays_while_a_listener_uses_it(self, balancer):
        balancer.listen()
        delete = models.DeleteVServerGroupRequest(region_id=REGION, vserver_group_id=balancer.group_id)
        with refused("RspoolVipExist"):
            balancer.client.delete_vserver_group(delete)
        (group,) = balancer.client.describe_vserver_groups(
            models.DescribeVServerGroupsRequest(
                region_id=REGION, load_balancer_id=balancer.id, include_listener=True
            )
        ).body.vserver_groups.vserver_group
        assert [listener.port for listener in group.associated_objects.listeners.listener] == [8080]
        balancer.client.delete_load_balancer_listener(
            models.DeleteLoadBalancerListenerRequest(
                load_balancer_id=balancer.id, listener_port=8080, listener_protocol="http"
            )
        )
        balancer.client.delete_vserver_group(delete)
        with refused("InvalidParameter", 404, "VServerGroupId does not exist"):
            balancer.client.delete_vserver_group(delete)


class TestHealth:
    def test_follows_what_the_checks_find(self, fleet, balancer, local_cloud):
        first, second = fleet.run(SERVER, amount=2)
        balancer.add(**{named(first): 100, named(second): 100})
        balancer.listen(8081, health_check_interval=50)
        assert set(balancer.health(listener_port=8081).values()) <= {"unavailable", "abnormal"}
        balancer.client.delete_load_balancer_listener(
            models.DeleteLoadBalancerListenerRequest(load_balancer_id=balancer.id, listener_port=8081)
        )
        balancer.listen()
        balancer.wait_health(**{named(first): "normal", named(second): "normal"})
        assert balancer.get() == 200

        kill_server(local_cloud, first)

        balancer.wait_health(**{named(first): "abnormal", named(second): "normal"})
        assert fleet.status(first) == "Running"
        assert {balancer.get() for _ in range(5)} == {200}

    def test_a_released_instance_leaves_its_groups(self, fleet, balancer):
        first, second = fleet.run(SERVER, amount=2)
        balancer.add(**{named(first): 100, named(second): 100})
        balancer.listen()
        fleet.delete(first)
        assert balancer.servers() == {second: 100}
        assert set(balancer.health()) == {second}

    def test_a_stopped_instance_stays_in_its_groups_and_is_unhealthy(self, fleet, balancer):
        (instance_id,) = fleet.run(SERVER)
        balancer.add(**{named(instance_id): 100})
        balancer.listen()
        balancer.wait_health(**{named(instance_id): "normal"})
        fleet.ecs_client.stop_instance(ecs.StopInstanceRequest(instance_id=instance_id, force_stop=True))
        balancer.wait_health(**{named(instance_id): "abnormal"})
        fleet.wait_status(instance_id, "Stopped")
        fleet.ecs_client.start_instance(ecs.StartInstanceRequest(instance_id=instance_id))
        balancer.wait_health(**{named(instance_id): "normal"})

    def test_a_listener_without_a_check_knows_nothing(self, fleet, balancer):
        (instance_id,) = fleet.run(SERVER)
        balancer.add(**{named(instance_id): 100})
        balancer.listen(health_check="off")
        assert balancer.health(listener_port=8080) == {instance_id: "unavailable"}
        wait_for(balancer.get, lambda status: status == 200)
        with refused("InvalidParameter", 404, NOT_FOUND):
            balancer.health(listener_port=99)


def kill_server(cloud, instance_id: str) -> None:
    """Kill the process that an instance's user data became, with SIGKILL."""
    home = f"{cloud.data_dir}/instances/{instance_id}/"
    inside = []
    for process in psutil.Process(cloud.pid).children(recursive=True):
        with suppress(psutil.Error):  # Others come and go.
            if process.environ().get("HOME", "").startswith(home):
                inside.append(process)
    assert inside, f"{instance_id} has no process"
    os.kill(inside[-1].pid, signal.SIGKILL)
