"""The engine's pure parts: names, paths, differences, property values."""

from __future__ import annotations

import pytest
from google.protobuf import struct_pb2
from hypothesis import given
from hypothesis import strategies as st
from pulumi.runtime.proto import resource_pb2

from steelyard.deploy import urn, values
from steelyard.deploy.engine import diff, goal, path
from steelyard.errors import DeployError

PARENT = "urn:pulumi:dev::proj::pkg:index:Fleet$pkg:index:Group::fleet-group"

WHOLE = "urn:pulumi:old::proj::a:b:C::whole"


def test_a_urn_holds_its_parents_types_but_not_the_stacks() -> None:
    stack = urn.make(stack="dev", project="proj", type_token=urn.STACK_TYPE, name="proj-dev")
    child = urn.make(stack="dev", project="proj", type_token="a:b:C", name="x", parent=stack)
    assert child == "urn:pulumi:dev::proj::a:b:C::x"
    grandchild = urn.make(stack="dev", project="proj", type_token="a:b:C", name="x::y", parent=PARENT)
    assert grandchild == "urn:pulumi:dev::proj::pkg:index:Fleet$pkg:index:Group$a:b:C::x::y"
    assert urn.type_of(grandchild) == "a:b:C"
    assert urn.name_of(grandchild) == "x::y"


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("tags", ("tags",)),
        ("tags.role", ("tags", "role")),
        ("dataDisks[0].size", ("dataDisks", 0, "size")),
        ("dataDisks[*].size", ("dataDisks", "*", "size")),
        ('tags["a.b"].c', ("tags", "a.b", "c")),
        ("*", ("*",)),
    ],
)
def test_paths_are_read(text: str, parts: tuple[str | int, ...]) -> None:
    assert path.parse(text) == parts


@pytest.mark.parametrize("text", ["a[", "a]b", "[x]"])
def test_what_is_no_path_is_refused(text: str) -> None:
    with pytest.raises(DeployError, match="not a property path"):
        path.parse(text)


@given(
    st.lists(st.text(min_size=1).filter(lambda s: s != "*" and "\\" not in s) | st.integers(0, 9), min_size=1)
)
def test_a_shown_path_reads_back(parts: list[str | int]) -> None:
    assert path.parse(path.show(parts)) == tuple(parts)


def test_old_values_are_put_back_at_any_depth() -> None:
    old = {"tags": {"a": 1, "gone": 2}, "disks": [{"size": 1, "kind": "x"}], "kept": 0}
    new = {"tags": {"a": 9, "fresh": 3}, "disks": [{"size": 5, "kind": "y"}, {"size": 6}], "kept": 1}
    assert path.keep_old(old, new, ["tags.a", "disks[*].size"]) == {
        "tags": {"a": 1, "fresh": 3},
        "disks": [{"size": 1, "kind": "y"}, {"size": 6}],
        "kept": 1,
    }
    assert path.keep_old(old, new, ["tags.gone", "tags.fresh"])["tags"] == {"a": 9, "gone": 2}
    assert path.keep_old(old, new, ["*"]) == old
    assert path.keep_old({"token": values.secret("x")}, {"token": "y"}, ["token"]) == {
        "token": values.secret("x")
    }


def test_differences_are_told_by_path() -> None:
    old = {"a": 1, "tags": {"x": "1", "y": "2"}, "list": [1, 2], "same": None}
    new = {"a": 1, "tags": {"x": "1", "y": "3"}, "list": [1], "more": True}
    assert diff.compare(old, new).texts == ("list[1]", "more", "tags.y")


def test_an_unknown_is_a_difference_and_a_secret_mark_is_none() -> None:
    assert diff.compare({"a": "x"}, {"a": values.UNKNOWN}).texts == ("a",)
    assert diff.compare({"a": values.UNKNOWN}, {"a": values.UNKNOWN}).texts == ("a",)
    assert diff.compare({"a": values.secret("x")}, {"a": "x"}).texts == ()
    assert diff.compare({"a": True}, {"a": 1}).texts == ("a",)


def test_a_pattern_covers_what_begins_with_it() -> None:
    changed = diff.compare({"disks": [{"size": 1}]}, {"disks": [{"size": 2}]})
    assert changed.matches(["disks"])
    assert changed.matches(["disks[0].size"])
    assert changed.matches(["disks[*].size"])
    assert changed.matches(["*"])
    assert not changed.matches(["disks[1]", "tags"])
    assert changed.touches({"disks"})


@given(
    st.dictionaries(
        st.text(),
        st.recursive(
            st.booleans()
            | st.integers(-(2**50), 2**50)
            | st.floats(allow_nan=False, allow_infinity=False)
            | st.text(),
            lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
            max_leaves=10,
        ),
    )
)
def test_values_survive_pulumis_struct(tree: dict[str, object]) -> None:
    assert values.decode(values.encode(tree)) == tree


def test_whole_numbers_come_back_as_int_and_nothing_is_left_out_but_none() -> None:
    struct = struct_pb2.Struct()
    struct.update({"weight": 100, "price": 0.5, "none": None, "list": [1, None]})
    decoded = values.decode(struct)
    assert decoded == {"weight": 100, "price": 0.5, "list": [1, None]}
    assert type(decoded["weight"]) is int


def test_secrets_and_unknowns_are_found_at_any_depth() -> None:
    tree = {"a": [{"b": values.secret(values.UNKNOWN)}]}
    assert values.has_secret(tree)
    assert values.has_unknown(tree)
    assert values.plain(tree) == {"a": [{"b": values.UNKNOWN}]}
    assert values.secret(values.secret(1)) == values.secret(1)


def test_durations_are_read_as_go_reads_them() -> None:
    request = resource_pb2.RegisterResourceRequest(type="a:b:C", name="x")
    request.customTimeouts.create = "1h1m1.5s"
    request.customTimeouts.delete = "200ms"
    timeouts = goal.from_request(request).timeouts
    assert timeouts.create_s == 3661.5
    assert timeouts.update_s is None
    assert timeouts.delete_s == pytest.approx(0.2)
    request.customTimeouts.create = "soon"
    with pytest.raises(DeployError, match="'soon' of a:b:C 'x' is not a duration"):
        goal.from_request(request)


def test_former_names_come_from_aliases_and_from_the_parents() -> None:
    wanted = goal.Goal(
        type="a:b:C",
        name="fleet-group-node",
        is_custom=True,
        parent=PARENT,
        aliases=(goal.Alias(name="node"), goal.Alias(has_no_parent=True), goal.Alias(urn=WHOLE)),
    )
    old_parent = "urn:pulumi:dev::proj::pkg:index:Group::crew"
    former = goal.former_urns(wanted, stack="dev", project="proj", parent_aliases=(old_parent,))
    base = "urn:pulumi:dev::proj::"
    assert former[:3] == (
        f"{base}pkg:index:Fleet$pkg:index:Group$a:b:C::node",
        f"{base}a:b:C::fleet-group-node",
        WHOLE,
    )
    assert f"{base}pkg:index:Group$a:b:C::crew-node" in former
    assert f"{base}pkg:index:Group$a:b:C::node" in former


def test_an_alias_that_is_no_urn_is_refused() -> None:
    request = resource_pb2.RegisterResourceRequest(type="a:b:C", name="x")
    request.aliases.add().urn = "urn:whole"
    with pytest.raises(DeployError, match="'urn:whole' of a:b:C 'x' is not a URN"):
        goal.from_request(request)
