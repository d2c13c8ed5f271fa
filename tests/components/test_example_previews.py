"""The examples, previewed through the embedded engine."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

from provider_without_cloud import ProviderWithoutCloud

from steelyard.deploy import Stack
from steelyard.deploy.project import load_config, load_project

EXAMPLES = Path(__file__).parents[2] / "examples"


def test_a_program_of_ones_own_is_previewed_with_a_component_among_its_own_resources(tmp_path: Path) -> None:
    project = load_project(EXAMPLES / "04-own-pulumi-program")
    config = load_config(project, "local", lambda: None)
    stack = Stack(tmp_path / "state", project=project.name, name="local")
    result = stack.preview(project.program, ProviderWithoutCloud(), config=config)
    assert {step.op for step in result.steps} == {"create"}
    assert Counter(step.type.rpartition(":")[2] for step in result.steps) == {
        "Network": 2,  # the component and its VPC
        "Switch": 2,
        "SecurityGroup": 1,
        "SecurityGroupRule": 1,
        "ApplicationLoadBalancer": 1,
        "ServerGroup": 1,
        "Listener": 1,
        "Instance": 2,
        "ServerGroupServerAttachment": 2,
    }
    assert result.outputs.keys() == {
        "vpc_id",
        "vswitch_ids",
        "security_group_id",
        "slb_id",
        "node_ids",
        "url",
    }
