"""The host back end with a network of its own: instances in namespaces, security groups enforced by the kernel.

A VPC is a router namespace, an instance a namespace on a cable to it, under its true address. The machine's own
network holds none of it: no link, no route, no name. So nothing that is sent to an instance's address from outside of
the VPC reaches it, or is led astray by it; load balancers are the way in, on a loopback address of the machine.
"""

from __future__ import annotations

import logging
import os
import secrets
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from ipaddress import IPv4Address, IPv4Network
from pathlib import Path
from urllib.parse import urlsplit

from steelyard import settings
from steelyard.errors import LocalCloudError
from steelyard.localcloud.hosts import kernel
from steelyard.localcloud.hosts.address import (
    AddressBook,
    AddressExhausted,
    AddressInUse,
    candidates,
    host_part,
)
from steelyard.localcloud.hosts.cloud_door import CLOUD_ADDRESS, CLOUD_PORT, CloudDoor
from steelyard.localcloud.hosts.host import Entrance, Fate, Machine, Wiring
from steelyard.localcloud.hosts.leftover import record_networks
from steelyard.localcloud.hosts.limit import ControlGroups
from steelyard.localcloud.hosts.link import find_claims, find_keeper, find_keepers
from steelyard.localcloud.hosts.metadata_door import MetadataDoor
from steelyard.localcloud.hosts.packet_filter import PacketFilter
from steelyard.localcloud.hosts.process import InstanceProcesses
from steelyard.localcloud.hosts.router import METADATA_ADDRESS, Plug, Router
from steelyard.localcloud.hosts.supervised import Placement

_METADATA_PORT = 80
_MARK = "."
"""Parts the VPC's id from what makes a router's name unique."""

logger = logging.getLogger(__name__)


class _Network:
    """What this host knows of one VPC."""

    def __init__(self) -> None:
        self.addresses: set[str] = set()
        self.inner: dict[str, str] = {}
        """Address inside of the VPC by load balancer's address on the machine."""
        self.router: Router | None = None
        self.door: MetadataDoor | None = None
        self.cloud_door: CloudDoor | None = None

    def is_idle(self) -> bool:
        return not self.addresses and not self.inner


class NamespaceHost(InstanceProcesses):
    """Boots instances in network namespaces; see `Host`.

    Args:
        directory: Folder that holds one folder per instance; made where it is missing. The namespaces that stand are
            recorded beside it, so that whoever stops the cloud can prove that they are gone.
        limits: Holds instances to their CPUs and memory; None where nothing does.

    Raises:
        LocalCloudError: The machine does not allow namespaces.
    """

    enforces_security_groups = True

    def __init__(self, directory: Path, limits: ControlGroups | None = None) -> None:
        super().__init__(directory)
        self._limits = limits
        self._data_dir = directory.parent
        self._fronts = AddressBook()
        for claim in find_claims(self._data_dir):
            self._fronts.take_up(claim)
        self._networks: dict[str, _Network] = {}
        self._vpc_of: dict[str, str] = {}
        self._urls: dict[str, str] = {}
        # Held while a VPC's network is made or removed; instances boot without it.
        self._network_lock = threading.RLock()
        keeper = next(find_keepers(self._data_dir), None)
        with _refusals("make namespaces"):
            self._mounts = kernel.new_mounts() if keeper is None else kernel.mounts_of(keeper)
        self.proxy_placement = Placement(mounts=self._mounts)
        self._take_up_routers()

    def claim_address(self, cidr: str, wanted: str | None = None, *, vpc_id: str = "") -> str:
        """Claim a true address of a VSwitch for an instance, or a loopback address for a load balancer."""
        with self._network_lock:
            if not vpc_id:
                return self._fronts.claim_served(cidr, wanted, self._is_free_inside)
            addresses = self._network(vpc_id).addresses
            taken = addresses | self._front_twins(cidr)
            if wanted is not None:
                if IPv4Address(wanted) not in IPv4Network(cidr):
                    raise ValueError(f"{wanted} is outside {cidr}")
                if wanted in taken:
                    raise AddressInUse(f"{wanted} is in use")
            address = wanted or next((a for a in candidates(IPv4Network(cidr)) if a not in taken), None)
            if address is None:
                raise AddressExhausted(f"no address of {cidr} is free")
            addresses.add(address)
            return address

    def hold_address(self, address: str, *, vpc_id: str = "") -> None:
        """Claim again an address that was answered before; see `Host.hold_address`."""
        with self._network_lock:
            if vpc_id:
                self._network(vpc_id).addresses.add(address)
            elif address not in self._fronts.held():
                self._fronts.claim_exactly(address)

    def release_address(self, address: str, *, vpc_id: str = "") -> None:
        """Give an address back; the last one of a VPC takes its network along."""
        with self._network_lock:
            if vpc_id:
                self._network(vpc_id).addresses.discard(address)
            else:
                self._fronts.release(address)
                for network in self._networks.values():
                    inner = network.inner.pop(address, None)
                    if inner is not None and network.router is not None:
                        network.router.drop_address(inner)
            for idle in [name for name, network in self._networks.items() if network.is_idle()]:
                self._remove(idle)

    def claim_files(self, addresses: Sequence[str]) -> list[int]:
        """Give copies of the claims of load balancers' addresses; see `Host.claim_files`."""
        return self._fronts.files_of(addresses)

    def inner_entrances(self, address: str, vpc_id: str, blocks: Sequence[str]) -> tuple[Entrance, ...]:
        """Give the address of the VPC that has the last three bytes of a load balancer's loopback address."""
        inner = next(
            (twin for block in blocks if (twin := _twin(block, address)) in IPv4Network(block)), None
        )
        if inner is None:
            return ()
        with self._network_lock:
            router = self._router(vpc_id)
            if address not in self._network(vpc_id).inner:
                with _refusals(f"serve {inner}"):
                    router.serve_address(str(inner))
                self._network(vpc_id).inner[address] = str(inner)
        return (Entrance(address=str(inner), namespace=router.name),)

    def namespace(self, vpc_id: str) -> str:
        """Name the router of a VPC; see `Host.namespace`."""
        with self._network_lock:
            return self._router(vpc_id).name

    def boot(self, machine: Machine, on_end: Callable[[], None]) -> None:
        """Boot an instance; see `Host.boot`."""
        router = self._know(machine)
        groups = self._limits.make(machine) if self._limits is not None else ()
        with _refusals(f"give {machine.instance_id} a network"):
            plug = router.plug(machine.instance_id, machine.address, machine.wiring, machine.packet_filter)
        self._write_record()
        placement = Placement(mounts=self._mounts, network=plug.network, control_groups=groups)
        try:
            self.start(
                machine,
                self._unplugging(router, machine.instance_id, plug, on_end),
                environment=_environment(machine),
                placement=placement,
            )
        except LocalCloudError:
            router.unplug(machine.instance_id, plug)
            raise

    def adopt(self, machine: Machine, on_end: Callable[[], None]) -> Fate:
        """Take up an instance that an earlier cloud left running; see `Host.adopt`."""
        environment = _environment(machine)
        keeper = find_keeper(self._directory / machine.instance_id)
        if keeper is None:
            return self.take_up(
                machine, on_end, environment=environment, placement=Placement(mounts=self._mounts)
            )
        router = self._know(machine)
        with _refusals(f"take up the network of {machine.instance_id}"):
            plug = router.take_up(
                machine.instance_id, machine.address, machine.wiring, keeper, machine.packet_filter
            )
        fate = self.take_up(
            machine,
            self._unplugging(router, machine.instance_id, plug, on_end),
            environment=environment,
            placement=Placement(mounts=self._mounts, network=plug.network),
        )
        if fate is not Fate.LIVES:
            router.unplug(machine.instance_id, plug)
        self._write_record()
        return fate

    def _know(self, machine: Machine) -> Router:
        """Note where an instance is and what it is answered, and give its router."""
        with self._network_lock:
            router = self._router(machine.vpc_id)
            self._vpc_of[machine.instance_id] = machine.vpc_id
            self._urls[machine.instance_id] = machine.metadata_url
            if machine.storage_url:
                self._open_cloud(machine)
        return router

    def _unplugging(
        self, router: Router, instance_id: str, plug: Plug, on_end: Callable[[], None]
    ) -> Callable[[], None]:
        def end() -> None:
            router.unplug(instance_id, plug)
            self._write_record()
            on_end()

        return end

    def wire(self, instance_id: str, wiring: Wiring) -> None:
        """Bring an instance's cables to what they are to be; see `Host.wire`."""
        router = self._router_of(instance_id)
        if router is not None:
            with _refusals(f"wire {instance_id}"):
                router.wire(instance_id, wiring)

    def filter(self, instance_id: str, packet_filter: PacketFilter) -> None:
        """Put another filter in force; see `Host.filter`."""
        router = self._router_of(instance_id)
        if router is not None:
            with _refusals(f"filter {instance_id}'s traffic"):
                router.filter(instance_id, packet_filter)

    def _router_of(self, instance_id: str) -> Router | None:
        with self._network_lock:
            network = self._networks.get(self._vpc_of.get(instance_id, ""))
            return network.router if network is not None else None

    def cut_cable(self, instance_id: str) -> None:
        """Pull an instance's cable; see `Host.cut_cable`."""
        router = self._router_of(instance_id)
        with _refusals(f"cut the cable of {instance_id}"):
            if router is None or not router.cut(instance_id):
                raise LocalCloudError(f"{instance_id} has no cable to cut: it does not run")

    def mend_cable(self, instance_id: str) -> None:
        """Plug an instance's cable in again; see `Host.mend_cable`."""
        router = self._router_of(instance_id)
        if router is not None:
            with _refusals(f"mend the cable of {instance_id}"):
                router.mend(instance_id)

    def discard(self, instance_id: str) -> None:
        """Remove the files of an instance that does not run."""
        super().discard(instance_id)
        with self._network_lock:
            self._vpc_of.pop(instance_id, None)
            self._urls.pop(instance_id, None)

    def close(self, grace_s: float) -> None:
        """Shut every instance down, wait, and remove every network."""
        super().close(grace_s)
        with self._network_lock:
            for vpc_id in list(self._networks):
                self._remove(vpc_id)
            self._fronts.release_all()
            os.close(self._mounts)

    def _network(self, vpc_id: str) -> _Network:
        return self._networks.setdefault(vpc_id, _Network())

    def _router(self, vpc_id: str) -> Router:
        network = self._network(vpc_id)
        if network.router is None:
            with _refusals(f"make the network of {vpc_id}"):
                network.router = Router.make(f"{vpc_id}{_MARK}{secrets.token_hex(4)}", self._mounts)
                self._open_metadata(network, network.router)
            self._write_record()
        return network.router

    def _take_up_routers(self) -> None:
        """Know the routers again that an earlier cloud has left; one without instances goes with the next address."""
        with _refusals("take up networks"):
            for router in Router.find(self._mounts):
                network = self._network(router.name.partition(_MARK)[0])
                network.router = router
                self._open_metadata(network, router)

    def _open_metadata(self, network: _Network, router: Router) -> None:
        listener = router.listen(METADATA_ADDRESS, _METADATA_PORT)
        network.door = MetadataDoor(listener, lambda address: self._find_url(router, address))

    def _open_cloud(self, machine: Machine) -> None:
        network, router = self._network(machine.vpc_id), self._router(machine.vpc_id)
        if network.cloud_door is None:
            parts = urlsplit(machine.storage_url)
            with _refusals(f"serve {CLOUD_ADDRESS}"):
                router.serve_address(CLOUD_ADDRESS)
                listener = router.listen(CLOUD_ADDRESS, CLOUD_PORT)
            network.cloud_door = CloudDoor(listener, (parts.hostname or "", parts.port or CLOUD_PORT))

    def _remove(self, vpc_id: str) -> None:
        network = self._networks.pop(vpc_id)
        if network.cloud_door is not None:
            network.cloud_door.close()
        if network.door is not None:
            network.door.close()
        if network.router is not None:
            network.router.close()
            self._write_record()

    def _find_url(self, router: Router, address: str) -> str | None:
        instance_id = router.instance_at(address)
        return self._urls.get(instance_id) if instance_id is not None else None

    def _is_free_inside(self, address: str) -> bool:
        taken = (inside for network in self._networks.values() for inside in network.addresses)
        return host_part(address) not in {host_part(inside) for inside in taken}

    def _front_twins(self, cidr: str) -> set[str]:
        return {str(_twin(cidr, address)) for address in self._fronts.held()}

    def _write_record(self) -> None:
        with self._network_lock:
            routers = [network.router for network in self._networks.values() if network.router is not None]
            ids = [identity for router in routers for identity in router.identities()]
            try:
                record_networks(self._data_dir, ids)
            except OSError as err:  # The disk is full, say; it costs the proof, and no instance.
                logger.error("it could not be written which networks stand: %s", err)


def _environment(machine: Machine) -> dict[str, str]:
    """Give what tells an instance where the cloud answers: its object storage, and at the same place its API."""
    if not machine.storage_url:
        return {}
    return {
        settings.OSS_ENDPOINT: f"http://{CLOUD_ADDRESS}",
        settings.CLOUD_ENDPOINT: f"{CLOUD_ADDRESS}:{CLOUD_PORT}",
    }


def _twin(block: str, address: str) -> IPv4Address:
    """Give the address that has a block's first byte and the last three of another address."""
    return IPv4Address((int(IPv4Network(block).network_address) & 0xFF000000) | host_part(address))


@contextmanager
def _refusals(what: str) -> Iterator[None]:
    try:
        yield
    except OSError as err:
        raise LocalCloudError(f"the kernel refuses to {what}: {err}") from err
