from __future__ import annotations

import pytest

from steelyard.localcloud.wire.answer import UNDECLARED, shape_answer
from steelyard.localcloud.wire.schema import Schema, load_schema

SCHEMA = Schema(
    {},
    {
        "t.Answer": {
            "Name": ["str"],
            "Port": ["int"],
            "Ratio": ["float"],
            "IsOn": ["bool"],
            "Items": ["t.Items"],
            "Extra": [{"*": "any"}],
        },
        "t.Items": {"Item": [["t.Item"]]},
        "t.Item": {"Id": ["str"]},
    },
)


def test_an_answer_is_cut_to_its_shape():
    body = {"Name": "x", "Port": 80, "Items": {"Item": [{"Id": "a", "Secret": 1}]}, "Secret": 1, "IsOn": None}
    assert shape_answer(SCHEMA, "t.Answer", body) == {
        "Name": "x",
        "Port": 80,
        "Items": {"Item": [{"Id": "a"}]},
    }


def test_whole_numbers_serve_as_floats():
    ratio = shape_answer(SCHEMA, "t.Answer", {"Ratio": 1})["Ratio"]
    assert isinstance(ratio, float)


@pytest.mark.parametrize(
    "body",
    [
        {"Name": 1},
        {"Port": "80"},
        {"Port": True},
        {"Port": 1.0},
        {"IsOn": 1},
        {"Ratio": "1"},
        {"Items": []},
        {"Items": {"Item": {"Id": "a"}}},
        {"Items": {"Item": ["a"]}},
    ],
)
def test_a_value_of_the_wrong_type_is_a_bug(body):
    with pytest.raises(TypeError, match="is not of type"):
        shape_answer(SCHEMA, "t.Answer", body)


@pytest.mark.parametrize("shape", UNDECLARED)
def test_what_is_answered_beside_the_shape_is_not_in_it(shape):
    schema = load_schema()
    name, *_ = UNDECLARED[shape]
    assert schema.fields(shape).keys().isdisjoint(UNDECLARED[shape]), "the packages declare it now"
    assert shape_answer(schema, shape, {name: "x", "Secret": 1}) == {name: "x"}
