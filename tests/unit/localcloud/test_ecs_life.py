from __future__ import annotations

import errno
import threading
import time
from dataclasses import replace

import pytest
from fake_host import FakeHost
from full_disk import no_room_beyond

from steelyard.errors import LocalCloudError
from steelyard.localcloud.hosts.host import Fate, Host
from steelyard.localcloud.record import Records
from steelyard.localcloud.services.ecs import life as life_module
from steelyard.localcloud.services.ecs.firewall import Firewall
from steelyard.localcloud.services.ecs.life import InstanceLife
from steelyard.localcloud.services.ecs.models import Instance


@pytest.fixture
def host():
    return FakeHost()


@pytest.fixture
def instances(bare_cloud):
    return Records(bare_cloud.store, Instance)


@pytest.fixture
def life(bare_cloud, host: Host, instances):
    life = InstanceLife(bare_cloud, host, Firewall(bare_cloud, host))
    yield life
    life.close()


def make(instances, **changes) -> Instance:
    instance = Instance(
        **{
            "id": "i-1",
            "created_at": 0.0,
            "region_id": "cn-hangzhou",
            "zone_id": "cn-hangzhou-h",
            "vpc_id": "vpc-1",
            "vswitch_id": "vsw-1",
            "private_address": "127.64.0.10",
            "network_interface_id": "eni-1",
            "mac_address": "00:16:3e:00:00:01",
            "security_group_ids": ("sg-1",),
            "name": "node",
            "host_name": "node",
            "description": "",
            "image_id": "ubuntu_24_04_x64_20G_alibase_20260615.vhd",
            "instance_type": "ecs.gn7i-c8g1.2xlarge",
            "status": "Pending",
            "boot_number": 0,
            "started_at": 0.0,
            "is_released": False,
            "user_data": "IyEvYmluL3NoCg==",
            "key_pair_name": "",
            "ram_role_name": "",
            "http_endpoint": "enabled",
            "http_tokens": "optional",
            "http_hop_limit": 1,
            "charge_type": "PostPaid",
            "spot_strategy": "NoSpot",
            "spot_price_limit": 0.0,
            "spot_duration": 1,
            "spot_interruption_behavior": "Terminate",
            "internet_charge_type": "PayByTraffic",
            "internet_max_bandwidth_out": 0,
            "has_deletion_protection": False,
            "stopped_mode": "",
            "resource_group_id": "",
            "deployment_set_id": "",
            **changes,
        }
    )
    instances.put(instance)
    return instance


def wait_status(instances, status: str, instance_id: str = "i-1") -> None:
    """Wait until an instance has a status, `gone` for none any more."""
    deadline = time.monotonic() + 30
    while (seen := status_of(instances, instance_id)) != status:
        assert time.monotonic() < deadline, seen
        time.sleep(0.005)


def status_of(instances, instance_id: str) -> str:
    found = instances.get(instance_id)
    return "gone" if found is None else found.status


def test_a_pending_instance_boots_by_its_user_data(life, host, instances):
    make(instances)
    life.launch("i-1")
    wait_status(instances, "Running")
    assert host.booted[0].user_data == b"#!/bin/sh\n"
    assert host.booted[0].metadata_url == "http://127.0.0.1:1/metadata/i-1"
    assert instances.get("i-1").started_at == 1000.0


def test_one_that_cannot_be_booted_is_stopped(life, host, instances):
    host.fails_to_boot = True
    make(instances)
    life.launch("i-1")
    wait_status(instances, "Stopped")


def test_one_whose_disk_is_full_as_it_boots_is_stopped(life, host, instances, monkeypatch):
    def boot(machine, on_end) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(host, "boot", boot)
    make(instances)
    life.launch("i-1")
    wait_status(instances, "Stopped")


def test_one_that_is_launched_twice_for_one_boot_is_booted_once(life, host, instances, monkeypatch):
    def stay_starting(instance_id: str) -> None:
        deadline = time.monotonic() + 2
        while len(life._threads) > 1 and time.monotonic() < deadline:
            time.sleep(0.005)

    monkeypatch.setattr(life, "rewire", stay_starting)
    make(instances)
    host.may_boot.clear()
    life.launch("i-1")
    wait_status(instances, "Starting")
    life.launch("i-1")
    host.may_boot.set()
    wait_status(instances, "Running")
    wait_idle(life)
    assert len(host.booted) == 1


@pytest.mark.parametrize("is_released", [False, True])
def test_one_whose_processes_outlive_its_end_for_long_ends_with_them(
    life, host, instances, monkeypatch, is_released
):
    shut_down, is_late = host.shut_down, iter([True, True])

    def shut_down_later(*words) -> None:
        if next(is_late, False):
            raise LocalCloudError("processes of i-1 are still alive")
        shut_down(*words)

    monkeypatch.setattr(host, "shut_down", shut_down_later)
    monkeypatch.setattr(life_module, "_RETRY_S", 0.01)
    make(instances)
    life.launch("i-1")
    wait_status(instances, "Running")
    instances.put(replace(instances.get("i-1"), status="Stopping", is_released=is_released))
    if is_released:
        life.release("i-1")
    else:
        with pytest.raises(LocalCloudError, match="still alive"):
            life.kill("i-1")
    wait_status(instances, "gone" if is_released else "Stopped")


def test_what_an_instance_has_is_removed_before_its_next_boot_and_never_after(
    life, host, instances, bare_cloud, monkeypatch
):
    make(instances, status="Stopped")
    removed, after_commit = [], []
    monkeypatch.setattr(host, "discard", lambda instance_id: removed.append(host.is_running(instance_id)))
    with monkeypatch.context() as patch, bare_cloud.transaction():
        patch.setattr(bare_cloud, "after_commit", after_commit.append)
        life.renew("i-1")
        instances.put(instances.get("i-1").starting())
    life.launch("i-1")
    wait_status(instances, "Running")
    for call in after_commit:
        call()
    assert removed == [False]


def test_what_an_instance_has_stays_where_the_change_is_undone(life, host, instances, bare_cloud):
    make(instances, status="Stopped")

    def change_in_vain() -> None:
        with bare_cloud.transaction():
            life.renew("i-1")
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        change_in_vain()
    instances.put(instances.get("i-1").starting())
    life.launch("i-1")
    wait_status(instances, "Running")
    assert host.discarded == []


def test_one_whose_processes_die_is_stopped(life, host, instances):
    make(instances)
    life.launch("i-1")
    wait_status(instances, "Running")
    host.die("i-1")
    wait_status(instances, "Stopped")


def test_one_that_is_started_at_once_does_not_take_the_late_news_of_its_stop_for_its_own(
    life, host, instances
):
    make(instances)
    life.launch("i-1")
    wait_status(instances, "Running")
    late_news = host.running["i-1"]
    instances.put(replace(instances.get("i-1"), status="Stopping"))
    life.shut_down("i-1", 0)
    wait_status(instances, "Stopped")
    instances.put(instances.get("i-1").starting())
    late_news()
    life.launch("i-1")
    wait_status(instances, "Running")


def test_one_that_is_rebooted_does_not_take_the_late_news_of_its_end_for_its_own(
    life, host, instances, monkeypatch
):
    make(instances)
    life.launch("i-1")
    wait_status(instances, "Running")
    late_news, boot = host.running["i-1"], life._boot

    def boot_after_the_news(instance_id: str) -> None:
        late_news()
        boot(instance_id)

    monkeypatch.setattr(life, "_boot", boot_after_the_news)
    instances.put(replace(instances.get("i-1"), status="Stopping", is_rebooting=True))
    life.shut_down("i-1", 0)
    wait_status(instances, "Running")


def test_news_of_an_earlier_boot_changes_nothing(life, host, instances):
    make(instances)
    life.launch("i-1")
    wait_status(instances, "Running")
    late_news = host.running["i-1"]
    instances.put(replace(instances.get("i-1"), status="Stopping", is_rebooting=True))
    life.shut_down("i-1", 0)
    wait_status(instances, "Running")
    late_news()
    assert instances.get("i-1").status == "Running"
    assert instances.get("i-1").boot_number == 2


def test_a_release_leaves_nothing(life, host, instances):
    make(instances)
    life.launch("i-1")
    wait_status(instances, "Running")
    instances.put(replace(instances.get("i-1"), status="Stopping", is_released=True))
    life.release("i-1")
    wait_status(instances, "gone")
    assert (host.running, host.held, host.discarded) == ({}, set(), ["i-1"])


def wait_idle(life: InstanceLife) -> None:
    deadline = time.monotonic() + 30
    while life._threads:
        assert time.monotonic() < deadline, life._threads
        time.sleep(0.005)


def test_one_that_is_released_while_it_boots_leaves_nothing(life, host, instances, monkeypatch):
    is_ended = threading.Event()
    shut_down = host.shut_down
    monkeypatch.setattr(host, "shut_down", lambda *words: (shut_down(*words), is_ended.set()))
    make(instances)
    host.may_boot.clear()
    life.launch("i-1")
    wait_status(instances, "Starting")
    instances.put(replace(instances.get("i-1"), status="Stopping", is_released=True))
    life.release("i-1")
    assert is_ended.wait(30)
    host.may_boot.set()
    wait_idle(life)
    assert status_of(instances, "i-1") == "gone"
    assert (host.running, host.held) == ({}, set())


@pytest.mark.parametrize("is_released", [True, False])
def test_one_that_is_ended_before_its_boot_has_begun_is_never_booted(
    life, host, instances, monkeypatch, is_released
):
    slot = threading.BoundedSemaphore(1)
    monkeypatch.setattr(life, "_boots", slot)
    make(instances)
    with slot:
        life.launch("i-1")
        wait_status(instances, "Starting")
        instances.put(replace(instances.get("i-1"), status="Stopping", is_released=is_released))
        if is_released:
            life.release("i-1")
        else:
            life.shut_down("i-1", 0)
        wait_status(instances, "gone" if is_released else "Stopped")
    wait_idle(life)
    assert (host.booted, host.running, host.held) == ([], {}, set())


def test_the_end_of_the_cloud_leaves_the_records_as_they_are(life, host, instances):
    make(instances)
    life.launch("i-1")
    wait_status(instances, "Running")
    life.close()
    assert host.running == {}
    assert instances.get("i-1").status == "Running"


@pytest.mark.parametrize(
    ("before", "after"),
    [("Pending", "Running"), ("Starting", "Running"), ("Running", "Running"), ("Stopping", "Stopped")],
)
def test_a_start_of_the_cloud_goes_on_where_it_ended(life, host, instances, before, after):
    make(instances, status=before)
    life.resume()
    wait_status(instances, after)
    assert host.held == {"127.64.0.10"}


@pytest.mark.parametrize("before", ["Pending", "Starting", "Running"])
def test_what_still_runs_is_taken_up_without_a_boot(life, host, instances, before):
    make(instances, status=before, boot_number=3, started_at=7.0)
    host.fates["i-1"] = Fate.LIVES
    survivors = life.resume()
    assert (survivors.adopted, survivors.died, survivors.booted) == (("i-1",), (), ())
    found = instances.get("i-1")
    assert (found.status, found.boot_number) == ("Running", 3)
    assert found.started_at == (7.0 if before == "Running" else 1000.0)
    assert host.booted == []
    host.die("i-1")
    wait_status(instances, "Stopped")


def test_what_died_while_there_was_no_cloud_is_told_and_stopped(life, host, instances):
    make(instances, status="Running")
    host.fates["i-1"] = Fate.DIED
    survivors = life.resume()
    assert (survivors.adopted, survivors.died, survivors.booted) == ((), ("i-1",), ())
    assert instances.get("i-1").status == "Stopped"
    assert host.booted == []


def test_a_boot_that_came_to_nothing_is_made_again(life, host, instances):
    make(instances, status="Starting")
    host.fates["i-1"] = Fate.DIED
    assert life.resume().booted == ("i-1",)
    wait_status(instances, "Running")


def test_one_that_was_being_stopped_and_still_runs_is_stopped(life, host, instances):
    make(instances, status="Stopping")
    host.fates["i-1"] = Fate.LIVES
    assert life.resume().adopted == ()
    wait_status(instances, "Stopped")
    assert host.running == {}


def test_one_that_was_being_released_and_still_runs_is_ended(life, host, instances):
    make(instances, status="Running", is_released=True)
    host.fates["i-1"] = Fate.LIVES
    life.resume()
    wait_status(instances, "gone")
    assert (host.running, host.held) == ({}, set())


def test_a_start_of_the_cloud_finishes_releases(life, host, instances):
    make(instances, status="Stopping", is_released=True)
    life.resume()
    wait_status(instances, "gone")
    assert host.held == set()


def test_one_whose_address_was_taken_meanwhile_stays_stopped(life, host, instances):
    host.taken.add("127.64.0.10")
    make(instances, status="Running")
    life.resume()
    wait_status(instances, "Stopped")
    assert host.booted == []


def test_one_that_was_being_released_is_released_though_its_address_was_taken_meanwhile(
    life, host, instances
):
    host.taken.add("127.64.0.10")
    make(instances, status="Stopping", is_released=True)
    life.resume()
    wait_status(instances, "gone")
    assert host.discarded == ["i-1"]


def test_a_cloud_may_end_while_something_of_an_instance_begins(life, host, instances, monkeypatch):
    start = threading.Thread.start
    closing = threading.Thread(target=life.close)

    def close_first(thread: threading.Thread) -> None:
        if thread.name == "boot-i-1":
            start(closing)
            closing.join(0.2)  # It waits for what begins, or has ended by a mistake.
        start(thread)

    monkeypatch.setattr(threading.Thread, "start", close_first)
    make(instances)
    life.launch("i-1")
    closing.join(30)
    assert not closing.is_alive()
    assert life._threads == set()


def test_one_that_dies_while_the_disk_is_full_is_stopped_once_there_is_room(life, host, instances, tmp_path):
    make(instances)
    life.launch("i-1")
    wait_status(instances, "Running")
    with no_room_beyond(tmp_path / "state.sqlite-wal"):
        death = threading.Thread(target=host.die, args=["i-1"])
        death.start()
        death.join(0.2)  # However far it has come, it cannot be written.
        assert status_of(instances, "i-1") == "Running"
    wait_status(instances, "Stopped")
    death.join(30)


def test_one_that_is_launched_and_released_while_the_disk_is_full_is_so_once_there_is_room(
    life, host, instances, tmp_path
):
    make(instances)
    with no_room_beyond(tmp_path / "state.sqlite-wal"):
        life.launch("i-1")
    wait_status(instances, "Running")
    make(instances, status="Stopping", is_released=True)
    with no_room_beyond(tmp_path / "state.sqlite-wal"):
        life.release("i-1")
    wait_status(instances, "gone")


@pytest.mark.parametrize("fate", [Fate.LIVES, Fate.DIED, Fate.ENDED])
def test_one_that_was_being_rebooted_is_booted_again(life, host, instances, fate):
    host.fates["i-1"] = fate
    make(instances, status="Stopping", boot_number=3, is_rebooting=True)
    life.resume()
    wait_status(instances, "Running")
    assert len(host.booted) == 1
    assert (instances.get("i-1").boot_number, instances.get("i-1").is_rebooting) == (4, False)
