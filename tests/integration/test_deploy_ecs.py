"""What an instance is made with, through the embedded engine and provider, against a real local cloud."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pulumi
import pulumi_alicloud as alicloud
import pytest

from steelyard.deploy import AlicloudProvider, Stack
from steelyard.deploy.engine.provider import Operation
from steelyard.deploy.provider.api import ECS, Api, ApiPool, Connection
from steelyard.localcloud.daemon import CloudInfo

Program = Callable[[], None]


@pytest.fixture
def stack(tmp_path: Path, provider: AlicloudProvider) -> Iterator[Stack]:
    stack = Stack(tmp_path, project="steelyard", name="ecs")
    yield stack
    stack.destroy(provider)


@pytest.fixture
def api(info: CloudInfo) -> Api:
    """Calls of the cloud, to see with other eyes than the provider's what it made."""
    connection = Connection(
        endpoint=info.endpoint,
        protocol="http",
        access_key_id=info.access_key_id,
        access_key_secret=info.access_key_secret,
        region_id=info.region_id,
        poll_s=0.1,
        timeout_s=30,
    )
    return ApiPool(connection).api(Operation(urn="test"))


class TestLaunchTemplate:
    def template(self, *, size: int = 60, moves: bool = False, team: str = "vision") -> Program:
        def program() -> None:
            made = alicloud.ecs.EcsLaunchTemplate(
                "template",
                launch_template_name="trainer",
                instance_type="ecs.gn7i-c8g1.2xlarge",
                http_tokens="required",
                security_group_ids=["sg-one"],
                system_disk={"category": "cloud_essd", "size": size, "encrypted": True},
                data_disks=[{"category": "cloud_essd", "size": 100, "encrypted": True}],
                spot_strategy="SpotAsPriceGo",
                tags={"role": "worker"},
                template_tags={"team": team},
                update_default_version_number=moves,
            )
            pulumi.export("latest", made.latest_version_number)
            pulumi.export("id", made.id)

        return program

    def versions(self, api: Api, template_id: str) -> list[dict[str, Any]]:
        params = {"LaunchTemplateId": template_id, "DetailFlag": True, "PageSize": 50}
        answer = api.call(ECS, "DescribeLaunchTemplateVersions", params)
        return answer["LaunchTemplateVersionSets"]["LaunchTemplateVersionSet"]

    def test_a_change_adds_a_version_and_moves_the_default_only_where_that_is_asked_for(
        self, stack, provider, api
    ):
        stack.up(self.template(), provider)
        template_id = stack.outputs()["id"].value
        again = stack.up(self.template(), provider)
        assert {step.op for step in again.steps if "EcsLaunchTemplate" in step.type} == {"same"}
        stack.up(self.template(size=80), provider)
        assert [row["DefaultVersion"] for row in self.versions(api, template_id)] == [True, False]

        stack.up(self.template(size=100, moves=True, team="speech"), provider)

        versions = self.versions(api, template_id)
        assert [row["DefaultVersion"] for row in versions] == [False, False, True]
        assert [row["LaunchTemplateData"]["SystemDisk"]["Size"] for row in versions] == [60, 80, 100]
        assert versions[2]["LaunchTemplateData"]["HttpTokens"] == "required"
        assert stack.outputs()["latest"].value == 3
        found = api.call(ECS, "DescribeLaunchTemplates", {"LaunchTemplateId": [template_id]})
        (row,) = found["LaunchTemplateSets"]["LaunchTemplateSet"]
        assert row["Tags"]["Tag"] == [{"TagKey": "team", "TagValue": "speech"}]

        stack.destroy(provider)
        found = api.call(ECS, "DescribeLaunchTemplates", {"LaunchTemplateId": [template_id]})
        assert found["LaunchTemplateSets"]["LaunchTemplateSet"] == []

    def test_the_oldest_version_makes_room_for_the_thirty_first(self, stack, provider, api):
        stack.up(self.template(), provider)
        template_id = stack.outputs()["id"].value
        for _ in range(29):
            api.call(ECS, "CreateLaunchTemplateVersion", {"LaunchTemplateId": template_id})

        stack.up(self.template(size=80), provider)

        numbers = [row["VersionNumber"] for row in self.versions(api, template_id)]
        assert numbers == [1, *range(3, 32)]
