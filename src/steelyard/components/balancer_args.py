from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import pulumi

from steelyard.components.certificate import CertificateArgs
from steelyard.spec import HealthCheckSpec, ListenerSpec
from steelyard.spec.forwarding import RuleSpec


@dataclass(frozen=True, kw_only=True)
class BalancerServer:
    """An instance that a load balancer sends requests to.

    Attributes:
        server_id: Its id.
        port: Port of its gateway.
        weight: Share of the requests, 0 to 100.
    """

    server_id: pulumi.Input[str]
    port: int
    weight: int = 100


@dataclass(frozen=True, kw_only=True)
class LoadBalancerArgs:
    """What a `LoadBalancer` is made from.

    Attributes:
        cluster: The cluster's name.
        vswitch_ids: The VSwitches of the zones, in their order. A classic intranet one takes an address of the first,
            one of another kind an address of each.
        zones: Zone ids. A classic one stands in the first and falls back to the second, one of another kind serves in
            all.
        listeners: Its ports.
        health_check: How it watches the nodes.
        kind: `classic` (CLB), `network` (NLB) or `application` (ALB).
        vpc_id: The VPC; only a classic one needs none.
        address_type: `intranet` or `internet`.
        scheduler: `wrr`, `rr`; a network one has `wlc` and `sch` as well, and a classic one `sch` for `tcp`.
        drain_timeout_s: Seconds that the connections to a removed node are given to end; 0 for no such care, which is
            all that a classic one has.
        slow_start_s: Seconds over which the share of a new node grows; 0 for none. An application one has it alone.
        sticky_session_s: Seconds for which a client stays on its server; 0 for none, which is all that a network one
            has.
        access_cidrs: The only ranges whose clients are let in; everybody's where there is none. A network one has no
            such list.
        is_protected: Whether the cloud refuses to delete it.
        certificate: What its listeners with TLS answer with.
        rules: Requests that go to other ports of the nodes, the first that fits deciding. An application one has them
            alone.
        servers: The nodes of an application one, which lists them itself. To the others they are attached one by one,
            by `attach_server`.
    """

    cluster: str
    vswitch_ids: Sequence[pulumi.Input[str]]
    zones: Sequence[str]
    listeners: Sequence[ListenerSpec]
    health_check: HealthCheckSpec
    kind: str = "classic"
    vpc_id: pulumi.Input[str] | None = None
    address_type: str = "intranet"
    scheduler: str = "wrr"
    drain_timeout_s: int = 0
    slow_start_s: int = 0
    sticky_session_s: int = 0
    access_cidrs: Sequence[str] = ()
    is_protected: bool = False
    certificate: CertificateArgs | None = None
    rules: Sequence[RuleSpec] = ()
    servers: Sequence[BalancerServer] = ()
