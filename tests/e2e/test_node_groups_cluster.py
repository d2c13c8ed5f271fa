"""A cluster of unlike groups, as a user brings it up: a head of its own, spot nodes near each other, disks, a key."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from alibabacloud_ecs20140526 import models as ecs
from alibabacloud_ecs20140526.client import Client as EcsClient
from alibabacloud_tea_openapi.utils_models import Config
from command_line import CommandLine

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]

GPU, CPU = "ecs.gn7i-c8g1.2xlarge", "ecs.c7.large"
KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIIDyCATjlmIpgCyhyqNpyywOAEx8SpjvUKJCHGJYxMYi me@home"
SPEC: dict[str, Any] = {
    "name": "groups",
    "node_groups": [
        {
            "name": "gpus",
            "count": 2,
            "instance_type": GPU,
            "spot": {"enabled": True, "max_price": 50},
            "placement": "low_latency",
            "data_disks": [{"size_gib": 200}],
        },
        {"name": "lead", "count": 1, "instance_type": CPU, "head": True},
    ],
    "access": {"public_key": KEY},
}


def client_of(steelyard: CommandLine) -> EcsClient:
    variables = steelyard.json("cloud", "env")
    return EcsClient(
        Config(
            access_key_id=variables["ALICLOUD_ACCESS_KEY"],
            access_key_secret=variables["ALICLOUD_SECRET_KEY"],
            endpoint=variables["ALIBABA_CLOUD_ENDPOINT_ECS"],
            protocol="http",
        )
    )


def instances(client: EcsClient) -> dict[str, Any]:
    found = client.describe_instances(ecs.DescribeInstancesRequest(region_id="cn-hangzhou")).body
    return {one.instance_name: one for one in found.instances.instance}


def test_groups_are_as_the_file_says_and_stay_where_they_are(steelyard: CommandLine) -> None:
    steelyard("cloud", "start")
    steelyard("cloud", "fault", "stock", GPU, "--zone", "cn-hangzhou-h")
    (steelyard.folder / "cluster.yaml").write_text(json.dumps(SPEC))
    nodes = steelyard.json("up", timeout_s=300)["nodes"]
    assert len(nodes) == 3

    client = client_of(steelyard)
    made = instances(client)
    lead, first, second = (made[f"groups-{name}"] for name in ("lead-0", "gpus-0", "gpus-1"))
    assert {one.zone_id for one in (first, second)} == {"cn-hangzhou-i"}  # h has none of their type
    assert lead.spot_strategy == "NoSpot"
    assert {(one.spot_strategy, one.spot_price_limit) for one in (first, second)} == {
        ("SpotWithPriceLimit", 50.0)
    }
    assert first.deployment_set_id == second.deployment_set_id != ""
    assert {one.key_pair_name for one in made.values()} == {"groups-nodes"}
    assert {one.metadata_options.http_tokens for one in made.values()} == {"required"}
    for node in (first, second):
        request = ecs.DescribeDisksRequest(region_id="cn-hangzhou", instance_id=node.instance_id)
        disks = client.describe_disks(request).body.disks.disk
        assert sorted((one.type, one.size, one.encrypted) for one in disks) == [
            ("data", 200, True),
            ("system", 100, True),
        ]

    steelyard("cloud", "fault", "stock", GPU, "--zone", "cn-hangzhou-i")
    assert set(steelyard.json("preview")["changes"]) == {"same"}
    job = steelyard.json("train", "--num-nodes", "2", str(write_job(steelyard)))
    assert {one["node_id"] for one in job["nodes"]} == {first.instance_id, second.instance_id}
    steelyard("down")


def write_job(steelyard: CommandLine) -> Path:
    path = steelyard.folder / "job" / "job.py"
    path.parent.mkdir()
    path.write_text("print('here')\n")
    return path
