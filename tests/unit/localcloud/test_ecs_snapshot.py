"""How long snapshots are kept, by a clock that the test moves."""

from __future__ import annotations

import pytest
from clocked_cloud import Clock, call, standing_cloud
from fake_host import FakeHost

from steelyard.localcloud.service import ApiError
from steelyard.localcloud.services.ecs import state
from steelyard.localcloud.services.ecs.actions import EcsService
from steelyard.localcloud.services.ecs.disk import Disk
from steelyard.localcloud.services.ram.actions import RamService
from steelyard.localcloud.services.vpc.actions import VpcService

DISK = Disk(
    id="d-1",
    created_at=0.0,
    region_id="cn-hangzhou",
    zone_id="cn-hangzhou-h",
    instance_id="",
    type="data",
    category="cloud_essd",
    size_gib=20,
    performance_level="PL1",
    name="",
    description="",
    is_encrypted=False,
    kms_key_id="",
    device="",
    deletes_with_instance=False,
    image_id="",
    charge_type="PostPaid",
    attached_at=0.0,
    resource_group_id="",
    was_attached=True,
)


def test_a_snapshot_goes_when_its_days_are_over(tmp_path, monkeypatch):
    monkeypatch.setattr(state, "make_host", lambda path: FakeHost())
    clock = Clock()
    with standing_cloud(tmp_path, clock, VpcService, RamService, EcsService) as cloud:
        ecs = cloud.services["ecs"]
        with cloud.transaction():
            ecs.disks.put(DISK)
        short = call(ecs, "create_snapshot", DiskId="d-1", RetentionDays=2)["SnapshotId"]
        call(ecs, "create_snapshot", DiskId="d-1")

        def ids() -> list[str]:
            rows = call(ecs, "describe_snapshots")["Snapshots"]["Snapshot"]
            return [row["SnapshotId"] for row in rows]

        clock.now += 2 * 86400 - 1
        assert short in ids()
        clock.now += 1
        with pytest.raises(ApiError, match=r"InvalidSnapshotId\.NotFound"):
            call(ecs, "create_disk", ZoneId="cn-hangzhou-h", DiskCategory="cloud_essd", SnapshotId=short)
        assert len(ids()) == 1
        with pytest.raises(ApiError, match=r"InvalidSnapshotId\.NotFound"):
            call(ecs, "delete_snapshot", SnapshotId=short)
