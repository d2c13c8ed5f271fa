"""Network load balancers and their listeners; the calls are those of the Terraform provider's `nlb_*` resources."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

from steelyard.deploy.engine.provider import Values
from steelyard.deploy.provider.api import NLB, Api
from steelyard.deploy.provider.resource_type import changes, nested, shown, wire
from steelyard.deploy.provider.tag import TagWriter
from steelyard.deploy.provider.zonal import SecurityGroupAttachment, ZonalType

_ZONE = {
    "vswitchId": "VSwitchId",
    "zoneId": "ZoneId",
    "allocationId": "AllocationId",
    "privateIpv4Address": "PrivateIPv4Address",
}


class NlbType(ZonalType):
    """A resource type of NLB."""

    product = NLB
    busy = ("Conflict.Lock", "SystemBusy", "IncorrectStatus", "OperationConflict")

    def has_succeeded(self, api: Api, job_id: str) -> bool:
        """GetJobStatus."""
        return api.call(NLB, "GetJobStatus", {"JobId": job_id}).get("Status") == "Succeeded"


class LoadBalancer(NlbType):
    """`alicloud.nlb.LoadBalancer`."""

    token = "alicloud:nlb/loadBalancer:LoadBalancer"
    create_only = frozenset(
        {
            "addressIpVersion",
            "loadBalancerType",
            "vpcId",
            "bandwidthPackageId",
            "resourceGroupId",
            "paymentType",
        }
    )
    changeable = frozenset(
        {
            "addressType",
            "zoneMappings",
            "loadBalancerName",
            "crossZoneEnabled",
            "cps",
            "deletionProtectionEnabled",
            "deletionProtectionReason",
            "modificationProtectionStatus",
            "modificationProtectionReason",
            "securityGroupIds",
            "tags",
        }
    )

    _CREATE: ClassVar = {
        "addressIpVersion": "AddressIpVersion",
        "addressType": "AddressType",
        "bandwidthPackageId": "BandwidthPackageId",
        "loadBalancerName": "LoadBalancerName",
        "loadBalancerType": "LoadBalancerType",
        "resourceGroupId": "ResourceGroupId",
        "vpcId": "VpcId",
    }
    _ATTRIBUTES: ClassVar = {
        "loadBalancerName": "LoadBalancerName",
        "crossZoneEnabled": "CrossZoneEnabled",
        "cps": "Cps",
    }
    _READ: ClassVar = {
        **_CREATE,
        "crossZoneEnabled": "CrossZoneEnabled",
        "createTime": "CreateTime",
        "dnsName": "DNSName",
        "loadBalancerBusinessStatus": "LoadBalancerBusinessStatus",
        "regionId": "RegionId",
        "securityGroupIds": "SecurityGroupIds",
        "status": "LoadBalancerStatus",
    }
    _PROTECTION: ClassVar = {
        "deletionProtectionEnabled": "DeletionProtectionEnabled",
        "deletionProtectionReason": "DeletionProtectionReason",
        "modificationProtectionStatus": "ModificationProtectionStatus",
        "modificationProtectionReason": "ModificationProtectionReason",
    }

    def create(self, api: Api, inputs: Values) -> str:
        """CreateLoadBalancer, wait until it is active, then the actions for what it does not take, and TagResources."""
        answer = api.call(
            NLB,
            "CreateLoadBalancer",
            {
                **wire(inputs, self._CREATE),
                "ZoneMappings": self._zones(inputs),
                "DeletionProtectionConfig": wire(
                    inputs, {"deletionProtectionEnabled": "Enabled", "deletionProtectionReason": "Reason"}
                ),
                "ModificationProtectionConfig": wire(
                    inputs,
                    {"modificationProtectionStatus": "Status", "modificationProtectionReason": "Reason"},
                ),
                "ClientToken": api.operation.token,
            },
            retry_on=self.busy,
        )
        # The API's own spelling, in this answer alone.
        balancer_id = str(answer["LoadbalancerId"])
        api.operation.allocated(balancer_id)
        self.wait_active(api, balancer_id)
        rest = {
            name: inputs.get(name) for name in ("crossZoneEnabled", "cps") if inputs.get(name) is not None
        }
        self._change(api, balancer_id, {}, rest)
        self._change_groups(api, balancer_id, {}, inputs)
        TagWriter(api, NLB, "loadbalancer").change(balancer_id, {}, inputs)
        return balancer_id

    def read(self, api: Api, resource_id: str) -> Values | None:
        """GetLoadBalancerAttribute and ListTagResources."""
        answer = self.describe_balancer(api, resource_id)
        deletion = answer.get("DeletionProtectionConfig") or {}
        modification = answer.get("ModificationProtectionConfig") or {}
        return {
            **shown(answer, self._READ),
            **shown(deletion, {"deletionProtectionEnabled": "Enabled", "deletionProtectionReason": "Reason"}),
            **shown(
                modification,
                {"modificationProtectionStatus": "Status", "modificationProtectionReason": "Reason"},
            ),
            "zoneMappings": [_shown_zone(zone) for zone in answer.get("ZoneMappings") or []],
            "tags": TagWriter(api, NLB, "loadbalancer").read(resource_id),
        }

    def update(self, api: Api, resource_id: str, old: Values, new: Values) -> None:
        """Call the action that belongs to each changed input, and wait for its job."""
        self._change(api, resource_id, old, new)
        target = {"LoadBalancerId": resource_id}
        if old.get("addressType") != new.get("addressType"):
            params = {**target, **wire(new, {"addressType": "AddressType"})}
            self.do_job(api, "UpdateLoadBalancerAddressTypeConfig", params)
        if self._zones(old) != self._zones(new):
            self.do_job(api, "UpdateLoadBalancerZones", {**target, "ZoneMappings": self._zones(new)})
        protection = changes(old, new, self._PROTECTION)
        if protection:
            # An input that was taken away is no protection; the API takes no empty text for a switch.
            off = {"DeletionProtectionEnabled": False, "ModificationProtectionStatus": "NonProtection"}
            protection |= {name: value for name, value in off.items() if protection.get(name) == ""}
            api.call(NLB, "UpdateLoadBalancerProtection", {**target, **protection}, retry_on=self.busy)
        self._change_groups(api, resource_id, old, new)
        self.wait_active(api, resource_id)
        TagWriter(api, NLB, "loadbalancer").change(resource_id, old, new)

    def delete(self, api: Api, resource_id: str, inputs: Values) -> None:
        """DeleteLoadBalancer, its job, then wait until it is gone."""
        self.delete_balancer(api, resource_id)

    def _change(self, api: Api, balancer_id: str, old: Values, new: Values) -> None:
        changed = wire(
            {name: new.get(name) for name in new if old.get(name) != new.get(name)}, self._ATTRIBUTES
        )
        if changed:
            self.do_job(api, "UpdateLoadBalancerAttribute", {"LoadBalancerId": balancer_id, **changed})

    def _change_groups(self, api: Api, balancer_id: str, old: Values, new: Values) -> None:
        before, after = set(old.get("securityGroupIds") or ()), set(new.get("securityGroupIds") or ())
        for action, ids in (
            ("LoadBalancerJoinSecurityGroup", after - before),
            ("LoadBalancerLeaveSecurityGroup", before - after),
        ):
            if ids:
                self.do_job(api, action, {"LoadBalancerId": balancer_id, "SecurityGroupIds": sorted(ids)})

    def _zones(self, inputs: Values) -> list[dict[str, Any]]:
        return [nested(zone, _ZONE, "zoneMappings") for zone in inputs.get("zoneMappings") or []]


class LoadBalancerSecurityGroupAttachment(SecurityGroupAttachment, NlbType):
    """`alicloud.nlb.LoadBalancerSecurityGroupAttachment`: a load balancer in one security group."""

    token = "alicloud:nlb/loadBalancerSecurityGroupAttachment:LoadBalancerSecurityGroupAttachment"


class Listener(NlbType):
    """`alicloud.nlb.Listener`."""

    token = "alicloud:nlb/listener:Listener"
    create_only = frozenset({"loadBalancerId", "listenerPort", "listenerProtocol", "startPort", "endPort"})
    changeable = frozenset(
        {
            "serverGroupId",
            "listenerDescription",
            "idleTimeout",
            "proxyProtocolEnabled",
            "secSensorEnabled",
            "alpnEnabled",
            "alpnPolicy",
            "caEnabled",
            "caCertificateIds",
            "certificateIds",
            "securityPolicyId",
            "cps",
            "mss",
            "status",
            "tags",
        }
    )
    # Its id is another one, but two listeners cannot stand on one port.
    deletes_before_replace = True

    _CREATE_ONLY: ClassVar = {
        "loadBalancerId": "LoadBalancerId",
        "listenerPort": "ListenerPort",
        "listenerProtocol": "ListenerProtocol",
        "startPort": "StartPort",
        "endPort": "EndPort",
    }
    _CHANGE: ClassVar = {
        "serverGroupId": "ServerGroupId",
        "listenerDescription": "ListenerDescription",
        "idleTimeout": "IdleTimeout",
        "proxyProtocolEnabled": "ProxyProtocolEnabled",
        "secSensorEnabled": "SecSensorEnabled",
        "alpnEnabled": "AlpnEnabled",
        "alpnPolicy": "AlpnPolicy",
        "caEnabled": "CaEnabled",
        "caCertificateIds": "CaCertificateIds",
        "certificateIds": "CertificateIds",
        "securityPolicyId": "SecurityPolicyId",
        "cps": "Cps",
        "mss": "Mss",
    }

    def create(self, api: Api, inputs: Values) -> str:
        """CreateListener, wait until it runs, StopListener where that is asked for, TagResources."""
        params = {**wire(inputs, {**self._CREATE_ONLY, **self._CHANGE}), "ClientToken": api.operation.token}
        listener_id = str(api.call(NLB, "CreateListener", params, retry_on=self.busy)["ListenerId"])
        api.operation.allocated(listener_id)
        self.wait_listener(api, listener_id, "Running")
        if inputs.get("status") == "Stopped":
            self._switch(api, listener_id, "Stopped")
        TagWriter(api, NLB, "listener").change(listener_id, {}, inputs)
        return listener_id

    def read(self, api: Api, resource_id: str) -> Values | None:
        """GetListenerAttribute and ListTagResources."""
        names = {**self._CREATE_ONLY, **self._CHANGE, "status": "ListenerStatus", "regionId": "RegionId"}
        return {
            **shown(self.describe_listener(api, resource_id), names),
            "tags": TagWriter(api, NLB, "listener").read(resource_id),
        }

    def update(self, api: Api, resource_id: str, old: Values, new: Values) -> None:
        """UpdateListenerAttribute with what changed, StartListener or StopListener, then the tags' actions."""
        changed = changes(old, new, self._CHANGE)
        if changed:
            group = wire(new, {"serverGroupId": "ServerGroupId"})
            self.do_job(api, "UpdateListenerAttribute", {"ListenerId": resource_id, **group, **changed})
        if old.get("status") != new.get("status"):
            self._switch(api, resource_id, new.get("status") or "Running")
        self.wait_listener(api, resource_id, new.get("status") or "Running")
        TagWriter(api, NLB, "listener").change(resource_id, old, new)

    def delete(self, api: Api, resource_id: str, inputs: Values) -> None:
        """DeleteListener, its job, then wait until it is gone."""
        self.delete_listener(api, resource_id)

    def _switch(self, api: Api, listener_id: str, status: str) -> None:
        action = "StopListener" if status == "Stopped" else "StartListener"
        self.do_job(api, action, {"ListenerId": listener_id})
        self.wait_listener(api, listener_id, status)


def _shown_zone(zone: Mapping[str, Any]) -> dict[str, Any]:
    addresses: Sequence[Mapping[str, Any]] = zone.get("LoadBalancerAddresses") or [{}]
    names = {
        "allocationId": "AllocationId",
        "eniId": "EniId",
        "privateIpv4Address": "PrivateIPv4Address",
        "publicIpv4Address": "PublicIPv4Address",
    }
    place = {"vswitchId": "VSwitchId", "zoneId": "ZoneId", "status": "Status"}
    return {**shown(zone, place), **shown(addresses[0], names)}
