"""Network load balancers and their listeners; the calls are those of the Terraform provider's `nlb_*` resources."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

from steelyard.deploy.engine.provider import Values
from steelyard.deploy.provider.api import NLB, Answer, Api
from steelyard.deploy.provider.resource_type import ResourceType, changes, nested, shown, wait_gone, wire
from steelyard.deploy.provider.tag import TagWriter

BUSY = ("Conflict.Lock", "SystemBusy", "IncorrectStatus", "OperationConflict")
"""Beginnings of the codes of a load balancer that is taking in an earlier change."""

_ZONE = {
    "vswitchId": "VSwitchId",
    "zoneId": "ZoneId",
    "allocationId": "AllocationId",
    "privateIpv4Address": "PrivateIPv4Address",
}


class LoadBalancer(ResourceType):
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
            retry_on=BUSY,
        )
        # The API's own spelling, in this answer alone.
        balancer_id = str(answer["LoadbalancerId"])
        api.operation.allocated(balancer_id)
        self._wait_active(api, balancer_id)
        rest = {
            name: inputs.get(name) for name in ("crossZoneEnabled", "cps") if inputs.get(name) is not None
        }
        self._change(api, balancer_id, {}, rest)
        self._change_groups(api, balancer_id, {}, inputs)
        TagWriter(api, NLB, "loadbalancer").change(balancer_id, {}, inputs)
        return balancer_id

    def read(self, api: Api, resource_id: str) -> Values | None:
        """GetLoadBalancerAttribute and ListTagResources."""
        answer = self._describe(api, resource_id)
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
            do_job(api, "UpdateLoadBalancerAddressTypeConfig", params)
        if self._zones(old) != self._zones(new):
            do_job(api, "UpdateLoadBalancerZones", {**target, "ZoneMappings": self._zones(new)})
        protection = changes(old, new, self._PROTECTION)
        if protection:
            # An input that was taken away is no protection; the API takes no empty text for a switch.
            off = {"DeletionProtectionEnabled": False, "ModificationProtectionStatus": "NonProtection"}
            protection |= {name: value for name, value in off.items() if protection.get(name) == ""}
            api.call(NLB, "UpdateLoadBalancerProtection", {**target, **protection}, retry_on=BUSY)
        self._change_groups(api, resource_id, old, new)
        self._wait_active(api, resource_id)
        TagWriter(api, NLB, "loadbalancer").change(resource_id, old, new)

    def delete(self, api: Api, resource_id: str, inputs: Values) -> None:
        """DeleteLoadBalancer, its job, then wait until it is gone."""
        do_job(api, "DeleteLoadBalancer", {"LoadBalancerId": resource_id})
        wait_gone(
            api,
            lambda: bool(self._describe(api, resource_id).get("LoadBalancerId")),
            f"load balancer {resource_id}",
        )

    def _change(self, api: Api, balancer_id: str, old: Values, new: Values) -> None:
        changed = wire(
            {name: new.get(name) for name in new if old.get(name) != new.get(name)}, self._ATTRIBUTES
        )
        if changed:
            do_job(api, "UpdateLoadBalancerAttribute", {"LoadBalancerId": balancer_id, **changed})

    def _change_groups(self, api: Api, balancer_id: str, old: Values, new: Values) -> None:
        before, after = set(old.get("securityGroupIds") or ()), set(new.get("securityGroupIds") or ())
        for action, ids in (
            ("LoadBalancerJoinSecurityGroup", after - before),
            ("LoadBalancerLeaveSecurityGroup", before - after),
        ):
            if ids:
                do_job(api, action, {"LoadBalancerId": balancer_id, "SecurityGroupIds": sorted(ids)})

    def _zones(self, inputs: Values) -> list[dict[str, Any]]:
        return [nested(zone, _ZONE, "zoneMappings") for zone in inputs.get("zoneMappings") or []]

    def _wait_active(self, api: Api, balancer_id: str) -> None:
        def look() -> bool | None:
            return True if self._describe(api, balancer_id).get("LoadBalancerStatus") == "Active" else None

        api.wait(look, what=f"load balancer {balancer_id}")

    def _describe(self, api: Api, balancer_id: str) -> Answer:
        return api.call(NLB, "GetLoadBalancerAttribute", {"LoadBalancerId": balancer_id})


class LoadBalancerSecurityGroupAttachment(ResourceType):
    """`alicloud.nlb.LoadBalancerSecurityGroupAttachment`: a load balancer in one security group."""

    token = "alicloud:nlb/loadBalancerSecurityGroupAttachment:LoadBalancerSecurityGroupAttachment"
    create_only = frozenset({"loadBalancerId", "securityGroupId"})

    def create(self, api: Api, inputs: Values) -> str:
        """LoadBalancerJoinSecurityGroup, and its job."""
        balancer_id, group_id = inputs["loadBalancerId"], inputs["securityGroupId"]
        self._change(api, "LoadBalancerJoinSecurityGroup", balancer_id, group_id)
        attachment_id = f"{balancer_id}:{group_id}"
        api.operation.allocated(attachment_id)
        return attachment_id

    def read(self, api: Api, resource_id: str) -> Values | None:
        """GetLoadBalancerAttribute, and in it the group."""
        balancer_id, group_id = resource_id.split(":")
        answer = api.call(NLB, "GetLoadBalancerAttribute", {"LoadBalancerId": balancer_id})
        if group_id not in (answer.get("SecurityGroupIds") or []):
            return None
        return {"loadBalancerId": balancer_id, "securityGroupId": group_id}

    def delete(self, api: Api, resource_id: str, inputs: Values) -> None:
        """LoadBalancerLeaveSecurityGroup, and its job."""
        self._change(api, "LoadBalancerLeaveSecurityGroup", *resource_id.split(":"))

    def _change(self, api: Api, action: str, balancer_id: str, group_id: str) -> None:
        do_job(api, action, {"LoadBalancerId": balancer_id, "SecurityGroupIds": [group_id]})


class Listener(ResourceType):
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
        listener_id = str(api.call(NLB, "CreateListener", params, retry_on=BUSY)["ListenerId"])
        api.operation.allocated(listener_id)
        self._wait(api, listener_id, "Running")
        if inputs.get("status") == "Stopped":
            self._switch(api, listener_id, "Stopped")
        TagWriter(api, NLB, "listener").change(listener_id, {}, inputs)
        return listener_id

    def read(self, api: Api, resource_id: str) -> Values | None:
        """GetListenerAttribute and ListTagResources."""
        names = {**self._CREATE_ONLY, **self._CHANGE, "status": "ListenerStatus", "regionId": "RegionId"}
        return {
            **shown(self._describe(api, resource_id), names),
            "tags": TagWriter(api, NLB, "listener").read(resource_id),
        }

    def update(self, api: Api, resource_id: str, old: Values, new: Values) -> None:
        """UpdateListenerAttribute with what changed, StartListener or StopListener, then the tags' actions."""
        changed = changes(old, new, self._CHANGE)
        if changed:
            group = wire(new, {"serverGroupId": "ServerGroupId"})
            do_job(api, "UpdateListenerAttribute", {"ListenerId": resource_id, **group, **changed})
        if old.get("status") != new.get("status"):
            self._switch(api, resource_id, new.get("status") or "Running")
        self._wait(api, resource_id, new.get("status") or "Running")
        TagWriter(api, NLB, "listener").change(resource_id, old, new)

    def delete(self, api: Api, resource_id: str, inputs: Values) -> None:
        """DeleteListener, its job, then wait until it is gone."""
        do_job(api, "DeleteListener", {"ListenerId": resource_id})
        wait_gone(
            api, lambda: bool(self._describe(api, resource_id).get("ListenerId")), f"listener {resource_id}"
        )

    def _switch(self, api: Api, listener_id: str, status: str) -> None:
        action = "StopListener" if status == "Stopped" else "StartListener"
        do_job(api, action, {"ListenerId": listener_id})
        self._wait(api, listener_id, status)

    def _describe(self, api: Api, listener_id: str) -> Answer:
        return api.call(NLB, "GetListenerAttribute", {"ListenerId": listener_id})

    def _wait(self, api: Api, listener_id: str, status: str) -> None:
        def look() -> bool | None:
            return True if self._describe(api, listener_id).get("ListenerStatus") == status else None

        api.wait(look, what=f"listener {listener_id} to be {status}")


def do_job(api: Api, action: str, params: Mapping[str, Any], *retry_on: str) -> None:
    """Call an action that answers with a job, and wait until the job has succeeded (`GetJobStatus`).

    Args:
        api: Sends the calls.
        action: The action.
        params: Its parameters.
        retry_on: Beginnings of error codes that pass by themselves, besides `BUSY`.
    """
    job_id = api.call(NLB, action, params, retry_on=(*BUSY, *retry_on)).get("JobId")
    if not job_id:
        return

    def look() -> bool | None:
        return True if api.call(NLB, "GetJobStatus", {"JobId": job_id}).get("Status") == "Succeeded" else None

    api.wait(look, what=f"{action}, job {job_id}")


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
