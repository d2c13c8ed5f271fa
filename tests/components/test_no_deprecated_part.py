from __future__ import annotations

import inspect
from typing import Any

import pulumi
import pytest
from pulumi_alicloud import alb, cas, cms, ecs, ess, nas, nlb, oss, ram, slb, vpc
from recording_monitor import Recording, record


def resource_classes() -> dict[str, type[pulumi.CustomResource]]:
    classes: dict[str, type[pulumi.CustomResource]] = {}
    for module in (alb, cas, cms, ecs, ess, nas, nlb, oss, ram, slb, vpc):
        for _, one in inspect.getmembers(module, inspect.isclass):
            if issubclass(one, pulumi.CustomResource):
                classes[one.pulumi_type] = one
    return classes


def deprecated_properties(resource: type[pulumi.CustomResource]) -> set[str]:
    """Names, in the API's spelling, of the properties that the SDK marks as deprecated."""
    found = set()
    for _, member in inspect.getmembers(resource, lambda one: isinstance(one, property)):
        getter: Any = member.fget
        if hasattr(getter, "_pulumi_deprecated_callable"):
            found.add(getattr(getter, "_pulumi_name", getter.__name__))
    return found


def test_the_scan_sees_the_marks_of_the_sdk() -> None:
    assert "availabilityZone" in deprecated_properties(vpc.Switch)
    assert "roleName" in deprecated_properties(ecs.Instance)


@pytest.mark.parametrize(
    "name", ["demo", "behind_nat", "with_bucket", "with_files", "with_rules", "with_scaling"]
)
def test_no_resource_gets_a_deprecated_argument(name: str, request: pytest.FixtureRequest) -> None:
    recording: Recording = request.getfixturevalue(name)
    classes = resource_classes()
    for one in recording.resources.values():
        if one.is_custom:
            assert not deprecated_properties(classes[one.type]) & one.inputs.keys(), one.name


def test_neither_the_sdk_nor_the_engine_warns(
    demo: Recording, behind_nat: Recording, with_scaling: Recording
) -> None:
    assert demo.warnings == behind_nat.warnings == with_scaling.warnings == []


@pytest.mark.parametrize("deprecated", [slb.LoadBalancer, ecs.Eip])
def test_the_warning_of_a_deprecated_class_would_be_heard(deprecated: type[pulumi.CustomResource]) -> None:
    recording = record(lambda: deprecated("old"))
    assert any("is deprecated" in one for one in recording.warnings)
