"""The public images that the local cloud offers.

Gathered in 2026-11. The ids of Ubuntu 20.04 and 26.04 and of Alibaba Cloud Linux stand in the documentation and tests
of the Terraform provider for Alibaba Cloud (aliyun/terraform-provider-alicloud, v2.0.0-beta3). Those of Ubuntu 22.04
and 24.04 follow the same scheme, but their dates are made up: on the cloud, look an id up by its name's beginning.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType


@dataclass(frozen=True, kw_only=True)
class Image:
    """A public image; on the local cloud its name is all there is of it.

    Attributes:
        image_id: Id, which is its name as well.
        family: The family whose newest member it may be.
        os_name: The operating system's name.
        platform: The distribution.
        size_gib: Size of the smallest system disk.
        created_on: Date of its making, ISO 8601.
    """

    image_id: str
    family: str
    os_name: str
    platform: str
    size_gib: int
    created_on: str

    def to_answer(self, *, is_used: bool) -> dict[str, object]:
        """Give the fields of DescribeImages.

        Args:
            is_used: Whether an instance was made from it.
        """
        return {
            "ImageId": self.image_id,
            "ImageName": self.image_id,
            "ImageFamily": self.family,
            "ImageOwnerAlias": "system",
            "ImageVersion": "",
            "Description": self.os_name,
            "OSName": self.os_name,
            "OSNameEn": self.os_name,
            "OSType": "linux",
            "Platform": self.platform,
            "Architecture": "x86_64",
            "BootMode": "BIOS",
            "Size": self.size_gib,
            "Status": "Available",
            "Usage": "instance" if is_used else "none",
            "Progress": "100%",
            "CreationTime": f"{self.created_on}T00:00:00Z",
            "IsPublic": True,
            "IsSupportCloudinit": True,
            "IsSupportIoOptimized": True,
            "IsCopied": False,
            "IsSubscribed": False,
            "IsSelfShared": "",
            "Usable": True,
            "LoginAsNonRootSupported": True,
            "ProductCode": "",
            "Tags": {"Tag": []},
            "DiskDeviceMappings": {"DiskDeviceMapping": []},
        }


def _images() -> Mapping[str, Image]:
    rows = (
        ("ubuntu_26_04_x64", "20G_alibase_20260618", "Ubuntu  26.04 64 bit", "Ubuntu", "2026-06-18"),
        ("ubuntu_24_04_x64", "20G_alibase_20260615", "Ubuntu  24.04 64 bit", "Ubuntu", "2026-06-15"),
        ("ubuntu_22_04_x64", "20G_alibase_20260612", "Ubuntu  22.04 64 bit", "Ubuntu", "2026-06-12"),
        ("ubuntu_20_04_x64", "20G_alibase_20230316", "Ubuntu  20.04 64 bit", "Ubuntu", "2023-03-16"),
        ("aliyun_3_x64", "20G_alibase_20260625", "Alibaba Cloud Linux  3 64 bit", "Aliyun", "2026-06-25"),
        (
            "aliyun_3_x64",
            "20G_container_optimized_alibase_20251215",
            "Alibaba Cloud Linux  3 64 bit Container Optimized",
            "Aliyun",
            "2025-12-15",
        ),
        (
            "aliyun_4_x64",
            "20G_container_optimized_alibase_20260402",
            "Alibaba Cloud Linux  4 64 bit Container Optimized",
            "Aliyun",
            "2026-04-02",
        ),
    )
    images = (
        Image(
            image_id=f"{family}_{rest}.vhd",
            family=f"acs:{family}" if "container" not in rest else f"acs:{family}_container_optimized",
            os_name=os_name,
            platform=platform,
            size_gib=20,
            created_on=created_on,
        )
        for family, rest, os_name, platform, created_on in rows
    )
    return MappingProxyType({image.image_id: image for image in images})


IMAGES: Mapping[str, Image] = _images()
