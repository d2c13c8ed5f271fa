from __future__ import annotations

from collections.abc import Callable, Mapping

import pulumi

from steelyard.components.application_balancer import declare_application
from steelyard.components.balancer_args import LoadBalancerArgs
from steelyard.components.balancer_front import Front
from steelyard.components.classic_balancer import attach_to_classic, declare_classic
from steelyard.components.network_balancer import attach_to_network, declare_network
from steelyard.errors import UsageError
from steelyard.spec.balancer import ABILITIES, misfits
from steelyard.spec.forwarding import rule_findings, slow_start_findings
from steelyard.spec.front import FrontDraft, front_misfits
from steelyard.spec.mistake import path_text
from steelyard.spec.nearest import listed

_DECLARE: Mapping[str, Callable[[str, LoadBalancerArgs, pulumi.Resource], Front]] = {
    "classic": declare_classic,
    "network": declare_network,
    "application": declare_application,
}
_ATTACH: Mapping[str, Callable[..., None]] = {"classic": attach_to_classic, "network": attach_to_network}


class LoadBalancer(pulumi.ComponentResource):
    """A load balancer of one of several kinds, with a group of servers and its listeners.

    Attributes:
        kind: Its kind.
        load_balancer_id: Id of the load balancer.
        address: What clients call: its IPv4 address, or the name of one that stands in several zones.
        server_group_id: Id of the server group that nodes are attached to.

    Raises:
        UsageError: If its kind cannot do what is asked for; it names the kind that can.
    """

    kind: str
    load_balancer_id: pulumi.Output[str]
    address: pulumi.Output[str]
    server_group_id: pulumi.Output[str]

    def __init__(self, name: str, args: LoadBalancerArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        _check(args)
        super().__init__("steelyard:index:LoadBalancer", name, None, opts)
        front = _DECLARE[args.kind](name, args, self)
        self.kind = args.kind
        self.load_balancer_id = front.load_balancer_id
        self.address = front.address
        self.server_group_id = front.server_group_id
        self.register_outputs(
            {
                "load_balancer_id": self.load_balancer_id,
                "address": self.address,
                "server_group_id": self.server_group_id,
            }
        )


def attach_server(
    kind: str,
    name: str,
    *,
    server_group_id: pulumi.Input[str],
    server_id: pulumi.Input[str],
    port: int,
    weight: int,
    opts: pulumi.ResourceOptions,
) -> None:
    """Put an instance into the server group of a load balancer.

    Args:
        kind: The load balancer's kind; nothing is done for one that lists its servers itself.
        name: The attachment's name in the program.
        server_group_id: Id of the server group.
        server_id: Id of the instance.
        port: Port that it serves on.
        weight: Share of the requests, 0 to 100.
        opts: The attachment's options.
    """
    if not ABILITIES[kind].lists_servers:
        _ATTACH[kind](
            name, server_group_id=server_group_id, server_id=server_id, port=port, weight=weight, opts=opts
        )


def _check(args: LoadBalancerArgs) -> None:
    if args.kind not in ABILITIES:
        raise UsageError(f"`{args.kind}` is no kind of load balancer", f"use {listed(ABILITIES)}")
    ability = ABILITIES[args.kind]
    if ability.calls_from_zones and args.vpc_id is None:
        raise UsageError(f"a load balancer of the kind {args.kind} needs its VPC", "give `vpc_id`")
    if args.servers and not ability.lists_servers:
        hint = "attach each server with `attach_server`"
        raise UsageError(f"a {args.kind} load balancer lists no servers itself", hint)
    protocols = [(i, listener.protocol) for i, listener in enumerate(args.listeners)]
    front = FrontDraft(
        kind=args.kind,
        protocols=protocols,
        scheduler=args.scheduler,
        # Whether the world may come in is for the program to say that this component is a part of.
        address_type=None,
        tls={"certificate_id": args.certificate is not None},
        sticky_session_s=args.sticky_session_s,
        num_access_cidrs=len(args.access_cidrs),
    )
    found = [
        *misfits(
            args.kind,
            protocols=protocols,
            scheduler=args.scheduler,
            drain_timeout_s=args.drain_timeout_s,
            num_zones=len(args.zones),
        ),
        *front_misfits(front),
        *slow_start_findings(args.kind, args.slow_start_s, args.scheduler),
        *rule_findings(
            args.kind, [rule.model_dump() for rule in args.rules], [protocol for _, protocol in protocols]
        ),
    ]
    if found:
        message = "; ".join(f"{path_text(one.path)}: {one.message}" for one in found)
        raise UsageError(message, "; ".join(one.hint for one in found))
