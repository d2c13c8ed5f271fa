from __future__ import annotations

from dataclasses import replace

from steelyard.localcloud.page import token_page
from steelyard.localcloud.service import Request, action
from steelyard.localcloud.services.nlb import errors
from steelyard.localcloud.services.nlb.models import Listener, LoadBalancer
from steelyard.localcloud.services.nlb.setting import read_listener
from steelyard.localcloud.services.nlb.state import NlbState
from steelyard.localcloud.tag import has_tags, read_tags
from steelyard.localcloud.wire.error import invalid_parameter, missing_parameter, not_served

# What the schema calls required and the parameter descriptions do not, unless something else is asked for.
_OPTIONAL = ("AlpnPolicy", "EndPort", "StartPort")


class ListenerActions(NlbState):
    """Listeners for TCP; one serves from its making on."""

    @action("CreateListener", optional=_OPTIONAL)
    def create_listener(self, request: Request) -> dict[str, object]:
        """Create a listener, which serves when the answer comes."""
        balancer = self.load_balancer(request)
        _check_protocol(request.text("ListenerProtocol"))
        port = request.number("ListenerPort", 0)
        if port == 0:
            raise not_served("listeners on a range of ports")
        if not 1 <= port <= 65535:
            raise invalid_parameter("ListenerPort", port, "from 1 to 65535")
        if any(listener.port == port for listener in self.listeners_of(balancer.id)):
            raise errors.listener_exists(port)
        listener = Listener(
            # The real ids are made like that, too (from memory).
            id=f"{self.cloud.new_id('lsn')}@{port}",
            created_at=self.cloud.clock(),
            tags=read_tags(request),
            region_id=balancer.region_id,
            load_balancer_id=balancer.id,
            server_group_id=self._group_id(request, balancer),
            port=port,
            is_running=True,
            settings=read_listener(request.params),
        )
        return {**self._put_listener(request, listener), "ListenerId": listener.id}

    @action("GetListenerAttribute")
    def get_listener_attribute(self, request: Request) -> dict[str, object]:
        """Give one listener."""
        return self.listener(request).to_answer()

    @action("ListListeners")
    def list_listeners(self, request: Request) -> dict[str, object]:
        """List listeners by ids, load balancers, protocol and tags."""
        ids, balancer_ids = request.texts("ListenerIds"), request.texts("LoadBalancerIds")
        tags, protocol = read_tags(request), request.text("ListenerProtocol")
        found = [
            listener
            for listener in self.listeners.list()
            if listener.region_id == request.region_id
            and (not ids or listener.id in ids)
            and (not balancer_ids or listener.load_balancer_id in balancer_ids)
            and protocol in ("", "TCP")
            and has_tags(listener.tags, tags)
        ]
        page, token = token_page(request, found, default=20)
        return {
            "Listeners": [listener.to_answer() for listener in page],
            "NextToken": token,
            "MaxResults": request.number("MaxResults", 20),
            "TotalCount": len(found),
        }

    @action("UpdateListenerAttribute", optional=_OPTIONAL)
    def update_listener_attribute(self, request: Request) -> dict[str, object]:
        """Change a listener, its server group among the rest, without losing a connection."""
        listener = self.listener(request)
        balancer = self.load_balancers.get(listener.load_balancer_id)
        assert balancer is not None
        changed = replace(
            listener,
            settings=read_listener(request.params, listener.settings),
            server_group_id=self._group_id(request, balancer)
            if request.text("ServerGroupId")
            else listener.server_group_id,
        )
        return self._put_listener(request, changed)

    @action("StartListener")
    def start_listener(self, request: Request) -> dict[str, object]:
        """Let a listener serve; it does so when the answer comes."""
        return self._put_listener(request, replace(self.listener(request), is_running=True))

    @action("StopListener")
    def stop_listener(self, request: Request) -> dict[str, object]:
        """Let a listener serve no more."""
        return self._put_listener(request, replace(self.listener(request), is_running=False))

    @action("DeleteListener")
    def delete_listener(self, request: Request) -> dict[str, object]:
        """Delete a listener."""
        listener = self.listener(request)
        self.listeners.delete(listener.id)
        job = self.done()
        self.apply(request, listener.load_balancer_id)
        return job

    def _put_listener(self, request: Request, listener: Listener) -> dict[str, object]:
        self.listeners.put(listener)
        job = self.done()
        self.apply(request, listener.load_balancer_id)
        return job

    def _group_id(self, request: Request, balancer: LoadBalancer) -> str:
        if not request.text("ServerGroupId"):
            raise missing_parameter("ServerGroupId")
        group = self.server_group(request.text("ServerGroupId"))
        if group.vpc_id != balancer.vpc_id:
            raise errors.different_vpc("serverGroup")
        return group.id


def _check_protocol(protocol: str) -> None:
    if protocol == "UDP":
        raise not_served("UDP listeners")
    if protocol == "TCPSSL":
        raise not_served("TCPSSL listeners")
    if protocol != "TCP":
        raise invalid_parameter("ListenerProtocol", protocol, "one of TCP, UDP, TCPSSL")
