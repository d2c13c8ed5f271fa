from __future__ import annotations

import fnmatch

import pytest
from hypothesis import given
from hypothesis import strategies as st

from steelyard.localcloud.wildcard import wildcard


@pytest.mark.parametrize(
    ("pattern", "text", "fits"),
    [
        ("ecs:Describe*", "ecs:DescribeInstances", True),
        ("a.c", "abc", False),
        ("a?c", "abc", True),
        ("*b*c", "abbc", True),
        ("*b*c", "acb", False),
        ("a*a", "a", False),
        ("", "", True),
        ("*", "", True),
        ("*\n*", "a\nb", True),
    ],
)
def test_an_asterisk_is_anything_and_a_question_mark_one_character(pattern, text, fits):
    assert (wildcard(pattern).fullmatch(text) is not None) is fits


def test_capitals_matter_unless_they_are_not_to():
    assert wildcard("Ab*").fullmatch("ABC") is None
    assert wildcard("Ab*", ignores_case=True).fullmatch("ABC")


def test_many_asterisks_take_no_longer_on_a_long_text():
    # With plain groups this one would not end.
    assert wildcard("*a" * 40 + "b").fullmatch("a" * 5000) is None


@given(st.text("ab*?", max_size=8), st.text("ab", max_size=10))
def test_it_means_what_a_shell_means(pattern, text):
    assert (wildcard(pattern).fullmatch(text) is not None) is fnmatch.fnmatchcase(text, pattern)
