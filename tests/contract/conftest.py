from __future__ import annotations

import uuid
from collections.abc import Callable, Iterator
from pathlib import Path

import alibabacloud_oss_v2 as oss
import pytest
from alibabacloud_alb20200616.client import Client as AlbClient
from alibabacloud_cms20190101.client import Client as CmsClient
from alibabacloud_ecs20140526 import models as ecs_models
from alibabacloud_ecs20140526.client import Client as EcsClient
from alibabacloud_ess20220222.client import Client as EssClient
from alibabacloud_nas20170626.client import Client as NasClient
from alibabacloud_nlb20220430.client import Client as NlbClient
from alibabacloud_ram20150501.client import Client as RamClient
from alibabacloud_slb20140515.client import Client as SlbClient
from alibabacloud_sts20150401.client import Client as StsClient
from alibabacloud_vpc20160428 import models as vpc_models
from alibabacloud_vpc20160428.client import Client as VpcClient
from contract_application import Application
from contract_classic import Balancer
from contract_files import Files
from contract_fleet import Fleet
from contract_front import Front, delete_listeners, standing_front, wait_for_servers
from contract_people import People
from contract_scaling import Scaling
from contract_sdk import sdk_config, wait_for
from contract_servers import Servers, standing_servers
from contract_storage import Shelf, storage_client
from contract_zonal_network import ZONES, Network
from own_range import inner

from steelyard.localcloud import daemon
from steelyard.localcloud.daemon import CloudInfo


@pytest.fixture(scope="session")
def local_cloud(tmp_path_factory: pytest.TempPathFactory) -> Iterator[CloudInfo]:
    """A real local cloud for the whole run; tests make their own resources in it and clear them away."""
    data_dir: Path = tmp_path_factory.mktemp("cloud")
    info = daemon.start(data_dir)
    yield info
    assert daemon.stop(data_dir).left == ()
    daemon.purge(data_dir)


@pytest.fixture
def vpc_client(local_cloud: CloudInfo) -> VpcClient:
    return VpcClient(sdk_config(local_cloud))


@pytest.fixture
def ecs_client(local_cloud: CloudInfo) -> EcsClient:
    return EcsClient(sdk_config(local_cloud))


@pytest.fixture
def slb_client(local_cloud: CloudInfo) -> SlbClient:
    return SlbClient(sdk_config(local_cloud))


@pytest.fixture
def nlb_client(local_cloud: CloudInfo) -> NlbClient:
    return NlbClient(sdk_config(local_cloud))


@pytest.fixture
def ess_client(local_cloud: CloudInfo) -> EssClient:
    return EssClient(sdk_config(local_cloud))


@pytest.fixture
def cms_client(local_cloud: CloudInfo) -> CmsClient:
    return CmsClient(sdk_config(local_cloud))


@pytest.fixture
def ram_client(local_cloud: CloudInfo) -> RamClient:
    return RamClient(sdk_config(local_cloud))


@pytest.fixture
def nas_client(local_cloud: CloudInfo) -> NasClient:
    return NasClient(sdk_config(local_cloud))


@pytest.fixture
def sts_client(local_cloud: CloudInfo) -> StsClient:
    return StsClient(sdk_config(local_cloud))


@pytest.fixture
def make_vpc(local_cloud: CloudInfo, vpc_client: VpcClient) -> Iterator[Callable[..., str]]:
    """Create VPCs, wait until they can be worked on, and delete them and their VSwitches afterwards."""
    made: list[tuple[str, str]] = []

    def make(
        cidr_block: str = "10.0.0.0/8", region_id: str = local_cloud.region_id, **settings: object
    ) -> str:
        request = vpc_models.CreateVpcRequest(region_id=region_id, cidr_block=cidr_block, **settings)
        vpc_id = vpc_client.create_vpc(request).body.vpc_id
        made.append((region_id, vpc_id))
        wanted = vpc_models.DescribeVpcAttributeRequest(region_id=region_id, vpc_id=vpc_id)
        wait_for(
            lambda: vpc_client.describe_vpc_attribute(wanted).body.status,
            lambda status: status == "Available",
        )
        return vpc_id

    yield make
    for region_id, vpc_id in made:
        _delete_vpc(vpc_client, region_id, vpc_id)


def _delete_vpc(client: VpcClient, region_id: str, vpc_id: str) -> None:
    vpcs = client.describe_vpcs(
        vpc_models.DescribeVpcsRequest(region_id=region_id, vpc_id=vpc_id)
    ).body.vpcs.vpc
    for vpc in vpcs:
        for vswitch_id in vpc.v_switch_ids.v_switch_id:
            client.delete_vswitch(vpc_models.DeleteVSwitchRequest(v_switch_id=vswitch_id))
        client.delete_vpc(vpc_models.DeleteVpcRequest(vpc_id=vpc_id))


@pytest.fixture
def make_vswitch(vpc_client: VpcClient) -> Callable[..., str]:
    """Create VSwitches and wait until they can be worked on; their VPC's fixture deletes them."""

    def make(vpc_id: str, cidr_block: str, zone_id: str = "cn-hangzhou-h", **settings: object) -> str:
        request = vpc_models.CreateVSwitchRequest(
            region_id="cn-hangzhou", vpc_id=vpc_id, cidr_block=cidr_block, zone_id=zone_id, **settings
        )
        vswitch_id = vpc_client.create_vswitch(request).body.v_switch_id
        wanted = vpc_models.DescribeVSwitchAttributesRequest(v_switch_id=vswitch_id)
        wait_for(
            lambda: vpc_client.describe_vswitch_attributes(wanted).body.status,
            lambda status: status == "Available",
        )
        return vswitch_id

    return make


@pytest.fixture(scope="session")
def servers(local_cloud: CloudInfo) -> Iterator[Servers]:
    """Two instances that serve HTTP and UDP, for all tests that only balance over them."""
    with standing_servers(local_cloud) as found:
        yield found


@pytest.fixture
def fleet(
    ecs_client: EcsClient,
    slb_client: SlbClient,
    make_vpc: Callable[..., str],
    make_vswitch: Callable[..., str],
) -> Iterator[Fleet]:
    """Make a network with a security group, and clear away what the test made in it."""
    vpc_id = make_vpc(inner("0.0/16"))
    vswitch_id = make_vswitch(vpc_id, inner("0.0/24"))
    group_id = ecs_client.create_security_group(
        ecs_models.CreateSecurityGroupRequest(region_id="cn-hangzhou", vpc_id=vpc_id)
    ).body.security_group_id
    fleet = Fleet(
        ecs_client=ecs_client,
        slb_client=slb_client,
        vpc_id=vpc_id,
        vswitch_id=vswitch_id,
        group_id=group_id,
    )
    yield fleet
    fleet.clear()


@pytest.fixture
def balancer(fleet: Fleet) -> Balancer:
    """A classic load balancer in the fleet's network, without servers yet."""
    return Balancer(fleet)


@pytest.fixture
def scaling(ess_client: EssClient, fleet: Fleet) -> Iterator[Scaling]:
    """Make scaling groups in the fleet's network, and clear them and their instances away."""
    scaling = Scaling(ess_client, fleet)
    yield scaling
    scaling.clear()


@pytest.fixture
def files(nas_client: NasClient, make_vpc: Callable[..., str]) -> Iterator[Files]:
    """Make file systems and what belongs to them, and clear them away before the networks that they stand in."""
    files = Files(nas_client)
    yield files
    files.clear()


@pytest.fixture
def network(make_vpc: Callable[..., str], make_vswitch: Callable[..., str]) -> tuple[str, str]:
    """A VPC and a VSwitch of it."""
    vpc_id = make_vpc("10.79.0.0/16")
    return vpc_id, make_vswitch(vpc_id, "10.79.0.0/24")


@pytest.fixture
def shelf(local_cloud: CloudInfo) -> Iterator[Shelf]:
    """A bucket of the test's own."""
    shelf = Shelf(storage_client(local_cloud), f"shelf-{uuid.uuid4().hex[:12]}")
    shelf.client.put_bucket(oss.PutBucketRequest(bucket=shelf.bucket))
    yield shelf
    shelf.clear()


@pytest.fixture
def people(ram_client: RamClient, local_cloud: CloudInfo) -> Iterator[People]:
    """Users and groups of the test's own."""
    people = People(ram_client, local_cloud)
    yield people
    people.clear()


@pytest.fixture
def alb_client(local_cloud: CloudInfo) -> AlbClient:
    return AlbClient(sdk_config(local_cloud))


@pytest.fixture
def application(alb_client: AlbClient, servers: Servers) -> Iterator[Application]:
    """Application load balancers of the test's own, before two servers in two zones."""
    application = Application(alb_client, servers.fleet.vpc_id, list(servers.vswitch_ids))
    yield application
    application.clear()


@pytest.fixture(scope="module")
def standing(local_cloud: CloudInfo, servers: Servers) -> Iterator[Front]:
    """An application load balancer and two servers for all tests of a module."""
    with standing_front(local_cloud, servers) as found:
        yield found


@pytest.fixture
def front(standing: Front) -> Iterator[Front]:
    """The module's load balancer without listeners, so that each test has every port; server groups go at the end."""
    wait_for_servers(standing)
    yield standing
    delete_listeners(standing)


@pytest.fixture
def zonal_network(nlb_client: NlbClient, fleet: Fleet, make_vswitch: Callable[..., str]) -> Iterator[Network]:
    """Network load balancers of the test's own, before the fleet's instances."""
    second = make_vswitch(fleet.vpc_id, inner("1.0/24"), ZONES[1])
    network = Network(nlb_client, fleet, [fleet.vswitch_id, second])
    yield network
    network.clear()
