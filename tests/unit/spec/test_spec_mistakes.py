from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import pytest

from steelyard.spec import Mistake, SpecError, load_spec


@dataclass(frozen=True, kw_only=True)
class Case:
    """A file with one mistake, and what has to be told of it."""

    title: str
    text: str
    place: tuple[int, int]
    path: str
    reason: str
    hint: str


def read_case(block: str) -> Case:
    title, _, rest = block.partition("\n")
    marked, told, hint = rest.rstrip("\n").split("\n=> ")
    path, _, reason = told.partition(" | ")
    before, text_after = marked.split("»")
    return Case(
        title=title,
        text=f"{before}{text_after}\n",
        place=(before.count("\n") + 1, len(before) - before.rfind("\n")),
        path="" if path == "-" else path,
        reason=reason,
        hint=hint,
    )


_, *BLOCKS = Path(__file__).with_name("mistakes.txt").read_text().split("== ")
CASES = [read_case(block) for block in BLOCKS]


def mistakes_of(tmp_path: Path, text: str | bytes) -> tuple[Mistake, ...]:
    path = tmp_path / "cluster.yaml"
    path.write_bytes(text.encode() if isinstance(text, str) else text)
    with pytest.raises(SpecError) as caught:
        load_spec(path)
    assert caught.value.exit_code == 2
    assert caught.value.source == str(path)
    return caught.value.mistakes


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.title)
def test_a_mistake_is_told_by_line_reason_and_mend(case: Case, tmp_path: Path) -> None:
    (mistake,) = mistakes_of(tmp_path, case.text)
    assert (mistake.line, mistake.column, mistake.path) == (*case.place, case.path)
    assert case.reason in mistake.message
    assert case.hint in mistake.hint


EVERYTHING = """\
name: Demo
target: here
region: cn-hangzhou
zones: [cn-hangzhou-y, cn-hangzhou-z]
netwrok: {}
network: {cidr: 8.8.8.0/24}
node_groups:
  - {name: workers, count: 0, weight: 101, instance_type: ecs.none.large}
  - {name: workers, disk: {size_gib: big}}
load_balancer:
  kind: gateway
  listeners: [{port: 0}, {port: 80, protocol: udp}]
  health_check: {interval_s: 0}
gateway_port: "8000"
gateway_port: 8000
access: {admin_cidrs: [0.0.0.0/0]}
"""


def test_every_mistake_is_told_at_once_in_the_order_of_the_file(tmp_path: Path) -> None:
    assert [(one.line, one.path) for one in mistakes_of(tmp_path, EVERYTHING)] == [
        (1, "name"),
        (2, "target"),
        (4, "zones[0]"),
        (4, "zones[1]"),
        (5, "netwrok"),
        (6, "network.cidr"),
        (8, "node_groups[0].count"),
        (8, "node_groups[0].weight"),
        (8, "node_groups[0].instance_type"),
        (9, "node_groups[1].name"),
        (9, "node_groups[1].disk.size_gib"),
        (11, "load_balancer.kind"),
        (12, "load_balancer.listeners[0].port"),
        (12, "load_balancer.listeners[1].protocol"),
        (13, "load_balancer.health_check.interval_s"),
        (14, "gateway_port"),
        (15, "gateway_port"),
        (16, "access.admin_cidrs[0]"),
    ]


def test_the_message_holds_every_mistake_with_its_place(tmp_path: Path) -> None:
    path = tmp_path / "cluster.yaml"
    path.write_text("name: demo\nzone: a\ngateway_port: 1\n")
    with pytest.raises(SpecError) as caught:
        load_spec(path)
    head, *lines = caught.value.message.splitlines()
    assert head == f"{path} holds 2 mistakes:"
    assert lines[0].startswith("  line 2, column 1: zone: there is no setting `zone` (the nearest is `zones`")
    assert (
        lines[1] == "  line 3, column 15: gateway_port: 1 is no port from 1024 to 65535 (the nearest is 1024)"
    )
    assert "nothing was created" in caught.value.hint


def test_text_that_is_not_utf8_is_told_by_its_byte(tmp_path: Path) -> None:
    (mistake,) = mistakes_of(tmp_path, b"name: demo\nregion: \xff\n")
    assert (mistake.line, mistake.column) == (2, 9)
    assert "0xff" in mistake.message


def test_a_character_that_yaml_forbids_is_told_by_its_place(tmp_path: Path) -> None:
    (mistake,) = mistakes_of(tmp_path, "name: demo\nregion: a\x00b\n")
    assert (mistake.line, mistake.column) == (2, 10)


def test_a_bomb_of_aliases_is_refused(tmp_path: Path) -> None:
    layers = "".join(f"a{i + 1}: &a{i + 1} [{', '.join([f'*a{i}'] * 10)}]\n" for i in range(9))
    mistakes = mistakes_of(tmp_path, f"a0: &a0 [x]\n{layers}")
    assert any("more than" in one.message for one in mistakes)


def test_an_unlisted_type_is_right_on_alibaba_cloud_alone(tmp_path: Path) -> None:
    text = "name: demo\nnode_groups: [{name: workers, instance_type: ecs.gn10x-c16g1.4xlarge}]\n"
    assert mistakes_of(tmp_path, text)
    path = tmp_path / "alicloud.yaml"
    path.write_text(f"target: alicloud\n{text}")
    assert load_spec(path).node_groups[0].instance_type == "ecs.gn10x-c16g1.4xlarge"
