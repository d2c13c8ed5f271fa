from __future__ import annotations

import re

import pulumi
from pulumi_alicloud import ecs

from steelyard.errors import DeployError


def is_image_id(image: str) -> bool:
    """Tell an image's id, such as `m-bp1…` or `…_20260618.vhd`, from a family such as `ubuntu_24_04`."""
    return image.startswith("m-") or image.endswith(".vhd")


def find_image(image: str, instance_type: str, parent: pulumi.Resource) -> str:
    """Return the id of an image.

    Args:
        image: An image's id, returned as it is, or the family of which the newest system image is looked up.
        instance_type: Type that the image must run on.
        parent: Resource whose provider is asked.

    Raises:
        DeployError: If the region has no such image.
    """
    if is_image_id(image):
        return image
    # System images are named <family>_x64_<size>G_alibase_<yyyymmdd>.vhd; those for containers have more in between.
    found = ecs.get_images(
        owners="system",
        name_regex=rf"^{re.escape(image)}_x64_\d+G_alibase_",
        most_recent=True,
        instance_type=instance_type,
        opts=pulumi.InvokeOptions(parent=parent),
    )
    if not found.ids:
        hint = "name another family, such as ubuntu_24_04, or the id of an image of the region"
        raise DeployError(f"there is no system image of the family {image} for {instance_type}", hint)
    return found.ids[0]
