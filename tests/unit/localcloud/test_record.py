"""Records as they come back from the store."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import ClassVar

import pytest

from steelyard.localcloud.page import Joined
from steelyard.localcloud.record import Record, Records
from steelyard.localcloud.services import SERVICES
from steelyard.localcloud.store import Store


@dataclass(frozen=True, kw_only=True)
class Wheel(Record):
    kind: ClassVar[str] = "wheel"

    spokes: tuple[str, ...]
    size: int = 26
    region_id: str = "cn-hangzhou"


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


@pytest.fixture
def wheels(tmp_path: Path) -> Iterator[Records[Wheel]]:
    """Wheels 0 to 9, by turns in two regions."""
    store = Store(tmp_path / "state.sqlite")
    records = Records(store, Wheel)
    for number in range(10):
        region_id = "cn-beijing" if number % 2 else "cn-hangzhou"
        records.put(replace(WHEEL, id=str(number), region_id=region_id))
    yield records
    store.close()


@pytest.mark.parametrize("places", [slice(0, 2), slice(1, 3), slice(4, 9), slice(5, 9), slice(3, 1)])
def test_a_page_of_records_is_cut_as_one_of_a_list(wheels: Records[Wheel], places: slice) -> None:
    paged, listed = wheels.paged("region_id", "cn-beijing"), wheels.where("region_id", "cn-beijing")
    assert (len(paged), list(paged[places])) == (5, listed[places])
    assert [one.id for one in paged[0:5]] == ["1", "3", "5", "7", "9"]


def test_a_page_of_joined_lists_is_cut_as_one_of_a_list(wheels: Records[Wheel]) -> None:
    parts = [wheels.paged("region_id", region) for region in ("cn-beijing", "cn-shanghai", "cn-hangzhou")]
    joined, listed = Joined(*parts), [one for part in parts for one in part[0:10]]
    assert len(joined) == len(listed) == 10
    for start in range(12):
        for stop in range(12):
            assert list(joined[start:stop]) == listed[start:stop]


def test_a_page_reads_no_other_records(wheels: Records[Wheel], monkeypatch: pytest.MonkeyPatch) -> None:
    paged, read = wheels.paged("region_id", "cn-beijing"), []
    monkeypatch.setattr(Wheel, "from_body", lambda body: read.append(body["id"]))
    assert len(paged[1:3]) == 2
    assert read == ["3", "5"]


@dataclass(frozen=True, kw_only=True)
class Spoke(Record):
    kind: ClassVar[str] = "spoke"
    is_remembered: ClassVar[bool] = True

    length: int


def test_a_record_that_is_remembered_is_read_again_only_once_it_is_another(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = Store(tmp_path / "state.sqlite")
    spokes, read, from_body = Records(store, Spoke), [], Spoke.from_body
    monkeypatch.setattr(Spoke, "from_body", lambda body: read.append(body["length"]) or from_body(body))
    for number in range(3):
        spokes.put(Spoke(id=str(number), created_at=1.5, length=number))
    assert [one.length for one in spokes.list()] == [one.length for one in spokes.list()] == [0, 1, 2]
    assert spokes.get("1") == spokes.list()[1]
    assert read == [0, 1, 2]
    with suppress(RuntimeError), store.transaction():
        spokes.put(Spoke(id="1", created_at=1.5, length=7))
        assert [one.length for one in spokes.list()] == [0, 7, 2]
        raise RuntimeError
    assert [one.length for one in spokes.list()] == [0, 1, 2]
    assert read == [0, 1, 2, 7]
    store.close()


@pytest.mark.parametrize("service", SERVICES, ids=lambda service: service.__name__)
def test_no_part_of_a_service_takes_what_is_anothers_own(service: type) -> None:
    owners: dict[str, set[str]] = {}
    for part in service.__mro__:
        for name in vars(part):
            if name.startswith("_") and not name.startswith("__"):
                owners.setdefault(name, set()).add(part.__name__)
    assert {
        name: parts for name, parts in owners.items() if len(parts) > 1 and not name.startswith("_abc_")
    } == {}
