"""The page on load balancers names what the table of their abilities has."""

from __future__ import annotations

from pathlib import Path

import pytest

from steelyard.spec.balancer import ABILITIES

PAGE = Path(__file__).parents[3] / "docs" / "load-balancers.md"


@pytest.mark.parametrize("kind", ABILITIES)
def test_the_row_of_a_kind_says_what_it_can_do(kind: str) -> None:
    (row,) = [line for line in PAGE.read_text().splitlines() if line.startswith(f"| `{kind}`")]
    cells = [cell.strip() for cell in row.strip("|").split("|")]
    _, product, listeners, schedulers, sticky, access, draining, zones = cells
    ability = ABILITIES[kind]
    assert product == ability.product
    assert listeners == ", ".join(ability.protocols)
    assert schedulers.partition(" (")[0] == ", ".join(ability.schedulers)
    assert (sticky != "no") == bool(ability.sticky_session_s)
    assert (access, draining) == tuple(
        "yes" if can else "no" for can in (ability.has_access_list, ability.drains)
    )
    assert zones == str(ability.num_zones)
