from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from recording_monitor import ACCOUNT_ID, IMAGE_ID, Recording

from steelyard.components.program import declare
from steelyard.deploy import AlicloudProvider, Stack
from steelyard.spec import ClusterSpec

TOKEN = "f" * 64


class ProviderWithoutCloud(AlicloudProvider):
    """The provider with its rules and checks, and its two look-ups answered from here."""

    def invoke(self, token: str, args: Mapping[str, Any]) -> dict[str, Any]:
        return {
            "alicloud:index/getCallerIdentity:getCallerIdentity": {"id": ACCOUNT_ID, "accountId": ACCOUNT_ID},
            "alicloud:ecs/getImages:getImages": {"id": "lookup", "ids": [IMAGE_ID], "images": []},
        }[token]


def test_the_embedded_engine_previews_what_the_program_declares(tmp_path: Path, demo: Recording) -> None:
    provider = ProviderWithoutCloud(
        endpoint="127.0.0.1:1",
        protocol="http",
        access_key_id="id",
        access_key_secret="secret",
        region_id="cn-hangzhou",
    )
    stack = Stack(directory=tmp_path / "state", project="steelyard", name="demo")
    result = stack.preview(lambda: declare(ClusterSpec(name="demo"), TOKEN), provider)

    declared = Counter(one.type for one in demo.resources.values() if one.type != "pulumi:pulumi:Stack")
    assert Counter(step.type for step in result.steps) == declared
    assert {step.op for step in result.steps} == {"create"}
    assert result.outputs.keys() == demo.exports.keys()
    known = {name for name, output in result.outputs.items() if output.is_known}
    assert known == {"gateway_token"}
    assert result.outputs["gateway_token"].is_secret
