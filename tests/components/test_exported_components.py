from __future__ import annotations

import pytest

from steelyard import components
from steelyard.components.network import Network


def test_the_components_are_named_where_a_program_looks_for_them() -> None:
    assert components.Network is Network
    assert all(getattr(components, name) for name in components.__all__)
    with pytest.raises(AttributeError, match="Nothing"):
        _ = components.Nothing
