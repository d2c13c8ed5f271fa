"""What Alibaba Cloud offers: regions, their zones, and ECS instance types.

Gathered in 2026-11. GPU sizes are those of Alibaba Cloud's help page "GPU-accelerated compute-optimized
instance families". The other families follow their fixed ratio of memory to vCPUs. Regions and zones were
written down from knowledge of the cloud, not copied from a page of it, and it adds zones and types all the
time: a zone or a type that is not listed is a mistake on the local cloud alone.

`imitated_speed` serves the local cloud alone, where no accelerator exists: the ratio of an accelerator's
published dense FP16 peak to an A10's 125 TFLOPS, but for the T4, which is set to a third of an A10. It is
no measurement, and every figure that rests on it is shown as imitated.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from types import MappingProxyType


@dataclass(frozen=True, kw_only=True)
class InstanceType:
    """One ECS instance type.

    Attributes:
        name: The API's id, e.g. `ecs.gn7i-c8g1.2xlarge`.
        vcpus: Number of vCPUs.
        memory_gib: Memory in GiB.
        gpu: Model of its GPUs; empty where it has none.
        num_gpus: Number of its GPUs.
        imitated_speed: Speed of one of its accelerators relative to an A10, above 0; for the local cloud.
    """

    name: str
    vcpus: int
    memory_gib: int
    gpu: str
    num_gpus: int
    imitated_speed: float


# Zones stand in the order in which they are chosen where a spec names none.
REGIONS: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {
        region: tuple(f"{region}{letter if region[-1].isdigit() else '-' + letter}" for letter in letters)
        for region, letters in (
            ("cn-hangzhou", "hijkgfeb"),
            ("cn-shanghai", "mnlkgfebacd"),
            ("cn-beijing", "lkihjgfedcba"),
            ("cn-shenzhen", "efdcba"),
            ("cn-qingdao", "cb"),
            ("cn-zhangjiakou", "cba"),
            ("cn-huhehaote", "ba"),
            ("cn-wulanchabu", "cba"),
            ("cn-heyuan", "ba"),
            ("cn-guangzhou", "ab"),
            ("cn-chengdu", "ba"),
            ("cn-nanjing", "a"),
            ("cn-fuzhou", "a"),
            ("cn-wuhan-lr", "a"),
            ("cn-hongkong", "bcd"),
            ("ap-northeast-1", "abc"),
            ("ap-northeast-2", "ab"),
            ("ap-southeast-1", "abc"),
            ("ap-southeast-3", "ab"),
            ("ap-southeast-5", "abc"),
            ("ap-southeast-6", "ab"),
            ("ap-southeast-7", "ab"),
            ("us-east-1", "ab"),
            ("us-west-1", "ab"),
            ("na-south-1", "ab"),
            ("eu-central-1", "abc"),
            ("eu-west-1", "ab"),
            ("me-east-1", "a"),
            ("me-central-1", "ab"),
        )
    }
)

NO_GPU_SPEED = 0.05

_GPU_SPEEDS: Mapping[str, float] = {
    "NVIDIA T4": 1 / 3,
    "NVIDIA V100": 1.0,
    "NVIDIA A10": 1.0,
    "NVIDIA A30": 1.32,
    "NVIDIA A100 40 GB": 2.5,
    "NVIDIA A100 80 GB": 2.5,
    "NVIDIA L20": 0.95,
    "96 GB HBM3": 1.18,
    "Blackwell 48 GB": 2.13,
    "Blackwell 72 GB": 2.13,
}

# GPU model -> rows of (name, vCPUs, memory in GiB, number of GPUs). The help page names no model for gn8v and
# for the ninth generation: these carry the memory that it gives.
_GPU_TYPES: Mapping[str, tuple[tuple[str, int, int, int], ...]] = {
    "NVIDIA T4": (
        ("gn6i-c4g1.xlarge", 4, 15, 1),
        ("gn6i-c8g1.2xlarge", 8, 31, 1),
        ("gn6i-c16g1.4xlarge", 16, 62, 1),
        ("gn6i-c24g1.6xlarge", 24, 93, 1),
        ("gn6i-c40g1.10xlarge", 40, 155, 1),
        ("gn6i-c24g1.12xlarge", 48, 186, 2),
        ("gn6i-c24g1.24xlarge", 96, 372, 4),
    ),
    "NVIDIA V100": (
        ("gn6v-c8g1.2xlarge", 8, 32, 1),
        ("gn6v-c8g1.4xlarge", 16, 64, 2),
        ("gn6v-c8g1.8xlarge", 32, 128, 4),
        ("gn6v-c8g1.16xlarge", 64, 256, 8),
        ("gn6v-c10g1.20xlarge", 82, 336, 8),
        ("gn6e-c12g1.3xlarge", 12, 92, 1),
        ("gn6e-c12g1.6xlarge", 24, 184, 2),
        ("gn6e-c12g1.12xlarge", 48, 368, 4),
        ("gn6e-c12g1.24xlarge", 96, 736, 8),
    ),
    "NVIDIA A10": (
        ("gn7i-c8g1.2xlarge", 8, 30, 1),
        ("gn7i-c16g1.4xlarge", 16, 60, 1),
        ("gn7i-c32g1.8xlarge", 32, 188, 1),
        ("gn7i-c48g1.12xlarge", 48, 310, 1),
        ("gn7i-c56g1.14xlarge", 56, 346, 1),
        ("gn7i-c32g1.16xlarge", 64, 376, 2),
        ("gn7i-c32g1.32xlarge", 128, 752, 4),
        ("gn7i-2x.8xlarge", 32, 128, 2),
        ("gn7i-4x.8xlarge", 32, 128, 4),
        ("gn7i-4x.16xlarge", 64, 256, 4),
        ("gn7i-8x.16xlarge", 64, 256, 8),
        ("gn7i-8x.32xlarge", 128, 512, 8),
        ("ebmgn7i.32xlarge", 128, 768, 4),
    ),
    "NVIDIA A30": (
        ("gn7s-c8g1.2xlarge", 8, 60, 1),
        ("gn7s-c16g1.4xlarge", 16, 120, 1),
        ("gn7s-c32g1.8xlarge", 32, 250, 1),
        ("gn7s-c48g1.12xlarge", 48, 380, 1),
        ("gn7s-c56g1.14xlarge", 56, 440, 1),
        ("gn7s-c32g1.16xlarge", 64, 500, 2),
        ("gn7s-c32g1.32xlarge", 128, 1000, 4),
    ),
    "NVIDIA A100 40 GB": (
        ("gn7-c12g1.3xlarge", 12, 94, 1),
        ("gn7-c13g1.13xlarge", 52, 378, 4),
        ("gn7-c13g1.26xlarge", 104, 756, 8),
    ),
    "NVIDIA A100 80 GB": (
        ("gn7e-c16g1.4xlarge", 16, 125, 1),
        ("gn7e-c16g1.8xlarge", 32, 250, 2),
        ("gn7e-c16g1.16xlarge", 64, 500, 4),
        ("gn7e-c16g1.32xlarge", 128, 1000, 8),
        ("ebmgn7e.32xlarge", 128, 1024, 8),
    ),
    "NVIDIA L20": (
        ("gn8is.2xlarge", 8, 64, 1),
        ("gn8is.4xlarge", 16, 128, 1),
        ("gn8is-2x.8xlarge", 32, 256, 2),
        ("gn8is-4x.16xlarge", 64, 512, 4),
        ("gn8is-8x.32xlarge", 128, 1024, 8),
        ("ebmgn8is.32xlarge", 128, 1024, 8),
        ("ebmgn8ia.64xlarge", 256, 1536, 4),
    ),
    "96 GB HBM3": (
        ("gn8v.4xlarge", 16, 96, 1),
        ("gn8v.6xlarge", 24, 128, 1),
        ("gn8v-2x.8xlarge", 32, 192, 2),
        ("gn8v-2x.12xlarge", 48, 256, 2),
        ("gn8v-4x.8xlarge", 32, 384, 4),
        ("gn8v-4x.24xlarge", 96, 512, 4),
        ("gn8v-8x.16xlarge", 64, 768, 8),
        ("gn8v-8x.48xlarge", 192, 1024, 8),
        ("gn8v-tee.4xlarge", 16, 96, 1),
        ("gn8v-tee.6xlarge", 24, 128, 1),
        ("gn8v-tee-8x.16xlarge", 64, 768, 8),
        ("gn8v-tee-8x.48xlarge", 192, 1024, 8),
        ("ebmgn8v.48xlarge", 192, 1024, 8),
    ),
    "Blackwell 48 GB": (("ebmgn9g.64xlarge", 256, 2304, 8),),
    "Blackwell 72 GB": (
        ("ebmgn9gc.64xlarge", 256, 1536, 8),
        ("ebmgn9ge.64xlarge", 256, 2304, 8),
    ),
}

# Families without GPUs: GiB of memory for each vCPU. Their sizes are the same in each family up to 16xlarge.
_CPU_FAMILIES: Mapping[str, int] = {"c7": 2, "g7": 4, "r7": 8, "c8i": 2, "g8i": 4, "r8i": 8}
_CPU_SIZES: Mapping[str, int] = {
    "large": 2,
    "xlarge": 4,
    "2xlarge": 8,
    "3xlarge": 12,
    "4xlarge": 16,
    "6xlarge": 24,
    "8xlarge": 32,
    "16xlarge": 64,
}


def _gpu_types() -> Iterator[InstanceType]:
    for gpu, rows in _GPU_TYPES.items():
        for name, vcpus, memory_gib, num_gpus in rows:
            yield InstanceType(
                name=f"ecs.{name}",
                vcpus=vcpus,
                memory_gib=memory_gib,
                gpu=gpu,
                num_gpus=num_gpus,
                imitated_speed=_GPU_SPEEDS[gpu],
            )


def _cpu_types() -> Iterator[InstanceType]:
    for family, gib_per_vcpu in _CPU_FAMILIES.items():
        for size, vcpus in _CPU_SIZES.items():
            yield InstanceType(
                name=f"ecs.{family}.{size}",
                vcpus=vcpus,
                memory_gib=vcpus * gib_per_vcpu,
                gpu="",
                num_gpus=0,
                imitated_speed=NO_GPU_SPEED,
            )


INSTANCE_TYPES: Mapping[str, InstanceType] = MappingProxyType(
    {one.name: one for one in (*_gpu_types(), *_cpu_types())}
)
