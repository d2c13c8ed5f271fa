from __future__ import annotations

import fnmatch
import shutil
from dataclasses import replace
from pathlib import Path

from steelyard.localcloud.page import number_page
from steelyard.localcloud.service import Request, action
from steelyard.localcloud.services.ecs import check, errors, image_errors
from steelyard.localcloud.services.ecs.custom_image import AVAILABLE, CREATING, MAX_IMAGES, CustomImage
from steelyard.localcloud.services.ecs.image import IMAGES
from steelyard.localcloud.services.ecs.image_state import ImageState
from steelyard.localcloud.services.ecs.instance_actions import refuse_released
from steelyard.localcloud.services.ecs.models import RUNNING, STOPPED
from steelyard.localcloud.tag import has_tags, read_tags
from steelyard.localcloud.time_filter import made_within
from steelyard.localcloud.wire.error import not_served
from steelyard.spec.catalogue import REGIONS

_FILTERS = ("ImageFamily", "OSType", "Architecture", "ImageOwnerAlias", "Usage")


class ImageActions(ImageState):
    """Images: an instance's home folder can be made one, with which others begin."""

    @action("DescribeImages")
    def describe_images(self, request: Request) -> dict[str, object]:
        """List images by ids, owner, name, in which `*` stands for anything, family, system, state, age and tags.

        Those that are available by default.
        """
        ids, tags = request.texts("ImageId"), read_tags(request)
        states = request.texts("Status") or [AVAILABLE]
        name, is_of_then = request.text("ImageName"), made_within(request, has_end=True)
        used = {instance.image_id for instance in self.instances.list()}
        rows = [
            (image.to_answer(is_used=image.id in used), image.tags)
            for image in self.images_of(request.region_id)
        ]
        rows += [(image.to_answer(is_used=image.image_id in used), {}) for image in IMAGES.values()]
        found = [
            row
            for row, row_tags in rows
            if (not ids or row["ImageId"] in ids)
            and row["Status"] in states
            and (not name or fnmatch.fnmatchcase(str(row["ImageName"]), name))
            and has_tags(row_tags, tags)
            and is_of_then(row["CreationTime"])
            and request.flag("IsPublic", bool(row["IsPublic"])) == row["IsPublic"]
            and request.flag("Usable", True)
            and request.flag("IsSupportCloudinit", True)
            and request.flag("IsSupportIoOptimized", True)
            and not request.text("SnapshotId")
            and request.text("ResourceGroupId") in ("", row.get("ResourceGroupId"))
            and all(request.text(name) in ("", row[name]) for name in _FILTERS)
        ]
        page, head = number_page(request, found, max_size=100)
        return {**head, "RegionId": request.region_id, "Images": {"Image": list(page)}}

    # With a snapshot the API needs no instance.
    @action("CreateImage", optional=("RegionId", "InstanceId"))
    def create_image(self, request: Request) -> dict[str, object]:
        """Make an image of an instance: the files in its home folder, as they are."""
        if request.text("SnapshotId") or request.records("DiskDeviceMapping"):
            raise not_served("images of snapshots; make one of an instance")
        instance = self.instance(request)
        refuse_released(instance)
        if instance.status not in (RUNNING, STOPPED):
            raise errors.incorrect_status(instance.status)
        source = self.images.get(instance.image_id)
        system, *_ = self.disks_of(instance)
        image = self._new(
            request,
            instance.region_id,
            name=check.read_name(request, "ImageName", ""),
            base_id=source.base_id if source is not None else instance.image_id,
            size_gib=system.size_gib,
            is_copied=False,
        )
        request.stop_if_dry_run()
        self.images.put(image)

        def copy(folder: Path) -> None:
            self.host.copy_home(instance.id, folder)

        self.cloud.after_commit(lambda: self.image_folders.fill(image.id, copy))
        return {"ImageId": image.id}

    @action("CopyImage", optional=("RegionId",))
    def copy_image(self, request: Request) -> dict[str, object]:
        """Copy a custom image, to another region or within its own."""
        request.refuse_unserved("Encrypted", "KMSKeyId")
        source = self._image(request)
        if source.status != AVAILABLE:
            raise image_errors.incorrect_image_status(source.status)
        region_id = request.text("DestinationRegionId") or request.region_id
        if region_id not in REGIONS:
            raise errors.value_not_supported("DestinationRegionId", region_id)
        image = self._new(
            request,
            region_id,
            name=check.read_name(request, "DestinationImageName", ""),
            base_id=source.base_id,
            size_gib=source.size_gib,
            is_copied=True,
        )
        image = replace(image, description=request.text("DestinationDescription", source.description))
        request.stop_if_dry_run()
        self.images.put(image)
        folder = self.image_folders.find(source.id)

        def copy(target: Path) -> None:
            if folder is None:
                raise FileNotFoundError(f"the files of {source.id} are gone")
            shutil.copytree(folder, target, symlinks=True)

        self.cloud.after_commit(lambda: self.image_folders.fill(image.id, copy))
        return {"ImageId": image.id}

    @action("ModifyImageAttribute", optional=("RegionId",))
    def modify_image_attribute(self, request: Request) -> dict[str, object]:
        """Change a custom image's name, description or family."""
        image = self._image(request)
        name = check.read_name(request, "ImageName", image.name)
        if name != image.name:
            self._check_name(name, image.region_id)
        self.images.put(
            replace(
                image,
                name=name,
                description=check.read_description(request, image.description),
                family=request.text("ImageFamily", image.family),
            )
        )
        return {}

    @action("DeleteImage", optional=("RegionId",))
    def delete_image(self, request: Request) -> dict[str, object]:
        """Delete a custom image that no instance has or, with `Force`, any; what began with it stays."""
        image = self._image(request)
        if image.status == CREATING:
            raise image_errors.incorrect_image_status(image.status)
        is_used = any(instance.image_id == image.id for instance in self.instances.list())
        if is_used and not request.flag("Force"):
            raise image_errors.image_in_use()
        request.stop_if_dry_run()
        self.images.delete(image.id)
        self.cloud.after_commit(lambda: self.image_folders.discard(image.id))
        return {}

    def _image(self, request: Request) -> CustomImage:
        image_id = request.text("ImageId")
        if image_id in IMAGES:
            raise image_errors.image_is_public()
        image = self.images.get(image_id)
        if image is None or image.region_id != request.region_id:
            raise errors.image_not_found()
        return image

    def _new(
        self, request: Request, region_id: str, *, name: str, base_id: str, size_gib: int, is_copied: bool
    ) -> CustomImage:
        if self.cloud.terms.has_quotas and self.images.are_at_least(MAX_IMAGES, "region_id", region_id):
            raise image_errors.too_many_images()
        if name:
            self._check_name(name, region_id)
        image_id = self.cloud.new_id("m")
        return CustomImage(
            id=image_id,
            created_at=self.cloud.clock(),
            tags=read_tags(request),
            region_id=region_id,
            name=name or image_id,
            description=check.read_description(request),
            family=request.text("ImageFamily"),
            base_id=base_id,
            size_gib=size_gib,
            status=CREATING,
            is_copied=is_copied,
            resource_group_id=request.text("ResourceGroupId"),
            version=request.text("ImageVersion"),
        )

    def _check_name(self, name: str, region_id: str) -> None:
        if any(other.name == name for other in self.images_of(region_id)):
            raise image_errors.image_name_duplicated(name)
