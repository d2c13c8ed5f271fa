"""What a call did besides its writes is undone where its change cannot be written."""

from __future__ import annotations

import sqlite3
import threading
import time

import pytest
from full_disk import no_room_beyond
from scaling_cloud import IMAGE, TYPE

from steelyard.localcloud.services.ecs.due_clock import DueClock


def test_addresses_are_given_back_with_what_could_not_be_made(cloud, tmp_path):
    vswitch = {"VSwitchId": cloud.vswitch_ids[0]}
    interface = {**vswitch, "SecurityGroupId": cloud.security_group_id, "Description": "x" * 250}
    made = cloud.call("ecs", "CreateNetworkInterface", interface)
    instance = {**vswitch, "SecurityGroupId": cloud.security_group_id, "ImageId": IMAGE, "InstanceType": TYPE}
    held = set(cloud.host.held)
    for name, params in (
        ("CreateNetworkInterface", interface),
        ("RunInstances", {**instance, "Amount": 5}),
        (
            "AssignPrivateIpAddresses",
            {"NetworkInterfaceId": made["NetworkInterfaceId"], "SecondaryPrivateIpAddressCount": 2},
        ),
    ):
        with no_room_beyond(tmp_path / "state.sqlite-wal"), pytest.raises(sqlite3.OperationalError):
            cloud.call("ecs", name, params)
        assert cloud.host.held == held, name


def test_what_was_due_while_the_disk_was_full_is_carried_out_once_there_is_room():
    is_full, carried_out, tried = True, threading.Event(), threading.Event()

    def carry_out(instance_id: str) -> None:
        tried.set()
        if is_full:
            raise sqlite3.OperationalError("database or disk is full")
        carried_out.set()

    clock = DueClock("reclaim", carry_out, time.monotonic)
    clock.set("i-1", 0.0)
    assert tried.wait(30)
    is_full = False
    assert carried_out.wait(30)
    clock.close()


def test_what_was_under_way_in_a_group_that_could_not_be_deleted_comes_to_its_end(cloud, tmp_path):
    group_id = cloud.make_group()
    change = {"AdjustmentType": "TotalCapacity", "AdjustmentValue": 2}
    cloud.call("ess", "ScaleWithAdjustment", {"ScalingGroupId": group_id, **change})
    with no_room_beyond(tmp_path / "state.sqlite-wal"), pytest.raises(sqlite3.OperationalError):
        cloud.call("ess", "DeleteScalingGroup", {"ScalingGroupId": group_id})
    cloud.look(3)
    assert len(cloud.ids(group_id)) == 2
    assert [one.status for one in cloud.activities(group_id)] == ["Successful"]
