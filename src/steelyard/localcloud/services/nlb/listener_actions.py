from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from steelyard.localcloud.service import Request, action
from steelyard.localcloud.services.nlb.models import Listener, LoadBalancer, ServerGroup
from steelyard.localcloud.services.nlb.setting import read_listener
from steelyard.localcloud.services.nlb.state import NlbState
from steelyard.localcloud.tag import read_tags
from steelyard.localcloud.wire.error import invalid_parameter, not_served
from steelyard.localcloud.zonal import errors
from steelyard.localcloud.zonal.listener_actions import ZonalListenerActions

# What the schema calls required and the parameter descriptions do not, unless something else is asked for.
_GROUPS: Mapping[str, tuple[str, ...]] = {
    "TCP": ("TCP", "TCP_UDP"),
    "UDP": ("UDP", "TCP_UDP"),
    "TCPSSL": ("TCP", "TCPSSL"),
}
"""The protocols of the server groups that a listener of each protocol may use; TLS ends here, or begins anew."""
_OPTIONAL = ("AlpnPolicy", "EndPort", "StartPort")


class ListenerActions(ZonalListenerActions[LoadBalancer, ServerGroup, Listener], NlbState):
    """Listeners for TCP, with TLS or without, and for UDP; one serves from its making on."""

    @action("CreateListener", optional=_OPTIONAL)
    def create_listener(self, request: Request) -> dict[str, object]:
        """Create a listener, which serves when the answer comes."""
        balancer = self.load_balancer(request)
        protocol = _protocol(request)
        if request.number("ListenerPort", 0) == 0:
            raise not_served("listeners on a range of ports")
        port = self.free_port(request, balancer.id)
        group = self.group_in_vpc(request.text("ServerGroupId"), balancer.vpc_id)
        _check_fit(protocol, group)
        listener = Listener(
            # The real ids are made like that, too (from memory).
            id=f"{self.cloud.new_id('lsn')}@{port}",
            created_at=self.cloud.clock(),
            tags=read_tags(request),
            region_id=balancer.region_id,
            load_balancer_id=balancer.id,
            server_group_id=group.id,
            port=port,
            is_running=True,
            protocol=protocol,
            settings=self._settings(request, protocol),
        )
        return {**self.put_listener(request, listener), "ListenerId": listener.id}

    @action("UpdateListenerAttribute", optional=_OPTIONAL)
    def update_listener_attribute(self, request: Request) -> dict[str, object]:
        """Change a listener, its server group among the rest, without losing a connection."""
        listener = self.listener(request)
        balancer = self.load_balancers.get(listener.load_balancer_id)
        assert balancer is not None
        group_id = request.text("ServerGroupId") or listener.server_group_id
        group = self.group_in_vpc(group_id, balancer.vpc_id)
        _check_fit(listener.protocol, group)
        settings = self._settings(request, listener.protocol, listener.settings)
        return self.put_listener(request, replace(listener, settings=settings, server_group_id=group.id))

    def certificate_ids(self, listener: Listener) -> Sequence[str]:
        """Give the certificates that a listener answers with, the default one first."""
        return listener.certificate_ids

    def _settings(
        self, request: Request, protocol: str, old: Mapping[str, object] | None = None
    ) -> dict[str, object]:
        settings = read_listener(request.params, protocol, old)
        ids = settings["CertificateIds"]
        assert isinstance(ids, list | tuple)
        for certificate_id in ids:
            if self.find_pair(str(certificate_id)) is None:
                raise self.not_found("certificate")
        return settings


def _protocol(request: Request) -> str:
    protocol = request.text("ListenerProtocol")
    if protocol not in _GROUPS:
        raise invalid_parameter("ListenerProtocol", protocol, "one of TCP, UDP, TCPSSL")
    return protocol


def _check_fit(protocol: str, group: ServerGroup) -> None:
    if group.settings["Protocol"] not in _GROUPS[protocol]:
        raise errors.protocol_mismatch(protocol, str(group.settings["Protocol"]))
