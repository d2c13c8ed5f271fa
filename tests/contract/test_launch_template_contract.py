from __future__ import annotations

from collections.abc import Callable

import pytest
from alibabacloud_ecs20140526 import models
from alibabacloud_ecs20140526.client import Client as EcsClient
from contract_fleet import IMAGE, REGION, TYPE, Fleet, encoded
from contract_sdk import call_generic, refused


@pytest.fixture
def make_template(ecs_client: EcsClient) -> Callable[..., str]:
    """Create launch templates, and delete them afterwards."""
    made: list[str] = []

    def make(name: str, **settings: object) -> str:
        request = models.CreateLaunchTemplateRequest(region_id=REGION, launch_template_name=name, **settings)
        made.append(ecs_client.create_launch_template(request).body.launch_template_id)
        return made[-1]

    yield make
    left = {template.launch_template_id for template in templates(ecs_client)}
    for template_id in left.intersection(made):
        ecs_client.delete_launch_template(
            models.DeleteLaunchTemplateRequest(region_id=REGION, launch_template_id=template_id)
        )


def templates(client: EcsClient, **filters: object):
    request = models.DescribeLaunchTemplatesRequest(region_id=REGION, page_size=50, **filters)
    return client.describe_launch_templates(request).body.launch_template_sets.launch_template_set


def versions(client: EcsClient, template_id: str, **filters: object):
    request = models.DescribeLaunchTemplateVersionsRequest(
        region_id=REGION, launch_template_id=template_id, **filters
    )
    body = client.describe_launch_template_versions(request).body
    return body.launch_template_version_sets.launch_template_version_set


def add_version(client: EcsClient, template_id: str, **settings: object) -> int:
    request = models.CreateLaunchTemplateVersionRequest(
        region_id=REGION, launch_template_id=template_id, **settings
    )
    return client.create_launch_template_version(request).body.launch_template_version_number


class TestOlderClients:
    def test_read_the_system_disk_by_names_of_their_own(self, local_cloud, make_template):
        # The vendor's Terraform provider reads these, which the vendor's newer packages do not declare.
        disk = models.CreateLaunchTemplateRequestSystemDisk(category="cloud_essd", size=40, disk_name="root")
        template_id = make_template("older", system_disk=disk)
        answer = call_generic(
            local_cloud,
            "DescribeLaunchTemplateVersions",
            {"RegionId": REGION, "LaunchTemplateId": template_id},
            version="2014-05-26",
        )
        (version,) = answer["LaunchTemplateVersionSets"]["LaunchTemplateVersionSet"]
        data = version["LaunchTemplateData"]
        told = {name: data[f"SystemDisk.{name}"] for name in ("Category", "Size", "DiskName")}
        assert told == {"Category": "cloud_essd", "Size": 40, "DiskName": "root"} == data["SystemDisk"]


class TestKeeping:
    def test_what_was_kept_is_told_again_whole(self, ecs_client, make_template):
        template_id = make_template(
            "trainer",
            image_id=IMAGE,
            instance_type=TYPE,
            http_tokens="required",
            security_group_ids=["sg-a", "sg-b"],
            user_data=encoded("#!/bin/bash\n"),
            version_description="the first",
            system_disk=models.CreateLaunchTemplateRequestSystemDisk(category="cloud_essd", size=60),
            data_disk=[models.CreateLaunchTemplateRequestDataDisk(size=100, encrypted="true")],
            tag=[models.CreateLaunchTemplateRequestTag(key="role", value="worker")],
            template_tag=[models.CreateLaunchTemplateRequestTemplateTag(key="team", value="vision")],
        )

        (template,) = templates(ecs_client, launch_template_id=[template_id])
        (version,) = versions(ecs_client, template_id)

        assert (template.launch_template_name, template.default_version_number) == ("trainer", 1)
        assert [(tag.tag_key, tag.tag_value) for tag in template.tags.tag] == [("team", "vision")]
        assert (version.version_number, version.default_version) == (1, True)
        assert version.version_description == "the first"
        data = version.launch_template_data
        assert (data.image_id, data.instance_type, data.http_tokens) == (IMAGE, TYPE, "required")
        assert data.security_group_ids.security_group_id == ["sg-a", "sg-b"]
        assert (data.system_disk.category, data.system_disk.size) == ("cloud_essd", 60)
        assert [(disk.size, disk.encrypted) for disk in data.data_disks.data_disk] == [(100, "true")]
        assert [(tag.key, tag.value) for tag in data.tags.instance_tag] == [("role", "worker")]

    def test_versions_are_numbered_and_one_of_them_is_the_default(self, ecs_client, make_template):
        template_id = make_template("trainer", instance_type=TYPE)
        assert add_version(ecs_client, template_id, instance_type="ecs.g7.large") == 2

        ecs_client.modify_launch_template_default_version(
            models.ModifyLaunchTemplateDefaultVersionRequest(
                region_id=REGION, launch_template_id=template_id, default_version_number=2
            )
        )

        (template,) = templates(ecs_client, launch_template_name=["trainer"])
        assert (template.default_version_number, template.latest_version_number) == (2, 2)
        (default,) = versions(ecs_client, template_id, default_version=True)
        assert default.launch_template_data.instance_type == "ecs.g7.large"
        numbers = [one.version_number for one in versions(ecs_client, template_id, max_version=1)]
        assert numbers == [1]
        (bare,) = versions(ecs_client, template_id, launch_template_version=[1], detail_flag=False)
        assert bare.launch_template_data is None or bare.launch_template_data.instance_type is None

    def test_a_number_is_never_given_twice(self, ecs_client, make_template):
        template_id = make_template("trainer")
        add_version(ecs_client, template_id)
        delete = models.DeleteLaunchTemplateVersionRequest(
            region_id=REGION, launch_template_id=template_id, delete_version=[2]
        )
        ecs_client.delete_launch_template_version(delete)
        assert add_version(ecs_client, template_id) == 3

    def test_it_holds_thirty_versions(self, ecs_client, make_template):
        template_id = make_template("trainer")
        for _ in range(29):
            add_version(ecs_client, template_id)
        with refused("LaunchTemplateVersionLimitExceed", 403):
            add_version(ecs_client, template_id)


class TestRefusals:
    def test_a_name_is_taken_once(self, ecs_client, make_template):
        make_template("trainer")
        with refused("LaunchTemplateName.Duplicated", 403, "trainer"):
            make_template("trainer")

    def test_a_name_has_its_form(self, make_template):
        with refused("InvalidLaunchTemplateName.Malformed"):
            make_template("x")

    def test_user_data_is_base64(self, make_template):
        with refused("InvalidUserData.Base64FormatInvalid"):
            make_template("trainer", user_data="#!/bin/bash")

    def test_the_default_version_stays(self, ecs_client, make_template):
        template_id = make_template("trainer")
        with refused("InvalidLaunchTemplateVersion.DefaultVersion", 403):
            ecs_client.delete_launch_template_version(
                models.DeleteLaunchTemplateVersionRequest(
                    region_id=REGION, launch_template_id=template_id, delete_version=[1]
                )
            )

    def test_what_is_not_there(self, ecs_client, make_template):
        with refused("InvalidLaunchTemplate.NotFound", 404):
            versions(ecs_client, "lt-none")
        template_id = make_template("trainer")
        with refused("InvalidLaunchTemplateVersion.NotFound", 404):
            ecs_client.modify_launch_template_default_version(
                models.ModifyLaunchTemplateDefaultVersionRequest(
                    region_id=REGION, launch_template_id=template_id, default_version_number=7
                )
            )


class TestInstances:
    def test_instances_are_made_by_a_template_under_the_calls_own_parameters(
        self, fleet: Fleet, make_template
    ):
        template_id = make_template(
            "trainer",
            image_id=IMAGE,
            instance_type=TYPE,
            security_group_id=fleet.group_id,
            v_switch_id=fleet.vswitch_id,
            http_tokens="required",
            instance_name="from-template",
            system_disk=models.CreateLaunchTemplateRequestSystemDisk(category="cloud_auto", size=60),
            tag=[models.CreateLaunchTemplateRequestTag(key="role", value="worker")],
        )
        request = models.RunInstancesRequest(
            region_id=REGION,
            launch_template_id=template_id,
            instance_name="own-name",
            system_disk=models.RunInstancesRequestSystemDisk(size="80"),
        )
        (instance_id,) = fleet.ecs_client.run_instances(request).body.instance_id_sets.instance_id_set
        fleet.instance_ids.append(instance_id)

        instance = fleet.instance(instance_id)
        assert (instance.instance_name, instance.instance_type) == ("own-name", TYPE)
        assert instance.metadata_options.http_tokens == "required"
        assert [(tag.tag_key, tag.tag_value) for tag in instance.tags.tag] == [("role", "worker")]
        disks = fleet.ecs_client.describe_disks(
            models.DescribeDisksRequest(region_id=REGION, instance_id=instance_id)
        ).body.disks.disk
        assert [(disk.category, disk.size) for disk in disks] == [("cloud_auto", 80)]

    def test_a_version_is_taken_by_its_number_and_checked_only_now(self, fleet: Fleet, make_template):
        template_id = make_template("trainer", instance_type="ecs.no-such.large", image_id=IMAGE)
        request = models.RunInstancesRequest(
            region_id=REGION,
            launch_template_name="trainer",
            security_group_id=fleet.group_id,
            v_switch_id=fleet.vswitch_id,
        )
        with refused("InvalidInstanceType.ValueNotSupported", 403):
            fleet.ecs_client.run_instances(request)
        with refused("InvalidLaunchTemplateVersion.NotFound", 404):
            request.launch_template_version = 9
            fleet.ecs_client.run_instances(request)
        add_version(fleet.ecs_client, template_id, instance_type=TYPE, image_id=IMAGE)
        request.launch_template_version = 2
        made = fleet.ecs_client.run_instances(request).body.instance_id_sets.instance_id_set
        fleet.instance_ids += made
        assert fleet.instance(made[0]).instance_type == TYPE
