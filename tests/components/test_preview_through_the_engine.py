from __future__ import annotations

from collections import Counter
from pathlib import Path

from provider_without_cloud import ProviderWithoutCloud
from recording_monitor import Recording

from steelyard.components.program import declare
from steelyard.deploy import Stack
from steelyard.spec import ClusterSpec

TOKEN = "f" * 64


def test_the_embedded_engine_previews_what_the_program_declares(tmp_path: Path, demo: Recording) -> None:
    stack = Stack(directory=tmp_path / "state", project="steelyard", name="demo")
    result = stack.preview(lambda: declare(ClusterSpec(name="demo"), TOKEN), ProviderWithoutCloud())

    declared = Counter(one.type for one in demo.resources.values() if one.type != "pulumi:pulumi:Stack")
    assert Counter(step.type for step in result.steps) == declared
    assert {step.op for step in result.steps} == {"create"}
    assert result.outputs.keys() == demo.exports.keys()
    known = {name for name, output in result.outputs.items() if output.is_known}
    assert known == {"gateway_token"}
    assert result.outputs["gateway_token"].is_secret
