"""Faults on request, on real instances: what was asked for happens, and ends."""

from __future__ import annotations

import base64
import json
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest
from alibabacloud_ecs20140526 import models as ecs
from alibabacloud_tea_openapi.exceptions import AlibabaCloudException
from local_fleet import PORT, REGION, LocalFleet
from traffic import wait_until

from steelyard.errors import UsageError
from steelyard.localcloud import daemon
from steelyard.localcloud.daemon import CloudInfo
from steelyard.localcloud.faults.client import FaultClient
from steelyard.localcloud.faults.fault import PATH, Fault, Order
from steelyard.localcloud.hosts.choice import HostChoice

TYPE = "ecs.gn7i-c8g1.2xlarge"


@pytest.fixture(scope="module")
def fleet(info: CloudInfo) -> LocalFleet:
    return LocalFleet(info)


@pytest.fixture
def faults(info: CloudInfo) -> Iterator[FaultClient]:
    client = FaultClient(info)
    yield client
    client.clear()


@pytest.fixture
def instance_id(fleet: LocalFleet) -> Iterator[str]:
    """A fresh instance that answers requests."""
    (made,) = fleet.run(1)
    wait_until(lambda: answers(fleet, made))
    yield made
    fleet.ecs_client.delete_instance(ecs.DeleteInstanceRequest(instance_id=made, force=True))


def answers(fleet: LocalFleet, instance_id: str, timeout_s: float = 0.5) -> bool:
    url = f"http://{fleet.addresses(instance_id)[instance_id]}:{PORT}/"
    try:
        with urllib.request.urlopen(url, timeout=timeout_s) as answer:
            return bool(answer.status == 200)
    except (urllib.error.URLError, TimeoutError, OSError):
        return False


def kinds(faults: FaultClient) -> list[str]:
    return [fault.kind for fault in faults.list()]


def make(faults: FaultClient, kind: str, target: str, for_s: float = 0.0, **settings: object) -> Fault:
    return faults.make(Order(kind=kind, target=target, for_s=for_s, settings=settings))


def test_a_killed_instance_is_found_stopped_and_starts_again(
    fleet: LocalFleet, faults: FaultClient, instance_id: str
) -> None:
    fault = make(faults, "kill", instance_id)
    assert not fault.lasts
    wait_until(lambda: fleet.statuses(instance_id)[instance_id] == "Stopped")
    assert kinds(faults) == []

    fleet.ecs_client.start_instance(ecs.StartInstanceRequest(instance_id=instance_id))
    wait_until(lambda: answers(fleet, instance_id))


def test_a_hung_instance_answers_nothing_until_the_fault_ends(
    fleet: LocalFleet, faults: FaultClient, instance_id: str
) -> None:
    fault = make(faults, "hang", instance_id)
    assert not answers(fleet, instance_id)
    assert fleet.statuses(instance_id) == {instance_id: "Running"}, "the cloud does not notice"
    assert kinds(faults) == ["hang"]

    faults.clear(fault.id)
    assert answers(fleet, instance_id, timeout_s=10)
    assert kinds(faults) == []


def test_a_fault_ends_by_itself_when_its_time_is_over(
    fleet: LocalFleet, faults: FaultClient, instance_id: str
) -> None:
    make(faults, "hang", instance_id, for_s=0.5)
    wait_until(lambda: answers(fleet, instance_id))
    wait_until(lambda: not kinds(faults))  # It is told of until it has ended.


def test_a_hung_instance_is_stopped_and_booted_without_its_fault(
    fleet: LocalFleet, faults: FaultClient, instance_id: str
) -> None:
    make(faults, "hang", instance_id)
    fleet.stop(instance_id)
    assert kinds(faults) == []
    fleet.ecs_client.start_instance(ecs.StartInstanceRequest(instance_id=instance_id))
    wait_until(lambda: answers(fleet, instance_id))


def test_a_slow_instance_gets_its_share_of_the_time(
    fleet: LocalFleet, faults: FaultClient, tmp_path: Path
) -> None:
    """A loop that counts how often it comes round: the CPU time of its process is what it was given."""
    counter = tmp_path / "cpu-time"
    (busy,) = run_script(
        fleet,
        "import os, time\n"
        "while True:\n"
        "    sum(range(1000))\n"
        f"    open('{counter}.new', 'w').write(str(time.process_time()))\n"
        f"    os.replace('{counter}.new', '{counter}')\n",
    )
    wait_until(counter.exists)

    def cpu_share(window_s: float = 1.5) -> float:
        began, before = time.monotonic(), float(counter.read_text())
        time.sleep(window_s)  # the window of a measurement
        return (float(counter.read_text()) - before) / (time.monotonic() - began)

    try:
        full = cpu_share()
        make(faults, "slow", busy, share=0.1)
        slowed = cpu_share()
        assert slowed <= 0.2
        if full < 0.3:
            pytest.skip(f"the machine is too busy to tell: it gave {full:.2f} of a processor before")
        faults.clear()
        wait_until(lambda: cpu_share(0.5) > 1.5 * slowed)
    finally:
        fleet.ecs_client.delete_instance(ecs.DeleteInstanceRequest(instance_id=busy, force=True))


def run_script(fleet: LocalFleet, text: str, **more: object) -> list[str]:
    """Run an instance with a Python script as its user data."""
    script = f"#!/usr/bin/env python3\n{text}"
    made = fleet.ecs_client.run_instances(
        ecs.RunInstancesRequest(
            region_id=REGION,
            image_id="ubuntu_24_04_x64_20G_alibase_20260615.vhd",
            instance_type=TYPE,
            security_group_id=fleet.group_id,
            v_switch_id=fleet.vswitch_id,
            amount=1,
            user_data=base64.b64encode(script.encode()).decode(),
            **more,
        )
    ).body.instance_id_sets.instance_id_set
    wait_until(lambda: set(fleet.statuses(*made).values()) == {"Running"})
    return list(made)


def test_a_spot_instance_is_told_and_then_taken(fleet: LocalFleet, faults: FaultClient) -> None:
    (spot,) = run_script(fleet, "import time\ntime.sleep(1000)\n", spot_strategy="SpotAsPriceGo")
    began = time.monotonic()
    fault = make(faults, "reclaim", spot, after_s=3.0)
    assert float(str(fault.settings["carried_out_at"])) > time.time()
    row = fleet.ecs_client.describe_instances(
        ecs.DescribeInstancesRequest(region_id=REGION, instance_ids=json.dumps([spot]))
    ).body.instances.instance[0]
    assert [lock.lock_reason for lock in row.operation_locks.lock_reason] == ["Recycling"]
    wait_until(lambda: fleet.statuses(spot) == {})
    assert time.monotonic() - began >= 2.9


def test_an_instance_that_is_no_spot_instance_is_not_taken_back(
    faults: FaultClient, instance_id: str
) -> None:
    with pytest.raises(UsageError, match="InvalidInstanceChargeType"):
        make(faults, "reclaim", instance_id)


def test_a_zone_without_power_has_no_instances_and_starts_none_and_comes_back(
    fleet: LocalFleet, faults: FaultClient, instance_id: str
) -> None:
    make(faults, "zone", "cn-hangzhou-h")
    wait_until(lambda: fleet.statuses(instance_id)[instance_id] == "Stopped")
    with pytest.raises(Exception, match="NoStock"):
        fleet.run(1)
    with pytest.raises(Exception, match="NoStock"):
        fleet.ecs_client.start_instance(ecs.StartInstanceRequest(instance_id=instance_id))

    faults.clear()
    wait_until(lambda: answers(fleet, instance_id))


def test_calls_are_throttled_as_often_as_asked_for(fleet: LocalFleet, faults: FaultClient) -> None:
    make(faults, "throttle", "DescribeVp*", times=2)
    codes = []
    for _ in range(3):
        try:
            fleet._vpc_status()
            codes.append("")
        except AlibabaCloudException as err:
            codes.append(err.code)
    assert codes == ["Throttling.User", "Throttling.User", ""]
    assert kinds(faults) == []


def test_calls_fail_with_the_code_that_was_asked_for(fleet: LocalFleet, faults: FaultClient) -> None:
    make(faults, "fail", "CreateSecurityGroup", code="OperationDenied", status=403, message="not today")
    with pytest.raises(Exception, match="not today") as refused:
        fleet.ecs_client.create_security_group(ecs.CreateSecurityGroupRequest(region_id=REGION))
    assert refused.value.code == "OperationDenied"
    assert refused.value.status_code == 403
    assert fleet._vpc_status() == "Available", "no other action fails"
    assert faults.list()[0].settings["num_failed"] == 1


def test_a_type_runs_out_of_stock(fleet: LocalFleet, faults: FaultClient) -> None:
    make(faults, "stock", TYPE, zone="cn-hangzhou-h", left=0)
    with pytest.raises(Exception, match="NoStock"):
        fleet.run(1)
    faults.clear()
    (made,) = fleet.run(1)
    fleet.ecs_client.delete_instance(ecs.DeleteInstanceRequest(instance_id=made, force=True))


def test_on_the_loopback_host_there_is_no_cable_to_pull(
    info: CloudInfo, faults: FaultClient, instance_id: str
) -> None:
    if HostChoice.load(Path(info.data_dir)).name != "loopback":
        pytest.skip("this cloud gives instances cables")
    with pytest.raises(UsageError, match="has no cable: instances of the loopback host"):
        make(faults, "cut", instance_id)


@pytest.mark.parametrize(
    ("kind", "target", "settings", "reason"),
    [
        ("melt", "i-1", {}, "there is no fault 'melt'; there are kill, hang"),
        ("kill", "i-none", {}, "there is no instance 'i-none'"),
        ("slow", "i-none", {"share": 2}, "must be a number from 0.01 to 0.99"),
        ("slow", "i-none", {"speed": 2}, "has no setting 'speed'; it takes share"),
        ("fail", "RunInstance", {}, "serves no action 'RunInstance'"),
        ("stock", "ecs.none", {}, "no instance type 'ecs.none'"),
        (
            "stock",
            TYPE,
            {"zone": "cn-hangzhou-z"},
            "there is no zone 'cn-hangzhou-z'; there are cn-hangzhou-",
        ),
        ("zone", "mars-1", {}, "there is no zone 'mars-1'"),
    ],
)
def test_what_cannot_be_done_is_refused_with_the_reason(
    faults: FaultClient, kind: str, target: str, settings: dict[str, object], reason: str
) -> None:
    with pytest.raises(UsageError) as refused:
        make(faults, kind, target, **settings)
    assert reason in refused.value.message
    assert kinds(faults) == []


def test_nobody_without_the_clouds_own_key_breaks_it(info: CloudInfo, faults: FaultClient) -> None:
    order = json.dumps({"kind": "throttle", "target": "*"}).encode()
    with pytest.raises(urllib.error.HTTPError) as refused:
        urllib.request.urlopen(f"http://{info.endpoint}{PATH}", data=order, timeout=5)
    assert refused.value.code == 401
    refused.value.close()
    stranger = FaultClient(CloudInfo(**{**json.loads(info.to_json()), "access_key_secret": "wrong"}))
    with pytest.raises(UsageError, match="SignatureDoesNotMatch"):
        stranger.list()
    assert kinds(faults) == []


def test_what_lasts_is_in_force_after_a_restart_and_a_machines_fault_is_not(tmp_path: Path) -> None:
    folder = tmp_path / "cloud"
    fleet = LocalFleet(daemon.start(folder))
    try:
        (made,) = fleet.run(1)
        faults = FaultClient(fleet.cloud)
        make(faults, "hang", made)
        make(faults, "throttle", "DescribeVpcAttribute")
        daemon.stop(folder)
        fleet.connect(daemon.start(folder))
        assert kinds(FaultClient(fleet.cloud)) == ["throttle"]
        with pytest.raises(Exception, match="Throttling"):
            fleet._vpc_status()
        wait_until(lambda: answers(fleet, made))
    finally:
        assert daemon.stop(folder).left == ()
