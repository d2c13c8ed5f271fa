from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from steelyard.localcloud.page import token_answer
from steelyard.localcloud.service import Request, action
from steelyard.localcloud.services.slb import errors
from steelyard.localcloud.services.slb.models import Listener, listener_id
from steelyard.localcloud.services.slb.setting import read_settings
from steelyard.localcloud.services.slb.state import SlbState
from steelyard.localcloud.wire.error import invalid_parameter, missing_parameter

# What the schema calls required and the API does not, by its parameter descriptions.
_OPTIONAL_HTTP = ("Cookie", "CookieTimeout", "StickySessionType", "AclId", "HealthCheck")
_OPTIONAL_TCP = ("Bandwidth", "ConnectionDrainTimeout")
_OPTIONAL_UDP = ("Bandwidth",)
_OPTIONAL_HTTPS = (*_OPTIONAL_HTTP, "Bandwidth")


class ListenerActions(SlbState):
    """Listeners: HTTP, HTTPS, TCP and UDP; a listener is made stopped and serves from its start on."""

    @action("CreateLoadBalancerHTTPListener", optional=_OPTIONAL_HTTP)
    def create_http_listener(self, request: Request) -> dict[str, object]:
        """Create an HTTP listener."""
        return self._create(request, "http")

    @action("CreateLoadBalancerTCPListener", optional=_OPTIONAL_TCP)
    def create_tcp_listener(self, request: Request) -> dict[str, object]:
        """Create a TCP listener."""
        return self._create(request, "tcp")

    @action("SetLoadBalancerHTTPListenerAttribute", optional=_OPTIONAL_HTTP)
    def set_http_listener_attribute(self, request: Request) -> dict[str, object]:
        """Change an HTTP listener without losing a request."""
        return self._set(request, "http")

    @action("SetLoadBalancerTCPListenerAttribute", optional=_OPTIONAL_TCP)
    def set_tcp_listener_attribute(self, request: Request) -> dict[str, object]:
        """Change a TCP listener without losing a connection."""
        return self._set(request, "tcp")

    @action("DescribeLoadBalancerHTTPListenerAttribute")
    def describe_http_listener_attribute(self, request: Request) -> dict[str, object]:
        """Give one HTTP listener."""
        return self._describe(request, "http")

    @action("DescribeLoadBalancerTCPListenerAttribute")
    def describe_tcp_listener_attribute(self, request: Request) -> dict[str, object]:
        """Give one TCP listener."""
        return self._describe(request, "tcp")

    @action("CreateLoadBalancerUDPListener", optional=_OPTIONAL_UDP)
    def create_udp_listener(self, request: Request) -> dict[str, object]:
        """Create a UDP listener; its port may be that of a listener of another protocol."""
        return self._create(request, "udp")

    @action("SetLoadBalancerUDPListenerAttribute", optional=_OPTIONAL_UDP)
    def set_udp_listener_attribute(self, request: Request) -> dict[str, object]:
        """Change a UDP listener without losing a session."""
        return self._set(request, "udp")

    @action("DescribeLoadBalancerUDPListenerAttribute")
    def describe_udp_listener_attribute(self, request: Request) -> dict[str, object]:
        """Give one UDP listener."""
        return self._describe(request, "udp")

    @action("CreateLoadBalancerHTTPSListener", optional=_OPTIONAL_HTTPS)
    def create_https_listener(self, request: Request) -> dict[str, object]:
        """Create an HTTPS listener, which ends TLS with its server certificate."""
        return self._create(request, "https")

    @action("SetLoadBalancerHTTPSListenerAttribute", optional=_OPTIONAL_HTTPS)
    def set_https_listener_attribute(self, request: Request) -> dict[str, object]:
        """Change an HTTPS listener, its certificate among the rest, without losing a request."""
        return self._set(request, "https")

    @action("DescribeLoadBalancerHTTPSListenerAttribute")
    def describe_https_listener_attribute(self, request: Request) -> dict[str, object]:
        """Give one HTTPS listener."""
        return self._describe(request, "https")

    @action("DescribeLoadBalancerListeners")
    def describe_load_balancer_listeners(self, request: Request) -> dict[str, object]:
        """List the region's listeners by load balancers, protocol, port and description."""
        ids, protocol = request.texts("LoadBalancerId"), request.text("ListenerProtocol").lower()
        port, description = request.number("ListenerPort", 0), request.text("Description")
        here = {one.id for one in self.load_balancers.list() if one.region_id == request.region_id}
        found = [
            listener
            for listener in self.listeners.list()
            if listener.load_balancer_id in (here.intersection(ids) if ids else here)
            and protocol in ("", listener.protocol)
            and port in (0, listener.port)
            and description in ("", listener.settings["Description"])
        ]
        return token_answer(request, "Listeners", found, Listener.to_row)

    @action("StartLoadBalancerListener", optional=("ListenerProtocol",))
    def start_listener(self, request: Request) -> dict[str, object]:
        """Let a listener serve; it does so when the answer comes."""
        return self._switch(request, is_running=True)

    @action("StopLoadBalancerListener", optional=("ListenerProtocol",))
    def stop_listener(self, request: Request) -> dict[str, object]:
        """Let a listener serve no more."""
        return self._switch(request, is_running=False)

    @action("DeleteLoadBalancerListener", optional=("ListenerProtocol",))
    def delete_listener(self, request: Request) -> dict[str, object]:
        """Delete a listener."""
        listener = self.any_listener(request)
        self.drop_listener(listener)
        self.apply(request, listener.load_balancer_id)
        return {}

    def listener(self, request: Request, protocol: str) -> Listener:
        """Give the listener of a protocol that a call names.

        Raises:
            ApiError: `InvalidLoadBalancerId.NotFound`, or `InvalidParameter` with status 404.
        """
        balancer = self.load_balancer(request)
        listener = self.listeners.get(listener_id(balancer.id, protocol, request.number("ListenerPort", 0)))
        if listener is None:
            raise errors.listener_not_found()
        return listener

    def any_listener(self, request: Request) -> Listener:
        """Give the listener that a call names by its port and, if it likes, its protocol.

        Raises:
            ApiError: `InvalidLoadBalancerId.NotFound`, or `InvalidParameter` with status 404.
        """
        balancer, port = self.load_balancer(request), request.number("ListenerPort", 0)
        protocol = request.text("ListenerProtocol").lower()
        for listener in self.listeners_of(balancer.id):
            if listener.port == port and protocol in ("", listener.protocol):
                return listener
        raise errors.listener_not_found()

    def _describe(self, request: Request, protocol: str) -> dict[str, object]:
        listener = self.listener(request, protocol)
        rules = [rule.to_answer() for rule in self.rules_of(listener.id)]
        extensions = [one.to_answer() for one in self.extensions_of(listener.id)]
        return {
            **listener.to_answer(),
            "Rules": {"Rule": rules},
            "DomainExtensions": {"DomainExtension": extensions},
        }

    def _create(self, request: Request, protocol: str) -> dict[str, object]:
        balancer, port = self.load_balancer(request), request.number("ListenerPort", 0)
        if not 1 <= port <= 65535:
            raise invalid_parameter("ListenerPort", port, "from 1 to 65535")
        if any(
            listener.port == port and (listener.protocol == "udp") == (protocol == "udp")
            for listener in self.listeners_of(balancer.id)
        ):
            raise errors.listener_exists(port)
        settings = read_settings(request, protocol)
        self._check_named(balancer.id, settings)
        listener = Listener(
            id=listener_id(balancer.id, protocol, port),
            created_at=self.cloud.clock(),
            load_balancer_id=balancer.id,
            protocol=protocol,
            port=port,
            is_running=False,
            settings=settings,
        )
        _check_servers(listener)
        self.listeners.put(listener)
        return {}

    def _set(self, request: Request, protocol: str) -> dict[str, object]:
        listener = self.listener(request, protocol)
        settings = read_settings(request, protocol, listener.settings)
        self._check_named(listener.load_balancer_id, settings)
        changed = replace(listener, settings=settings)
        _check_servers(changed)
        self.listeners.put(changed)
        self.apply(request, listener.load_balancer_id)
        return {}

    def _switch(self, request: Request, *, is_running: bool) -> dict[str, object]:
        listener = self.any_listener(request)
        self.listeners.put(replace(listener, is_running=is_running))
        self.apply(request, listener.load_balancer_id)
        return {}

    def _check_named(self, load_balancer_id: str, settings: Mapping[str, object]) -> None:
        """Check that what settings name is there."""
        for name, is_pair in (("VServerGroupId", False), ("MasterSlaveServerGroupId", True)):
            group_id = str(settings.get(name) or "")
            if group_id and not self.has_group(load_balancer_id, group_id, is_pair=is_pair):
                raise errors.server_group_not_found(name)
        if settings.get("ListenerForward") == "on":
            self._check_target(load_balancer_id, settings["ForwardPort"])
        list_ids = str(settings["AclId"]).split(",") if settings["AclStatus"] == "on" else []
        if any(self.access_lists.get(list_id) is None for list_id in list_ids):
            raise errors.access_list_not_found()
        certificate_id = str(settings.get("ServerCertificateId") or "")
        if certificate_id and self.server_certificates.get(certificate_id) is None:
            raise errors.server_certificate_not_found()
        policy_id = settings.get("TLSCipherPolicy")
        if policy_id is not None and policy_id not in self.tls_policies():
            raise invalid_parameter("TLSCipherPolicy", policy_id, "a TLS policy of the system or your own")
        authority_id = str(settings.get("CACertificateId") or "")
        if authority_id and self.ca_certificates.get(authority_id) is None:
            raise errors.ca_certificate_not_found()

    def _check_target(self, load_balancer_id: str, port: object) -> None:
        """Check that there is the HTTPS listener that clients are sent to."""
        listeners = self.listeners_of(load_balancer_id)
        if port not in [listener.port for listener in listeners if listener.protocol == "https"]:
            raise invalid_parameter("ForwardPort", port, "the port of an HTTPS listener")


def _check_servers(listener: Listener) -> None:
    """Check that a listener that has no server group knows a port of its load balancer's own servers.

    Raises:
        ApiError: `MissingParameter`.
    """
    if not (listener.server_group_id or listener.settings["BackendServerPort"] or listener.is_redirect):
        raise missing_parameter("BackendServerPort")
