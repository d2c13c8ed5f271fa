"""The release of instances at a set time, and the clock that carries such things out."""

from __future__ import annotations

import calendar
import sqlite3
import threading
import time
from collections.abc import Callable, Iterator

import pytest
from clocked_cloud import Clock, call, standing_cloud
from fake_host import FakeHost

from steelyard.errors import LocalCloudError
from steelyard.localcloud.cloud import Cloud
from steelyard.localcloud.service import ApiError
from steelyard.localcloud.services.ecs import due_clock, state
from steelyard.localcloud.services.ecs.actions import EcsService
from steelyard.localcloud.services.ecs.due_clock import DueClock
from steelyard.localcloud.services.ecs.subscription import period_end
from steelyard.localcloud.services.ram.actions import RamService
from steelyard.localcloud.services.vpc.actions import VpcService
from steelyard.localcloud.services.vpc.models import PENDING_S

DEADLINE_S = 30.0
SERVICES = (VpcService, RamService, EcsService)


@pytest.fixture(autouse=True)
def _no_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(state, "make_host", lambda path: FakeHost())


@pytest.fixture
def clock() -> Clock:
    return Clock()


def run_instance(cloud: Cloud, clock: Clock, **settings: object) -> str:
    vpc, ecs = cloud.services["vpc"], cloud.services["ecs"]
    vpc_id = call(vpc, "create_vpc", CidrBlock="10.0.0.0/8")["VpcId"]
    clock.now += PENDING_S
    vswitch = call(vpc, "create_vswitch", VpcId=vpc_id, CidrBlock="10.1.0.0/24", ZoneId="cn-hangzhou-h")
    made = call(
        ecs,
        "run_instances",
        VSwitchId=vswitch["VSwitchId"],
        SecurityGroupId=call(ecs, "create_security_group", VpcId=vpc_id)["SecurityGroupId"],
        InstanceType="ecs.g7.large",
        ImageFamily="acs:ubuntu_24_04_x64",
        **settings,
    )
    return made["InstanceIdSets"]["InstanceIdSet"][0]


def written(moment: float) -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(moment))


def wait(is_done: Callable[[], bool]) -> None:
    deadline = time.monotonic() + DEADLINE_S
    while not is_done():
        assert time.monotonic() < deadline
        time.sleep(0.01)


class TestRelease:
    def test_an_instance_is_released_at_its_time_by_a_cloud_that_was_started_again(self, tmp_path, clock):
        in_an_hour, in_three_days = written(clock() + 3600), written(clock() + 3 * 86400)
        with standing_cloud(tmp_path, clock, *SERVICES) as cloud:
            early = run_instance(cloud, clock, AutoReleaseTime=in_an_hour, DeletionProtection=True)
            late = run_instance(cloud, clock, AutoReleaseTime=in_three_days)
            never = run_instance(cloud, clock, AutoReleaseTime=in_an_hour)
            call(
                cloud.services["ecs"],
                "modify_instance_auto_release_time",
                InstanceId=never,
                AutoReleaseTime="",
            )

        clock.now += 2 * 3600
        with standing_cloud(tmp_path, clock, *SERVICES) as cloud:
            cloud.start()
            instances = cloud.services["ecs"].instances
            wait(lambda: instances.get(early) is None)
            assert instances.get(late) is not None
            assert instances.get(never) is not None

    def test_the_time_goes_with_payment_by_use(self, tmp_path, clock):
        with standing_cloud(tmp_path, clock, *SERVICES) as cloud:
            ecs = cloud.services["ecs"]
            instance_id = run_instance(cloud, clock, AutoReleaseTime=written(clock() + 3600))
            wait(lambda: ecs.instances.get(instance_id).status == "Running")
            call(ecs, "modify_instance_charge_type", InstanceIds=f'["{instance_id}"]', Period=1)
            assert ecs.instances.get(instance_id).auto_release_at == 0.0

    @pytest.mark.parametrize(("first", "last"), [(3600, 3 * 86400), (3 * 86400, 3600)])
    def test_the_time_that_was_kept_last_holds_whichever_is_told_last(
        self, tmp_path, clock, monkeypatch, first, last
    ):
        began = clock()
        with standing_cloud(tmp_path, clock, *SERVICES) as cloud:
            ecs, told_late = cloud.services["ecs"], []
            instance_id = run_instance(cloud, clock)
            with monkeypatch.context() as patch:
                patch.setattr(cloud, "after_commit", told_late.append)
                set_time(ecs, instance_id, began + first)
            set_time(ecs, instance_id, began + last)
            for tell in told_late:
                tell()

            pass_until(ecs._releases, clock, began + min(first, last))
            assert (ecs.find_instance(instance_id) is None) == (last < first)
            pass_until(ecs._releases, clock, began + max(first, last))
            assert ecs.find_instance(instance_id) is None


def set_time(ecs: EcsService, instance_id: str, moment: float) -> None:
    call(ecs, "modify_instance_auto_release_time", InstanceId=instance_id, AutoReleaseTime=written(moment))


def pass_until(due: DueClock, clock: Clock, moment: float) -> None:
    """Let the time come, and wait until all that was due has been begun."""
    clock.now = moment
    due.set("i-nobody", moment - 2 * 86400)
    due.set("i-nobody-either", moment)
    wait(lambda: "i-nobody-either" not in due._due)


class TestReclaim:
    @pytest.fixture
    def cloud(self, tmp_path, clock) -> Iterator[Cloud]:
        with standing_cloud(tmp_path, clock, *SERVICES) as cloud:
            yield cloud

    @pytest.fixture
    def spot(self, cloud, clock) -> str:
        """An instance that is stopped when it is taken back."""
        instance_id = run_instance(
            cloud, clock, SpotStrategy="SpotAsPriceGo", SpotInterruptionBehavior="Stop"
        )
        wait(lambda: cloud.services["ecs"].instances.get(instance_id).status == "Running")
        return instance_id

    @pytest.mark.parametrize(("first", "last"), [(60, 300), (300, 60)])
    def test_the_end_that_was_announced_last_holds_whichever_is_told_last(
        self, cloud, clock, monkeypatch, spot, first, last
    ):
        ecs, told_late, began = cloud.services["ecs"], [], clock()
        with monkeypatch.context() as patch:
            patch.setattr(cloud, "after_commit", told_late.append)
            ecs.announce_reclaim(spot, first)
        ecs.announce_reclaim(spot, last)
        for tell in told_late:
            tell()
        pass_until(ecs._reclaims, clock, began + 60)
        assert (ecs.instances.get(spot).status == "Running") == (last == 300)
        pass_until(ecs._reclaims, clock, began + 300)
        wait(lambda: ecs.instances.get(spot).status == "Stopped")

    def test_one_whose_end_comes_while_it_reboots_is_not_booted_again(self, cloud, clock, spot, monkeypatch):
        ecs, may_end = cloud.services["ecs"], threading.Event()
        shut_down = ecs.host.shut_down
        monkeypatch.setattr(
            ecs.host, "shut_down", lambda *words: (may_end.wait(DEADLINE_S), shut_down(*words))
        )
        ecs.announce_reclaim(spot, 60)
        call(ecs, "reboot_instance", InstanceId=spot)
        pass_until(ecs._reclaims, clock, clock() + 60)
        may_end.set()
        wait(lambda: ecs.instances.get(spot).status == "Stopped")
        assert ecs.instances.get(spot).stopped_mode == "StopCharging"


class TestSubscription:
    def test_one_whose_time_is_over_is_released_where_the_call_says_so(self, tmp_path, clock):
        with standing_cloud(tmp_path, clock, *SERVICES) as cloud:
            ecs = cloud.services["ecs"]
            instance_id = run_instance(cloud, clock, InstanceChargeType="PrePaid", Period=1)
            wait(lambda: ecs.instances.get(instance_id).status == "Running")
            clock.now += 32 * 86400
            with pytest.raises(ApiError, match="charge type"):
                call(ecs, "delete_instance", InstanceId=instance_id, Force=True)
            call(ecs, "delete_instance", InstanceId=instance_id, Force=True, TerminateSubscription=True)
            wait(lambda: ecs.instances.get(instance_id) is None)

    @pytest.mark.parametrize(
        ("begin", "number", "unit", "end"),
        [
            ("2026-01-31T10:00:00Z", 1, "Month", "2026-02-28T10:00:00Z"),
            ("2026-11-30T10:00:00Z", 3, "Month", "2027-02-28T10:00:00Z"),
            ("2026-12-15T10:00:00Z", 12, "Month", "2027-12-15T10:00:00Z"),
            ("2026-12-30T10:00:00Z", 1, "Week", "2027-01-06T10:00:00Z"),
        ],
    )
    def test_a_month_ends_on_the_same_day_or_the_months_last(self, begin, number, unit, end):
        moment = calendar.timegm(time.strptime(begin, "%Y-%m-%dT%H:%M:%SZ"))
        assert written(period_end(moment, number, unit)) == end


class Done:
    def __init__(self) -> None:
        self.ids: list[str] = []
        self.event = threading.Event()

    def __call__(self, instance_id: str) -> None:
        self.ids.append(instance_id)
        self.event.set()


@pytest.fixture
def done() -> Done:
    return Done()


@pytest.fixture
def due(done: Done, clock: Clock) -> Iterator[DueClock]:
    due = DueClock("test", done, clock)
    yield due
    due.close()


class TestDueClock:
    def test_a_later_time_takes_the_place_of_the_first(self, due, done, clock):
        due.set("i-1", clock() + 60)
        due.set("i-2", clock() + 60)
        due.set("i-1", clock())
        assert done.event.wait(DEADLINE_S)
        assert done.ids == ["i-1"]

    def test_what_is_cancelled_or_closed_is_not_carried_out(self, due, done, clock):
        due.set("i-1", clock() + 30)
        due.set("i-2", clock() + 60)
        due.cancel("i-1")
        due.cancel("i-nowhere")
        clock.now += 60
        due.set("i-2", clock())
        assert done.event.wait(DEADLINE_S)
        assert done.ids == ["i-2"]
        due.close()
        due.set("i-3", clock())
        assert len(due) == 0
        assert not any(thread.name == "test" for thread in threading.enumerate())

    def test_one_that_waits_for_the_state_is_not_put_before_its_new_time(self, clock):
        is_told = threading.Event()

        def carry_out(instance_id: str) -> None:
            if instance_id == "i-1":
                due.set("i-1", clock() + 3600)
                raise sqlite3.OperationalError("database or disk is full")
            is_told.set()

        due = DueClock("test", carry_out, clock)
        due.set("i-1", clock() - 1)
        due.set("i-2", clock())
        assert is_told.wait(DEADLINE_S)
        assert due._due == {"i-1": clock() + 3600}
        due.close()

    def test_many_times_take_one_thread(self, due, clock):
        for number in range(100):
            due.set(f"i-{number}", clock() + 3600)
        assert [thread.name for thread in threading.enumerate()].count("test") == 1
        for number in range(100):
            due.cancel(f"i-{number}")
        assert len(due) == 0

    def test_a_far_time_is_looked_at_again_and_not_carried_out_early(self, done, monkeypatch):
        monkeypatch.setattr(due_clock, "_LONGEST_WAIT_S", 0.01)
        looks = iter(range(1000))
        due = DueClock("test", done, lambda: next(looks))
        due.set("i-1", 20)
        assert done.event.wait(DEADLINE_S)
        assert next(looks) > 20
        due.close()

    def test_a_fault_of_one_leaves_the_others_their_time(self, caplog):
        done = threading.Event()

        def carry_out(instance_id: str) -> None:
            if instance_id == "i-1":
                raise LocalCloudError("no host")
            if instance_id == "i-2":
                raise ZeroDivisionError
            done.set()

        due = DueClock("test", carry_out, time.time)
        due.set("i-1", time.time())
        due.set("i-2", time.time() + 0.05)
        due.set("i-3", time.time() + 0.1)
        assert done.wait(DEADLINE_S)
        due.close()
        assert "test of i-1 was not carried out: no host" in caplog.text
        assert "test of i-2 failed" in caplog.text
