from __future__ import annotations

import json
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from steelyard.localcloud.service import ApiError
from steelyard.localcloud.wire.parameter import parse_parameters
from steelyard.localcloud.wire.schema import Schema

SHAPES = {
    "t.Request": {
        "Text": ["str"],
        "Count": ["int"],
        "Ratio": ["float"],
        "DryRun": ["bool"],
        "Ids": [["str"]],
        "Ports": [["int"]],
        "Tag": [["t.Tag"]],
        "Disk": ["t.Disk"],
        "Labels": [{"*": "str"}],
        "Anything": ["any"],
        "healthCheckInterval": ["int"],
    },
    "t.Tag": {"Key": ["str", 1], "Value": ["str"]},
    "t.Disk": {"SizeGib": ["int"], "Zones": [["str"]]},
    "t.Strict": {"Id": ["str", 1], "Tag": [["t.Tag"]]},
}
SCHEMA = Schema({}, SHAPES)


def parse(flat, shape="t.Request", optional=()):
    return parse_parameters(SCHEMA, shape, flat, optional)


def flatten(value, prefix=""):
    """Write nested values as the newer SDKs do: dotted from 1, booleans as Python prints them."""
    if isinstance(value, dict):
        return {k: v for key, item in value.items() for k, v in flatten(item, f"{prefix}.{key}").items()}
    if isinstance(value, list):
        return {k: v for i, item in enumerate(value, 1) for k, v in flatten(item, f"{prefix}.{i}").items()}
    return {prefix.removeprefix("."): str(value)}


texts = st.text(max_size=8)
ids = st.text("abcdefghijklmnopqrstuvwxyz0123456789-", min_size=1, max_size=8)
tags = st.fixed_dictionaries({"Key": texts.filter(bool)}, optional={"Value": texts})
requests = st.fixed_dictionaries(
    {},
    optional={
        "Text": texts,
        "Count": st.integers(-(2**63), 2**63),
        "Ratio": st.floats(allow_nan=False, allow_infinity=False),
        "DryRun": st.booleans(),
        "Ids": st.lists(ids, min_size=1, max_size=12),
        "Ports": st.lists(st.integers(0, 65535), min_size=1, max_size=12),
        "Tag": st.lists(tags, min_size=1, max_size=3),
        "Disk": st.fixed_dictionaries(
            {"SizeGib": st.integers(1, 100)}, optional={"Zones": st.lists(ids, min_size=1, max_size=3)}
        ),
        "Labels": st.dictionaries(ids, texts, min_size=1, max_size=3),
    },
)


@given(requests)
def test_dotted_parameters_are_nested_and_typed(request):
    assert parse(flatten(request)) == request


@given(requests)
def test_json_text_is_nested_and_typed(request):
    flat = {
        name: json.dumps(value) if isinstance(value, list | dict) else str(value)
        for name, value in request.items()
    }
    assert parse(flat) == request


@given(st.lists(ids, min_size=1, max_size=5))
def test_comma_text_is_a_list(values):
    assert parse({"Ids": ",".join(values)}) == {"Ids": values}


@given(st.dictionaries(st.text(max_size=12), st.text(max_size=12), max_size=8))
def test_whatever_is_sent_is_parsed_or_refused(flat):
    with suppress(ApiError):
        assert parse({**flat, "Text": "known"})["Text"] == "known"


def test_a_list_is_ordered_by_its_indices_not_by_their_spelling():
    flat = {f"Ids.{i}": f"i-{i}" for i in (10, 2, 1, 11)}
    assert parse(flat) == {"Ids": ["i-1", "i-2", "i-10", "i-11"]}


def test_a_json_object_stands_for_a_list_of_one():
    assert parse({"Tag": '{"Key": "a"}'}) == {"Tag": [{"Key": "a"}]}


@pytest.mark.parametrize("text", ["true", "True", "TRUE", "1", "false", "False", "0"])
def test_booleans_of_all_clients_are_understood(text):
    assert parse({"DryRun": text})["DryRun"] is (text.lower() in ("true", "1"))


def test_numbers_in_json_text_may_be_texts():
    assert parse({"Ports": '["80", 443]'}) == {"Ports": [80, 443]}


def test_the_capitals_of_other_clients_are_understood():
    assert parse({"HealthCheckInterval": "2"}) == {"healthCheckInterval": 2}


def test_untyped_parameters_are_passed_on():
    assert parse({"Anything.a.b": "1", "Anything.c": "x"}) == {"Anything": {"a": {"b": "1"}, "c": "x"}}


def test_unknown_parameters_are_dropped():
    assert parse({"Text": "x", "Colour": "red", "Tag.1.Key": "k", "Tag.1.Colour": "red"}) == {
        "Text": "x",
        "Tag": [{"Key": "k"}],
    }


@pytest.mark.parametrize(
    ("flat", "name"),
    [
        ({"Count": "1.5"}, "Count"),
        ({"Count": "one"}, "Count"),
        ({"Count": ""}, "Count"),
        ({"Count": "١"}, "Count"),  # noqa: RUF001 - a digit, but not one that the wire knows
        ({"Count.1": "1"}, "Count"),
        ({"Ratio": "nan"}, "Ratio"),
        ({"Ratio": "half"}, "Ratio"),
        ({"DryRun": "maybe"}, "DryRun"),
        ({"Ports.1": "http"}, "Ports.1"),
        ({"Ports": "[80, true]"}, "Ports.2"),
        ({"Tag.first.Key": "a"}, "Tag"),
        ({"Tag": "[1]"}, "Tag.1"),
        ({"Disk": "not json"}, "Disk"),
        ({"Disk": "[1]"}, "Disk"),
        ({"Disk.SizeGib": "big"}, "Disk.SizeGib"),
    ],
)
def test_a_value_of_the_wrong_type_is_refused_by_its_name(flat, name):
    with pytest.raises(ApiError, match=f'"{name}"') as caught:
        parse(flat)
    assert (caught.value.code, caught.value.status) == ("InvalidParameter", 400)


@pytest.mark.parametrize(
    ("flat", "name"),
    [
        ({}, "Id"),
        ({"Id": ""}, "Id"),
        ({"Id": "x", "Tag.1.Value": "v"}, "Tag.1.Key"),
        ({"Id": "x", "Tag": '[{"Key": "a"}, {"Value": "v"}]'}, "Tag.2.Key"),
    ],
)
def test_a_missing_parameter_is_refused_by_its_name(flat, name):
    with pytest.raises(ApiError, match=f'"{name}"') as caught:
        parse(flat, "t.Strict")
    assert (caught.value.code, caught.value.status) == ("MissingParameter", 400)


def test_an_action_may_do_without_what_the_schema_calls_required():
    assert parse({}, "t.Strict", optional={"Id"}) == {}


def test_an_optional_parameter_of_a_list_may_be_missing_where_it_is_named_by_its_path():
    flat = {"Id": "1", "Tag.1.Value": "x"}
    assert parse(flat, "t.Strict", optional={"Tag.Key"}) == {"Id": "1", "Tag": [{"Value": "x"}]}
    with pytest.raises(ApiError, match=r"Tag\.1\.Key"):
        parse(flat, "t.Strict", optional={"Key"})
