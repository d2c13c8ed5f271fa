from __future__ import annotations

from steelyard.localcloud.services.ecs.models import RUNNING, STOPPED
from steelyard.localcloud.services.ecs.state import EcsState
from steelyard.localcloud.services.vpc.egress_models import EipHolder


class NetworkDirectory(EcsState):
    """What the VPC service asks: what stands where, and what routes and elastic addresses can lead to.

    It serves `NetworkUser`, `BlockFollower`, `NextHopDirectory` and `EipHolderDirectory`.
    """

    def in_vpc(self, vpc_id: str) -> str | None:
        """Name what stands directly in a VPC: `SecurityGroup`, or None."""
        return "SecurityGroup" if self.security_groups.are_at_least(1, "vpc_id", vpc_id) else None

    def in_vswitch(self, vswitch_id: str) -> str | None:
        """Name what stands in a VSwitch: `Instance`, `NetworkInterface`, or None."""
        if self.instances.are_at_least(1, "vswitch_id", vswitch_id):
            return "Instance"
        return "NetworkInterface" if self.interfaces.are_at_least(1, "vswitch_id", vswitch_id) else None

    def num_addresses(self, vswitch_id: str) -> int:
        """Count the addresses of a VSwitch that instances and network interfaces hold."""
        own = [one.addresses for one in self.instances.where("vswitch_id", vswitch_id)]
        others = [one.addresses for one in self.interfaces.where("vswitch_id", vswitch_id)]
        return sum(map(len, own + others))

    def follow_blocks(self, vpc_id: str) -> None:
        """Give the instances of a VPC ways to the blocks that it has now; nobody waits for that."""
        ids = [instance.id for instance in self.instances.where("vpc_id", vpc_id)]
        self.cloud.after_commit(lambda: self.life.rewire_later(ids))

    def vpc_of_next_hop(self, next_hop_type: str, next_hop_id: str) -> str | None:
        """Give the VPC of an instance or of a secondary network interface that a route would lead to."""
        if next_hop_type == "Instance":
            instance = self.find_instance(next_hop_id)
            return None if instance is None else instance.vpc_id
        interface = self.interfaces.get(next_hop_id)
        return None if interface is None else interface.vpc_id

    def eip_holder(self, instance_type: str, instance_id: str) -> EipHolder | None:
        """Tell of an instance, or a secondary network interface, that an elastic address may be bound to."""
        if instance_type == "NetworkInterface":
            interface = self.interfaces.get(instance_id)
            if interface is None:
                return None
            return EipHolder(
                region_id=interface.region_id,
                vpc_id=interface.vpc_id,
                private_address=interface.private_address,
                is_secondary=True,
            )
        instance = self.find_instance(instance_id)
        if instance is None:
            return None
        return EipHolder(
            region_id=instance.region_id,
            vpc_id=instance.vpc_id,
            private_address=instance.private_address,
            status="" if instance.status in (RUNNING, STOPPED) else instance.status,
            has_bandwidth=bool(instance.public_addresses),
        )
