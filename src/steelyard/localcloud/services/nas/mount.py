"""What an instance that mounts a file system is let do: the part of a mount that NFS does on the real cloud."""

from __future__ import annotations

from ipaddress import IPv4Address

from steelyard.localcloud.hosts.address import host_part
from steelyard.localcloud.metadata.items import InstanceMetadata
from steelyard.localcloud.metadata.service import MountRefused
from steelyard.localcloud.services.nas.models import MountTarget
from steelyard.localcloud.services.nas.state import NasState
from steelyard.localcloud.services.vpc.state import VpcState


class Mounting(NasState):
    """Tells instances where a mount target's file system is on this machine (`FileServer` of the metadata service)."""

    def mount_path(self, domain: str, instance: InstanceMetadata) -> str | None:
        """Give the path by which an instance sees a mount target's file system; None where there is no such target.

        Raises:
            MountRefused: It is in another VPC, not active, of a protocol that Linux does not mount, or its permission
                group does not let the instance read and write.
        """
        with self.cloud.transaction():
            target = next((one for one in self.targets() if one.id == domain), None)
            if target is None or target.vpc_id != instance.vpc_id:
                # As its name is not resolved in another VPC.
                return None
            status = target.status_at(self.cloud.clock())
            if status != "Active":
                raise MountRefused(f"the mount target {domain} is {status}")
            file_system = self.file_systems.get(target.file_system_id)
            if file_system is None or file_system.protocol_type != "NFS":
                raise MountRefused(f"the file system of {domain} speaks no NFS, and instances are Linux")
            self._check_access(target, self._true_address(instance))
        return str(self.shares.door(domain))

    def _check_access(self, target: MountTarget, address: str) -> None:
        group = self.find_group(target)
        rule = next((rule for rule in self.rules_of(group) if rule.is_about(address)), None)
        if rule is None:
            raise MountRefused(f"no rule of the permission group {group.name} lets {address} in")
        if rule.rw_access != "RDWR":
            raise MountRefused(
                f"rule {rule.number} of the permission group {group.name} lets {address} read alone, and the local "
                "cloud does not serve read-only mounts"
            )

    def _true_address(self, instance: InstanceMetadata) -> str:
        """Give an instance's address in its VSwitch's range; the loopback host serves it with another first byte."""
        network = self.cloud.service(VpcState)
        vswitch = network.find_vswitch(instance.vswitch_id)
        if vswitch is None:
            return instance.private_ipv4
        first_byte = int(vswitch.network.network_address) & 0xFF000000
        return str(IPv4Address(first_byte | host_part(instance.private_ipv4)))
