"""Instance types as answers hold them, and which of them a call asks for."""

from __future__ import annotations

from collections.abc import Mapping

from steelyard.localcloud.service import Request
from steelyard.localcloud.services.ecs.network_interface import MAX_INTERFACES
from steelyard.localcloud.wire.error import not_served
from steelyard.spec.catalogue import InstanceType
from steelyard.spec.family import family_of, has_erdma

_LISTS = {
    "InstanceTypes": "InstanceTypeId",
    "InstanceTypeFamilies": "InstanceTypeFamily",
    "InstanceCategories": "InstanceCategory",
    "GpuSpecs": "GPUSpec",
    "CpuArchitectures": "CpuArchitecture",
    "LocalStorageCategories": "LocalStorageCategory",
}
_TEXTS = (
    "InstanceTypeFamily",
    "InstanceCategory",
    "InstanceFamilyLevel",
    "GPUSpec",
    "CpuArchitecture",
    "LocalStorageCategory",
)


def type_row(instance_type: InstanceType) -> dict[str, object]:
    """Give the fields of DescribeInstanceTypes."""
    return {
        "InstanceTypeId": instance_type.name,
        "InstanceTypeFamily": family_of(instance_type.name),
        "InstanceFamilyLevel": "EnterpriseLevel",
        "InstanceCategory": "GPU-Computing-Optimized" if instance_type.num_gpus else "General-purpose",
        "CpuArchitecture": "X86",
        "CpuCoreCount": instance_type.vcpus,
        "MemorySize": float(instance_type.memory_gib),
        "GPUAmount": instance_type.num_gpus,
        "GPUSpec": instance_type.gpu,
        "EniQuantity": MAX_INTERFACES,
        "EriQuantity": int(has_erdma(instance_type.name)),
        "EniPrivateIpAddressQuantity": 10,
        "LocalStorageCategory": "",
        "LocalStorageAmount": 0,
        "LocalStorageCapacity": 0,
    }


def is_wanted_type(request: Request, row: Mapping[str, object]) -> bool:
    """Tell whether an instance type is one that DescribeInstanceTypes asks for.

    Raises:
        ApiError: `UnsupportedOperation` for a bound of something that the catalogue does not tell.
    """
    return (
        all(not request.texts(name) or row[key] in request.texts(name) for name, key in _LISTS.items())
        and all(request.text(name) in ("", row[name]) for name in _TEXTS)
        and all(_is_within(row, name, value) for name, value in request.params.items())
    )


def _is_within(row: Mapping[str, object], name: str, bound: object) -> bool:
    is_least, is_most = name.startswith("Minimum"), name.startswith("Maximum")
    if not bound or not (is_least or is_most):
        return True
    value = row.get(name.removeprefix("Minimum").removeprefix("Maximum"))
    if value is None:
        raise not_served(f"{name} in DescribeInstanceTypes")
    assert isinstance(value, int | float)
    assert isinstance(bound, int | float)
    return value >= bound if is_least else value <= bound
