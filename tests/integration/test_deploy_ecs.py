"""What an instance is made with, through the embedded engine and provider, against a real local cloud."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pulumi
import pulumi_alicloud as alicloud
import pytest
from own_range import inner

from steelyard.deploy.provider.api import ECS, Api
from steelyard.errors import PutOffError
from steelyard.localcloud.faults.client import FaultClient
from steelyard.localcloud.faults.fault import Order

Program = Callable[[], None]
TYPE = "ecs.gn8is.2xlarge"


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


class TestInstanceParts:
    """Key pair, deployment set, disk and network interface of an instance, from their making to their end."""

    def parts(
        self,
        key_file: Path | None = None,
        *,
        key: str = "first",
        size: int = 100,
        set_name: str = "near",
        label: str = "one",
        attached: bool = True,
    ) -> Program:
        def program() -> None:
            net = alicloud.vpc.Network("net", cidr_block=inner("0.0/16"))
            switch = alicloud.vpc.Switch(
                "switch", vpc_id=net.id, cidr_block=inner("1.0/24"), zone_id="cn-hangzhou-h"
            )
            group = alicloud.ecs.SecurityGroup("group", security_group_name="parts", vpc_id=net.id)
            first = alicloud.ecs.EcsKeyPair(
                "first", key_pair_name="first", key_file=str(key_file) if key_file else None
            )
            second = alicloud.ecs.EcsKeyPair("second", key_pair_name="second", tags={"label": label})
            pairs = {"first": first, "second": second}
            near = alicloud.ecs.EcsDeploymentSet(
                "near", strategy="LowLatency", deployment_set_name=set_name, description=label
            )
            node = alicloud.ecs.Instance(
                "node",
                instance_type=TYPE,
                image_id="ubuntu_24_04_x64_20G_alibase_20260615.vhd",
                vswitch_id=switch.id,
                security_groups=[group.id],
                key_name=pairs[key].key_pair_name,
                deployment_set_id=near.id,
                network_interface_traffic_mode="HighPerformance",
                spot_strategy="SpotWithPriceLimit",
                spot_price_limit=99,
                spot_interruption_behavior="Stop",
                data_disks=[{"category": "cloud_essd", "size": 50, "encrypted": True}],
            )
            disk = alicloud.ecs.EcsDisk(
                "disk",
                zone_id="cn-hangzhou-h",
                category="cloud_essd",
                size=size,
                encrypted=True,
                disk_name=label,
                tags={"label": label},
            )
            card = alicloud.ecs.EcsNetworkInterface(
                "card",
                vswitch_id=switch.id,
                security_group_ids=[group.id],
                network_interface_name=label,
                tags={"label": label},
            )
            if attached:
                alicloud.ecs.EcsDiskAttachment("disk-of-node", disk_id=disk.id, instance_id=node.id)
                alicloud.ecs.EcsNetworkInterfaceAttachment(
                    "card-of-node", network_interface_id=card.id, instance_id=node.id
                )
            pulumi.export("node", node.id)
            pulumi.export("card", card.id)

        return program

    def instance(self, api: Api, instance_id: str) -> dict[str, Any]:
        answer = api.call(ECS, "DescribeInstances", {"InstanceIds": json.dumps([instance_id])})
        (row,) = answer["Instances"]["Instance"]
        return row

    def disks(self, api: Api, instance_id: str) -> list[tuple[str, int, bool]]:
        rows = api.call(ECS, "DescribeDisks", {"InstanceId": instance_id})["Disks"]["Disk"]
        return [(row["DiskName"], row["Size"], row["Encrypted"]) for row in rows if row["Type"] == "data"]

    def test_all_come_change_and_go(self, stack, provider, api, tmp_path):
        key_file = tmp_path / "key.pem"
        stack.up(self.parts(key_file), provider)

        assert "PRIVATE KEY" in key_file.read_text()
        assert key_file.stat().st_mode & 0o777 == 0o400
        node_id = stack.outputs()["node"].value
        node = self.instance(api, node_id)
        assert (node["KeyPairName"], node["SpotStrategy"]) == ("first", "SpotWithPriceLimit")
        assert (node["SpotPriceLimit"], node["SpotInterruptionBehavior"]) == (99, "Stop")
        assert len(node["NetworkInterfaces"]["NetworkInterface"]) == 2
        assert sorted(self.disks(api, node_id)) == [("", 50, True), ("one", 100, True)]
        sets = api.call(ECS, "DescribeDeploymentSets", {})["DeploymentSets"]["DeploymentSet"]
        assert [(row["DeploymentStrategy"], row["InstanceIds"]["InstanceId"]) for row in sets] == [
            ("LowLatency", [node_id])
        ]
        again = stack.up(self.parts(key_file), provider)
        assert {step.op for step in again.steps} == {"same"}

        changed = stack.up(
            self.parts(key_file, key="second", size=200, set_name="nearer", label="two"), provider
        )

        assert {step.op for step in changed.steps} == {"same", "update"}
        assert self.instance(api, node_id)["KeyPairName"] == "second"
        assert ("two", 200, True) in self.disks(api, node_id)
        (row,) = api.call(
            ECS, "DescribeNetworkInterfaces", {"NetworkInterfaceId": [stack.outputs()["card"].value]}
        )["NetworkInterfaceSets"]["NetworkInterfaceSet"]
        assert (row["NetworkInterfaceName"], row["Status"]) == ("two", "InUse")
        stack.up(self.parts(key_file, key="second", size=200, label="two", attached=False), provider)
        assert self.disks(api, node_id) == [("", 50, True)]

        stack.destroy(provider)

        assert api.call(ECS, "DescribeKeyPairs", {})["KeyPairs"]["KeyPair"] == []
        assert api.call(ECS, "DescribeDeploymentSets", {})["DeploymentSets"]["DeploymentSet"] == []
        assert api.call(ECS, "DescribeDisks", {})["Disks"]["Disk"] == []

    def test_a_key_pair_is_attached_to_instances_that_stand(self, stack, provider, api):
        def program() -> None:
            self.parts()()
            alicloud.ecs.EcsKeyPairAttachment(
                "attachment",
                key_pair_name="brought",
                instance_ids=[stack_node],
                opts=pulumi.ResourceOptions(depends_on=[brought()]),
            )

        def brought() -> alicloud.ecs.EcsKeyPair:
            return alicloud.ecs.EcsKeyPair("brought", key_pair_name="brought", public_key=PUBLIC_KEY)

        stack.up(self.parts(), provider)
        stack_node = stack.outputs()["node"].value
        stack.up(program, provider)
        assert self.instance(api, stack_node)["KeyPairName"] == "brought"
        stack.up(self.parts(), provider)
        assert self.instance(api, stack_node).get("KeyPairName") in (None, "")


def test_a_node_that_has_no_room_to_start_is_left_and_the_rest_is_done(stack, provider, info):
    def program(name: str) -> None:
        net = alicloud.vpc.Network("net", cidr_block=inner("0.0/16"))
        switch = alicloud.vpc.Switch(
            "switch", vpc_id=net.id, cidr_block=inner("2.0/24"), zone_id="cn-hangzhou-h"
        )
        group = alicloud.ecs.SecurityGroup("group", vpc_id=net.id)
        node = alicloud.ecs.Instance(
            "node",
            instance_type=TYPE,
            image_id="ubuntu_24_04_x64_20G_alibase_20260615.vhd",
            vswitch_id=switch.id,
            security_groups=[group.id],
            status="Running",
        )
        alicloud.ecs.EcsKeyPair("pair", key_pair_name="pair", tags={"node": node.id, "name": name})
        pulumi.export("name", name)

    stack.up(lambda: program("before"), provider)
    faults = FaultClient(info)
    fault = faults.make(Order(kind="zone", target="cn-hangzhou-h"))
    stack.refresh(provider)
    with pytest.raises(PutOffError, match=r"could not be started: .*OperationDenied\.NoStock"):
        stack.up(lambda: program("after"), provider)
    assert stack.outputs()["name"].value == "after"
    assert [step.name for step in stack.last_result.steps if step.op == "update"] == ["node", "pair"]

    faults.clear(fault.id)
    assert [step.name for step in stack.up(lambda: program("after"), provider).steps if step.diff] == ["node"]
    assert stack.refresh(provider).num_by_op.keys() == {"same"}
    stack.destroy(provider)


def test_nodes_of_other_zones_are_made_while_one_zone_has_no_room(stack, provider, info):
    def program() -> None:
        net = alicloud.vpc.Network("net", cidr_block=inner("0.0/16"))
        group = alicloud.ecs.SecurityGroup("group", vpc_id=net.id)
        nodes = []
        for place, zone in enumerate(("h", "i")):
            switch = alicloud.vpc.Switch(
                f"switch-{zone}",
                vpc_id=net.id,
                cidr_block=inner(f"{place}.0/24"),
                zone_id=f"cn-hangzhou-{zone}",
            )
            node = alicloud.ecs.Instance(
                f"node-{zone}",
                instance_type=TYPE,
                image_id="ubuntu_24_04_x64_20G_alibase_20260615.vhd",
                vswitch_id=switch.id,
                security_groups=[group.id],
            )
            alicloud.ecs.EcsKeyPair(f"pair-{zone}", key_pair_name=f"pair-{zone}", tags={"node": node.id})
            nodes.append(node)
        pulumi.export("nodes", [node.id for node in nodes])

    faults = FaultClient(info)
    fault = faults.make(Order(kind="zone", target="cn-hangzhou-i"))
    with pytest.raises(PutOffError, match=r"^node-i could not be made: .*NoStock.*with it: pair-i$"):
        stack.up(program, provider)
    made = {resource.name: resource.id for resource in stack.resources()}
    assert {"node-h", "pair-h"} <= made.keys()
    assert {"node-i", "pair-i"}.isdisjoint(made)
    assert stack.outputs()["nodes"].value == [made["node-h"]]

    faults.clear(fault.id)
    assert stack.up(program, provider).num_by_op == {"same": 6, "create": 2}
    assert len(stack.outputs()["nodes"].value) == 2
    stack.destroy(provider)


PUBLIC_KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIIDyCATjlmIpgCyhyqNpyywOAEx8SpjvUKJCHGJYxMYi me@home"


def test_types_are_found_in_the_zones_that_have_them(stack, provider):
    seen: dict[str, list[str]] = {}

    def program() -> None:
        found = alicloud.ecs.get_instance_types(instance_type=TYPE)
        seen.update({one.id: one.availability_zones for one in found.instance_types})

    stack.preview(program, provider)
    assert list(seen) == [TYPE]
    assert seen[TYPE] == sorted(seen[TYPE])
    assert "cn-hangzhou-h" in seen[TYPE]


def test_vswitches_are_found_by_tags_name_and_range(stack, provider):
    seen: dict[str, list[tuple[str, str]]] = {}

    def program() -> None:
        network = alicloud.vpc.Network("network", cidr_block="10.77.0.0/16")
        for i, zone in enumerate(("cn-hangzhou-h", "cn-hangzhou-i")):
            alicloud.vpc.Switch(
                f"switch-{i}",
                vswitch_name=f"found-{i}",
                vpc_id=network.id,
                zone_id=zone,
                cidr_block=f"10.77.{i}.0/24",
                tags={"found": "yes", "number": str(i)},
            )

    def lookup() -> None:
        program()
        for name, wanted in {
            "tag": {"tags": {"found": "yes"}},
            "both tags": {"tags": {"found": "yes", "number": "1"}},
            "no tag": {"tags": {"found": "no"}},
            "name": {"name_regex": "^found-1$"},
            "range": {"cidr_block": "10.77.0.0/24"},
            "zone": {"tags": {"found": "yes"}, "zone_id": "cn-hangzhou-h", "status": "Available"},
        }.items():
            found = alicloud.vpc.get_switches(**wanted).vswitches
            seen[name] = sorted((one.cidr_block, one.zone_id) for one in found)

    stack.up(program, provider)
    stack.preview(lookup, provider)
    first, second = ("10.77.0.0/24", "cn-hangzhou-h"), ("10.77.1.0/24", "cn-hangzhou-i")
    assert seen == {
        "tag": [first, second],
        "both tags": [second],
        "no tag": [],
        "name": [second],
        "range": [first],
        "zone": [first],
    }
