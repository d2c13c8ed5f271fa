"""How it is said to HAProxy whose connections a listener takes. Pure."""

from __future__ import annotations

from collections.abc import Sequence

from steelyard.localcloud.traffic.gate import Gate

_RANGES_A_LINE = 20  # HAProxy takes 64 words a line.


def gate_lines(gates: Sequence[Gate]) -> list[str]:
    """Give the lines of a listener that turn clients away, before a byte of theirs is read.

    Args:
        gates: All of them have to let a client in.
    """
    lines: list[str] = []
    for number, gate in enumerate(gates):
        verdict = f"sess.gate{number}"
        for place, rule in enumerate(gate.rules):
            name = f"gate-{number}-{place}"
            lines += [f"acl {name} src {' '.join(part)}" for part in _parts(rule.cidrs)]
            words = [f"tcp-request connection set-var({verdict}) int({int(rule.accepts)}) if"]
            words += [f"!{{ var({verdict}) -m found }}"] if place else []
            words.append(name)
            if rule.source_ports is not None:
                words.append("{{ src_port {}:{} }}".format(*rule.source_ports))
            lines.append(" ".join(words))
        lines.append(f"tcp-request connection reject if {{ var({verdict}) -m int 0 }}")
    return lines


def _parts(cidrs: Sequence[str]) -> list[Sequence[str]]:
    return [cidrs[start : start + _RANGES_A_LINE] for start in range(0, len(cidrs), _RANGES_A_LINE)]
