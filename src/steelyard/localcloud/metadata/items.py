"""What the metadata service tells an instance of itself, as a tree of items by their paths.

Source: help page "Instance metadata" (www.alibabacloud.com/help/en/ecs/user-guide/view-instance-metadata). Left out is
what an instance has from its machine here: resolvers, time servers and the sources of packages.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from ipaddress import IPv4Network

from steelyard.localcloud.text import utc_text
from steelyard.spec.catalogue import INSTANCE_TYPES

BYTES_AS_THEY_ARE = "surrogateescape"
"""How user data that is no text, such as a compressed one, is held in a text, and written again."""
META_DATA = "latest/meta-data/"
CREDENTIALS = f"{META_DATA}ram/security-credentials/"
DOCUMENT = "latest/dynamic/instance-identity/document"
SIGNATURE = "latest/dynamic/instance-identity/pkcs7"
_VERSION = "2016-01-01"
_GATEWAY = -3  # The last address but two of a VSwitch.


@dataclass(frozen=True, kw_only=True)
class InterfaceMetadata:
    """A network interface of an instance.

    Attributes:
        addresses: Its private addresses, the first one first.
        vpc_cidr_block: The block of the VPC that it is in.
        vswitch_cidr_block: The block of its VSwitch.
    """

    id: str
    mac_address: str
    addresses: tuple[str, ...]
    vpc_id: str
    vswitch_id: str
    vpc_cidr_block: str
    vswitch_cidr_block: str

    def items(self) -> dict[str, str]:
        """Give its items by their names."""
        vswitch = IPv4Network(self.vswitch_cidr_block)
        return {
            "network-interface-id": self.id,
            "primary-ip-address": self.addresses[0],
            "private-ipv4s": json.dumps(self.addresses),
            "netmask": str(vswitch.netmask),
            "gateway": str(vswitch[_GATEWAY]),
            "vpc-id": self.vpc_id,
            "vpc-cidr-block": self.vpc_cidr_block,
            "vswitch-id": self.vswitch_id,
            "vswitch-cidr-block": self.vswitch_cidr_block,
        }


@dataclass(frozen=True, kw_only=True)
class InstanceMetadata:
    """What the metadata service tells an instance of itself.

    Attributes:
        http_tokens: `required` where a token has to come along with each request, else `optional`.
        is_http_enabled: Whether the service answers this instance at all.
        user_data: The instance's user data, decoded.
        ram_role_name: Role that the instance may act in; empty where it has none.
        public_key: The public half of its key pair; empty where it has none.
        public_ipv4: Its address on the Internet; empty where it has none.
        elastic_ipv4: The elastic address that is bound to it; empty where none is.
        interfaces: Its network interfaces, its own first.
        spot_termination_at: Unix time at which it will be taken back; None as long as nobody said so.
    """

    instance_id: str
    private_ipv4: str
    region_id: str
    zone_id: str
    instance_type: str
    hostname: str
    vpc_id: str
    vswitch_id: str
    image_id: str = ""
    owner_account_id: str = ""
    user_data: str = ""
    ram_role_name: str = ""
    http_tokens: str = "optional"
    is_http_enabled: bool = True
    public_key: str = ""
    spot_termination_at: float | None = None
    name: str = ""
    mac_address: str = ""
    serial_number: str = ""
    public_ipv4: str = ""
    elastic_ipv4: str = ""
    interfaces: tuple[InterfaceMetadata, ...] = ()


def identity_document(instance: InstanceMetadata, audience: str | None = None) -> str:
    """Write an instance's identity document (help page "Use instance identities").

    Args:
        instance: What is known of the instance.
        audience: Whom a signature is for; what is signed then names it last.
    """
    names = {
        "owner-account-id": instance.owner_account_id,
        "instance-id": instance.instance_id,
        "mac": instance.mac_address,
        "region-id": instance.region_id,
        "serial-number": instance.serial_number,
        "zone-id": instance.zone_id,
        "instance-type": instance.instance_type,
        "image-id": instance.image_id,
        "private-ipv4": instance.private_ipv4,
    }
    if audience is not None:
        names["audience"] = audience
    return json.dumps(names, separators=(",", ":"), ensure_ascii=False)


def named_version(path: str) -> str:
    """Give the path of an item with `latest` for the only version that there is."""
    version, slash, rest = path.partition("/")
    return f"latest{slash}{rest}" if version == _VERSION else path


def metadata_items(instance: InstanceMetadata) -> dict[str, str]:
    """Give an instance's items by their paths; what is made anew for each request has an empty text."""
    items = {
        META_DATA + name: text for name, text in {**_own(instance), **_network(instance)}.items() if text
    }
    if instance.ram_role_name:
        items[CREDENTIALS + instance.ram_role_name] = ""
    if instance.user_data:
        items["latest/user-data"] = instance.user_data
    items[DOCUMENT] = identity_document(instance)
    items[SIGNATURE] = ""
    return items


def listing(items: Mapping[str, str], path: str) -> str | None:
    """Give the names below a path, one a line, those that have names below them with a `/`; None where there are none.

    Args:
        items: The items by their paths.
        path: The path; empty for the versions.
    """
    if not path:
        return f"{_VERSION}\nlatest"
    prefix = f"{path}/"
    below = {name.removeprefix(prefix) for name in items if name.startswith(prefix)}
    return "\n".join(sorted({"".join(name.partition("/")[:2]) for name in below})) or None


def _own(instance: InstanceMetadata) -> dict[str, str]:
    instance_type = INSTANCE_TYPES.get(instance.instance_type)
    terminated_at = instance.spot_termination_at
    return {
        "instance-id": instance.instance_id,
        "instance/instance-type": instance.instance_type,
        "instance/instance-name": instance.name,
        "instance/spot/termination-time": "" if terminated_at is None else utc_text(terminated_at),
        "hostname": instance.hostname,
        "image-id": instance.image_id,
        "serial-number": instance.serial_number,
        "owner-account-id": instance.owner_account_id,
        "region-id": instance.region_id,
        "zone-id": instance.zone_id,
        "public-keys/0/openssh-key": instance.public_key,
        "steelyard/imitated-speed": "" if instance_type is None else str(instance_type.imitated_speed),
    }


def _network(instance: InstanceMetadata) -> dict[str, str]:
    items = {
        "network-type": "vpc",
        "mac": instance.mac_address,
        "private-ipv4": instance.private_ipv4,
        "public-ipv4": instance.public_ipv4,
        "eipv4": instance.elastic_ipv4,
        "vpc-id": instance.vpc_id,
        "vswitch-id": instance.vswitch_id,
    }
    for interface in instance.interfaces:
        own = f"network/interfaces/macs/{interface.mac_address}"
        items |= {f"{own}/{name}": text for name, text in interface.items().items()}
    if instance.interfaces:
        first = instance.interfaces[0]
        further = first.addresses[1:]
        items |= {
            "vpc-cidr-block": first.vpc_cidr_block,
            "vswitch-cidr-block": first.vswitch_cidr_block,
            "sub-private-ipv4-list": json.dumps(further) if further else "",
        }
    return items
