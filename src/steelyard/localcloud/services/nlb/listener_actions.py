from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace

from steelyard.localcloud.service import Request, action
from steelyard.localcloud.services.nlb.models import Listener, LoadBalancer, ServerGroup
from steelyard.localcloud.services.nlb.setting import read_listener
from steelyard.localcloud.services.nlb.state import NlbState
from steelyard.localcloud.services.zonal import errors
from steelyard.localcloud.services.zonal.listener_actions import ZonalListenerActions
from steelyard.localcloud.tag import read_tags
from steelyard.localcloud.wire.error import invalid_parameter, not_served

# What the schema calls required and the parameter descriptions do not, unless something else is asked for.
_GROUPS: Mapping[str, tuple[str, ...]] = {
    "TCP": ("TCP", "TCP_UDP"),
    "UDP": ("UDP", "TCP_UDP"),
    "TCPSSL": ("TCP", "TCPSSL"),
}
"""The protocols of the server groups that a listener of each protocol may use; TLS ends here, or begins anew."""
_OPTIONAL = ("AlpnPolicy", "EndPort", "StartPort")
_MAX_ADDITIONAL = 25  # As with ALB; the page of NLB names no number.


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

    @action("AssociateAdditionalCertificatesWithListener")
    def associate_certificates(self, request: Request) -> dict[str, object]:
        """Give a TCPSSL listener certificates for further server names."""
        listener = self._secure_listener(request)
        added = self._known_certificates(request.texts("AdditionalCertificateIds"))
        further = [one for one in added if one not in listener.certificate_ids]
        ids = tuple(dict.fromkeys([*listener.additional_certificate_ids, *further]))
        if len(ids) > _MAX_ADDITIONAL:
            limit = f"at most {_MAX_ADDITIONAL}"
            raise invalid_parameter("AdditionalCertificateIds", f"{len(ids)} in all", limit)
        return self.put_listener(request, replace(listener, additional_certificate_ids=ids))

    @action("DisassociateAdditionalCertificatesWithListener")
    def disassociate_certificates(self, request: Request) -> dict[str, object]:
        """Take further certificates from a TCPSSL listener; the default one stays."""
        listener, gone = self._secure_listener(request), request.texts("AdditionalCertificateIds")
        if not set(gone) <= set(listener.additional_certificate_ids):
            raise self.not_found("certificate")
        kept = tuple(one for one in listener.additional_certificate_ids if one not in gone)
        return self.put_listener(request, replace(listener, additional_certificate_ids=kept))

    def certificate_ids(self, listener: Listener) -> Sequence[str]:
        """Give the certificates that a listener answers with, the default one first."""
        return listener.certificate_ids

    def _settings(
        self, request: Request, protocol: str, old: Mapping[str, object] | None = None
    ) -> dict[str, object]:
        settings = read_listener(request.params, protocol, old)
        self.check_policy(settings)
        ids = settings["CertificateIds"]
        assert isinstance(ids, list | tuple)
        self._known_certificates(map(str, ids))
        return settings

    def _known_certificates(self, certificate_ids: Iterable[str]) -> list[str]:
        """Check that certificates are there.

        Raises:
            ApiError: `ResourceNotFound.certificate`.
        """
        ids = list(certificate_ids)
        if any(self.find_pair(one) is None for one in ids):
            raise self.not_found("certificate")
        return ids

    def _secure_listener(self, request: Request) -> Listener:
        listener = self.listener(request)
        if listener.protocol != "TCPSSL":
            raise invalid_parameter("ListenerId", listener.id, "a listener of TCPSSL")
        return listener


def _protocol(request: Request) -> str:
    protocol = request.text("ListenerProtocol")
    if protocol not in _GROUPS:
        raise invalid_parameter("ListenerProtocol", protocol, "one of TCP, UDP, TCPSSL")
    return protocol


def _check_fit(protocol: str, group: ServerGroup) -> None:
    spoken = str(group.settings["Protocol"])
    if spoken not in _GROUPS[protocol]:
        raise errors.protocol_mismatch(protocol, spoken)
    # So say the parameters of CreateServerGroup; the code is from memory.
    if (protocol, spoken) == ("TCPSSL", "TCP") and group.settings["PreserveClientIpEnabled"]:
        raise errors.protocol_mismatch(protocol, "TCP that preserves clients' addresses")
