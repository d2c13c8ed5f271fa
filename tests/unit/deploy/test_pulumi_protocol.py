"""Pins what the engine relies on in Pulumi's protocol and SDK, so that a new version that moves it is noticed."""

from __future__ import annotations

import inspect

import pulumi.runtime.config
import pulumi.runtime.settings
import pulumi.runtime.stack
import pytest
from google.protobuf.message import Message
from pulumi.runtime import rpc
from pulumi.runtime.proto import alias_pb2, engine_pb2, resource_pb2

from steelyard.deploy import values
from steelyard.deploy.engine.monitor import FEATURES, Engine, Monitor

STRING, BOOL, MESSAGE, ENUM = 9, 8, 11, 14

USED = {
    resource_pb2.RegisterResourceRequest: {
        "type": (1, STRING),
        "name": (2, STRING),
        "parent": (3, STRING),
        "custom": (4, BOOL),
        "object": (5, MESSAGE),
        "protect": (6, BOOL),
        "dependencies": (7, STRING),
        "provider": (8, STRING),
        "propertyDependencies": (9, MESSAGE),
        "deleteBeforeReplace": (10, BOOL),
        "ignoreChanges": (12, STRING),
        "additionalSecretOutputs": (14, STRING),
        "importId": (16, STRING),
        "customTimeouts": (17, MESSAGE),
        "deleteBeforeReplaceDefined": (18, BOOL),
        "remote": (20, BOOL),
        "replaceOnChanges": (23, STRING),
        "retainOnDelete": (25, BOOL),
        "aliases": (26, MESSAGE),
        "deletedWith": (27, STRING),
        "replace_with": None,
        "replacement_trigger": None,
    },
    resource_pb2.RegisterResourceRequest.PropertyDependencies: {"urns": (1, STRING)},
    resource_pb2.RegisterResourceRequest.CustomTimeouts: {
        "create": (1, STRING),
        "update": (2, STRING),
        "delete": (3, STRING),
    },
    resource_pb2.RegisterResourceResponse: {"urn": (1, STRING), "id": (2, STRING), "object": (3, MESSAGE)},
    resource_pb2.RegisterResourceOutputsRequest: {"urn": (1, STRING), "outputs": (2, MESSAGE)},
    resource_pb2.ReadResourceRequest: {
        "id": (1, STRING),
        "type": (2, STRING),
        "name": (3, STRING),
        "parent": (4, STRING),
        "properties": (5, MESSAGE),
        "dependencies": (6, STRING),
        "provider": (7, STRING),
        "additionalSecretOutputs": (10, STRING),
    },
    resource_pb2.ReadResourceResponse: {"urn": (1, STRING), "properties": (2, MESSAGE), "id": None},
    resource_pb2.ExistsResourceRequest: {"id": None, "type": None, "provider": None},
    resource_pb2.ExistsResourceResponse: {"exists": None, "unknown": None},
    resource_pb2.ResourceInvokeRequest: {"tok": (1, STRING), "args": (2, MESSAGE), "provider": (3, STRING)},
    resource_pb2.ResourceInvokeResponse: {"return": (1, MESSAGE)},
    resource_pb2.RegisterPackageRequest: {
        "name": (1, STRING),
        "version": (2, STRING),
        "parameterization": None,
    },
    resource_pb2.RegisterPackageResponse: {"ref": (1, STRING)},
    resource_pb2.DeploymentInfo: {
        "project": None,
        "stack": None,
        "config": None,
        "configSecretKeys": None,
        "dryRun": None,
        "parallel": None,
        "supportedFeatures": None,
    },
    alias_pb2.Alias: {"urn": (1, STRING), "spec": (2, MESSAGE)},
    alias_pb2.Alias.Spec: {
        "name": (1, STRING),
        "type": (2, STRING),
        "stack": (3, STRING),
        "project": (4, STRING),
        "parentUrn": (5, STRING),
        "noParent": (6, BOOL),
    },
    engine_pb2.LogRequest: {"severity": (1, ENUM), "message": (2, STRING), "urn": (3, STRING)},
    engine_pb2.SetRootResourceRequest: {"urn": (1, STRING)},
    engine_pb2.GetRootResourceResponse: {"urn": (1, STRING)},
}


@pytest.mark.parametrize("message", USED, ids=lambda message: message.DESCRIPTOR.full_name)
def test_the_fields_that_the_engine_uses_are_where_they_were(message: type[Message]) -> None:
    fields = message.DESCRIPTOR.fields_by_name
    for name, place in USED[message].items():
        assert name in fields
        if place is not None:
            assert (fields[name].number, fields[name].type) == place


@pytest.mark.parametrize(
    ("service", "answers"),
    [
        (resource_pb2.DESCRIPTOR.services_by_name["ResourceMonitor"], Monitor),
        (engine_pb2.DESCRIPTOR.services_by_name["Engine"], Engine),
    ],
    ids=["monitor", "engine"],
)
def test_every_call_of_the_services_is_answered(service, answers: type) -> None:
    offered = {name for name, _ in inspect.getmembers(answers, inspect.isfunction) if name[0].isupper()}
    assert offered == {method.name for method in service.methods}


def test_the_marks_of_secrets_and_unknowns_are_the_sdks() -> None:
    assert rpc._special_sig_key == values.SIGNATURE
    assert rpc._special_secret_sig == values.SECRET
    assert values.UNKNOWN == rpc.UNKNOWN


def test_the_features_exist_under_both_names() -> None:
    assert FEATURES.items() <= pulumi.runtime.settings._LEGACY_FEATURE_MAPPING.items()


def test_the_sdk_takes_an_object_for_its_monitor_and_engine() -> None:
    parameters = inspect.signature(pulumi.runtime.settings.Settings.__init__).parameters
    names = {"project", "stack", "monitor", "engine", "parallel", "dry_run", "root_directory"}
    assert names <= parameters.keys()
    assert "project" in inspect.signature(pulumi.runtime.settings.reset_options).parameters
    assert inspect.iscoroutinefunction(pulumi.runtime.stack.run_in_stack)
    assert list(inspect.signature(pulumi.runtime.config.set_all_config).parameters) == [
        "config",
        "secret_keys",
    ]
