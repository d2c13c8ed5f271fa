"""What stands beside application load balancers: lists, templates, tags and resource groups; by the vendor's SDK."""

from __future__ import annotations

import pytest
from alibabacloud_alb20200616 import models
from contract_application import forward_to, when
from contract_sdk import refused


class TestAcl:
    def test_is_listed_with_its_ranges_renamed_and_deleted(self, application, alb_client):
        acl_id = application.acl("10.0.0.0/8", "192.168.1.1/32")
        request = models.ListAclEntriesRequest(acl_id=acl_id)
        entries = alb_client.list_acl_entries(request).body.acl_entries
        assert [one.entry for one in entries] == ["10.0.0.0/8", "192.168.1.1/32"]
        removal = models.RemoveEntriesFromAclRequest(acl_id=acl_id, entries=["10.0.0.0/8"])
        alb_client.remove_entries_from_acl(removal)
        application.wait_acl(acl_id)
        with refused("ResourceNotFound.AclEntry", 404):
            alb_client.remove_entries_from_acl(removal)
        with refused("ResourceAlreadyExist.AclEntry"):
            application.add_ranges(acl_id, "192.168.1.1/32")
        with refused("InvalidParameter", text="IPv4"):
            application.add_ranges(acl_id, "everybody")
        alb_client.update_acl_attribute(models.UpdateAclAttributeRequest(acl_id=acl_id, acl_name="others"))
        application.wait_acl(acl_id)
        found = alb_client.list_acls(models.ListAclsRequest(acl_names=["others"])).body.acls
        assert [one.acl_id for one in found] == [acl_id]
        application.wait_job(alb_client.delete_acl(models.DeleteAclRequest(acl_id=acl_id)).body.job_id)
        with refused("ResourceNotFound.Acl", 404):
            alb_client.delete_acl(models.DeleteAclRequest(acl_id=acl_id))

    def test_belongs_to_listeners_of_one_type(self, application, alb_client):
        listener_id = application.listen(application.balance(), application.group())
        acl_id, other = application.acl("10.0.0.0/8"), application.acl()

        def associate(acl_id, acl_type="White"):
            job_id = alb_client.associate_acls_with_listener(
                models.AssociateAclsWithListenerRequest(
                    listener_id=listener_id, acl_ids=[acl_id], acl_type=acl_type
                )
            ).body.job_id
            application.wait_job(job_id)

        associate(acl_id)
        config = application.describe_listener(listener_id).acl_config
        assert (config.acl_type, [one.acl_id for one in config.acl_relations]) == ("White", [acl_id])
        relations = alb_client.list_acl_relations(models.ListAclRelationsRequest(acl_ids=[acl_id])).body
        assert relations.acl_relations[0].related_listeners[0].listener_id == listener_id
        for arguments, code in (
            ((acl_id,), "ResourceAlreadyAssociated.Acl"),
            ((other, "Black"), "InvalidParameter"),
        ):
            with refused(code):
                associate(*arguments)
        with refused("ResourceInUse.Acl"):
            alb_client.delete_acl(models.DeleteAclRequest(acl_id=acl_id))
        dissociation = models.DissociateAclsFromListenerRequest(listener_id=listener_id, acl_ids=[acl_id])
        application.wait_job(alb_client.dissociate_acls_from_listener(dissociation).body.job_id)
        assert not application.describe_listener(listener_id).acl_config.acl_relations
        with refused("ResourceNotFound.Acl", 404):
            alb_client.dissociate_acls_from_listener(dissociation)


class TestHealthCheckTemplate:
    def test_gives_its_settings_to_a_server_group(self, application, alb_client):
        request = models.CreateHealthCheckTemplateRequest(
            health_check_template_name="pages", health_check_path="/healthz", health_check_interval=7
        )
        template_id = alb_client.create_health_check_template(request).body.health_check_template_id
        named = {"health_check_template_id": template_id}
        found = alb_client.get_health_check_template_attribute(
            models.GetHealthCheckTemplateAttributeRequest(**named)
        ).body
        assert (found.health_check_template_name, found.health_check_path) == ("pages", "/healthz")
        alb_client.update_health_check_template_attribute(
            models.UpdateHealthCheckTemplateAttributeRequest(**named, health_check_timeout=9)
        )
        group_id = application.group()
        alb_client.apply_health_check_template_to_server_group(
            models.ApplyHealthCheckTemplateToServerGroupRequest(**named, server_group_id=group_id)
        )
        check = application.find_group(group_id).health_check_config
        assert (check.health_check_path, check.health_check_interval) == ("/healthz", 7)
        assert (check.health_check_timeout, check.health_check_enabled) == (9, True)
        listed = alb_client.list_health_check_templates(
            models.ListHealthCheckTemplatesRequest(health_check_template_names=["pages"])
        ).body
        assert listed.total_count == 1
        removal = models.DeleteHealthCheckTemplatesRequest(health_check_template_ids=[template_id])
        alb_client.delete_health_check_templates(removal)
        with refused("ResourceNotFound.HealthCheckTemplate", 404):
            alb_client.delete_health_check_templates(removal)


class TestTags:
    @pytest.mark.parametrize("kind", ["loadbalancer", "servergroup", "listener", "rule", "acl"])
    def test_are_set_listed_and_removed(self, application, alb_client, kind):
        group_id = application.group()
        made = {"servergroup": group_id}
        if kind == "acl":
            made["acl"] = application.acl()
        elif kind != "servergroup":
            made["loadbalancer"] = application.balance()
            made["listener"] = application.listen(made["loadbalancer"], group_id)
            made["rule"] = application.rule(made["listener"], 1, [when("Path", "/a")], [forward_to(group_id)])
        names = {"resource_type": kind, "resource_id": [made[kind]]}
        tags = [models.TagResourcesRequestTag(key=key, value="1") for key in ("a", "b")]
        alb_client.tag_resources(models.TagResourcesRequest(**names, tag=tags))
        alb_client.un_tag_resources(models.UnTagResourcesRequest(**names, tag_key=["a"]))
        listed = alb_client.list_tag_resources(models.ListTagResourcesRequest(**names)).body.tag_resources
        assert [(tag.resource_id, tag.tag_key, tag.tag_value) for tag in listed] == [(made[kind], "b", "1")]

    def test_are_listed_by_keys_and_by_values(self, application, alb_client):
        first, second = application.group(), application.group()
        for group_id, value in ((first, "red"), (second, "blue")):
            tags = [
                models.TagResourcesRequestTag(key=key, value=value)
                for key in ("paint-of-test", "other-of-test")
            ]
            alb_client.tag_resources(
                models.TagResourcesRequest(resource_type="servergroup", resource_id=[group_id], tag=tags)
            )
        wanted = {"resource_type": "servergroup", "keyword": "-of-test"}
        listed = alb_client.list_tag_keys(models.ListTagKeysRequest(**wanted)).body
        assert [(one.tag_key, one.category) for one in listed.tag_keys] == [
            ("other-of-test", "Custom"),
            ("paint-of-test", "Custom"),
        ]
        assert (
            alb_client.list_tag_keys(models.ListTagKeysRequest(**wanted, category="System")).body.tag_keys
            == []
        )
        wanted = {"resource_type": "servergroup", "tag_key": "paint-of-test"}
        listed = alb_client.list_tag_values(models.ListTagValuesRequest(**wanted)).body
        assert (listed.tag_values, listed.total_count) == (["blue", "red"], 2)
        listed = alb_client.list_tag_values(models.ListTagValuesRequest(**wanted, resource_id=first)).body
        assert listed.tag_values == ["red"]
        with refused("InvalidParameter", text="ResourceType"):
            alb_client.list_tag_keys(models.ListTagKeysRequest(resource_type="planet"))


class TestResourceGroups:
    def move(self, alb_client, kind, resource_id):
        alb_client.move_resource_group(
            models.MoveResourceGroupRequest(
                resource_type=kind, resource_id=resource_id, new_resource_group_id="rg-new"
            )
        )

    def test_take_load_balancers_server_groups_and_lists(self, application, alb_client):
        balancer_id, group_id, acl_id = application.balance(), application.group(), application.acl()
        for kind, one in (("loadbalancer", balancer_id), ("servergroup", group_id), ("acl", acl_id)):
            self.move(alb_client, kind, one)
        assert application.describe(balancer_id).resource_group_id == "rg-new"
        assert application.find_group(group_id).resource_group_id == "rg-new"
        listed = alb_client.list_acls(models.ListAclsRequest(acl_ids=[acl_id])).body.acls
        assert [one.resource_group_id for one in listed] == ["rg-new"]

    def test_take_nothing_else_and_nothing_that_is_not_there(self, alb_client):
        with refused("InvalidParameter", text="ResourceType"):
            self.move(alb_client, "rule", "rule-1")
        with refused("ResourceNotFound.Resource alb-none", 404):
            self.move(alb_client, "loadbalancer", "alb-none")
