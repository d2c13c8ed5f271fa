"""Load balancers of a scaling group: attached, its members serve behind them; detached, they do not."""

from __future__ import annotations

import pytest
from alibabacloud_alb20200616 import models as alb
from alibabacloud_ess20220222 import models as ess
from alibabacloud_nlb20220430 import models as nlb
from alibabacloud_slb20140515 import models as slb
from contract_fleet import REGION
from contract_sdk import refused, wait_for


class Zonal:
    """A server group of an application or a network load balancer, which there need not be."""

    def __init__(self, client, models, vpc_id: str, **settings: object) -> None:
        self._client, self._models = client, models
        made = client.create_server_group(
            models.CreateServerGroupRequest(
                vpc_id=vpc_id,
                server_group_name="members",
                health_check_config=models.CreateServerGroupRequestHealthCheckConfig(
                    health_check_enabled=False
                ),
                **settings,
            )
        ).body
        self.id = made.server_group_id
        self.settle()

    def settle(self) -> None:
        request = self._models.ListServerGroupsRequest(server_group_ids=[self.id])
        wait_for(
            lambda: self._client.list_server_groups(request).body.server_groups[0].server_group_status,
            lambda status: status == "Available",
        )

    def servers(self) -> dict[str, tuple[int, int]]:
        """Give port and weight of each server."""
        request = self._models.ListServerGroupServersRequest(server_group_id=self.id)
        found = self._client.list_server_group_servers(request).body.servers or []
        return {one.server_id: (one.port, one.weight) for one in found}

    def delete(self) -> None:
        self.settle()
        self._client.delete_server_group(self._models.DeleteServerGroupRequest(server_group_id=self.id))


@pytest.fixture
def application_group(alb_client, scaling):
    sticky = alb.CreateServerGroupRequestStickySessionConfig(sticky_session_enabled=False)
    made = Zonal(alb_client, alb, scaling.fleet.vpc_id, protocol="HTTP", sticky_session_config=sticky)
    yield made
    scaling.clear()  # Its members leave the server group first.
    made.delete()


@pytest.fixture
def network_group(nlb_client, scaling):
    made = Zonal(nlb_client, nlb, scaling.fleet.vpc_id, region_id=REGION, protocol="TCP")
    yield made
    scaling.clear()
    made.delete()


def named(group_id: str) -> dict[str, object]:
    return {"region_id": REGION, "scaling_group_id": group_id}


def set_aside(scaling, group_id: str, ids: list[str]) -> None:
    request = ess.EnterStandbyRequest(scaling_group_id=group_id, instance_ids=ids)
    scaling.wait_activity(scaling.client.enter_standby(request).body.scaling_activity_id)


def take_back(scaling, group_id: str, ids: list[str]) -> None:
    scaling.client.exit_standby(ess.ExitStandbyRequest(scaling_group_id=group_id, instance_ids=ids))


class TestServerGroups:
    def test_of_both_kinds_hold_the_members_from_their_start_to_their_end(
        self, scaling, ess_client, application_group, network_group
    ):
        group_id = scaling.make(is_enabled=False, desired_capacity=2)
        rows = [(application_group, "ALB", 8000, 30), (network_group, "NLB", 9000, 70)]
        ess_client.attach_server_groups(
            ess.AttachServerGroupsRequest(
                **named(group_id),
                server_groups=[
                    ess.AttachServerGroupsRequestServerGroups(
                        server_group_id=one.id, type=kind, port=port, weight=weight
                    )
                    for one, kind, port, weight in rows
                ],
            )
        )
        scaling.enable(group_id, scaling.configure(group_id))
        members = scaling.wait_members(group_id, 2)
        assert application_group.servers() == dict.fromkeys(members, (8000, 30))
        assert network_group.servers() == dict.fromkeys(members, (9000, 70))
        set_aside(scaling, group_id, members[:1])
        assert application_group.servers() == {members[0]: (8000, 0), members[1]: (8000, 30)}
        assert network_group.servers() == {members[0]: (9000, 0), members[1]: (9000, 70)}
        take_back(scaling, group_id, members[:1])
        assert application_group.servers() == dict.fromkeys(members, (8000, 30))
        assert network_group.servers() == dict.fromkeys(members, (9000, 70))
        scaling.modify(group_id, desired_capacity=0)
        scaling.wait_members(group_id, 0)
        assert (application_group.servers(), network_group.servers()) == ({}, {})

    def test_take_and_leave_standing_members_where_that_is_forced(self, scaling, ess_client, network_group):
        group_id = scaling.make(desired_capacity=1)
        (member,) = scaling.wait_members(group_id, 1)
        target = {"server_group_id": network_group.id, "type": "NLB", "port": 8000}
        attach = ess.AttachServerGroupsRequest(
            **named(group_id),
            server_groups=[ess.AttachServerGroupsRequestServerGroups(**target, weight=50)],
        )
        ess_client.attach_server_groups(attach)
        assert network_group.servers() == {}
        attach.force_attach = True
        ess_client.attach_server_groups(attach)
        assert network_group.servers() == {member: (8000, 50)}
        detach = ess.DetachServerGroupsRequest(
            **named(group_id),
            server_groups=[ess.DetachServerGroupsRequestServerGroups(**target)],
        )
        ess_client.detach_server_groups(detach)
        assert network_group.servers() == {member: (8000, 50)}
        ess_client.attach_server_groups(attach)
        detach.force_detach = True
        ess_client.detach_server_groups(detach)
        assert network_group.servers() == {}

    def test_of_application_balancers_have_actions_of_their_own(self, scaling, ess_client, application_group):
        group_id = scaling.make(desired_capacity=1)
        (member,) = scaling.wait_members(group_id, 1)
        target = {"alb_server_group_id": application_group.id, "port": 8000}
        ess_client.attach_alb_server_groups(
            ess.AttachAlbServerGroupsRequest(
                **named(group_id),
                force_attach=True,
                alb_server_groups=[ess.AttachAlbServerGroupsRequestAlbServerGroups(**target, weight=10)],
            )
        )
        assert application_group.servers() == {member: (8000, 10)}
        ess_client.detach_alb_server_groups(
            ess.DetachAlbServerGroupsRequest(
                **named(group_id),
                force_detach=True,
                alb_server_groups=[ess.DetachAlbServerGroupsRequestAlbServerGroups(**target)],
            )
        )
        assert application_group.servers() == {}

    def test_that_never_were_and_kinds_that_there_are_not_are_refused(self, scaling, ess_client):
        group_id = scaling.make(is_enabled=False)

        def attach(kind: str, **settings: object) -> None:
            row = ess.AttachServerGroupsRequestServerGroups(
                **{"server_group_id": "sgp-none", "type": kind, "port": 80, **settings}
            )
            ess_client.attach_server_groups(
                ess.AttachServerGroupsRequest(**named(group_id), server_groups=[row])
            )

        for kind in ("ALB", "NLB"):
            with refused("InvalidServerGroupId.NotFound", 404):
                attach(kind)
        with refused("InvalidParameter", text="Type"):
            attach("CLB")
        with refused("UnsupportedOperation", text="GWLB"):
            attach("GWLB")
        with refused("InvalidParameter", text="Weight"):
            attach("NLB", weight=101)
        with refused("InvalidParameter", text="Port"):
            attach("NLB", port=0)


class TestClassicBalancers:
    def test_take_members_as_their_default_servers(self, scaling, ess_client, fleet):
        balancer_id = fleet.balance().load_balancer_id

        def servers() -> dict[str, int]:
            found = fleet.slb_client.describe_load_balancer_attribute(
                slb.DescribeLoadBalancerAttributeRequest(load_balancer_id=balancer_id)
            ).body.backend_servers.backend_server
            return {one.server_id: one.weight for one in found}

        group_id = scaling.make(desired_capacity=1)
        (member,) = scaling.wait_members(group_id, 1)
        ess_client.attach_load_balancers(
            ess.AttachLoadBalancersRequest(
                scaling_group_id=group_id, load_balancers=[balancer_id], force_attach=True
            )
        )
        assert servers() == {member: 50}
        set_aside(scaling, group_id, [member])
        assert servers() == {member: 0}
        take_back(scaling, group_id, [member])
        assert servers() == {member: 50}
        ess_client.detach_load_balancers(
            ess.DetachLoadBalancersRequest(
                scaling_group_id=group_id, load_balancers=[balancer_id], force_detach=True
            )
        )
        assert servers() == {}

    def test_take_members_into_a_server_group_and_let_them_go(self, scaling, ess_client, fleet):
        balancer_id = fleet.balance().load_balancer_id
        servers_id = fleet.slb_client.create_vserver_group(
            slb.CreateVServerGroupRequest(region_id=REGION, load_balancer_id=balancer_id)
        ).body.vserver_group_id

        def servers() -> dict[str, int]:
            found = fleet.slb_client.describe_vserver_group_attribute(
                slb.DescribeVServerGroupAttributeRequest(region_id=REGION, vserver_group_id=servers_id)
            ).body.backend_servers.backend_server
            return {one.server_id: one.weight for one in found}

        group_id = scaling.make(desired_capacity=1)
        (member,) = scaling.wait_members(group_id, 1)
        attached = ess.AttachVServerGroupsRequestVServerGroupsVServerGroupAttributes(
            vserver_group_id=servers_id, port=8000, weight=40
        )
        ess_client.attach_vserver_groups(
            ess.AttachVServerGroupsRequest(
                **named(group_id),
                force_attach=True,
                vserver_groups=[
                    ess.AttachVServerGroupsRequestVServerGroups(
                        load_balancer_id=balancer_id, vserver_group_attributes=[attached]
                    )
                ],
            )
        )
        assert servers() == {member: 40}
        set_aside(scaling, group_id, [member])
        assert servers() == {member: 0}
        take_back(scaling, group_id, [member])
        assert servers() == {member: 40}
        detached = ess.DetachVServerGroupsRequestVServerGroupsVServerGroupAttributes(
            vserver_group_id=servers_id, port=8000
        )
        ess_client.detach_vserver_groups(
            ess.DetachVServerGroupsRequest(
                **named(group_id),
                force_detach=True,
                vserver_groups=[
                    ess.DetachVServerGroupsRequestVServerGroups(
                        load_balancer_id=balancer_id, vserver_group_attributes=[detached]
                    )
                ],
            )
        )
        assert servers() == {}

    def test_that_never_were_are_refused(self, scaling, ess_client):
        group_id = scaling.make(is_enabled=False)
        with refused("InvalidServerGroupId.NotFound", 404):
            ess_client.attach_load_balancers(
                ess.AttachLoadBalancersRequest(scaling_group_id=group_id, load_balancers=["lb-none"])
            )
