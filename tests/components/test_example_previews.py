"""The examples, previewed through the embedded engine."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

from provider_without_cloud import ProviderWithoutCloud

from steelyard.components.program import declare
from steelyard.deploy import Stack
from steelyard.deploy.project import load_config, load_project
from steelyard.spec import load_spec

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


def test_the_smallest_cluster_is_previewed_as_its_readme_lists_it(tmp_path: Path) -> None:
    spec = load_spec(EXAMPLES / "01-minimal" / "cluster.yaml")
    stack = Stack(tmp_path / "state", project="steelyard", name=spec.name)
    result = stack.preview(lambda: declare(spec, "f" * 64), ProviderWithoutCloud())
    assert {step.op for step in result.steps} == {"create"}
    of_the_cloud = [step.type for step in result.steps if step.type.startswith("alicloud:")]
    assert Counter(kind.rpartition(":")[2] for kind in of_the_cloud) == {
        "Network": 1,
        "Switch": 2,
        "SecurityGroup": 1,
        "SecurityGroupRule": 1,
        "ApplicationLoadBalancer": 1,
        "ServerGroup": 1,
        "Listener": 1,
        "Instance": 2,
        "ServerGroupServerAttachment": 2,
        "Role": 1,
        "Policy": 1,
        "RolePolicyAttachment": 1,
        "RamRoleAttachment": 2,
    }


def test_gpu_nodes_in_three_zones_are_previewed_as_their_readme_lists_them(tmp_path: Path) -> None:
    spec = load_spec(EXAMPLES / "02-gpu-nlb-multi-zone" / "cluster.yaml")
    stack = Stack(tmp_path / "state", project="steelyard", name=spec.name)
    result = stack.preview(lambda: declare(spec, "f" * 64), ProviderWithoutCloud())
    of_the_cloud = [item.type for item in result.planned]
    assert Counter(kind.rpartition(":")[2] for kind in of_the_cloud) == {
        "Network": 1,
        "Switch": 3,
        "NatGateway": 1,
        "EipAddress": 1,
        "EipAssociation": 1,
        "SnatEntry": 3,
        "SecurityGroup": 1,
        "SecurityGroupRule": 3,
        "LoadBalancer": 1,
        "ServerGroup": 1,
        "Listener": 1,
        "Instance": 3,
        "ServerGroupServerAttachment": 3,
        "Role": 1,
        "Policy": 1,
        "RolePolicyAttachment": 1,
        "RamRoleAttachment": 3,
    }
    weights = [
        item.inputs["weight"] for item in result.planned if item.type.endswith(":ServerGroupServerAttachment")
    ]
    assert sorted(weights) == [33, 100, 100]


def test_nodes_that_come_and_go_are_previewed_as_their_readme_lists_them(tmp_path: Path) -> None:
    spec = load_spec(EXAMPLES / "03-spot-autoscaling" / "cluster.yaml")
    stack = Stack(tmp_path / "state", project="steelyard", name=spec.name)
    result = stack.preview(lambda: declare(spec, "f" * 64), ProviderWithoutCloud())
    assert Counter(item.type.rpartition(":")[2] for item in result.planned) == {
        "Network": 1,
        "Switch": 3,
        "NatGateway": 1,
        "EipAddress": 1,
        "EipAssociation": 1,
        "SnatEntry": 3,
        "SecurityGroup": 1,
        "SecurityGroupRule": 3,
        "LoadBalancer": 1,
        "ServerGroup": 1,
        "Listener": 1,
        "Instance": 2,
        "ServerGroupServerAttachment": 2,
        "EcsLaunchTemplate": 1,
        "ScalingGroup": 1,
        "ServerGroupAttachment": 1,
        "ScalingRule": 1,
        "ScheduledTask": 2,
        "LifecycleHook": 1,
        "Bucket": 1,
        "BucketPublicAccessBlock": 1,
        "Role": 1,
        "Policy": 2,
        "RolePolicyAttachment": 2,
        "RamRoleAttachment": 2,
    }
    template = next(item for item in result.planned if item.type.endswith(":EcsLaunchTemplate"))
    assert template.inputs["spotStrategy"] == "SpotAsPriceGo"
