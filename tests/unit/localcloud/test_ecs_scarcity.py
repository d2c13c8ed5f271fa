"""Stock that runs out and spot instances that are taken back, in process: nobody can ask for either over the wire."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from clocked_cloud import Clock
from fake_host import FakeHost

from steelyard.localcloud.cloud import Cloud
from steelyard.localcloud.identity import load_identity
from steelyard.localcloud.metadata.service import MetadataService
from steelyard.localcloud.service import ApiError, Request
from steelyard.localcloud.services.ecs import state
from steelyard.localcloud.services.ecs.actions import EcsService
from steelyard.localcloud.services.ram.actions import RamService
from steelyard.localcloud.services.vpc.actions import VpcService
from steelyard.localcloud.services.vpc.models import PENDING_S
from steelyard.localcloud.store import Store
from steelyard.localcloud.wire.message import WireRequest

REGION, ZONE, TYPE = "cn-hangzhou", "cn-hangzhou-h", "ecs.gn7i-c8g1.2xlarge"
DEADLINE_S = 30.0


def make_cloud(path: Path, clock: Clock) -> Cloud:
    store = Store(path / "state.sqlite")
    return Cloud(
        data_dir=path,
        store=store,
        identity=load_identity(store, REGION),
        endpoint="127.0.0.1:1",
        clock=clock,
        services=(VpcService, RamService, EcsService),
    )


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def cloud(tmp_path: Path, clock: Clock, monkeypatch: pytest.MonkeyPatch) -> Iterator[Cloud]:
    monkeypatch.setattr(state, "make_host", lambda path: FakeHost())
    cloud = make_cloud(tmp_path, clock)
    cloud.start()
    yield cloud
    cloud.stop()


@pytest.fixture
def ecs(cloud: Cloud) -> EcsService:
    return cloud.services["ecs"]


def call(cloud: Cloud, service: str, action: str, **params: object) -> dict[str, object]:
    request = Request(
        action=action,
        params={"RegionId": REGION, **params},
        region_id=REGION,
        dry_run=False,
        request_id="",
        caller=cloud.identity.root_key(),
    )
    _, method = type(cloud.services[service]).handlers()[action]
    with cloud.transaction():
        return getattr(cloud.services[service], method)(request)


@pytest.fixture
def settings(cloud: Cloud, clock: Clock) -> dict[str, object]:
    """Parameters of RunInstances in a network of their own."""
    vpc_id = call(cloud, "vpc", "CreateVpc", CidrBlock="10.0.0.0/8")["VpcId"]
    clock.now += PENDING_S
    vswitch_id = call(cloud, "vpc", "CreateVSwitch", VpcId=vpc_id, CidrBlock="10.1.0.0/24", ZoneId=ZONE)[
        "VSwitchId"
    ]
    group_id = call(cloud, "ecs", "CreateSecurityGroup", VpcId=vpc_id)["SecurityGroupId"]
    return {
        "VSwitchId": vswitch_id,
        "SecurityGroupId": group_id,
        "InstanceType": TYPE,
        "ImageFamily": "acs:ubuntu_24_04_x64",
        "SpotStrategy": "SpotAsPriceGo",
    }


def wait(is_done: Callable[[], bool]) -> None:
    deadline = time.monotonic() + DEADLINE_S
    while not is_done():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def start(ecs: EcsService, settings: dict[str, object], **changes: object) -> str:
    with ecs.cloud.transaction():
        (instance_id,) = ecs.start_instances({**settings, **changes}, region_id=REGION)
    wait(lambda: ecs.instances.get(instance_id).status == "Running")
    return instance_id


class TestStock:
    def test_a_limit_counts_what_is_there_and_lets_no_more_in(self, cloud, ecs, settings):
        start(ecs, settings)
        ecs.stock.limit(TYPE, ZONE, 2)
        start(ecs, settings)
        with pytest.raises(ApiError, match="sold out"):
            start(ecs, settings)
        assert ecs.stock.left(TYPE, ZONE, ecs.instances.list()) == 0
        ecs.stock.limit(TYPE, ZONE, None)
        start(ecs, settings)

    def test_fewer_are_made_where_a_call_says_how_many_would_do(self, cloud, ecs, settings):
        ecs.stock.limit(TYPE, ZONE, 2)
        with pytest.raises(ApiError, match="sold out"):
            call(cloud, "ecs", "RunInstances", **settings, Amount=5, MinAmount=3)
        made = call(cloud, "ecs", "RunInstances", **settings, Amount=5, MinAmount=1)
        assert len(made["InstanceIdSets"]["InstanceIdSet"]) == 2

    def test_other_types_and_zones_are_left_alone(self, cloud, ecs, settings):
        ecs.stock.limit(TYPE, ZONE, 0)
        ecs.stock.limit("ecs.g7.large", "cn-hangzhou-i", 0)
        start(ecs, settings, InstanceType="ecs.g7.large")

    def test_what_is_sold_out_is_told(self, cloud, ecs):
        ecs.stock.limit(TYPE, ZONE, 0)
        answer = call(
            cloud, "ecs", "DescribeAvailableResource", DestinationResource="InstanceType", InstanceType=TYPE
        )
        rows = {row["ZoneId"]: row for row in answer["AvailableZones"]["AvailableZone"]}
        assert (rows[ZONE]["Status"], rows[ZONE]["StatusCategory"]) == ("SoldOut", "WithoutStock")
        assert rows["cn-hangzhou-i"]["StatusCategory"] == "WithStock"
        answer = call(cloud, "ecs", "DescribeAvailableResource", DestinationResource="InstanceType")
        (row,) = (row for row in answer["AvailableZones"]["AvailableZone"] if row["ZoneId"] == ZONE)
        (resource,) = row["AvailableResources"]["AvailableResource"]
        values = resource["SupportedResources"]["SupportedResource"]
        assert [one["Value"] for one in values if one["Status"] == "SoldOut"] == [TYPE]
        assert row["StatusCategory"] == "WithStock"

    def test_what_was_stopped_and_not_charged_for_has_to_be_in_stock_again(self, cloud, ecs, settings):
        instance_id = start(ecs, settings)
        call(cloud, "ecs", "StopInstance", InstanceId=instance_id, StoppedMode="StopCharging")
        wait(lambda: ecs.instances.get(instance_id).status == "Stopped")
        ecs.stock.limit(TYPE, ZONE, 0)
        with pytest.raises(ApiError, match="sold out"):
            call(cloud, "ecs", "StartInstance", InstanceId=instance_id)


class Issuer:
    """Gives no keys."""

    def instance_credentials(self, role_name: str, instance_id: str) -> None:
        return None

    def knows_key(self, access_key_id: str) -> bool:
        return False


def termination_time(ecs: EcsService, clock: Clock, instance_id: str) -> tuple[int, str]:
    service = MetadataService(
        directory=ecs, issuer=Issuer(), key="k", clock=clock, sign_identity=lambda content: ""
    )
    request = WireRequest(method="GET", path="/", query_string="", headers={})
    reply = service.answer(request, f"{instance_id}/latest/meta-data/instance/spot/termination-time")
    return reply.status, reply.text


class TestReclaim:
    def test_it_is_announced_to_the_instance_and_then_carried_out(self, ecs, settings, clock):
        instance_id = start(ecs, settings)
        assert termination_time(ecs, clock, instance_id)[0] == 404

        due_at = ecs.announce_reclaim(instance_id, 0.5)

        status, text = termination_time(ecs, clock, instance_id)
        assert status == 200
        assert text == time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(due_at))
        locks = ecs.instances.get(instance_id).to_list_answer()["OperationLocks"]["LockReason"]
        assert locks == [{"LockReason": "Recycling"}]
        clock.now = due_at
        wait(lambda: ecs.instances.get(instance_id) is None)

    def test_one_that_is_to_be_stopped_is_stopped_and_not_charged_for(self, ecs, settings):
        instance_id = start(ecs, settings, SpotInterruptionBehavior="Stop")
        ecs.announce_reclaim(instance_id, 0.0)
        wait(lambda: ecs.instances.get(instance_id).status == "Stopped")
        stopped = ecs.instances.get(instance_id)
        assert (stopped.stopped_mode, stopped.reclaim_at) == ("StopCharging", 0.0)

    def test_a_second_announcement_takes_the_place_of_the_first(self, ecs, settings, clock):
        instance_id = start(ecs, settings)
        ecs.announce_reclaim(instance_id, 0.2)
        ecs.announce_reclaim(instance_id, 60.0)
        late = start(ecs, settings)
        ecs.announce_reclaim(late, 0.4)
        clock.now += 1
        wait(lambda: ecs.instances.get(late) is None)
        assert ecs.instances.get(instance_id).status == "Running"

    def test_it_is_carried_out_by_a_cloud_that_was_started_again(self, tmp_path, cloud, clock, ecs, settings):
        instance_id = start(ecs, settings)
        ecs.announce_reclaim(instance_id, 60.0)
        cloud.stop()
        clock.now += 60
        again = make_cloud(tmp_path, clock)
        again.start()
        try:
            wait(lambda: again.services["ecs"].instances.get(instance_id) is None)
        finally:
            again.stop()

    def test_who_is_no_spot_instance_or_does_not_run_is_left_alone(self, cloud, ecs, settings):
        lasting = start(ecs, settings, SpotStrategy="NoSpot")
        with pytest.raises(ApiError, match="no spot instance"):
            ecs.announce_reclaim(lasting)
        with pytest.raises(ApiError, match="does not exist"):
            ecs.announce_reclaim("i-none")
        stopped = start(ecs, settings)
        call(cloud, "ecs", "StopInstance", InstanceId=stopped)
        wait(lambda: ecs.instances.get(stopped).status == "Stopped")
        with pytest.raises(ApiError, match="IncorrectInstanceStatus"):
            ecs.announce_reclaim(stopped)
