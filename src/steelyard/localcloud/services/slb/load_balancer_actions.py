from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from steelyard.localcloud.hosts.address import AddressExhausted, AddressInUse
from steelyard.localcloud.page import number_page
from steelyard.localcloud.service import Request, action
from steelyard.localcloud.services.balancing import INTERNET_CIDR, fits
from steelyard.localcloud.services.slb import errors
from steelyard.localcloud.services.slb.models import ACTIVE, INACTIVE, SPEC, LoadBalancer
from steelyard.localcloud.services.slb.state import SlbState
from steelyard.localcloud.services.vpc.models import VSwitch
from steelyard.localcloud.tag import has_tags, read_tags
from steelyard.localcloud.wire.error import invalid_parameter, missing_parameter, not_served
from steelyard.spec.catalogue import REGIONS

_SWITCH = ("on", "off")
_FILTERS = (
    *("VpcId", "VSwitchId", "NetworkType", "Address", "AddressType", "AddressIPVersion"),
    *(
        "LoadBalancerStatus",
        "MasterZoneId",
        "SlaveZoneId",
        "InternetChargeType",
        "PayType",
        "ResourceGroupId",
    ),
)


class LoadBalancerActions(SlbState):
    """Load balancers."""

    @action("CreateLoadBalancer")
    def create_load_balancer(self, request: Request) -> dict[str, object]:
        """Create a load balancer: paid by its use, which is all that is sold now (help page of the action, 2025-12)."""
        _check_charge(request)
        address_type = _choice(request, "AddressType", ("internet", "intranet"), "internet")
        if request.text("AddressIPVersion", "ipv4") != "ipv4":
            raise not_served("IPv6 load balancers")
        vswitch = self._vswitch(request) if address_type == "intranet" else None
        master, slave = _zones(request, vswitch)
        draft = LoadBalancer(
            id=self.cloud.new_id("lb"),
            created_at=self.cloud.clock(),
            tags=read_tags(request),
            region_id=request.region_id,
            name=request.text("LoadBalancerName"),
            address="",
            address_type=address_type,
            vpc_id=vswitch.vpc_id if vswitch else "",
            vswitch_id=vswitch.id if vswitch else "",
            master_zone_id=master,
            slave_zone_id=slave,
            status=ACTIVE,
            bandwidth=request.number("Bandwidth", 5120),
            internet_charge_type="paybytraffic",
            delete_protection=_choice(request, "DeleteProtection", _SWITCH, "off"),
            modification_protection_status=_choice(
                request,
                "ModificationProtectionStatus",
                ("NonProtection", "ConsoleProtection"),
                "NonProtection",
            ),
            modification_protection_reason=request.text("ModificationProtectionReason"),
            resource_group_id=request.text("ResourceGroupId"),
        )
        request.stop_if_dry_run()
        address = self._claim(vswitch.cidr_block if vswitch else INTERNET_CIDR, request.text("Address"))
        balancer = replace(draft, address=address, name=draft.name or draft.id)
        self.load_balancers.put(balancer)
        return {**balancer.to_answer(), "OrderId": 0}

    @action("DescribeLoadBalancers")
    def describe_load_balancers(self, request: Request) -> dict[str, object]:
        """List load balancers by ids, names, network, address, way of paying, state, zones, server and tags."""
        ids, names = request.texts("LoadBalancerId"), request.texts("LoadBalancerName")
        tags, server_id = read_tags(request), request.text("ServerId")
        server_address = request.text("ServerIntranetAddress")
        filters = {name: text for name in _FILTERS if (text := request.text(name))}
        found = [
            balancer
            for balancer in self.load_balancers.list()
            if balancer.region_id == request.region_id
            and (not ids or balancer.id in ids)
            and (not names or balancer.name in names)
            and has_tags(balancer.tags, tags)
            and (not server_id or server_id in self._server_ids(balancer))
            and (not server_address or server_address in self._server_addresses(balancer))
            and (not filters or _fits(balancer, filters))
        ]
        page, head = number_page(request, found, max_size=100)
        return {**head, "LoadBalancers": {"LoadBalancer": [balancer.to_answer() for balancer in page]}}

    @action("DescribeLoadBalancerAttribute")
    def describe_load_balancer_attribute(self, request: Request) -> dict[str, object]:
        """Give one load balancer with its listeners and default servers."""
        balancer = self.load_balancer(request)
        listeners = self.listeners_of(balancer.id)
        rows = [
            {
                "ListenerPort": listener.port,
                "ListenerProtocol": listener.protocol,
                "ListenerForward": "on" if listener.is_redirect else "off",
                **({"ForwardPort": listener.settings["ForwardPort"]} if listener.is_redirect else {}),
            }
            for listener in listeners
        ]
        # Both spellings are the API's own.
        misspelt = [
            {"ListenerPort": listener.port, "ListenerProtocal": listener.protocol} for listener in listeners
        ]
        servers = [
            {**server, "ServerIp": self.find_address(str(server["ServerId"])) or ""}
            for server in balancer.servers
        ]
        return {
            **balancer.to_answer(),
            "ListenerPorts": {"ListenerPort": [listener.port for listener in listeners]},
            "ListenerPortsAndProtocol": {"ListenerPortAndProtocol": rows},
            "ListenerPortsAndProtocal": {"ListenerPortAndProtocal": misspelt},
            "BackendServers": {"BackendServer": servers},
        }

    @action("SetLoadBalancerName")
    def set_load_balancer_name(self, request: Request) -> dict[str, object]:
        """Change a load balancer's name."""
        name = request.text("LoadBalancerName")
        if not 1 <= len(name) <= 80:
            raise invalid_parameter("LoadBalancerName", name, "of 1 to 80 characters")
        self.load_balancers.put(replace(self.load_balancer(request), name=name))
        return {}

    @action("SetLoadBalancerStatus")
    def set_load_balancer_status(self, request: Request) -> dict[str, object]:
        """Let a load balancer serve, or not."""
        balancer = self.load_balancer(request)
        status = _choice(request, "LoadBalancerStatus", (ACTIVE, INACTIVE), "")
        self.load_balancers.put(replace(balancer, status=status))
        self.apply(request, balancer.id)
        return {}

    @action("SetLoadBalancerDeleteProtection")
    def set_load_balancer_delete_protection(self, request: Request) -> dict[str, object]:
        """Protect a load balancer from being deleted, or not."""
        protection = _choice(request, "DeleteProtection", _SWITCH, "")
        self.load_balancers.put(replace(self.load_balancer(request), delete_protection=protection))
        return {}

    @action("SetLoadBalancerModificationProtection")
    def set_load_balancer_modification_protection(self, request: Request) -> dict[str, object]:
        """Protect a load balancer from changes in the console, which is not here, or not."""
        choices = ("NonProtection", "ConsoleProtection")
        status = _choice(request, "ModificationProtectionStatus", choices, "")
        self.load_balancers.put(
            replace(
                self.load_balancer(request),
                modification_protection_status=status,
                modification_protection_reason=request.text("ModificationProtectionReason")
                if status == "ConsoleProtection"
                else "",
            )
        )
        return {}

    @action("ModifyLoadBalancerInternetSpec")
    def modify_load_balancer_internet_spec(self, request: Request) -> dict[str, object]:
        """Change a load balancer's bandwidth, which is kept and not limited here."""
        balancer = self.load_balancer(request)
        charge = request.text("InternetChargeType", "paybytraffic").lower()
        if charge != "paybytraffic":
            raise errors.no_longer_sold("Pay-by-bandwidth")
        bandwidth = request.number("Bandwidth", balancer.bandwidth)
        self.load_balancers.put(replace(balancer, bandwidth=bandwidth))
        return {}

    @action("ModifyLoadBalancerInstanceSpec")
    def modify_load_balancer_instance_spec(self, request: Request) -> dict[str, object]:
        """Leave a load balancer without a specification, as those are that are paid by their use."""
        return self._stay(request)

    @action("ModifyLoadBalancerInstanceChargeType")
    def modify_load_balancer_instance_charge_type(self, request: Request) -> dict[str, object]:
        """Let a load balancer be paid by its use, as it is; nothing else is sold."""
        return self._stay(request)

    @action("ModifyLoadBalancerPayType")
    def modify_load_balancer_pay_type(self, request: Request) -> dict[str, object]:
        """Let a load balancer be paid afterwards, as it is; nothing else is sold."""
        return self._stay(request)

    @action("DeleteLoadBalancer")
    def delete_load_balancer(self, request: Request) -> dict[str, object]:
        """Delete a load balancer with its listeners and server groups."""
        balancer = self.load_balancer(request)
        if balancer.delete_protection == "on":
            raise errors.delete_protected()
        for listener in self.listeners_of(balancer.id):
            self.drop_listener(listener)
        for group_id in self.groups_of(balancer.id):
            self.server_groups.delete(group_id)
        self.load_balancers.delete(balancer.id)
        self.discard(balancer.id, [balancer.address])
        return {}

    def _vswitch(self, request: Request) -> VSwitch:
        if not request.text("VSwitchId"):
            raise missing_parameter("VSwitchId")
        vswitch = self.vpc.find_vswitch(request.text("VSwitchId"))
        if vswitch is None or vswitch.region_id != request.region_id:
            raise errors.vswitch_not_found()
        if request.text("VpcId") not in ("", vswitch.vpc_id):
            raise invalid_parameter("VpcId", request.text("VpcId"), f"the VSwitch's, {vswitch.vpc_id}")
        return vswitch

    def _claim(self, cidr: str, wanted: str) -> str:
        try:
            return self.ecs.claim_address(cidr, wanted or None)
        except AddressExhausted as err:
            raise errors.addresses_exhausted() from err
        except (AddressInUse, ValueError) as err:
            raise errors.address_not_available(wanted) from err

    def _stay(self, request: Request) -> dict[str, object]:
        """Answer a call that asks for what a load balancer is anyway, and refuse any other."""
        self.load_balancer(request)
        _check_charge(request)
        return {"OrderId": 0}

    def _server_addresses(self, balancer: LoadBalancer) -> set[str | None]:
        return {self.find_address(server_id) for server_id in self._server_ids(balancer)}

    def _server_ids(self, balancer: LoadBalancer) -> set[str]:
        groups = self.groups_of(balancer.id).values()
        servers = [*balancer.servers, *(server for group in groups for server in group.servers)]
        return {str(server["ServerId"]) for server in servers}


def _fits(balancer: LoadBalancer, filters: Mapping[str, str]) -> bool:
    answer = balancer.to_answer()
    return all(fits(text, answer[name]) for name, text in filters.items())


def _check_charge(request: Request) -> None:
    if request.text("PayType").lower() in ("prepay", "preonlinepay"):
        raise errors.no_longer_sold("Subscription")
    charge = request.text("InstanceChargeType", "PayByCLCU").lower()
    if charge == "paybyspec" or request.text("LoadBalancerSpec", SPEC) != SPEC:
        raise errors.no_longer_sold("Pay-by-specification")
    if charge != "paybyclcu":
        raise invalid_parameter("InstanceChargeType", request.text("InstanceChargeType"), "PayByCLCU")
    if request.text("InternetChargeType", "paybytraffic").lower() != "paybytraffic":
        raise errors.no_longer_sold("Pay-by-bandwidth")


def _zones(request: Request, vswitch: VSwitch | None) -> tuple[str, str]:
    """Give the primary zone, the VSwitch's where none is asked for, and the secondary one, another of the region."""
    zones = REGIONS[request.region_id]
    master = request.text("MasterZoneId") or (vswitch.zone_id if vswitch else zones[0])
    others = [zone for zone in zones if zone != master]
    slave = request.text("SlaveZoneId") or (others[0] if others else "")
    for zone in (master, slave):
        if zone and zone not in zones:
            raise errors.zone_not_found()
    return master, slave


def _choice(request: Request, name: str, choices: tuple[str, ...], default: str) -> str:
    value = request.text(name) or default
    if value not in choices:
        raise invalid_parameter(name, value, f"one of {', '.join(choices)}")
    return value
