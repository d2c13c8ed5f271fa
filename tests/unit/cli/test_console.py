from __future__ import annotations

import pytest

from steelyard.cli.console import counted


@pytest.mark.parametrize(
    ("number", "thing", "words"),
    [(0, "resource", "0 resources"), (1, "resource", "1 resource"), (2, "process", "2 processes")],
)
def test_what_is_counted_is_told_in_the_number_that_it_has(number: int, thing: str, words: str) -> None:
    assert counted(number, thing) == words
