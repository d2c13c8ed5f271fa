"""What a load balancer shows to its clients: TLS, who may connect, and for how long one stays on its node."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from steelyard.spec.balancer import ABILITIES, SECURE_PROTOCOLS, Ability, mend
from steelyard.spec.mistake import Finding
from steelyard.spec.nearest import listed

_PLACE = "load_balancer"


@dataclass(frozen=True, kw_only=True)
class FrontDraft:
    """What is asked of a load balancer's front; what is None could not be read.

    Attributes:
        kind: The load balancer's kind.
        protocols: The listeners' protocols, with their places in the list.
        scheduler: How a node is chosen.
        address_type: `intranet` or `internet`.
        tls: What the certificate's settings say, by their names.
        sticky_session_s: Seconds for which a client stays on its node.
        num_access_cidrs: Number of ranges that are let in; 0 for everybody.
        is_open_to_world: Whether the spec lets the whole world in, by name.
    """

    kind: str | None
    protocols: Sequence[tuple[int, str | None]]
    scheduler: str | None = None
    address_type: str | None = None
    tls: Mapping[str, Any]
    sticky_session_s: int | None = None
    num_access_cidrs: int = 0
    is_open_to_world: bool = False

    @property
    def secure(self) -> list[int]:
        """The places of the listeners with TLS."""
        return [i for i, protocol in self.protocols if protocol in SECURE_PROTOCOLS]


def front_misfits(draft: FrontDraft) -> Iterator[Finding]:
    """Give what does not fit together, or is not what the kind can do, each with its mend."""
    yield from _certificate_misfits(draft)
    ability = ABILITIES.get(draft.kind or "")
    if ability is not None:
        yield from _stickiness_misfits(draft, ability)
        yield from _access_misfits(draft, ability)
        yield from _scheduler_misfits(draft, ability)
        yield from _datagram_misfits(draft)
    yield from _world_misfits(draft)


def front_findings(raw: Mapping[str, Any]) -> Iterator[Finding]:
    """Give the mistakes in the front of a spec.

    Args:
        raw: The spec's values as YAML or JSON gives them, with every key there.
    """
    balancer, access = _mapping(raw.get(_PLACE)), _mapping(raw.get("access"))
    listeners, sticky_s = _list(balancer.get("listeners")), balancer.get("sticky_session_s")
    protocols = [(i, _text(_mapping(one).get("protocol"))) for i, one in enumerate(listeners)]
    for i in [i for i, protocol in protocols if protocol == "udp"]:
        message = "`udp` is not served here: the gateways speak no UDP"
        hint = "use another protocol; a program of your own may have it, with the component `LoadBalancer`"
        yield Finding(path=(_PLACE, "listeners", i, "protocol"), message=message, hint=hint)
    yield from front_misfits(
        FrontDraft(
            kind=_text(balancer.get("kind")),
            protocols=protocols,
            scheduler=_text(balancer.get("scheduler")),
            address_type=_text(balancer.get("address_type")),
            tls=_mapping(balancer.get("tls")),
            sticky_session_s=sticky_s if isinstance(sticky_s, int) else None,
            num_access_cidrs=len(_list(balancer.get("access_cidrs"))),
            is_open_to_world=access.get("open_to_world") is True,
        )
    )


def _certificate_misfits(draft: FrontDraft) -> Iterator[Finding]:
    id_, certificate, key = (
        draft.tls.get(name) for name in ("certificate_id", "certificate_file", "key_file")
    )
    files = "`certificate_file` and `key_file`"
    if id_ and (certificate or key):
        message = "the certificate is given by its id and by files"
        yield Finding(path=(_PLACE, "tls"), message=message, hint=f"give `certificate_id`, or {files}")
    elif bool(certificate) != bool(key):
        there, missing = ("certificate_file", "key_file") if certificate else ("key_file", "certificate_file")
        message = f"there is a `{there}` and no `{missing}`"
        yield Finding(path=(_PLACE, "tls"), message=message, hint=f"give {files}")
    has_certificate = bool(id_ or (certificate and key))
    if draft.secure and not (id_ or certificate or key):
        i = draft.secure[0]
        message = f"a listener of {dict(draft.protocols)[i]} needs a certificate, and `tls` has none"
        hint = f"give `tls` a `certificate_id`, or {files}"
        yield Finding(path=(_PLACE, "listeners", i, "protocol"), message=message, hint=hint)
    if has_certificate and not draft.secure and all(protocol for _, protocol in draft.protocols):
        ability = ABILITIES.get(draft.kind or "")
        able = [
            one for one in (ability.protocols if ability else SECURE_PROTOCOLS) if one in SECURE_PROTOCOLS
        ]
        message = "there is a certificate, and no listener speaks TLS"
        yield Finding(
            path=(_PLACE, "tls"),
            message=message,
            hint=f"let a listener speak {listed(able)}, or leave it out",
        )


def _stickiness_misfits(draft: FrontDraft, ability: Ability) -> Iterator[Finding]:
    if not draft.sticky_session_s:
        return
    path = (_PLACE, "sticky_session_s")
    if not ability.sticky_session_s:
        able = [name for name, other in ABILITIES.items() if other.sticky_session_s]
        message = f"a {draft.kind} load balancer keeps no client on its node"
        yield Finding(path=path, message=message, hint=f"use 0{mend(able)}")
        return
    spoken = [str(protocol) for _, protocol in draft.protocols if protocol in ability.sticky_session_s]
    longest = min((ability.sticky_session_s[protocol] for protocol in spoken), default=None)
    if longest is not None and draft.sticky_session_s > longest:
        message = (
            f"{draft.sticky_session_s} s is more than a listener of {listed(dict.fromkeys(spoken))} can do"
        )
        yield Finding(path=path, message=message, hint=f"the nearest is {longest}")


def _access_misfits(draft: FrontDraft, ability: Ability) -> Iterator[Finding]:
    if draft.num_access_cidrs and not ability.has_access_list:
        able = [name for name, other in ABILITIES.items() if other.has_access_list]
        message = f"a {draft.kind} load balancer has no list of those who may connect"
        yield Finding(path=(_PLACE, "access_cidrs"), message=message, hint=f"leave it out{mend(able)}")


def _scheduler_misfits(draft: FrontDraft, ability: Ability) -> Iterator[Finding]:
    if draft.scheduler not in ability.layer_4_schedulers:
        return
    for i, protocol in draft.protocols:
        if protocol in ("http", "https"):
            message = (
                f"a {draft.kind} load balancer's listener of {protocol} has no scheduler `{draft.scheduler}`"
            )
            hint = "let it speak `tcp`, or use `wrr` or `rr`"
            yield Finding(path=(_PLACE, "listeners", i, "protocol"), message=message, hint=hint)


def _datagram_misfits(draft: FrontDraft) -> Iterator[Finding]:
    """Give what a network load balancer's one server group cannot take beside datagrams."""
    spoken = {protocol for _, protocol in draft.protocols if protocol is not None}
    if draft.kind != "network" or "udp" not in spoken or spoken == {"udp"}:
        return
    i = next(i for i, protocol in draft.protocols if protocol == "udp")
    message = "a network load balancer's server group takes datagrams or connections, and not both"
    hint = "take a load balancer for each, or `kind: classic`"
    yield Finding(path=(_PLACE, "listeners", i, "protocol"), message=message, hint=hint)


def _world_misfits(draft: FrontDraft) -> Iterator[Finding]:
    """Give what would let the whole world in without the spec saying so, or without TLS."""
    if draft.address_type != "internet" or draft.num_access_cidrs:
        return
    if not draft.is_open_to_world:
        yield Finding(
            path=(_PLACE, "address_type"),
            message="an address on the Internet lets the whole world call the gateways",
            hint="name those who may in `access_cidrs` of a classic load balancer, or take listeners with TLS and say "
            "`access.open_to_world: true`",
        )
    for i, protocol in draft.protocols:
        if draft.is_open_to_world and protocol is not None and protocol not in SECURE_PROTOCOLS:
            message = (
                f"a listener of {protocol} would carry the gateways' token over the Internet in the clear"
            )
            hint = f"let it speak {listed(SECURE_PROTOCOLS)}"
            yield Finding(path=(_PLACE, "listeners", i, "protocol"), message=message, hint=hint)


def _mapping(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}


def _list(value: Any) -> list[Any]:
    return list(value) if isinstance(value, list | tuple) else []


def _text(value: Any) -> str | None:
    return value if isinstance(value, str) else None
