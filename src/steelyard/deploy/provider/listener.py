"""Listeners of classic load balancers (product SLB), which have actions of their own for each protocol."""

from __future__ import annotations

from typing import Any, ClassVar

from steelyard.deploy.engine.provider import Values
from steelyard.deploy.provider.api import SLB, Api
from steelyard.deploy.provider.connection import Answer
from steelyard.deploy.provider.resource_type import ResourceType, shown, wait_gone, wire
from steelyard.deploy.provider.slb import BUSY
from steelyard.errors import ResourceError

_FORWARDING = {
    "bandwidth": "Bandwidth",
    "scheduler": "Scheduler",
    "serverGroupId": "VServerGroupId",
    "backendPort": "BackendServerPort",
    "description": "Description",
    "aclStatus": "AclStatus",
    "aclType": "AclType",
}
_CHECK = {
    "healthyThreshold": "HealthyThreshold",
    "unhealthyThreshold": "UnhealthyThreshold",
    "healthCheckConnectPort": "HealthCheckConnectPort",
    "healthCheckDomain": "HealthCheckDomain",
    "healthCheckUri": "HealthCheckURI",
    "healthCheckHttpCode": "HealthCheckHttpCode",
}
_HTTP = {
    **_FORWARDING,
    **_CHECK,
    "healthCheck": "HealthCheck",
    "healthCheckInterval": "HealthCheckInterval",
    "healthCheckTimeout": "HealthCheckTimeout",
    "healthCheckMethod": "HealthCheckMethod",
    "stickySession": "StickySession",
    "stickySessionType": "StickySessionType",
    "cookie": "Cookie",
    "cookieTimeout": "CookieTimeout",
    "idleTimeout": "IdleTimeout",
    "requestTimeout": "RequestTimeout",
}
_TRANSPORT = {
    **_FORWARDING,
    "healthCheck": "HealthCheck",
    **_CHECK,
    "healthCheckInterval": "HealthCheckInterval",
    "healthCheckTimeout": "HealthCheckConnectTimeout",
}
_SETTINGS = {
    "http": _HTTP,
    "https": {
        **_HTTP,
        "serverCertificateId": "ServerCertificateId",
        "caCertificateId": "CACertificateId",
        "tlsCipherPolicy": "TLSCipherPolicy",
        "enableHttp2": "EnableHttp2",
    },
    "tcp": {
        **_TRANSPORT,
        "healthCheckType": "HealthCheckType",
        "establishedTimeout": "EstablishedTimeout",
        "persistenceTimeout": "PersistenceTimeout",
    },
    "udp": _TRANSPORT,
}


_FORWARDED = {
    "retriveSlbId": "XForwardedFor_SLBID",
    "retriveSlbIp": "XForwardedFor_SLBIP",
    "retriveSlbProto": "XForwardedFor_proto",
}


def _switch(value: object) -> str:
    return "on" if value else "off"


class Listener(ResourceType):
    """`alicloud.slb.Listener`."""

    token = "alicloud:slb/listener:Listener"
    create_only = frozenset({"loadBalancerId", "frontendPort", "protocol", "backendPort"})
    changeable = frozenset(
        {"aclIds", "gzip", "xForwardedFor", *(name for names in _SETTINGS.values() for name in names)}
        - {"backendPort"}
    )

    _DEFAULTS: ClassVar = {"bandwidth": -1, "scheduler": "wrr", "aclStatus": "off"}
    _HTTP_DEFAULTS: ClassVar = {"stickySession": "off", "healthCheck": "on"}

    def create(self, api: Api, inputs: Values) -> str:
        """CreateLoadBalancer…Listener, wait, StartLoadBalancerListener, wait until it runs."""
        balancer_id, port, protocol = inputs["loadBalancerId"], inputs["frontendPort"], inputs["protocol"]
        listener_id = f"{balancer_id}:{protocol}:{port}"
        params = {"LoadBalancerId": balancer_id, "ListenerPort": port, **self._settings(inputs)}
        if protocol in ("tcp", "udp") and "HealthCheckInterval" in params:
            # These two creations, and no other action, have the name in small letters.
            params["healthCheckInterval"] = params.pop("HealthCheckInterval")
        api.call(SLB, f"CreateLoadBalancer{self._kind(protocol)}Listener", params, retry_on=BUSY)
        api.operation.allocated(listener_id)
        self._wait(api, listener_id, "stopped", "running")
        target = self._target(listener_id)
        api.call(SLB, "StartLoadBalancerListener", target, retry_on=BUSY)
        self._wait(api, listener_id, "running")
        return listener_id

    def read(self, api: Api, resource_id: str) -> Values | None:
        """DescribeLoadBalancer…ListenerAttribute."""
        answer = self._describe(api, resource_id)
        if not answer.get("ListenerPort"):
            return None
        balancer_id, protocol, port = resource_id.split(":")
        said = {"loadBalancerId": balancer_id, "frontendPort": int(port), "protocol": protocol}
        return {**said, **shown(answer, _SETTINGS[protocol]), **self._shown_switches(answer)}

    def update(self, api: Api, resource_id: str, old: Values, new: Values) -> None:
        """SetLoadBalancer…ListenerAttribute with all settings, then wait until it runs again."""
        target = self._target(resource_id)
        protocol = target.pop("ListenerProtocol")
        settings = self._settings(new)
        settings.pop("BackendServerPort", None)
        params = {**target, **settings, "VServerGroup": "on" if new.get("serverGroupId") else "off"}
        action = f"SetLoadBalancer{self._kind(protocol)}ListenerAttribute"
        api.call(SLB, action, params, retry_on=BUSY)
        self._wait(api, resource_id, "running")

    def delete(self, api: Api, resource_id: str, inputs: Values) -> None:
        """DeleteLoadBalancerListener, then wait until it is gone."""
        api.call(SLB, "DeleteLoadBalancerListener", self._target(resource_id), retry_on=BUSY)
        wait_gone(
            api, lambda: bool(self._describe(api, resource_id).get("ListenerPort")), f"listener {resource_id}"
        )

    def _settings(self, inputs: Values) -> dict[str, Any]:
        protocol = inputs["protocol"]
        defaults = {**self._DEFAULTS, **(self._HTTP_DEFAULTS if protocol.startswith("http") else {})}
        self._kind(protocol)
        settings = wire({**defaults, **inputs}, _SETTINGS[protocol])
        if inputs.get("aclIds"):
            settings["AclId"] = ",".join(inputs["aclIds"])
        if protocol.startswith("http"):
            if inputs.get("gzip") is not None:
                settings["Gzip"] = _switch(inputs["gzip"])
            forwarded = inputs.get("xForwardedFor") or {}
            settings |= {api_name: _switch(forwarded.get(name)) for name, api_name in _FORWARDED.items()}
        elif "HealthCheck" in settings:
            settings["HealthCheckSwitch"] = settings.pop("HealthCheck")
        return settings

    def _shown_switches(self, answer: Answer) -> Values:
        """Return what the API calls `on` and `off`, or names one by one, as Pulumi has it."""
        said: dict[str, Any] = {}
        acl_ids = (answer.get("AclIds") or {}).get("AclId") or []
        if acl_ids:
            said["aclIds"] = acl_ids
        if "Gzip" in answer:
            said["gzip"] = answer["Gzip"] == "on"
            said["xForwardedFor"] = {
                "retriveClientIp": answer.get("XForwardedFor") == "on",
                **{name: answer.get(api_name) == "on" for name, api_name in _FORWARDED.items()},
            }
        return said

    def _kind(self, protocol: str) -> str:
        if protocol not in _SETTINGS:
            raise ResourceError(
                f"{protocol!r} is not a listener's protocol", f"use one of {', '.join(sorted(_SETTINGS))}"
            )
        return protocol.upper()

    def _target(self, listener_id: str) -> dict[str, Any]:
        balancer_id, protocol, port = listener_id.split(":")
        return {"LoadBalancerId": balancer_id, "ListenerPort": int(port), "ListenerProtocol": protocol}

    def _describe(self, api: Api, listener_id: str) -> Answer:
        target = self._target(listener_id)
        protocol = target.pop("ListenerProtocol")
        return api.call(SLB, f"DescribeLoadBalancer{self._kind(protocol)}ListenerAttribute", target)

    def _wait(self, api: Api, listener_id: str, *states: str) -> None:
        def look() -> bool | None:
            status = str(self._describe(api, listener_id).get("Status")).lower()
            return True if status in states else None

        api.wait(look, what=f"listener {listener_id} to be {' or '.join(states)}")
