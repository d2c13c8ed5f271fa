"""How instances come into security groups and resource groups, and tags by the older actions; by the vendor's SDK."""

from __future__ import annotations

from alibabacloud_ecs20140526 import models
from contract_fleet import REGION
from contract_sdk import refused


def make_group(fleet, **settings: object) -> str:
    request = models.CreateSecurityGroupRequest(region_id=REGION, vpc_id=fleet.vpc_id, **settings)
    return fleet.ecs_client.create_security_group(request).body.security_group_id


def groups_of(fleet, instance_id: str) -> list[str]:
    return fleet.instance(instance_id).security_group_ids.security_group_id


def join(fleet, group_id: str, **member: object) -> None:
    fleet.ecs_client.join_security_group(
        models.JoinSecurityGroupRequest(region_id=REGION, security_group_id=group_id, **member)
    )


def leave(fleet, group_id: str, **member: object) -> None:
    fleet.ecs_client.leave_security_group(
        models.LeaveSecurityGroupRequest(region_id=REGION, security_group_id=group_id, **member)
    )


def make_interface(fleet) -> str:
    return fleet.ecs_client.create_network_interface(
        models.CreateNetworkInterfaceRequest(
            region_id=REGION, v_switch_id=fleet.vswitch_id, security_group_id=fleet.group_id
        )
    ).body.network_interface_id


def find_interface(fleet, interface_id: str):
    return fleet.ecs_client.describe_network_interface_attribute(
        models.DescribeNetworkInterfaceAttributeRequest(region_id=REGION, network_interface_id=interface_id)
    ).body


def delete_interface(fleet, interface_id: str) -> None:
    fleet.ecs_client.delete_network_interface(
        models.DeleteNetworkInterfaceRequest(region_id=REGION, network_interface_id=interface_id)
    )


class TestSecurityGroups:
    def test_an_instance_joins_one_and_leaves_it(self, fleet):
        (instance_id,) = fleet.run()
        other = make_group(fleet)
        join(fleet, other, instance_id=instance_id)
        assert groups_of(fleet, instance_id) == [fleet.group_id, other]
        with refused("InvalidInstanceId.AlreadyExists"):
            join(fleet, other, instance_id=instance_id)
        with refused("DependencyViolation", 403):
            fleet.ecs_client.delete_security_group(
                models.DeleteSecurityGroupRequest(region_id=REGION, security_group_id=other)
            )
        leave(fleet, other, instance_id=instance_id)
        assert groups_of(fleet, instance_id) == [fleet.group_id]
        with refused("InstanceNotInSecurityGroup", 403):
            leave(fleet, other, instance_id=instance_id)
        with refused("InstanceLastSecurityGroup", 403):
            leave(fleet, fleet.group_id, instance_id=instance_id)

    def test_is_found_in_its_own_region_alone(self, fleet):
        with refused("InvalidSecurityGroupId.NotFound", 404):
            fleet.ecs_client.delete_security_group(
                models.DeleteSecurityGroupRequest(region_id="cn-beijing", security_group_id=fleet.group_id)
            )

    def test_what_is_made_or_changed_is_in_at_most_five_of_one_type(self, fleet):
        (instance_id,) = fleet.run()
        six = [make_group(fleet) for _ in range(6)]
        mixed = [fleet.group_id, make_group(fleet, security_group_type="enterprise")]
        for group_ids, code in (
            (six, "InstanceSecurityGroupLimitExceeded"),
            (mixed, "InvalidOperation.MultiGroupType"),
        ):
            with refused(code, 403):
                fleet.run(status="", security_group_id=None, security_group_ids=group_ids)
            with refused(code, 403):
                fleet.ecs_client.modify_instance_attribute(
                    models.ModifyInstanceAttributeRequest(
                        instance_id=instance_id, security_group_ids=group_ids
                    )
                )
            with refused(code, 403):
                fleet.ecs_client.create_network_interface(
                    models.CreateNetworkInterfaceRequest(
                        region_id=REGION, v_switch_id=fleet.vswitch_id, security_group_ids=group_ids
                    )
                )

    def test_it_is_in_at_most_five_of_one_type_and_of_its_vpc(self, fleet, make_vpc):
        (instance_id,) = fleet.run()
        strange = fleet.ecs_client.create_security_group(
            models.CreateSecurityGroupRequest(region_id=REGION, vpc_id=make_vpc("10.80.0.0/16"))
        ).body.security_group_id
        with refused("InvalidParameter.Mismatch"):
            join(fleet, strange, instance_id=instance_id)
        fleet.ecs_client.delete_security_group(
            models.DeleteSecurityGroupRequest(region_id=REGION, security_group_id=strange)
        )
        with refused("InvalidOperation.MultiGroupType", 403):
            join(fleet, make_group(fleet, security_group_type="enterprise"), instance_id=instance_id)
        for _ in range(4):
            join(fleet, make_group(fleet), instance_id=instance_id)
        with refused("InstanceSecurityGroupLimitExceeded", 403):
            join(fleet, make_group(fleet), instance_id=instance_id)

    def test_a_network_interface_joins_one_and_an_instances_own_is_the_instance(self, fleet):
        (instance_id,) = fleet.run()
        other, interface_id = make_group(fleet), make_interface(fleet)
        join(fleet, other, network_interface_id=interface_id)
        assert find_interface(fleet, interface_id).security_group_ids.security_group_id == [
            fleet.group_id,
            other,
        ]
        (primary,) = fleet.instance(instance_id).network_interfaces.network_interface
        join(fleet, other, network_interface_id=primary.network_interface_id)
        assert groups_of(fleet, instance_id) == [fleet.group_id, other]
        leave(fleet, other, network_interface_id=interface_id)
        delete_interface(fleet, interface_id)

    def test_what_is_not_there_is_refused(self, fleet):
        (instance_id,) = fleet.run()
        with refused("InvalidSecurityGroupId.NotFound", 404):
            join(fleet, "sg-nowhere", instance_id=instance_id)
        with refused("InvalidInstanceId.NotFound", 404):
            join(fleet, fleet.group_id, instance_id="i-nowhere")
        with refused("InvalidEniId.NotFound", 404):
            join(fleet, fleet.group_id, network_interface_id="eni-nowhere")
        with refused("MissingParameter", text="InstanceId"):
            join(fleet, fleet.group_id)

    def test_those_whose_rules_name_a_group_are_told(self, fleet):
        naming = make_group(fleet)
        fleet.ecs_client.authorize_security_group(
            models.AuthorizeSecurityGroupRequest(
                region_id=REGION,
                security_group_id=naming,
                ip_protocol="TCP",
                port_range="22/22",
                source_group_id=fleet.group_id,
            )
        )
        request = models.DescribeSecurityGroupReferencesRequest(
            region_id=REGION, security_group_id=[fleet.group_id, naming]
        )
        (row,) = fleet.ecs_client.describe_security_group_references(
            request
        ).body.security_group_references.security_group_reference
        assert row.security_group_id == fleet.group_id
        assert [
            one.security_group_id for one in row.referencing_security_groups.referencing_security_group
        ] == [naming]
        request.security_group_id = ["sg-nowhere"]
        with refused("InvalidSecurityGroupId.NotFound", 404):
            fleet.ecs_client.describe_security_group_references(request)
        fleet.ecs_client.revoke_security_group(
            models.RevokeSecurityGroupRequest(
                region_id=REGION,
                security_group_id=naming,
                ip_protocol="TCP",
                port_range="22/22",
                source_group_id=fleet.group_id,
            )
        )


class TestResourceGroups:
    def move(self, fleet, kind: str, resource_id: str) -> None:
        fleet.ecs_client.join_resource_group(
            models.JoinResourceGroupRequest(
                region_id=REGION, resource_type=kind, resource_id=resource_id, resource_group_id="rg-new"
            )
        )

    def test_each_sort_of_resource_moves(self, fleet):
        (instance_id,) = fleet.run()
        interface_id = make_interface(fleet)
        fleet.ecs_client.create_key_pair(
            models.CreateKeyPairRequest(region_id=REGION, key_pair_name="moved-pair")
        )
        (disk,) = fleet.ecs_client.describe_disks(
            models.DescribeDisksRequest(region_id=REGION, instance_id=instance_id)
        ).body.disks.disk
        named = {
            "instance": instance_id,
            "disk": disk.disk_id,
            "securitygroup": fleet.group_id,
            "eni": interface_id,
            "keypair": "moved-pair",
        }
        for kind, resource_id in named.items():
            self.move(fleet, kind, resource_id)

        assert fleet.instance(instance_id).resource_group_id == "rg-new"
        assert find_interface(fleet, interface_id).resource_group_id == "rg-new"
        (pair,) = fleet.ecs_client.describe_key_pairs(
            models.DescribeKeyPairsRequest(region_id=REGION, resource_group_id="rg-new")
        ).body.key_pairs.key_pair
        assert pair.key_pair_name == "moved-pair"
        (group,) = fleet.ecs_client.describe_security_groups(
            models.DescribeSecurityGroupsRequest(region_id=REGION, resource_group_id="rg-new")
        ).body.security_groups.security_group
        assert group.security_group_id == fleet.group_id
        (found,) = fleet.ecs_client.describe_disks(
            models.DescribeDisksRequest(region_id=REGION, resource_group_id="rg-new")
        ).body.disks.disk
        assert found.disk_id == disk.disk_id
        delete_interface(fleet, interface_id)
        fleet.ecs_client.delete_key_pairs(
            models.DeleteKeyPairsRequest(region_id=REGION, key_pair_names='["moved-pair"]')
        )

    def test_what_is_not_there_does_not(self, fleet):
        with refused("InvalidResourceId.NotFound", 404):
            self.move(fleet, "instance", "i-nowhere")
        with refused("InvalidResourceType.ValueNotSupported"):
            self.move(fleet, "ddh", "dh-1")


class TestOlderTags:
    def describe(self, fleet, **filters: object):
        request = models.DescribeTagsRequest(region_id=REGION, **filters)
        return fleet.ecs_client.describe_tags(request).body.tags.tag

    def test_they_are_the_ones_of_the_newer_actions(self, fleet):
        (instance_id,) = fleet.run()
        interface_id = make_interface(fleet)
        for kind, resource_id in (("instance", instance_id), ("eni", interface_id)):
            fleet.ecs_client.add_tags(
                models.AddTagsRequest(
                    region_id=REGION,
                    resource_type=kind,
                    resource_id=resource_id,
                    tag=[
                        models.AddTagsRequestTag(key="older", value="yes"),
                        models.AddTagsRequestTag(key="other", value=kind),
                    ],
                )
            )
        tags = {tag.tag_key: tag.tag_value for tag in fleet.instance(instance_id).tags.tag}
        assert tags == {"older": "yes", "other": "instance"}

        (told,) = self.describe(fleet, tag=[models.DescribeTagsRequestTag(key="older", value="yes")])
        counted = told.resource_type_count
        assert (counted.instance, counted.eni, counted.disk) == (1, 1, None)
        found = self.describe(fleet, resource_type="eni", resource_id=interface_id)
        assert {(tag.tag_key, tag.tag_value) for tag in found} == {("older", "yes"), ("other", "eni")}

        fleet.ecs_client.remove_tags(
            models.RemoveTagsRequest(
                region_id=REGION,
                resource_type="instance",
                resource_id=instance_id,
                tag=[models.RemoveTagsRequestTag(key="older")],
            )
        )
        assert [tag.tag_key for tag in fleet.instance(instance_id).tags.tag] == ["other"]
        fleet.ecs_client.remove_tags(
            models.RemoveTagsRequest(region_id=REGION, resource_type="instance", resource_id=instance_id)
        )
        assert fleet.instance(instance_id).tags.tag == []
        delete_interface(fleet, interface_id)

    def test_of_what_is_not_there_are_refused(self, fleet):
        tag = [models.AddTagsRequestTag(key="a", value="b")]
        add = fleet.ecs_client.add_tags
        with refused("InvalidResourceId.NotFound", 404):
            add(models.AddTagsRequest(region_id=REGION, resource_type="disk", resource_id="d-1", tag=tag))
        with refused("InvalidResourceType.NotFound", 404):
            add(models.AddTagsRequest(region_id=REGION, resource_type="ddh", resource_id="dh-1", tag=tag))
        with refused("InvalidResourceType.NotFound", 404):
            self.describe(fleet, resource_type="ddh")
