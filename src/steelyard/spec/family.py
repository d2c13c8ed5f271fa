"""Families of ECS instance types."""

from __future__ import annotations

import re

from steelyard.spec.catalogue import INSTANCE_TYPES

# The GPU families of which the help page "GPU-accelerated compute-optimized instance families" (2026-11) says that they
# have elastic RDMA, and from memory those of the 8th generation without GPUs.
ERDMA_FAMILIES = frozenset(
    {
        "ecs.gn8is",
        "ecs.gn8v",
        "ecs.ebmgn8v",
        "ecs.ebmgn8is",
        "ecs.ebmgn8ia",
        "ecs.ebmgn9g",
        "ecs.ebmgn9gc",
        "ecs.ebmgn9ge",
        "ecs.c8i",
        "ecs.g8i",
        "ecs.r8i",
    }
)


def family_of(instance_type: str) -> str:
    """Give an instance type's family, e.g. `ecs.gn7i` of `ecs.gn7i-c8g1.2xlarge`."""
    return instance_type.rpartition(".")[0].split("-")[0]


def has_gpu(instance_type: str) -> bool:
    """Tell whether a type has GPUs; one that the catalogue does not list is judged by its family's name."""
    found = INSTANCE_TYPES.get(instance_type)
    if found is not None:
        return found.num_gpus > 0
    return re.match(r"ecs\.(ebm)?[sv]?gn\d", instance_type) is not None


def has_erdma(instance_type: str) -> bool:
    """Tell whether a type can have an elastic RDMA interface, as `EriQuantity` of DescribeInstanceTypes does."""
    return family_of(instance_type) in ERDMA_FAMILIES
