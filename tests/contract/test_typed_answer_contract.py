"""Answers have the types that the vendor's classes declare, so that a client in a language with types reads them.

The Python SDK takes any value for any field; those for Go, Java and TypeScript do not.
"""

from __future__ import annotations

import types
import typing
from collections.abc import Callable, Iterator

import pytest
from alibabacloud_ecs20140526 import models as ecs
from alibabacloud_ess20220222 import models as ess
from alibabacloud_nlb20220430 import models as nlb
from alibabacloud_ram20150501 import models as ram
from alibabacloud_slb20140515 import models as slb
from alibabacloud_vpc20160428 import models as vpc
from contract_balancer import ClassicBalancer
from contract_fleet import REGION
from contract_network import NetworkBalancer
from contract_scaling import Scaling
from contract_servers import Servers
from darabonba.model import DaraModel

HERE = {"region_id": REGION}


def mistyped(value: object, hint: object, path: str) -> Iterator[str]:
    """Name each value that is not what its class declares."""
    if value is None or hint is typing.Any:
        return
    origin, arguments = typing.get_origin(hint), typing.get_args(hint)
    if origin in (typing.Union, types.UnionType):
        yield from mistyped(value, next(one for one in arguments if one is not type(None)), path)
    elif origin is list:
        yield from (
            [f"{path} is no list: {value!r}"]
            if not isinstance(value, list)
            else (
                found
                for i, item in enumerate(value)
                for found in mistyped(item, arguments[0], f"{path}[{i}]")
            )
        )
    elif origin is dict:
        if not isinstance(value, dict):
            yield f"{path} is no map: {value!r}"
    elif isinstance(hint, type) and issubclass(hint, DaraModel):
        if not isinstance(value, hint):
            yield f"{path} is no {hint.__name__}: {value!r}"
            return
        for name, field in typing.get_type_hints(hint.__init__).items():
            if name != "return":
                yield from mistyped(getattr(value, name), field, f"{path}.{name}")
    elif isinstance(hint, type) and (
        not isinstance(value, (int, float) if hint is float else hint)
        or (isinstance(value, bool) and hint is not bool)
    ):
        yield f"{path} is {value!r} and no {hint.__name__}"


def num_values(value: object) -> int:
    """Count the plain values of an answer."""
    if isinstance(value, DaraModel):
        return sum(num_values(one) for one in vars(value).values())
    if isinstance(value, list):
        return sum(map(num_values, value))
    return int(value is not None)


@pytest.fixture
def balancer(servers: Servers) -> Iterator[ClassicBalancer]:
    made = ClassicBalancer(servers)
    made.add_servers()
    made.listen("http", 8080)
    yield made
    made.delete()


@pytest.fixture
def network(nlb_client, servers: Servers) -> Iterator[NetworkBalancer]:
    made = NetworkBalancer(nlb_client, servers)
    made.listen("TCP", 8080, made.make_group())
    yield made
    made.delete()


def assert_typed(*calls: tuple[Callable[..., object], object]) -> None:
    """Check each answer, and that there was something to check."""
    for call, request in calls:
        body = call(request).body
        assert list(mistyped(body, type(body), type(body).__name__)) == []
        assert num_values(body) > 3, type(body).__name__


def test_answers_of_vpc(vpc_client, servers: Servers) -> None:
    vpc_id = servers.fleet.vpc_id
    assert_typed(
        (vpc_client.describe_vpcs, vpc.DescribeVpcsRequest(**HERE, vpc_id=vpc_id)),
        (vpc_client.describe_vpc_attribute, vpc.DescribeVpcAttributeRequest(**HERE, vpc_id=vpc_id)),
        (vpc_client.describe_vswitches, vpc.DescribeVSwitchesRequest(**HERE, vpc_id=vpc_id)),
        (
            vpc_client.describe_vswitch_attributes,
            vpc.DescribeVSwitchAttributesRequest(v_switch_id=servers.vswitch_ids[0]),
        ),
        (vpc_client.describe_route_table_list, vpc.DescribeRouteTableListRequest(**HERE, vpc_id=vpc_id)),
    )


def test_answers_of_ecs(ecs_client, servers: Servers) -> None:
    instance_id, group_id = servers.ids[0], servers.fleet.group_id
    assert_typed(
        (ecs_client.describe_instances, ecs.DescribeInstancesRequest(**HERE)),
        (
            ecs_client.describe_instance_attribute,
            ecs.DescribeInstanceAttributeRequest(instance_id=instance_id),
        ),
        (ecs_client.describe_instance_status, ecs.DescribeInstanceStatusRequest(**HERE)),
        (ecs_client.describe_disks, ecs.DescribeDisksRequest(**HERE)),
        (ecs_client.describe_network_interfaces, ecs.DescribeNetworkInterfacesRequest(**HERE)),
        (ecs_client.describe_security_groups, ecs.DescribeSecurityGroupsRequest(**HERE)),
        (
            ecs_client.describe_security_group_attribute,
            ecs.DescribeSecurityGroupAttributeRequest(**HERE, security_group_id=group_id),
        ),
        (ecs_client.describe_instance_types, ecs.DescribeInstanceTypesRequest()),
        (ecs_client.describe_images, ecs.DescribeImagesRequest(**HERE)),
        (ecs_client.describe_zones, ecs.DescribeZonesRequest(**HERE)),
        (ecs_client.describe_regions, ecs.DescribeRegionsRequest()),
    )


def test_answers_of_a_classic_load_balancer(slb_client, balancer: ClassicBalancer) -> None:
    named = {"load_balancer_id": balancer.id}
    assert_typed(
        (slb_client.describe_load_balancers, slb.DescribeLoadBalancersRequest(**HERE)),
        (slb_client.describe_load_balancer_attribute, slb.DescribeLoadBalancerAttributeRequest(**named)),
        (
            slb_client.describe_load_balancer_httplistener_attribute,
            slb.DescribeLoadBalancerHTTPListenerAttributeRequest(**named, listener_port=8080),
        ),
        (slb_client.describe_vserver_groups, slb.DescribeVServerGroupsRequest(**HERE, **named)),
        (
            slb_client.describe_vserver_group_attribute,
            slb.DescribeVServerGroupAttributeRequest(**HERE, vserver_group_id=balancer.group_id),
        ),
        (slb_client.describe_health_status, slb.DescribeHealthStatusRequest(**HERE, **named)),
    )


def test_answers_of_a_network_load_balancer(nlb_client, network: NetworkBalancer) -> None:
    assert_typed(
        (nlb_client.list_load_balancers, nlb.ListLoadBalancersRequest(**HERE)),
        (
            nlb_client.get_load_balancer_attribute,
            nlb.GetLoadBalancerAttributeRequest(**HERE, load_balancer_id=network.id),
        ),
        (nlb_client.list_listeners, nlb.ListListenersRequest(**HERE)),
        (nlb_client.list_server_groups, nlb.ListServerGroupsRequest(**HERE)),
        (nlb_client.list_server_group_servers, nlb.ListServerGroupServersRequest(**HERE)),
    )


def test_answers_of_auto_scaling(ess_client, scaling: Scaling) -> None:
    group_id = scaling.make(desired_capacity=1)
    scaling.wait_members(group_id, 1)
    named = {**HERE, "scaling_group_id": group_id}
    assert_typed(
        (ess_client.describe_scaling_groups, ess.DescribeScalingGroupsRequest(**HERE)),
        (ess_client.describe_scaling_instances, ess.DescribeScalingInstancesRequest(**named)),
        (ess_client.describe_scaling_activities, ess.DescribeScalingActivitiesRequest(**named)),
        (ess_client.describe_scaling_configurations, ess.DescribeScalingConfigurationsRequest(**named)),
    )


def test_answers_of_ram(ram_client) -> None:
    assert_typed(
        (ram_client.list_policies, ram.ListPoliciesRequest()),
        (
            ram_client.get_policy,
            ram.GetPolicyRequest(policy_name="AdministratorAccess", policy_type="System"),
        ),
    )


def test_a_value_of_another_type_is_noticed() -> None:
    body = vpc.DescribeVpcsResponseBody(total_count="1", page_number=True, request_id=7)
    found = list(mistyped(body, type(body), "body"))
    assert sorted(text.split(" ")[0] for text in found) == [
        "body.page_number",
        "body.request_id",
        "body.total_count",
    ]
