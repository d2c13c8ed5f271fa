from __future__ import annotations

import json

import pytest
from recording_monitor import Recording, record

from steelyard.components.node_group import NodeGroup, NodeGroupArgs
from steelyard.components.program import declare
from steelyard.errors import UsageError
from steelyard.spec import ClusterSpec, DiskSpec

SETTING = {"classic": "slb:SetVServerGroupAttribute", "network": "nlb:UpdateServerGroupServersAttribute"}


def cluster(kind: str = "classic", weights: str = "measured") -> Recording:
    spec = ClusterSpec(name="demo", load_balancer={"kind": kind, "weights": weights})
    return record(lambda: declare(spec, "t0ken"))


def rights(recording: Recording) -> set[str]:
    document = json.loads(recording.the("ram/policy:Policy").inputs["policyDocument"])
    return {action for statement in document["Statement"] for action in statement["Action"]}


@pytest.mark.parametrize("kind", ["classic", "network"])
def test_measured_weights_are_left_alone_and_set_by_the_head(kind: str) -> None:
    recording = cluster(kind)
    attachments = recording.of_type(":ServerGroupServerAttachment")
    assert [(one.inputs["weight"], one.ignored) for one in attachments] == [(100, {"weight"})] * 2
    assert all(one.deletes_before_replace for one in attachments)
    head, worker = recording.of_type(":Instance")
    assert f"--server-group {kind}:demo-balancer-servers-id " in head.inputs["userData"]
    assert "--server-group" not in worker.inputs["userData"]
    assert recording.named("demo-balancer-servers").urn in head.dependencies
    assert SETTING[kind] in rights(recording)


@pytest.mark.parametrize("kind", ["classic", "network"])
def test_given_weights_are_the_file_s_and_nobody_may_set_them(kind: str) -> None:
    recording = cluster(kind, weights="given")
    assert not any(one.ignored for one in recording.of_type(":ServerGroupServerAttachment"))
    assert not any("--server-group" in one.inputs["userData"] for one in recording.of_type(":Instance"))
    assert SETTING[kind] not in rights(recording)


def test_measured_and_given_differ_in_nothing_else() -> None:
    measured, given = cluster(), cluster(weights="given")
    assert measured.shape().keys() == given.shape().keys()
    differing = {
        urn.rsplit("::", 1)[-1] for urn, one in measured.shape().items() if one[1] != given.shape()[urn][1]
    }
    assert differing == {"demo-workers-node-0", "demo-role-policy"}


def test_the_nodes_of_an_application_load_balancer_cannot_know_its_server_group() -> None:
    args = NodeGroupArgs(
        cluster="demo",
        group="workers",
        count=1,
        instance_type="ecs.gn6i-c4g1.xlarge",
        image_id="m-1",
        disk=DiskSpec(),
        weight=100,
        vswitch_ids=("vsw-a",),
        security_group_id="sg-1",
        server_group_id="",
        gateway_port=8000,
        token="t0ken",
        balancer_kind="application",
        follows_speed=True,
    )
    with pytest.raises(UsageError, match="made after the nodes") as caught:
        record(lambda: NodeGroup("demo-workers", args))
    assert "`classic` or `network`" in caught.value.hint
