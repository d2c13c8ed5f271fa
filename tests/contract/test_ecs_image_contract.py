"""Images that are made of instances, with whose files others begin; by the vendor's SDK."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from alibabacloud_ecs20140526 import models
from alibabacloud_ecs20140526.client import Client
from contract_fleet import IMAGE, REGION
from contract_sdk import refused, wait_for, wait_refusal

ELSEWHERE = "cn-shanghai"
MAKER = (
    "#!/bin/bash\nmkdir -p lib && echo built > lib/model && ln -s lib/model link && mkfifo pipe\necho made\n"
)
READER = "#!/bin/bash\necho \"found $(cat lib/model link 2>/dev/null | tr '\\n' ' ')\"\n"


class Images:
    """Calls on images."""

    def __init__(self, client: Client) -> None:
        self.client = client

    def create(self, instance_id: str, *, waits: bool = True, **settings: object) -> str:
        request = models.CreateImageRequest(region_id=REGION, instance_id=instance_id, **settings)
        image_id = self.client.create_image(request).body.image_id
        if waits:
            self.wait_available(image_id)
        return image_id

    def find(self, region_id: str = REGION, **filters: object):
        request = models.DescribeImagesRequest(region_id=region_id, page_size=100, **filters)
        return self.client.describe_images(request).body.images.image

    def own(self, region_id: str = REGION, **filters: object):
        return self.find(region_id, image_owner_alias="self", **filters)

    def wait_available(self, image_id: str, region_id: str = REGION) -> None:
        wait_for(lambda: self.find(region_id, image_id=image_id), bool)

    def copy(self, image_id: str, **settings: object) -> str:
        request = models.CopyImageRequest(region_id=REGION, image_id=image_id, **settings)
        return self.client.copy_image(request).body.image_id

    def modify(self, image_id: str, **settings: object) -> None:
        self.client.modify_image_attribute(
            models.ModifyImageAttributeRequest(region_id=REGION, image_id=image_id, **settings)
        )

    def delete(self, image_id: str, region_id: str = REGION, **settings: object) -> None:
        self.client.delete_image(
            models.DeleteImageRequest(region_id=region_id, image_id=image_id, **settings)
        )


@pytest.fixture
def images(ecs_client: Client) -> Iterator[Images]:
    images = Images(ecs_client)
    yield images
    for region_id in (REGION, ELSEWHERE):
        for image in images.own(region_id, status="Available,CreateFailed"):
            images.delete(image.image_id, region_id, force=True)


def make(fleet, images: Images, **settings: object) -> tuple[str, str]:
    """Make an image of an instance that has made files; give both."""
    (instance_id,) = fleet.run(MAKER)
    wait_for(lambda: fleet.console(instance_id), lambda text: "made" in text)
    return images.create(instance_id, **settings), instance_id


def test_an_instance_begins_with_the_files_of_its_image_and_both_go_their_own_ways(fleet, images):
    image_id, maker = make(fleet, images, image_name="prepared", description="with a model")
    (reader,) = fleet.run(READER, image_id=image_id)
    assert wait_for(lambda: fleet.console(reader), bool).startswith("found built built")
    instance = fleet.instance(reader)
    assert (instance.image_id, instance.osname) == (image_id, fleet.instance(maker).osname)
    (disk,) = fleet.ecs_client.describe_disks(
        models.DescribeDisksRequest(region_id=REGION, instance_id=reader)
    ).body.disks.disk
    assert disk.image_id == image_id

    (second,) = fleet.run("#!/bin/bash\nrm -r lib\necho removed\n", image_id=image_id)
    wait_for(lambda: fleet.console(second), lambda text: "removed" in text)
    (third,) = fleet.run(READER, image_id=image_id)
    assert wait_for(lambda: fleet.console(third), bool).startswith("found built built")


def test_an_instance_gets_them_by_a_new_system_disk(fleet, images):
    image_id, _ = make(fleet, images)
    (instance_id,) = fleet.run(READER)
    assert wait_for(lambda: fleet.console(instance_id), bool).startswith("found \n")
    fleet.ecs_client.stop_instance(models.StopInstanceRequest(instance_id=instance_id, force_stop=True))
    fleet.wait_status(instance_id, "Stopped")
    fleet.ecs_client.replace_system_disk(
        models.ReplaceSystemDiskRequest(instance_id=instance_id, image_id=image_id)
    )
    fleet.ecs_client.start_instance(models.StartInstanceRequest(instance_id=instance_id))
    fleet.wait_status(instance_id, "Running")
    assert wait_for(lambda: fleet.console(instance_id), bool).startswith("found built built")


def test_it_is_being_made_first_then_available_and_found_by_what_it_is(fleet, images):
    image_id, maker = make(
        fleet,
        images,
        image_name="prepared",
        image_family="mine",
        image_version="7",
        description="why",
        waits=False,
    )
    (seen,) = images.find(image_id=image_id, status="Creating,Available")
    assert seen.status in ("Creating", "Available")
    images.wait_available(image_id)
    for filters in (
        {"image_name": "prepared"},
        {"image_name": "prep*"},
        {"image_family": "mine"},
        {"is_public": False},
    ):
        assert [image.image_id for image in images.find(**filters)] == [image_id]
    (image,) = images.own()
    assert (image.image_name, image.description, image.usage, image.progress) == (
        "prepared",
        "why",
        "none",
        "100%",
    )
    assert (image.is_public, image.image_version, image.usable) == (False, "7", True)
    assert IMAGE in {image.image_id for image in images.find(image_owner_alias="system")}
    (instance_id,) = fleet.run(image_id=None, image_family="mine")
    assert fleet.instance(instance_id).image_id == image_id
    assert images.own()[0].usage == "instance"

    # One that was made of an instance that came from it is of the same system.
    (again,) = images.find(image_id=images.create(instance_id))
    assert again.osname == image.osname
    assert maker != instance_id


def test_it_is_copied_to_another_region_and_within_its_own(fleet, images):
    image_id, _ = make(fleet, images, description="original")
    far = images.copy(image_id, destination_region_id=ELSEWHERE, destination_image_name="far")
    near = images.copy(image_id, destination_description="twin")
    images.wait_available(far, ELSEWHERE)
    images.wait_available(near)
    (copy,) = images.own(ELSEWHERE)
    assert (copy.image_name, copy.description, copy.is_copied) == ("far", "original", True)
    images.delete(image_id)
    (reader,) = fleet.run(READER, image_id=near)
    assert wait_for(lambda: fleet.console(reader), bool).startswith("found built built")
    with refused("InvalidImageId.NotFound", 404):
        fleet.run(status="", image_id=far)
    with refused("InvalidDestinationImageName.Malformed"):
        images.copy(near, destination_image_name="http://x")
    with refused("InvalidDestinationRegionId.ValueNotSupported"):
        images.copy(near, destination_region_id="cn-atlantis")


def test_it_changes_its_name_and_takes_tags_and_a_resource_group(fleet, images):
    first, instance_id = make(fleet, images, image_name="first")
    second = images.create(instance_id, image_name="second")
    images.modify(first, image_name="other", description="new", image_family="kin")
    (image,) = images.find(image_id=first)
    assert (image.image_name, image.description, image.image_family) == ("other", "new", "kin")
    with refused("InvalidImageName.Duplicated"):
        images.modify(second, image_name="other")
    images.client.tag_resources(
        models.TagResourcesRequest(
            region_id=REGION,
            resource_type="image",
            resource_id=[first],
            tag=[models.TagResourcesRequestTag(key="team", value="vision")],
        )
    )
    images.client.join_resource_group(
        models.JoinResourceGroupRequest(
            region_id=REGION, resource_type="image", resource_id=first, resource_group_id="rg-images"
        )
    )
    wanted = models.DescribeImagesRequestTag(key="team", value="vision")
    assert [image.image_id for image in images.find(tag=[wanted])] == [first]
    assert [image.image_id for image in images.find(resource_group_id="rg-images")] == [first]


def test_one_that_instances_have_is_deleted_only_by_force(fleet, images):
    image_id, _ = make(fleet, images)
    fleet.run(image_id=image_id)
    with refused("ImageUsedByInstances", 403):
        images.delete(image_id)
    images.delete(image_id, force=True)
    assert images.find(image_id=image_id) == []
    with refused("InvalidImageId.NotFound", 404):
        images.delete(image_id)


def test_one_that_is_being_made_is_neither_copied_nor_deleted(fleet, images):
    (instance_id,) = fleet.run("#!/bin/bash\nseq 1 5000 | xargs touch\necho made\n")
    wait_for(lambda: fleet.console(instance_id), lambda text: "made" in text)
    made: list[str] = []

    def begin() -> str:
        made.append(images.create(instance_id, waits=False))
        return made[-1]

    def copy(image_id: str) -> None:
        made.append(images.copy(image_id))

    for use in (images.delete, copy):
        wait_refusal("IncorrectImageStatus", begin, use)
        images.wait_available(made[-1])


def test_what_cannot_be_is_refused(fleet, images):
    (instance_id,) = fleet.run()
    with refused("InvalidInstanceId.NotFound", 404):
        images.create("i-nowhere")
    with refused("UnsupportedOperation", text="snapshots"):
        images.create(instance_id, snapshot_id="s-1")
    with refused("InvalidImageName.Malformed"):
        images.create(instance_id, image_name="http://x")
    with refused("DryRunOperation"):
        images.create(instance_id, dry_run=True)
    images.create(instance_id, image_name="taken")
    with refused("InvalidImageName.Duplicated"):
        images.create(instance_id, image_name="taken")
    for change in (images.delete, images.copy, images.modify):
        with refused("OperationDenied", 403):
            change(IMAGE)
        with refused("InvalidImageId.NotFound", 404):
            change("m-nowhere")


def test_a_region_keeps_a_hundred(fleet, images):
    (instance_id,) = fleet.run()
    made = [images.create(instance_id, waits=False) for _ in range(100)]
    with refused("QuotaExceed.Image", 403):
        images.create(instance_id)
    wait_for(lambda: len(images.own()), lambda number: number == len(made))
