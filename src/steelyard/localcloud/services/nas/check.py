"""Checks of NAS's parameters, by the rules of the API's parameter descriptions."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from ipaddress import IPv4Network

from steelyard.localcloud.service import Request
from steelyard.localcloud.services.nas import errors
from steelyard.localcloud.wire.error import invalid_parameter, not_served

PROTOCOLS: Mapping[str, Sequence[str]] = {"standard": ("NFS", "SMB"), "extreme": ("NFS",)}
"""By file system type, the protocols that it speaks."""

STORAGE_TYPES: Mapping[str, Sequence[str]] = {
    "standard": ("Performance", "Capacity", "Premium"),
    "extreme": ("standard", "advance"),
}
"""By file system type, what it may be kept on."""

EXTREME_CAPACITY_GIB = (100, 262144)
"""Least and most capacity of an `extreme` file system (help page "Limits", from memory)."""

_PARALLEL_TYPES = ("cpfs", "cpfsse", "bmcpfs")
_GROUP_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_-]{2,63}")
_DESCRIPTION = re.compile(r"[^\W\d_][\w:-]{1,127}")


def read_file_system_type(request: Request, *, default: str = "standard") -> str:
    """Give the type of file system that a call is about.

    Raises:
        ApiError: It is none, or one of CPFS, which the local cloud does not serve.
    """
    file_system_type = request.text("FileSystemType") or default
    if file_system_type in _PARALLEL_TYPES:
        raise not_served(f"the file system type {file_system_type!r} (CPFS); it has `standard` and `extreme`")
    if file_system_type not in (*PROTOCOLS, default):
        raise invalid_parameter("FileSystemType", file_system_type, "`standard` or `extreme`")
    return file_system_type


def check_medium(file_system_type: str, protocol_type: str, storage_type: str) -> None:
    """Check what a file system speaks and what it is kept on.

    Raises:
        ApiError: `InvalidParameter.ProtocalType` or `InvalidParameter.StorageType`.
    """
    if protocol_type not in PROTOCOLS[file_system_type]:
        raise errors.bad_protocol_type(protocol_type, ", ".join(PROTOCOLS[file_system_type]))
    if storage_type not in STORAGE_TYPES[file_system_type]:
        raise errors.bad_storage_type(storage_type, ", ".join(STORAGE_TYPES[file_system_type]))


def read_description(request: Request, before: str = "") -> str:
    """Give a call's description, or what it was before.

    Raises:
        ApiError: `InvalidDescription.InvalidFormat`.
    """
    description = request.text("Description", before)
    if description and description != before and not _DESCRIPTION.fullmatch(description):
        raise errors.bad_description()
    return description


def check_group_name(name: str) -> None:
    """Check the name of a new permission group.

    Raises:
        ApiError: `InvalidParameter`.
    """
    if not _GROUP_NAME.fullmatch(name):
        want = "3 to 64 letters, digits, underscores and hyphens that begin with a letter"
        raise invalid_parameter("AccessGroupName", name, want)


def read_source(request: Request, before: str = "") -> str:
    """Give the address or range that a rule is about, or what it was before.

    Raises:
        ApiError: `InvalidParameter`, or `UnsupportedOperation` for one of IPv6.
    """
    if request.text("Ipv6SourceCidrIp"):
        raise not_served("permission rules of IPv6 addresses")
    source = request.text("SourceCidrIp", before)
    try:
        IPv4Network(source, strict=False)
    except ValueError:
        raise invalid_parameter(
            "SourceCidrIp", source, "an IPv4 address or range, such as 10.0.0.0/8"
        ) from None
    return source
