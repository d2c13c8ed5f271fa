"""NAT gateways, elastic addresses, and SNAT entries."""

from __future__ import annotations

from typing import Any, ClassVar

from steelyard.deploy.engine.provider import Values
from steelyard.deploy.provider.api import VPC, Api
from steelyard.deploy.provider.connection import Answer
from steelyard.deploy.provider.resource_type import ResourceType, changes, shown, wait_gone, wire
from steelyard.deploy.provider.tag import TagWriter, tag_list, tag_map

_PAYMENT_TYPES = {"PayAsYouGo": "PostPaid", "Subscription": "PrePaid"}
_PASSING = ("OperationConflict", "TaskConflict", "IncorrectStatus", "LastTokenProcessing")


class NatGateway(ResourceType):
    """`alicloud.vpc.NatGateway`: an Internet NAT gateway."""

    token = "alicloud:vpc/natGateway:NatGateway"
    create_only = frozenset(
        {"vpcId", "vswitchId", "natType", "networkType", "internetChargeType", "paymentType", "eipBindMode"}
    )
    changeable = frozenset({"natGatewayName", "description", "deletionProtection", "force", "tags"})

    _CREATE: ClassVar = {
        "vpcId": "VpcId",
        "vswitchId": "VSwitchId",
        "natGatewayName": "Name",
        "description": "Description",
        "natType": "NatType",
        "networkType": "NetworkType",
        "internetChargeType": "InternetChargeType",
        "eipBindMode": "EipBindMode",
    }
    _CHANGE: ClassVar = {"natGatewayName": "Name", "description": "Description"}
    _READ: ClassVar = {
        **{name: field for name, field in _CREATE.items() if name != "vswitchId"},
        "deletionProtection": "DeletionProtection",
        "status": "Status",
    }

    def create(self, api: Api, inputs: Values) -> str:
        """CreateNatGateway, then wait until it is available; DeletionProtection where it is asked for."""
        params = {
            **wire(inputs, self._CREATE),
            "InstanceChargeType": _charge_type(inputs),
            "Tag": tag_list(inputs.get("tags")),
            "ClientToken": api.operation.token,
        }
        answer = api.call(VPC, "CreateNatGateway", params, retry_on=_PASSING)
        gateway_id = str(answer["NatGatewayId"])
        api.operation.allocated(gateway_id)
        _wait_available(api, lambda: self._find(api, gateway_id), f"NAT gateway {gateway_id}")
        if inputs.get("deletionProtection"):
            _protect(api, gateway_id, "NATGW", is_on=True)
        return gateway_id

    def read(self, api: Api, resource_id: str) -> Values | None:
        """DescribeNatGateways."""
        found = self._find(api, resource_id)
        if found is None:
            return None
        return {
            **shown(found, self._READ),
            "vswitchId": (found.get("NatGatewayPrivateInfo") or {}).get("VswitchId"),
            "paymentType": "PayAsYouGo" if found.get("InstanceChargeType") == "PostPaid" else "Subscription",
            "snatTableIds": ",".join(found["SnatTableIds"]["SnatTableId"]),
            "forwardTableIds": ",".join(found["ForwardTableIds"]["ForwardTableId"]),
            "tags": tag_map((found.get("Tags") or {}).get("Tag") or []),
        }

    def update(self, api: Api, resource_id: str, old: Values, new: Values) -> None:
        """ModifyNatGatewayAttribute, DeletionProtection, TagResources, UnTagResources."""
        changed = changes(old, new, self._CHANGE)
        if changed:
            api.call(VPC, "ModifyNatGatewayAttribute", {"NatGatewayId": resource_id, **changed})
        if bool(old.get("deletionProtection")) != bool(new.get("deletionProtection")):
            _protect(api, resource_id, "NATGW", is_on=bool(new.get("deletionProtection")))
        TagWriter(api, VPC, "NATGATEWAY", untag_action="UnTagResources").change(resource_id, old, new)

    def delete(self, api: Api, resource_id: str, inputs: Values) -> None:
        """DeleteNatGateway, waiting for its EIPs to be unbound."""
        params = {"NatGatewayId": resource_id, "Force": inputs.get("force")}
        passing = ("DependencyViolation.EIPS", "DependencyViolation.BandwidthPackages", *_PASSING)
        api.call(VPC, "DeleteNatGateway", params, retry_on=passing)
        wait_gone(api, lambda: self._find(api, resource_id) is not None, f"NAT gateway {resource_id}")

    def _find(self, api: Api, gateway_id: str) -> Answer | None:
        answer = api.call(VPC, "DescribeNatGateways", {"NatGatewayId": gateway_id})
        return _first(answer["NatGateways"]["NatGateway"])


class EipAddress(ResourceType):
    """`alicloud.ecs.EipAddress`: an elastic address."""

    token = "alicloud:ecs/eipAddress:EipAddress"
    create_only = frozenset({"internetChargeType", "paymentType", "isp", "resourceGroupId"})
    changeable = frozenset({"addressName", "description", "bandwidth", "deletionProtection", "tags"})

    _CREATE: ClassVar = {
        "addressName": "Name",
        "description": "Description",
        "bandwidth": "Bandwidth",
        "internetChargeType": "InternetChargeType",
        "isp": "ISP",
        "resourceGroupId": "ResourceGroupId",
    }
    _CHANGE: ClassVar = {"addressName": "Name", "description": "Description", "bandwidth": "Bandwidth"}
    _READ: ClassVar = {
        **_CREATE,
        "ipAddress": "IpAddress",
        "status": "Status",
        "createTime": "AllocationTime",
        "deletionProtection": "DeletionProtection",
    }

    def create(self, api: Api, inputs: Values) -> str:
        """AllocateEipAddress, then wait until it is available; tags and protection are set afterwards."""
        params = {
            **wire(inputs, self._CREATE),
            "InstanceChargeType": _charge_type(inputs),
            "ClientToken": api.operation.token,
        }
        passing = (*_PASSING, "FrequentPurchase.EIP")
        allocation_id = str(api.call(VPC, "AllocateEipAddress", params, retry_on=passing)["AllocationId"])
        api.operation.allocated(allocation_id)
        _wait_available(api, lambda: find_eip(api, allocation_id), f"EIP {allocation_id}")
        self._tag(api, allocation_id, {}, inputs)
        if inputs.get("deletionProtection"):
            _protect(api, allocation_id, "EIP", is_on=True)
        return allocation_id

    def read(self, api: Api, resource_id: str) -> Values | None:
        """DescribeEipAddresses."""
        found = find_eip(api, resource_id)
        if found is None:
            return None
        tags = tag_map((found.get("Tags") or {}).get("Tag") or [])
        payment = "PayAsYouGo" if found.get("ChargeType") == "PostPaid" else "Subscription"
        return {**shown(found, self._READ), "allocationId": resource_id, "paymentType": payment, "tags": tags}

    def update(self, api: Api, resource_id: str, old: Values, new: Values) -> None:
        """ModifyEipAddressAttribute, DeletionProtection, TagResources, UnTagResources."""
        changed = changes(old, new, self._CHANGE)
        if changed:
            params = {"AllocationId": resource_id, **changed}
            api.call(VPC, "ModifyEipAddressAttribute", params, retry_on=_PASSING)
        if bool(old.get("deletionProtection")) != bool(new.get("deletionProtection")):
            _protect(api, resource_id, "EIP", is_on=bool(new.get("deletionProtection")))
        self._tag(api, resource_id, old, new)

    def delete(self, api: Api, resource_id: str, inputs: Values) -> None:
        """ReleaseEipAddress, waiting for it to be unbound."""
        passing = ("IncorrectEipStatus", *_PASSING)
        api.call(VPC, "ReleaseEipAddress", {"AllocationId": resource_id}, retry_on=passing)
        wait_gone(api, lambda: find_eip(api, resource_id) is not None, f"EIP {resource_id}")

    def _tag(self, api: Api, resource_id: str, old: Values, new: Values) -> None:
        TagWriter(api, VPC, "EIP", untag_action="UnTagResources").change(resource_id, old, new)


class EipAssociation(ResourceType):
    """`alicloud.ecs.EipAssociation`: an elastic address bound to what holds it."""

    token = "alicloud:ecs/eipAssociation:EipAssociation"
    create_only = frozenset({"allocationId", "instanceId", "instanceType"})
    changeable = frozenset({"force"})
    # An address is bound to one thing at a time.
    deletes_before_replace = True

    def create(self, api: Api, inputs: Values) -> str:
        """AssociateEipAddress, then wait until it is in use."""
        allocation_id, instance_id = str(inputs["allocationId"]), str(inputs["instanceId"])
        params = {**self._names(allocation_id, instance_id, inputs), "ClientToken": api.operation.token}
        api.call(VPC, "AssociateEipAddress", params, retry_on=("IncorrectInstanceStatus", *_PASSING))
        association_id = f"{allocation_id}:{instance_id}"
        api.operation.allocated(association_id)
        what = f"EIP {allocation_id} on {instance_id}"
        api.wait(lambda: self.read(api, association_id), what=what)
        return association_id

    def read(self, api: Api, resource_id: str) -> Values | None:
        """DescribeEipAddresses."""
        allocation_id, instance_id = resource_id.split(":")
        found = find_eip(api, allocation_id)
        if found is None or found.get("InstanceId") != instance_id or found.get("Status") != "InUse":
            return None
        return {
            "allocationId": allocation_id,
            "instanceId": instance_id,
            "instanceType": found.get("InstanceType"),
            "vpcId": found.get("VpcId"),
        }

    def update(self, api: Api, resource_id: str, old: Values, new: Values) -> None:
        """Nothing is told: `force` is for the deletion."""

    def delete(self, api: Api, resource_id: str, inputs: Values) -> None:
        """UnassociateEipAddress, waiting for SNAT entries to go, then for the address to be free."""
        allocation_id, instance_id = resource_id.split(":")
        if self.read(api, resource_id) is None:
            return
        params = {**self._names(allocation_id, instance_id, inputs), "Force": inputs.get("force")}
        passing = ("DependencyViolation.SnatEntry", "IncorrectInstanceStatus", *_PASSING)
        api.call(VPC, "UnassociateEipAddress", params, retry_on=passing)
        wait_gone(api, lambda: self.read(api, resource_id) is not None, f"association {resource_id}")

    def _names(self, allocation_id: str, instance_id: str, inputs: Values) -> dict[str, Any]:
        kind = inputs.get("instanceType") or ("Nat" if instance_id.startswith("ngw-") else "EcsInstance")
        return {"AllocationId": allocation_id, "InstanceId": instance_id, "InstanceType": kind}


class SnatEntry(ResourceType):
    """`alicloud.vpc.SnatEntry`: a rule by which a VSwitch or a range goes out."""

    token = "alicloud:vpc/snatEntry:SnatEntry"
    create_only = frozenset({"snatTableId", "snatIp", "sourceVswitchId", "sourceCidr"})
    changeable = frozenset({"snatEntryName"})
    # A source has one entry at a time.
    deletes_before_replace = True

    _CREATE: ClassVar = {
        "snatTableId": "SnatTableId",
        "snatIp": "SnatIp",
        "sourceVswitchId": "SourceVSwitchId",
        "sourceCidr": "SourceCIDR",
        "snatEntryName": "SnatEntryName",
    }

    def create(self, api: Api, inputs: Values) -> str:
        """CreateSnatEntry, waiting for the address to be bound, then until it is available."""
        params = {**wire(inputs, self._CREATE), "ClientToken": api.operation.token}
        passing = ("EIP_NOT_IN_GATEWAY", "OperationUnsupported.EipInBinding", *_PASSING)
        answer = api.call(VPC, "CreateSnatEntry", params, retry_on=passing)
        resource_id = f"{inputs['snatTableId']}:{answer['SnatEntryId']}"
        api.operation.allocated(resource_id)
        _wait_available(api, lambda: self._find(api, resource_id), f"SNAT entry {resource_id}")
        return resource_id

    def read(self, api: Api, resource_id: str) -> Values | None:
        """DescribeSnatTableEntries."""
        found = self._find(api, resource_id)
        if found is None:
            return None
        names = {**self._CREATE, "snatEntryId": "SnatEntryId", "status": "Status"}
        return shown(found, names)

    def update(self, api: Api, resource_id: str, old: Values, new: Values) -> None:
        """ModifySnatEntry."""
        table_id, entry_id = resource_id.split(":")
        changed = changes(old, new, {"snatEntryName": "SnatEntryName"})
        api.call(VPC, "ModifySnatEntry", {"SnatTableId": table_id, "SnatEntryId": entry_id, **changed})

    def delete(self, api: Api, resource_id: str, inputs: Values) -> None:
        """DeleteSnatEntry."""
        table_id, entry_id = resource_id.split(":")
        params = {"SnatTableId": table_id, "SnatEntryId": entry_id}
        # The code's spelling is the provider's.
        api.call(VPC, "DeleteSnatEntry", params, retry_on=("IncorretSnatEntryStatus", *_PASSING))
        wait_gone(api, lambda: self._find(api, resource_id) is not None, f"SNAT entry {resource_id}")

    def _find(self, api: Api, resource_id: str) -> Answer | None:
        table_id, entry_id = resource_id.split(":")
        params = {"SnatTableId": table_id, "SnatEntryId": entry_id}
        answer = api.call(VPC, "DescribeSnatTableEntries", params)
        return _first(answer["SnatTableEntries"]["SnatTableEntry"])


def find_eip(api: Api, allocation_id: str) -> Answer | None:
    """Return an elastic address as DescribeEipAddresses gives it, None where there is none."""
    answer = api.call(VPC, "DescribeEipAddresses", {"AllocationId": allocation_id})
    return _first(answer["EipAddresses"]["EipAddress"])


def _first(rows: list[Answer]) -> Answer | None:
    return rows[0] if rows else None


def _wait_available(api: Api, find: Any, what: str) -> None:
    api.wait(lambda: True if (find() or {}).get("Status") == "Available" else None, what=what)


def _charge_type(inputs: Values) -> str | None:
    payment = inputs.get("paymentType")
    return _PAYMENT_TYPES.get(str(payment), str(payment)) if payment else None


def _protect(api: Api, instance_id: str, kind: str, *, is_on: bool) -> None:
    params = {"InstanceId": instance_id, "Type": kind, "ProtectionEnable": is_on}
    api.call(VPC, "DeletionProtection", params, retry_on=_PASSING)
