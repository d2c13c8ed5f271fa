"""Settings of the load balancer."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import Field

from steelyard.spec import rule
from steelyard.spec.balancer import ABILITIES
from steelyard.spec.forwarding import RuleSpec
from steelyard.spec.part import Part
from steelyard.spec.rule import Flag, Text, WholeNumber
from steelyard.spec.tls import TlsSpec

_LATER_SCHEDULER = "this version hashes by the client's address alone, as `sch`"


class ListenerSpec(Part):
    """A port that the load balancer listens on.

    Attributes:
        port: Port at the load balancer's address.
        protocol: What is spoken there: `http` or `tcp`, which the gateways' HTTP passes; with TLS `https` or, on a
            network load balancer, `tcpssl`. An application one speaks `http` and `https`. The component takes `udp`,
            too, which the gateways do not speak.
    """

    port: Annotated[WholeNumber, rule.port()] = 8000
    protocol: Annotated[Text, rule.one_of("http", "https", "tcp", "tcpssl", "udp")] = "http"


class HealthCheckSpec(Part):
    """How the load balancer sees that a node can take requests. Bounds: CreateLoadBalancerHTTPListener.

    Attributes:
        path: Path that a node answers with a 2xx status while it is healthy.
        interval_s: Seconds between two checks.
        timeout_s: Seconds that an answer may take.
        healthy_threshold: Good checks in a row that bring a node in.
        unhealthy_threshold: Failed checks in a row that take a node out.
    """

    path: Annotated[
        Text,
        rule.matching(
            r"/[A-Za-z0-9/.%?#&=_-]{1,79}", "a path of 2 to 80 characters that begins with /", "/healthz"
        ),
    ] = "/healthz"
    interval_s: Annotated[WholeNumber, rule.within(1, 50, " s")] = 2
    timeout_s: Annotated[WholeNumber, rule.within(1, 300, " s")] = 5
    healthy_threshold: Annotated[WholeNumber, rule.within(2, 10)] = 3
    unhealthy_threshold: Annotated[WholeNumber, rule.within(2, 10)] = 3


def _first_listeners(fields: dict[str, Any]) -> tuple[ListenerSpec, ...]:
    ability = ABILITIES.get(fields.get("kind", ""))
    return (ListenerSpec(protocol=ability.protocols[0]) if ability else ListenerSpec(),)


class LoadBalancerSpec(Part):
    """The load balancer in front of the nodes' gateways.

    Attributes:
        kind: `classic` (CLB); `network` (NLB), which stands in every zone and balances connections; or `application`
            (ALB), which stands in every zone and balances requests, by rules where there are any.
        address_type: `intranet` for an address of the VPC, `internet` for a public one.
        scheduler: `wrr` by weight, `rr` in turn; a network one has `wlc` by weight and open connections and `sch` by
            the client's address as well, and so has a classic one whose listeners speak `tcp`. An application one has
            `wrr`, `wlc` and `sch`.
        weights: `given` for the weights of the node groups, or `measured` for weights that follow the speed that
            training measures: those of the node groups are the first ones then, which `steelyard up` gives to new nodes
            alone, and a node whose weight is 0 keeps it. An application one has no such weights.
        drain_timeout_s: Seconds that the connections to a removed node are given to end; 0 for no such care, which is
            all that a classic one has.
        slow_start_s: Seconds, from 30 on, over which the share of a new node grows; 0 for its whole share at once,
            which is all that one of another kind than `application` has.
        sticky_session_s: Seconds for which a client stays on its node, by a cookie or, with `tcp`, by its address; 0
            for none, which is all that a network one has.
        access_cidrs: The only ranges whose clients it lets in; everybody's where there is none. A network one has no
            such list.
        deletion_protection: Whether the cloud refuses to delete it.
        tls: The certificate of its listeners with TLS.
        listeners: Its ports, at least one.
        rules: Requests that go to other ports of the nodes; an application one has them alone.
        health_check: How it watches the nodes.
    """

    kind: Annotated[Text, rule.one_of("classic", "network", "application")] = "classic"
    address_type: Annotated[Text, rule.one_of("intranet", "internet")] = "intranet"
    scheduler: Annotated[
        Text, rule.one_of("wrr", "rr", "wlc", "sch", unserved=dict.fromkeys(("tch", "qch"), _LATER_SCHEDULER))
    ] = "wrr"
    weights: Annotated[Text, rule.one_of("given", "measured")] = "given"
    drain_timeout_s: Annotated[WholeNumber, rule.within(0, 900, " s")] = 0
    slow_start_s: Annotated[WholeNumber, rule.within(0, 900, " s")] = 0
    sticky_session_s: Annotated[WholeNumber, rule.within(0, 86400, " s")] = 0
    access_cidrs: tuple[Annotated[Text, rule.admin_range], ...] = ()
    deletion_protection: Flag = False
    tls: TlsSpec = TlsSpec()
    listeners: tuple[ListenerSpec, ...] = Field(default_factory=_first_listeners)
    rules: tuple[RuleSpec, ...] = ()
    health_check: HealthCheckSpec = HealthCheckSpec()
