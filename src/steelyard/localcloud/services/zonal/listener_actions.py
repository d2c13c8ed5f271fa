from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import replace

from steelyard.localcloud.page import token_answer
from steelyard.localcloud.service import Request, action
from steelyard.localcloud.services.cas.actions import certificate_number
from steelyard.localcloud.services.zonal import errors
from steelyard.localcloud.services.zonal.load_balancer_actions import ZonalBalancerActions
from steelyard.localcloud.services.zonal.state import B, G, L
from steelyard.localcloud.tag import has_tags, read_tags
from steelyard.localcloud.wire.error import invalid_parameter, missing_parameter

RESOURCE_TYPE = "listener"


class ZonalListenerActions(ZonalBalancerActions[B, G, L]):
    """Listeners: what is done with them once they are made. What changes is in force when the answer comes."""

    @action("GetListenerAttribute")
    def get_listener_attribute(self, request: Request) -> dict[str, object]:
        """Give one listener."""
        return self.listener(request).to_answer(self.cloud.clock())

    @action("ListListeners")
    def list_listeners(self, request: Request) -> dict[str, object]:
        """List listeners by ids, load balancers, protocol and tags."""
        ids, balancer_ids = request.texts("ListenerIds"), request.texts("LoadBalancerIds")
        tags, protocol, now = read_tags(request), request.text("ListenerProtocol"), self.cloud.clock()
        found = [
            answer
            for listener in self.listeners.list()
            for answer in (listener.to_answer(now),)
            if listener.region_id == request.region_id
            and (not ids or listener.id in ids)
            and (not balancer_ids or listener.load_balancer_id in balancer_ids)
            and protocol in ("", answer["ListenerProtocol"])
            and has_tags(listener.tags, tags)
        ]
        return token_answer(request, "Listeners", found, dict)

    @action("StartListener")
    def start_listener(self, request: Request) -> dict[str, object]:
        """Let a listener serve; it does so when the answer comes."""
        return self.put_listener(request, replace(self.settled_listener(request), is_running=True))

    @action("StopListener")
    def stop_listener(self, request: Request) -> dict[str, object]:
        """Let a listener serve no more."""
        return self.put_listener(request, replace(self.settled_listener(request), is_running=False))

    @action("DeleteListener")
    def delete_listener(self, request: Request) -> dict[str, object]:
        """Delete a listener."""
        listener = self.configured_listener(request)
        self.drop_listener(listener)
        job = self.done(request, listener.id, RESOURCE_TYPE)
        self.apply(request, listener.load_balancer_id)
        return job

    @action("ListListenerCertificates")
    def list_listener_certificates(self, request: Request) -> dict[str, object]:
        """List the certificates that a listener answers with, the default one first."""
        ids, wanted = self.certificate_ids(self.listener(request)), request.texts("CertificateIds")
        kind = request.text("CertType") or request.text("CertificateType")
        found = [
            {
                "CertificateId": one,
                "CertificateType": "Server",
                "IsDefault": one == ids[0],
                "Status": "Associated",
            }
            for one in ids
            if (not wanted or one in wanted) and kind.lower() != "ca"
        ]
        answer = token_answer(request, "Certificates", found, dict)
        names = token_answer(request, "CertificateIds", found, lambda row: row["CertificateId"])
        return {**answer, **names}

    @abstractmethod
    def certificate_ids(self, listener: L) -> Sequence[str]:
        """Give the certificates that a listener answers with, the default one first."""

    def check_policy(self, settings: Mapping[str, object]) -> None:
        """Check that there is the TLS policy that a listener's settings name.

        Raises:
            ApiError: `ResourceNotFound.SecurityPolicy`.
        """
        if settings["SecurityPolicyId"] and settings["SecurityPolicyId"] not in self.tls_policies():
            raise self.not_found("securityPolicy")

    def certificate_user(self, certificate_id: str) -> str | None:
        """Name a listener that answers with a certificate of this number."""
        for listener in self.listeners.list():
            if certificate_id in map(certificate_number, self.certificate_ids(listener)):
                return listener.id
        return None

    def configured_listener(self, request: Request) -> L:
        """Give the listener that a call names, if it has taken in the last change.

        Raises:
            ApiError: `ResourceNotFound.listener` or `ResourceInConfiguring.Listener`.
        """
        return self.configured(self.listener(request))

    def configured(self, listener: L) -> L:
        """Give a listener back, if it has taken in the last change.

        Raises:
            ApiError: `ResourceInConfiguring.Listener`.
        """
        if self.cloud.clock() < listener.settled_at:
            raise errors.in_configuring("Listener")
        return listener

    def put_listener(self, request: Request, listener: L, word: str = "Configuring") -> dict[str, object]:
        """Keep a new or changed listener, bring its load balancer to it, and answer with the job.

        Args:
            request: The call.
            listener: The listener.
            word: The product's word for its state until it has taken the change in.
        """
        self.listeners.put(self.settling(listener, word))
        job = self.done(request, listener.id, RESOURCE_TYPE)
        self.apply(request, listener.load_balancer_id)
        return job

    def free_port(self, request: Request, load_balancer_id: str) -> int:
        """Read the port that a listener is to have.

        Raises:
            ApiError: `InvalidParameter` or `ResourceAlreadyExist.Listener`.
        """
        port = request.number("ListenerPort", 0)
        if not 1 <= port <= 65535:
            raise invalid_parameter("ListenerPort", port, "from 1 to 65535")
        if any(listener.port == port for listener in self.listeners_of(load_balancer_id)):
            raise errors.listener_exists(port)
        return port

    def group_in_vpc(self, group_id: str, vpc_id: str) -> G:
        """Give a server group that a listener is to use.

        Raises:
            ApiError: `MissingParameter`, `ResourceNotFound.serverGroup` or `ResourceNotInVpc`.
        """
        if not group_id:
            raise missing_parameter("ServerGroupId")
        group = self.server_group(group_id)
        if group.vpc_id != vpc_id:
            raise errors.different_vpc("serverGroup")
        return group
