from __future__ import annotations

from dataclasses import replace

from steelyard.localcloud.service import Request, action
from steelyard.localcloud.services.nlb.models import Listener, LoadBalancer, ServerGroup
from steelyard.localcloud.services.nlb.setting import read_listener
from steelyard.localcloud.services.nlb.state import NlbState
from steelyard.localcloud.tag import read_tags
from steelyard.localcloud.wire.error import invalid_parameter, not_served
from steelyard.localcloud.zonal.listener_actions import ZonalListenerActions

# What the schema calls required and the parameter descriptions do not, unless something else is asked for.
_OPTIONAL = ("AlpnPolicy", "EndPort", "StartPort")


class ListenerActions(ZonalListenerActions[LoadBalancer, ServerGroup, Listener], NlbState):
    """Listeners for TCP; one serves from its making on."""

    @action("CreateListener", optional=_OPTIONAL)
    def create_listener(self, request: Request) -> dict[str, object]:
        """Create a listener, which serves when the answer comes."""
        balancer = self.load_balancer(request)
        _check_protocol(request.text("ListenerProtocol"))
        if request.number("ListenerPort", 0) == 0:
            raise not_served("listeners on a range of ports")
        port = self.free_port(request, balancer.id)
        listener = Listener(
            # The real ids are made like that, too (from memory).
            id=f"{self.cloud.new_id('lsn')}@{port}",
            created_at=self.cloud.clock(),
            tags=read_tags(request),
            region_id=balancer.region_id,
            load_balancer_id=balancer.id,
            server_group_id=self.group_in_vpc(request.text("ServerGroupId"), balancer.vpc_id).id,
            port=port,
            is_running=True,
            settings=read_listener(request.params),
        )
        return {**self.put_listener(request, listener), "ListenerId": listener.id}

    @action("UpdateListenerAttribute", optional=_OPTIONAL)
    def update_listener_attribute(self, request: Request) -> dict[str, object]:
        """Change a listener, its server group among the rest, without losing a connection."""
        listener = self.listener(request)
        balancer = self.load_balancers.get(listener.load_balancer_id)
        assert balancer is not None
        group_id = request.text("ServerGroupId")
        changed = replace(
            listener,
            settings=read_listener(request.params, listener.settings),
            server_group_id=self.group_in_vpc(group_id, balancer.vpc_id).id
            if group_id
            else listener.server_group_id,
        )
        return self.put_listener(request, changed)


def _check_protocol(protocol: str) -> None:
    if protocol == "UDP":
        raise not_served("UDP listeners")
    if protocol == "TCPSSL":
        raise not_served("TCPSSL listeners")
    if protocol != "TCP":
        raise invalid_parameter("ListenerProtocol", protocol, "one of TCP, UDP, TCPSSL")
