"""What the Alibaba Cloud provider can tell without a cloud: its types, its refusals, its waits."""

from __future__ import annotations

import importlib
import inspect
import itertools
from collections.abc import Callable
from typing import Any

import pulumi
import pulumi_alicloud as alicloud
import pytest
from pulumi._types import input_type_py_to_pulumi_names

from steelyard.deploy import AlicloudProvider, Stack
from steelyard.deploy.engine.provider import Operation
from steelyard.deploy.provider.alicloud import RESOURCE_TYPES
from steelyard.deploy.provider.api import Api, is_not_found
from steelyard.deploy.provider.connection import Connection
from steelyard.deploy.provider.resource_type import changes, shown, wire
from steelyard.deploy.provider.security_group import SecurityGroupRule
from steelyard.deploy.provider.tag import TagWriter, tag_list, tag_map
from steelyard.deploy.provider.wait import wait_until
from steelyard.errors import DeployError, ResourceError
from steelyard.product import Product

NOBODY = "127.0.0.1:1"
THING = Product(code="thing", version="2020-01-01")


@pytest.fixture
def provider() -> AlicloudProvider:
    return AlicloudProvider(
        endpoint=NOBODY, access_key_id="key", access_key_secret="secret", region_id="cn-hangzhou"
    )


class Script:
    """Stands in for the sender: gives the answers of a list, raising those that are errors."""

    def __init__(self, *answers: Any) -> None:
        self.answers = list(answers)
        self.calls: list[tuple[str, dict[str, Any]]] = []

    def send(self, product: Product, action: str, params: dict[str, Any], urn: str) -> Any:
        self.calls.append((action, params))
        answer = self.answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return answer


def api(script: Script, *, limit_s: float = 5.0, is_cancelled: Callable[[], bool] = lambda: False) -> Api:
    connection = Connection(
        endpoint=NOBODY,
        protocol="http",
        access_key_id="key",
        access_key_secret="secret",
        region_id="cn-hangzhou",
        poll_s=0.001,
        timeout_s=limit_s,
    )
    operation = Operation(urn="urn:pulumi:s::p::a:b:C::x", is_cancelled=is_cancelled)
    return Api(script, connection, operation)  # type: ignore[arg-type]


def sdk_class(token: str) -> type:
    _, module, name = token.split(":")
    return getattr(importlib.import_module(f"pulumi_alicloud.{module.split('/')[0]}"), name)


@pytest.mark.parametrize("token", RESOURCE_TYPES)
def test_every_supported_input_is_one_that_the_sdk_has(token: str) -> None:
    kind = RESOURCE_TYPES[token]
    args = importlib.import_module(sdk_class(token).__module__)
    name = sdk_class(token).__name__
    # Where another resource's nested input has the name already, the SDK calls it `…InitArgs`.
    args_class = getattr(args, f"{name}Args", None) or getattr(args, f"{name}InitArgs")
    known = set(input_type_py_to_pulumi_names(args_class).values())
    assert kind.create_only | kind.changeable <= known
    assert not kind.create_only & kind.changeable


def test_an_unsupported_type_is_refused_with_the_nearest_that_there_are(
    stack: Stack, provider: AlicloudProvider
) -> None:
    with pytest.raises(
        DeployError, match="does not support the resource type alicloud:slb/attachment"
    ) as caught:
        stack.preview(lambda: Attachment("alicloud:slb/attachment:Attachment", "a", {}), provider)
    assert "serverGroupServerAttachment" in caught.value.hint


class Attachment(pulumi.CustomResource):
    """A resource of any type."""


def test_an_unsupported_input_is_refused_before_anything_is_done(
    stack: Stack, provider: AlicloudProvider
) -> None:
    def program() -> None:
        alicloud.ecs.Instance("node", host_name="a", image_options={"login_as_non_root": True})

    with pytest.raises(DeployError, match="has the input 'imageOptions', which") as caught:
        stack.preview(program, provider)
    assert "imageId" in caught.value.hint


def test_an_unsupported_function_is_refused(stack: Stack, provider: AlicloudProvider) -> None:
    with pytest.raises(
        DeployError, match="does not support the function alicloud:index/getAccount"
    ) as caught:
        stack.preview(lambda: alicloud.get_account(), provider)
    assert "getCallerIdentity" in caught.value.hint or "getZones" in caught.value.hint


def test_a_cloud_that_does_not_answer_is_named(stack: Stack, provider: AlicloudProvider) -> None:
    with pytest.raises(ResourceError, match=f"CreateVpc: no answer from {NOBODY}") as caught:
        stack.up(lambda: alicloud.vpc.Network("net", cidr_block="10.0.0.0/8"), provider)
    assert caught.value.urn.endswith("::net")
    assert caught.value.code == ""


def test_an_explicit_region_is_taken_and_the_endpoint_is_not(provider: AlicloudProvider) -> None:
    other = provider.configured({"region": "cn-beijing", "endpoints": [{"vpc": "vpc.example"}]})
    assert other.config == {"region": "cn-beijing"}
    assert provider.configured({}) is provider


def test_throttling_is_waited_out_and_other_refusals_are_raised() -> None:
    throttled = ResourceError("slow down", code="Throttling.User", status=400)
    script = Script(throttled, throttled, {"VpcId": "vpc-1"})
    assert api(script).call(THING, "CreateVpc", {"CidrBlock": "10.0.0.0/8"}) == {"VpcId": "vpc-1"}
    assert script.calls == [("CreateVpc", {"RegionId": "cn-hangzhou", "CidrBlock": "10.0.0.0/8"})] * 3

    with pytest.raises(ResourceError, match="no such zone"):
        api(Script(ResourceError("no such zone", code="InvalidZone"))).call(THING, "CreateVpc", {})


def test_a_dependency_that_never_goes_is_told_with_the_clouds_code() -> None:
    refusal = ResourceError("it has a VSwitch", code="DependencyViolation.VSwitch", request_id="r-1")
    script = Script(*itertools.repeat(refusal, 10_000))
    with pytest.raises(ResourceError, match=r"DeleteVpc: not done after .* it has a VSwitch") as caught:
        api(script, limit_s=0.02).call(THING, "DeleteVpc", {}, retry_on=("DependencyViolation",))
    assert caught.value.code == "DependencyViolation.VSwitch"
    assert caught.value.request_id == "r-1"


def test_a_wait_ends_when_the_run_is_cancelled() -> None:
    with pytest.raises(ResourceError, match="not waited for, because the run is ending"):
        wait_until(
            lambda: None,
            what="instance i-1",
            operation=Operation(urn="", is_cancelled=lambda: True),
            limit_s=60,
            poll_s=0.001,
        )


@pytest.mark.parametrize(
    ("code", "status", "is_gone"),
    [
        ("InvalidVpcId.NotFound", 404, True),
        ("InvalidVSwitchId.NotFound", 400, True),
        ("EntityNotExist.Role", 404, True),
        ("Whatever", 404, True),
        ("DependencyViolation", 400, False),
    ],
)
def test_not_found_is_known_by_code_or_status(code: str, status: int, is_gone: bool) -> None:
    assert is_not_found(ResourceError("", code=code, status=status)) is is_gone


def test_inputs_go_out_under_the_apis_names_and_come_back_under_pulumis() -> None:
    names = {"vpcName": "VpcName", "description": "Description"}
    assert wire({"vpcName": "a", "description": None, "other": 1}, names) == {"VpcName": "a"}
    assert changes({"vpcName": "a", "description": "x"}, {"vpcName": "b"}, names) == {
        "VpcName": "b",
        "Description": "",
    }
    assert shown({"VpcName": "a", "Description": None}, names) == {"vpcName": "a"}


def test_tags_are_changed_by_difference() -> None:
    script = Script({}, {})
    TagWriter(api(script), THING, "VPC").change(
        "vpc-1", {"tags": {"a": "1", "b": "2"}}, {"tags": {"b": "3", "c": "4"}}
    )
    target = {"RegionId": "cn-hangzhou", "ResourceType": "VPC", "ResourceId": ["vpc-1"]}
    assert script.calls == [
        ("UntagResources", {**target, "TagKey": ["a"]}),
        ("TagResources", {**target, "Tag": [{"Key": "b", "Value": "3"}, {"Key": "c", "Value": "4"}]}),
    ]
    assert tag_list({}) is None
    assert tag_map([{"TagKey": "a", "TagValue": "1"}, {"Key": "b"}]) == {"a": "1", "b": ""}


@pytest.mark.parametrize(
    "inputs",
    [
        {"type": "ingress", "ipProtocol": "tcp", "portRange": "22/22", "cidrIp": "10.0.0.0/8"},
        {
            "type": "egress",
            "ipProtocol": "all",
            "ipv6CidrIp": "2001:db8::/32",
            "policy": "drop",
            "priority": 5,
        },
        {"type": "ingress", "ipProtocol": "all", "sourceSecurityGroupId": "sg-2", "nicType": "intranet"},
    ],
)
def test_a_rules_id_says_all_that_the_rule_says(inputs: dict[str, Any]) -> None:
    rule = SecurityGroupRule()
    inputs = {"securityGroupId": "sg-1", **inputs}
    rule_id = rule._id(inputs)
    assert rule_id.count(":") == 7
    assert rule._permission(rule._inputs(rule_id)) == rule._permission(inputs)


def test_every_resource_type_says_what_it_is() -> None:
    for token, kind in RESOURCE_TYPES.items():
        assert inspect.getdoc(type(kind))
        assert token == kind.token
        assert bool(kind.changeable) == (type(kind).update is not RESOURCE_TYPES[ATTACHMENT].update.__func__)


ATTACHMENT = "alicloud:ram/rolePolicyAttachment:RolePolicyAttachment"
