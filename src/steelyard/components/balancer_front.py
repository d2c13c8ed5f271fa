from __future__ import annotations

from dataclasses import dataclass

import pulumi


@dataclass(frozen=True, kw_only=True)
class Front:
    """What every kind of load balancer gives to those who stand behind it.

    Attributes:
        load_balancer_id: Id of the load balancer.
        address: What clients call: an IPv4 address or a name.
        server_group_id: Id of the server group that nodes are attached to.
    """

    load_balancer_id: pulumi.Output[str]
    address: pulumi.Output[str]
    server_group_id: pulumi.Output[str]
