from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from steelyard.localcloud.service import Request, action
from steelyard.localcloud.services.alb.models import Listener, LoadBalancer, ServerGroup
from steelyard.localcloud.services.alb.setting import mapping, read_listener
from steelyard.localcloud.services.alb.state import AlbState
from steelyard.localcloud.services.zonal import errors
from steelyard.localcloud.services.zonal.listener_actions import ZonalListenerActions
from steelyard.localcloud.tag import read_tags
from steelyard.localcloud.wire.error import invalid_parameter, missing_parameter, not_served

# The schema calls it required within a part that is itself left out.
_OPTIONAL = ("QuicConfig.QuicListenerId",)
_MAX_CERTIFICATES = 25


class ListenerActions(ZonalListenerActions[LoadBalancer, ServerGroup, Listener], AlbState):
    """Listeners for HTTP and HTTPS; one serves from its making on."""

    @action("CreateListener", optional=_OPTIONAL)
    def create_listener(self, request: Request) -> dict[str, object]:
        """Create a listener, which serves when the answer comes."""
        balancer = self.settled_load_balancer(request)
        protocol = request.text("ListenerProtocol")
        if protocol == "QUIC":
            raise not_served("QUIC listeners")
        if protocol not in ("HTTP", "HTTPS"):
            raise invalid_parameter("ListenerProtocol", protocol, "one of HTTP, HTTPS, QUIC")
        port = self.free_port(request, balancer.id)
        settings = read_listener(request.params)
        self.check_policy(settings)
        certificate_ids = self._certificate_ids(request)
        if protocol == "HTTPS" and not certificate_ids:
            raise missing_parameter("Certificates")
        if protocol == "HTTP" and certificate_ids:
            raise invalid_parameter("Certificates", certificate_ids, "for an HTTP listener")
        listener = Listener(
            id=self.cloud.new_id("lsn"),
            created_at=self.cloud.clock(),
            tags=read_tags(request),
            region_id=balancer.region_id,
            load_balancer_id=balancer.id,
            server_group_id=self._default_group(request, balancer, protocol).id,
            port=port,
            is_running=True,
            settings=settings,
            protocol=protocol,
            certificate_ids=certificate_ids,
        )
        return {**self.put_listener(request, listener, "Provisioning"), "ListenerId": listener.id}

    @action("UpdateListenerAttribute", optional=_OPTIONAL)
    def update_listener_attribute(self, request: Request) -> dict[str, object]:
        """Change a listener, its server group and certificate among the rest, without losing a request."""
        listener = self.settled_listener(request)
        balancer = self.load_balancers.get(listener.load_balancer_id)
        assert balancer is not None
        settings = read_listener(request.params, listener.settings)
        self.check_policy(settings)
        default = self._certificate_ids(request) or listener.certificate_ids[:1]
        group_id = listener.server_group_id
        if request.records("DefaultActions"):
            group_id = self._default_group(request, balancer, listener.protocol).id
        changed = replace(
            listener,
            settings=settings,
            server_group_id=group_id,
            certificate_ids=tuple(dict.fromkeys([*default, *listener.certificate_ids[1:]])),
        )
        return self.put_listener(request, changed)

    @action("UpdateListenerLogConfig")
    def update_listener_log_config(self, request: Request) -> dict[str, object]:
        """Refuse logs of access; to turn them off is fine, they are."""
        listener = self.settled_listener(request)
        tracing = mapping(request.params.get("AccessLogTracingConfig"))
        if request.flag("AccessLogRecordCustomizedHeadersEnabled") or tracing.get("TracingEnabled"):
            raise not_served("logs of access")
        return self.put_listener(request, listener)

    @action("AssociateAdditionalCertificatesWithListener")
    def associate_certificates(self, request: Request) -> dict[str, object]:
        """Give an HTTPS listener certificates for further server names."""
        listener = self._https_listener(request)
        ids = tuple(dict.fromkeys([*listener.certificate_ids, *self._certificate_ids(request)]))
        if len(ids) > _MAX_CERTIFICATES:
            raise invalid_parameter("Certificates", f"{len(ids)} in all", f"at most {_MAX_CERTIFICATES}")
        return self.put_listener(request, replace(listener, certificate_ids=ids))

    @action("DissociateAdditionalCertificatesFromListener")
    def dissociate_certificates(self, request: Request) -> dict[str, object]:
        """Take further certificates from an HTTPS listener; the default one stays."""
        listener, gone = self._https_listener(request), self._certificate_ids(request)
        kept = tuple(one for one in listener.certificate_ids[1:] if one not in gone)
        return self.put_listener(
            request, replace(listener, certificate_ids=(listener.certificate_ids[0], *kept))
        )

    def certificate_ids(self, listener: Listener) -> Sequence[str]:
        """Give the certificates that a listener answers with, the default one first."""
        return listener.certificate_ids

    def target_group(self, group_id: str, load_balancer: LoadBalancer, protocol: str) -> ServerGroup:
        """Give a server group that a listener or one of its rules is to send requests to.

        Raises:
            ApiError: `ResourceNotFound.ServerGroup`, `ResourceNotInVpc` or
                `OperationDenied.ServerGroupProtocolMismatch`.
        """
        group = self.group_in_vpc(group_id, load_balancer.vpc_id)
        if protocol == "HTTP" and group.protocol != "HTTP":
            raise errors.protocol_mismatch(protocol, group.protocol)
        return group

    def _default_group(self, request: Request, balancer: LoadBalancer, protocol: str) -> ServerGroup:
        actions: list[Any] = request.records("DefaultActions")
        kinds = [str(action.get("Type")) for action in actions]
        if kinds != ["ForwardGroup"]:
            raise invalid_parameter("DefaultActions.Type", kinds, "one ForwardGroup")
        config: Mapping[str, Any] = mapping(actions[0].get("ForwardGroupConfig"))
        tuples = config.get("ServerGroupTuples") or []
        if len(tuples) != 1:
            name = "DefaultActions.ForwardGroupConfig.ServerGroupTuples"
            raise invalid_parameter(name, f"{len(tuples)} server groups", "one server group")
        return self.target_group(str(tuples[0].get("ServerGroupId") or ""), balancer, protocol)

    def _https_listener(self, request: Request) -> Listener:
        listener = self.settled_listener(request)
        if listener.protocol != "HTTPS":
            raise invalid_parameter("ListenerId", listener.id, "a listener of HTTPS")
        return listener

    def _certificate_ids(self, request: Request) -> tuple[str, ...]:
        """Give the certificates that a call names.

        Raises:
            ApiError: `ResourceNotFound.Certificate`.
        """
        ids = tuple(str(item.get("CertificateId") or "") for item in request.records("Certificates"))
        for one in ids:
            if self.find_pair(one) is None:
                raise self.not_found("certificate")
        return ids
