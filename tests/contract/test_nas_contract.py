"""File systems of NAS, through the vendor's SDK; they are folders of the local cloud."""

from __future__ import annotations

import pytest
from alibabacloud_nas20170626 import models
from contract_files import folder, zones
from contract_sdk import call_generic, refused, wait_for


def test_a_file_system_is_pending_and_then_runs_as_it_was_asked_for(files):
    made = files.make(
        waits=False,
        description="checkpoints",
        encrypt_type=1,
        zone_id="cn-hangzhou-i",
        storage_type="Capacity",
        tag=[models.CreateFileSystemRequestTag(key="team", value="one")],
    )
    assert files.describe(made).status in ("Pending", "Running")
    found = wait_for(lambda: files.describe(made), lambda one: one.status == "Running")
    assert (found.file_system_type, found.protocol_type, found.storage_type) == (
        "standard",
        "NFS",
        "Capacity",
    )
    assert (found.description, found.encrypt_type, found.zone_id) == ("checkpoints", 1, "cn-hangzhou-i")
    assert [(tag.key, tag.value) for tag in found.tags.tag] == [("team", "one")]
    assert found.capacity == 10 * 1024 * 1024
    assert found.mount_targets.mount_target == []


def test_file_systems_are_listed_by_what_is_asked_for(files, network):
    one, other = files.make(), files.make(storage_type="Premium")
    files.open(one, *network)

    def ids(**filters: object) -> set[str]:
        return {found.file_system_id for found in files.find(**filters)} & {one, other}

    assert ids() == {one, other}
    assert ids(storage_type="Premium") == {other}
    assert ids(vpc_id=network[0]) == {one}
    assert ids(file_system_type="extreme") == set()


def test_a_file_system_is_a_folder_that_goes_with_it(local_cloud, files):
    made = files.make()
    place = folder(local_cloud, made)
    place.joinpath("deep").mkdir()
    place.joinpath("deep", "kept").write_bytes(b"0" * 1000)
    wait_for(lambda: files.describe(made).metered_size, lambda size: size == 1000)
    files.delete(made)
    wait_for(lambda: [one.file_system_id for one in files.find()], lambda ids: made not in ids)
    assert not place.exists()


def test_a_file_system_that_goes_is_deleting_and_cannot_be_worked_on(local_cloud, files, network):
    made = files.make()
    for number in range(300):
        folder(local_cloud, made).joinpath(str(number)).mkdir()
    files.delete(made)
    # It may be gone by now; as long as it is there, it says so.
    assert {one.status for one in files.find() if one.file_system_id == made} <= {"Deleting"}
    wait_for(lambda: [one.file_system_id for one in files.find()], lambda ids: made not in ids)
    with refused("InvalidFileSystem.NotFound", 404):
        files.open(made, *network)


def test_a_description_changes_and_stays_where_none_is_sent(files, nas_client):
    made = files.make(description="first")
    nas_client.modify_file_system(models.ModifyFileSystemRequest(file_system_id=made, description="second"))
    nas_client.modify_file_system(models.ModifyFileSystemRequest(file_system_id=made))
    assert files.describe(made).description == "second"


def test_an_extreme_file_system_has_a_capacity_that_grows(files, nas_client):
    made = files.make(
        file_system_type="extreme", storage_type="standard", capacity=100, zone_id="cn-hangzhou-h"
    )
    assert made.startswith("extreme-")
    nas_client.upgrade_file_system(models.UpgradeFileSystemRequest(file_system_id=made, capacity=200))
    assert files.describe(made).capacity == 200
    with refused("InvalidParameter", text="above 200"):
        nas_client.upgrade_file_system(models.UpgradeFileSystemRequest(file_system_id=made, capacity=200))


def test_a_file_system_paid_for_by_use_has_no_capacity_to_upgrade(files, nas_client):
    made = files.make()
    with refused("InvalidFileSystemType.NotSupported", 403):
        nas_client.upgrade_file_system(models.UpgradeFileSystemRequest(file_system_id=made, capacity=200))


@pytest.mark.parametrize(
    ("settings", "code", "status", "text"),
    [
        ({"storage_type": "advance"}, "InvalidParameter.StorageType", 400, "Performance"),
        ({"protocol_type": "cpfs"}, "InvalidParameter.ProtocalType", 400, "NFS, SMB"),
        ({"zone_id": "cn-hangzhou-z"}, "InvalidAZone.NotFound", 404, ""),
        ({"description": "http://x"}, "InvalidDescription.InvalidFormat", 404, ""),
        ({"description": "two words"}, "InvalidDescription.InvalidFormat", 404, ""),
        ({"encrypt_type": 3}, "InvalidParameter", 400, "EncryptType"),
        ({"encrypt_type": 2, "kms_key_id": "k"}, "UnsupportedOperation", 400, "KMS"),
        ({"charge_type": "Subscription"}, "UnsupportedOperation", 400, "subscription"),
        ({"snapshot_id": "s-1"}, "UnsupportedOperation", 400, "snapshots"),
        ({"file_system_type": "cpfs"}, "UnsupportedOperation", 400, "CPFS"),
        ({"file_system_type": "bmcpfs"}, "UnsupportedOperation", 400, "CPFS"),
        ({"file_system_type": "tape"}, "InvalidParameter", 400, "FileSystemType"),
        ({"file_system_type": "extreme", "storage_type": "standard"}, "MissingParameter", 400, "ZoneId"),
        (
            {"file_system_type": "extreme", "storage_type": "standard", "zone_id": "cn-hangzhou-h"},
            "MissingParameter",
            400,
            "Capacity",
        ),
        (
            {
                "file_system_type": "extreme",
                "storage_type": "standard",
                "zone_id": "cn-hangzhou-h",
                "capacity": 99,
            },
            "InvalidParameter",
            400,
            "from 100",
        ),
    ],
)
def test_a_file_system_that_cannot_be_is_refused(files, settings, code, status, text):
    with refused(code, status, text):
        files.make(**settings)


def test_a_file_system_that_is_not_there_is_not_found(files, nas_client):
    name = {"file_system_id": "0000000000"}
    calls = (
        lambda: files.find(**name),
        lambda: files.targets("0000000000"),
        lambda: files.delete("0000000000"),
        lambda: nas_client.modify_file_system(models.ModifyFileSystemRequest(**name)),
        lambda: nas_client.upgrade_file_system(models.UpgradeFileSystemRequest(capacity=200, **name)),
        lambda: nas_client.describe_nfs_acl(models.DescribeNfsAclRequest(**name)),
        lambda: nas_client.describe_smb_acl(models.DescribeSmbAclRequest(**name)),
        lambda: nas_client.get_recycle_bin_attribute(models.GetRecycleBinAttributeRequest(**name)),
    )
    for call in calls:
        with refused("InvalidFileSystem.NotFound", 404):
            call()


def test_access_lists_and_the_recycle_bin_are_off(files, nas_client):
    made = files.make()
    acl = nas_client.describe_nfs_acl(models.DescribeNfsAclRequest(file_system_id=made)).body.acl
    smb_acl = nas_client.describe_smb_acl(models.DescribeSmbAclRequest(file_system_id=made)).body.acl
    bin_ = nas_client.get_recycle_bin_attribute(
        models.GetRecycleBinAttributeRequest(file_system_id=made)
    ).body
    assert (acl.enabled, smb_acl.enabled) == (False, False)
    assert (bin_.recycle_bin_attribute.status, bin_.recycle_bin_attribute.size) == ("Disable", 0)


def test_a_repeated_call_makes_one_file_system(files):
    token = {"client_token": "nas-once"}
    assert files.make(**token) == files.make(**token)
    with refused("IdempotentParameterMismatch"):
        files.make(storage_type="Capacity", **token)


def test_a_dry_run_makes_nothing(local_cloud, files):
    before = {one.file_system_id for one in files.find()}
    with refused("DryRunOperation"):
        files.make(dry_run=True)
    assert {one.file_system_id for one in files.find()} == before
    assert {path.name for path in folder(local_cloud, "x").parent.iterdir()} == before


def test_file_systems_of_other_regions_are_not_here(local_cloud, files):
    made = files.make()
    rows = call_generic(local_cloud, "DescribeFileSystems", {"RegionId": "cn-beijing"}, version="2017-06-26")[
        "FileSystems"
    ]["FileSystem"]
    assert made not in [row["FileSystemId"] for row in rows]


def test_a_twenty_first_file_system_of_a_region_is_refused(files):
    for _ in range(20 - len(files.find())):
        files.make(waits=False)
    with refused("OperationDenied.FileSystemCountsExceeded", 403, "maximum 20"):
        files.make()


def test_tags_are_set_listed_and_removed(files, nas_client):
    made = files.make()
    target = {"resource_type": "filesystem", "resource_id": [made]}
    tags = [models.TagResourcesRequestTag(key=key, value="v") for key in ("one", "two")]
    nas_client.tag_resources(models.TagResourcesRequest(tag=tags, **target))
    assert files.tags(made) == {"one": "v", "two": "v"}
    nas_client.untag_resources(models.UntagResourcesRequest(tag_key=["one"], **target))
    assert files.tags(made) == {"two": "v"}
    found = files.find(tag=[models.DescribeFileSystemsRequestTag(key="two", value="v")])
    assert [one.file_system_id for one in found] == [made]


def test_its_tags_are_those_of_the_tag_service(local_cloud, files):
    made = files.make(tag=[models.CreateFileSystemRequestTag(key="team", value="one")])
    name = f"acs:nas:cn-hangzhou:{local_cloud.account_id}:filesystem/{made}"
    answer = call_generic(
        local_cloud,
        "ListTagResources",
        {"RegionId": "cn-hangzhou", "ResourceARN.1": name},
        version="2018-08-28",
    )
    (row,) = answer["TagResources"]
    assert [(tag["Key"], tag["Value"]) for tag in row["Tags"]] == [("team", "one")]


def test_tags_of_what_is_not_there_are_refused(nas_client):
    tags = [models.TagResourcesRequestTag(key="one", value="v")]
    with refused("InvalidResourceId.NotFound", 404):
        nas_client.tag_resources(
            models.TagResourcesRequest(resource_type="filesystem", resource_id=["0000000000"], tag=tags)
        )
    with refused("InvalidResourceType.NotFound", 404):
        nas_client.tag_resources(
            models.TagResourcesRequest(resource_type="tape", resource_id=["x"], tag=tags)
        )


def test_regions_and_zones_are_listed(nas_client):
    body = nas_client.describe_regions(models.DescribeRegionsRequest(page_size=100)).body
    assert "cn-hangzhou" in [region.region_id for region in body.regions.region]
    found = {zone.zone_id: zone for zone in zones(nas_client)}
    assert "nfs" in found["cn-hangzhou-h"].performance.protocol
    kinds = {pair.storage_type for pair in found["cn-hangzhou-h"].instance_types.instance_type}
    assert kinds == {"Performance", "Capacity", "Premium"}
    assert {pair.protocol_type for pair in zones(nas_client, "extreme")[0].instance_types.instance_type} == {
        "nfs"
    }
