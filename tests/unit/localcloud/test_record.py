"""Records as they come back from the store."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import ClassVar

import pytest

from steelyard.localcloud.record import Record


@dataclass(frozen=True, kw_only=True)
class Wheel(Record):
    kind: ClassVar[str] = "wheel"

    spokes: tuple[str, ...]
    size: int = 26


WHEEL = Wheel(id="w-1", created_at=1.5, tags={"a": "b"}, spokes=("x", "y"), size=28)


def test_a_record_comes_back_as_it_went_with_lists_as_tuples():
    body = {**WHEEL.to_body(), "spokes": ["x", "y"]}
    again = Wheel.from_body(body)
    assert again == WHEEL
    assert again.spokes == ("x", "y")
    assert replace(again, size=26).to_body() == {**WHEEL.to_body(), "size": 26}


def test_a_record_of_an_older_cloud_has_what_newer_ones_have_by_default():
    again = Wheel.from_body({"id": "w-1", "created_at": 1.5, "spokes": []})
    assert again == Wheel(id="w-1", created_at=1.5, spokes=())
    assert (again.size, again.tags) == (26, {})


@pytest.mark.parametrize("change", [{"colour": "red"}, {"spokes": None}, {"colour": "red", "spokes": None}])
def test_a_field_too_many_or_too_few_is_told(change):
    body = {**WHEEL.to_body(), **change}
    kept = {name: value for name, value in body.items() if value is not None}
    with pytest.raises(TypeError, match="argument"):
        Wheel.from_body(kept)
