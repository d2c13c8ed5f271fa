"""Application load balancers and their listeners; the calls are those of the Terraform provider's `alb_*` resources."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

from steelyard.deploy.engine.provider import Values
from steelyard.deploy.provider.alb_shape import found, sent
from steelyard.deploy.provider.api import ALB, Api
from steelyard.deploy.provider.resource_type import shown, wire
from steelyard.deploy.provider.tag import TagWriter, tag_map
from steelyard.deploy.provider.zonal import SecurityGroupAttachment, ZonalType

CONFIGURING = ("IncorrectStatus.Listener", "ResourceInConfiguring.Listener", "VipStatusNotSupport")
"""Beginnings of the codes of a listener that is taking in an earlier change, besides those of its load balancer."""

_PAY_TYPES = {"PayAsYouGo": "PostPay"}


class AlbType(ZonalType):
    """A resource type of ALB."""

    product = ALB
    busy = ("SystemBusy", "IdempotenceProcessing", "IncorrectStatus.LoadBalancer", "IncorrectBusinessStatus")

    def has_succeeded(self, api: Api, job_id: str) -> bool:
        """ListAsynJobs."""
        jobs = api.call(ALB, "ListAsynJobs", {"JobIds": [job_id]}).get("Jobs") or []
        return [job.get("Status") for job in jobs] == ["Succeeded"]


class LoadBalancer(AlbType):
    """`alicloud.alb.LoadBalancer`."""

    token = "alicloud:alb/loadBalancer:LoadBalancer"
    create_only = frozenset(
        {
            "vpcId",
            "addressAllocatedMode",
            "addressIpVersion",
            "bandwidthPackageId",
            "loadBalancerBillingConfig",
            "resourceGroupId",
        }
    )
    changeable = frozenset(
        {
            "addressType",
            "deletionProtectionConfig",
            "deletionProtectionEnabled",
            "loadBalancerEdition",
            "loadBalancerName",
            "modificationProtectionConfig",
            "tags",
            "zoneMappings",
        }
    )

    _CREATE: ClassVar = {
        "addressAllocatedMode": "AddressAllocatedMode",
        "addressIpVersion": "AddressIpVersion",
        "addressType": "AddressType",
        "loadBalancerEdition": "LoadBalancerEdition",
        "loadBalancerName": "LoadBalancerName",
        "resourceGroupId": "ResourceGroupId",
        "vpcId": "VpcId",
    }
    _READ: ClassVar = {
        **_CREATE,
        "createTime": "CreateTime",
        "dnsName": "DNSName",
        "regionId": "RegionId",
        "status": "LoadBalancerStatus",
    }

    def create(self, api: Api, inputs: Values) -> str:
        """CreateLoadBalancer, wait until it is active, then TagResources."""
        billing = sent(inputs.get("loadBalancerBillingConfig") or {})
        billing["PayType"] = _PAY_TYPES.get(billing.get("PayType", ""), billing.get("PayType"))
        if inputs.get("bandwidthPackageId"):
            billing["BandwidthPackageId"] = inputs["bandwidthPackageId"]
        params = {
            **wire(inputs, self._CREATE),
            "DeletionProtectionEnabled": _is_protected(inputs),
            "LoadBalancerBillingConfig": billing,
            "ModificationProtectionConfig": sent(inputs.get("modificationProtectionConfig") or {}),
            "ZoneMappings": self._zones(inputs),
            "ClientToken": api.operation.token,
        }
        balancer_id = str(api.call(ALB, "CreateLoadBalancer", params, retry_on=self.busy)["LoadBalancerId"])
        api.operation.allocated(balancer_id)
        self.wait_active(api, balancer_id)
        tag_writer(api, "loadbalancer").change(balancer_id, {}, inputs)
        return balancer_id

    def read(self, api: Api, resource_id: str) -> Values | None:
        """GetLoadBalancerAttribute."""
        answer = self.describe_balancer(api, resource_id)
        billing = answer.get("LoadBalancerBillingConfig") or {}
        pay_types = {api_word: word for word, api_word in _PAY_TYPES.items()}
        pay_type = billing.get("PayType", "")
        protection = answer.get("DeletionProtectionConfig") or {}
        return {
            **shown(answer, self._READ),
            "loadBalancerBillingConfig": {"payType": pay_types.get(pay_type, pay_type)},
            "deletionProtectionConfig": found(protection),
            "deletionProtectionEnabled": bool(protection.get("Enabled")),
            "modificationProtectionConfig": found(answer.get("ModificationProtectionConfig") or {}),
            "zoneMappings": [_shown_zone(zone) for zone in answer.get("ZoneMappings") or []],
            "tags": tag_map(answer.get("Tags") or []),
        }

    def update(self, api: Api, resource_id: str, old: Values, new: Values) -> None:
        """Call the action that belongs to each changed input, and wait until it is active after each."""
        target = {"LoadBalancerId": resource_id}
        if _is_protected(old) != _is_protected(new):
            action = "EnableDeletionProtection" if _is_protected(new) else "DisableDeletionProtection"
            self._change(api, action, {"ResourceId": resource_id}, resource_id)
        names = {"loadBalancerName", "modificationProtectionConfig"}
        changed = {name: new.get(name) for name in sorted(names) if old.get(name) != new.get(name)}
        if changed:
            self._change(api, "UpdateLoadBalancerAttribute", {**target, **sent(changed)}, resource_id)
        for name, action, value in (
            ("loadBalancerEdition", "UpdateLoadBalancerEdition", new.get("loadBalancerEdition")),
            ("zoneMappings", "UpdateLoadBalancerZones", self._zones(new)),
            ("addressType", "UpdateLoadBalancerAddressTypeConfig", new.get("addressType")),
        ):
            if old.get(name) != new.get(name):
                self._change(api, action, {**target, name[0].upper() + name[1:]: value}, resource_id)
        tag_writer(api, "loadbalancer").change(resource_id, old, new)

    def delete(self, api: Api, resource_id: str, inputs: Values) -> None:
        """DeleteLoadBalancer, its job, then wait until it is gone."""
        self.delete_balancer(api, resource_id)

    def _change(self, api: Api, action: str, params: Mapping[str, Any], balancer_id: str) -> None:
        api.call(ALB, action, params, retry_on=self.busy)
        self.wait_active(api, balancer_id)

    def _zones(self, inputs: Values) -> list[dict[str, Any]]:
        names = ("vswitchId", "zoneId", "allocationId", "eipType", "intranetAddress")
        zones = inputs.get("zoneMappings") or []
        return [sent({name: zone.get(name) for name in names}) for zone in zones]


class Listener(AlbType):
    """`alicloud.alb.Listener`."""

    token = "alicloud:alb/listener:Listener"
    create_only = frozenset({"loadBalancerId", "listenerPort", "listenerProtocol"})
    changeable = frozenset(
        {
            "caCertificates",
            "caEnabled",
            "certificates",
            "defaultActions",
            "gzipEnabled",
            "http2Enabled",
            "idleTimeout",
            "listenerDescription",
            "quicConfig",
            "requestTimeout",
            "securityPolicyId",
            "status",
            "tags",
            "xForwardedForConfig",
        }
    )
    # Its id is another one, but two listeners cannot stand on one port.
    deletes_before_replace = True

    _ATTRIBUTES: ClassVar = changeable - {"status", "tags"}

    def create(self, api: Api, inputs: Values) -> str:
        """CreateListener, its job, StopListener where that is asked for, TagResources."""
        params = {
            **self._params({name: inputs.get(name) for name in self.create_only | self._ATTRIBUTES}),
            "ClientToken": api.operation.token,
        }
        answer = api.call(ALB, "CreateListener", params, retry_on=(*self.busy, *CONFIGURING))
        listener_id = str(answer["ListenerId"])
        api.operation.allocated(listener_id)
        self.wait_job(api, "CreateListener", answer)
        if inputs.get("status") == "Stopped":
            self._switch(api, listener_id, "Stopped")
        tag_writer(api, "listener").change(listener_id, {}, inputs)
        return listener_id

    def read(self, api: Api, resource_id: str) -> Values | None:
        """GetListenerAttribute."""
        answer = self.describe_listener(api, resource_id)
        names = self.create_only | self._ATTRIBUTES
        shown_parts = {name: value for name, value in found(answer).items() if name in names}
        certificates = answer.get("Certificates") or []
        return {
            **shown_parts,
            "certificates": found(certificates[0]) if certificates else {},
            "status": answer.get("ListenerStatus"),
            "tags": tag_map(answer.get("Tags") or []),
        }

    def update(self, api: Api, resource_id: str, old: Values, new: Values) -> None:
        """StartListener or StopListener, UpdateListenerAttribute with what changed and its job, the tags' actions."""
        if old.get("status") != new.get("status"):
            self._switch(api, resource_id, new.get("status") or "Running")
        changed = {name: new.get(name) for name in self._ATTRIBUTES if old.get(name) != new.get(name)}
        if changed:
            params = {"ListenerId": resource_id, **self._params(changed)}
            self.do_job(api, "UpdateListenerAttribute", params, *CONFIGURING)
        tag_writer(api, "listener").change(resource_id, old, new)

    def delete(self, api: Api, resource_id: str, inputs: Values) -> None:
        """DeleteListener, its job, then wait until it is gone."""
        self.delete_listener(api, resource_id, *CONFIGURING)

    def _params(self, inputs: Values) -> dict[str, Any]:
        params: dict[str, Any] = sent(inputs)
        # Pulumi has the one certificate by itself, the API a list.
        if "Certificates" in params:
            params["Certificates"] = [params["Certificates"]]
        return params

    def _switch(self, api: Api, listener_id: str, status: str) -> None:
        action = "StopListener" if status == "Stopped" else "StartListener"
        api.call(ALB, action, {"ListenerId": listener_id}, retry_on=(*self.busy, *CONFIGURING))
        self.wait_listener(api, listener_id, status)


class LoadBalancerSecurityGroupAttachment(SecurityGroupAttachment, AlbType):
    """`alicloud.alb.LoadBalancerSecurityGroupAttachment`: a load balancer in one security group."""

    token = "alicloud:alb/loadBalancerSecurityGroupAttachment:LoadBalancerSecurityGroupAttachment"


def tag_writer(api: Api, kind: str) -> TagWriter:
    """Return what changes the tags of a resource of ALB, which spells one of the actions in its own way."""
    return TagWriter(api, ALB, kind, untag_action="UnTagResources")


def _is_protected(inputs: Values) -> bool:
    config = inputs.get("deletionProtectionConfig") or {}
    return bool(inputs.get("deletionProtectionEnabled") or config.get("enabled"))


def _shown_zone(zone: Mapping[str, Any]) -> dict[str, Any]:
    addresses = zone.get("LoadBalancerAddresses") or []
    first: Mapping[str, Any] = addresses[0] if addresses else {}
    place: dict[str, Any] = found({"VSwitchId": zone.get("VSwitchId"), "ZoneId": zone.get("ZoneId")})
    names = ("Address", "AllocationId", "EipType", "IntranetAddress")
    own: dict[str, Any] = found({name: first.get(name) for name in names})
    return {**place, **own, "loadBalancerAddresses": found(addresses)}
