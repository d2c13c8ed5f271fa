from __future__ import annotations

import json
from collections.abc import Iterator

import pytest
from alibabacloud_ram20150501 import models
from contract_sdk import refused

TRUST = json.dumps(
    {
        "Version": "1",
        "Statement": [
            {"Action": "sts:AssumeRole", "Effect": "Allow", "Principal": {"Service": ["ecs.aliyuncs.com"]}}
        ],
    }
)
POLICY = json.dumps(
    {"Version": "1", "Statement": [{"Action": ["oss:Get*"], "Effect": "Allow", "Resource": ["*"]}]}
)


@pytest.fixture
def role(ram_client) -> Iterator[str]:
    name = "node-role"
    ram_client.create_role(
        models.CreateRoleRequest(role_name=name, assume_role_policy_document=TRUST, description="nodes")
    )
    yield name
    attached = ram_client.list_policies_for_role(models.ListPoliciesForRoleRequest(role_name=name)).body
    for policy in attached.policies.policy:
        detach(ram_client, name, policy.policy_name, policy.policy_type)
    ram_client.delete_role(models.DeleteRoleRequest(role_name=name))


@pytest.fixture
def policy(ram_client) -> Iterator[str]:
    name = "read-checkpoints"
    ram_client.create_policy(
        models.CreatePolicyRequest(policy_name=name, policy_document=POLICY, description="d")
    )
    yield name
    ram_client.delete_policy(models.DeletePolicyRequest(policy_name=name, cascading_delete=True))


def attach(client, role_name, policy_name, policy_type="Custom"):
    client.attach_policy_to_role(
        models.AttachPolicyToRoleRequest(
            role_name=role_name, policy_name=policy_name, policy_type=policy_type
        )
    )


def detach(client, role_name, policy_name, policy_type="Custom"):
    client.detach_policy_from_role(
        models.DetachPolicyFromRoleRequest(
            role_name=role_name, policy_name=policy_name, policy_type=policy_type
        )
    )


def get_role(client, name):
    return client.get_role(models.GetRoleRequest(role_name=name)).body.role


def get_policy(client, name, policy_type="Custom"):
    return client.get_policy(models.GetPolicyRequest(policy_name=name, policy_type=policy_type)).body


class TestRole:
    def test_is_given_as_it_was_made(self, ram_client, local_cloud, role):
        found = get_role(ram_client, role)
        assert found.arn == f"acs:ram::{local_cloud.account_id}:role/{role}"
        assert (found.role_name, found.description, found.max_session_duration) == (role, "nodes", 3600)
        assert json.loads(found.assume_role_policy_document) == json.loads(TRUST)
        assert found.role_id.isdigit()

    def test_of_a_name_that_is_taken_is_refused(self, ram_client, role):
        with refused("EntityAlreadyExists.Role", 409):
            ram_client.create_role(
                models.CreateRoleRequest(role_name=role, assume_role_policy_document=TRUST)
            )

    @pytest.mark.parametrize(
        ("name", "code"),
        [
            ("no spaces", "InvalidParameter.RoleName.InvalidChars"),
            ("r" * 65, "InvalidParameter.RoleName.Length"),
            ("", "MissingParameter"),
        ],
    )
    def test_of_a_bad_name_is_refused(self, ram_client, name, code):
        with refused(code):
            ram_client.create_role(
                models.CreateRoleRequest(role_name=name, assume_role_policy_document=TRUST)
            )

    @pytest.mark.parametrize(
        "document",
        [
            "not json",
            "[]",
            '{"Version": "2", "Statement": []}',
            '{"Version": "1", "Statement": []}',
            '{"Version": "1", "Statement": [{"Effect": "Maybe", "Action": "sts:AssumeRole"}]}',
            '{"Version": "1", "Statement": [{"Effect": "Allow", "Action": "sts:AssumeRole"}]}',
            '{"Version": "1", "Statement": [{"Effect": "Allow", "Action": "ecs:*", "Principal": {"RAM": "x"}}]}',
        ],
    )
    def test_with_a_malformed_trust_policy_is_refused(self, ram_client, document):
        with refused("MalformedPolicyDocument"):
            ram_client.create_role(
                models.CreateRoleRequest(role_name="never", assume_role_policy_document=document)
            )

    def test_with_a_session_out_of_range_is_refused(self, ram_client):
        with refused("InvalidParameter.MaxSessionDuration"):
            ram_client.create_role(
                models.CreateRoleRequest(
                    role_name="never", assume_role_policy_document=TRUST, max_session_duration=60
                )
            )

    def test_changes_its_description_and_session(self, ram_client, role):
        ram_client.update_role(
            models.UpdateRoleRequest(role_name=role, new_description="new", new_max_session_duration=7200)
        )
        found = get_role(ram_client, role)
        assert (found.description, found.max_session_duration) == ("new", 7200)
        assert json.loads(found.assume_role_policy_document) == json.loads(TRUST)

    def test_is_listed(self, ram_client, role):
        body = ram_client.list_roles(models.ListRolesRequest()).body
        assert role in [found.role_name for found in body.roles.role]
        assert body.is_truncated is False

    def test_list_comes_in_pages(self, ram_client, role):
        other = "other-role"
        ram_client.create_role(models.CreateRoleRequest(role_name=other, assume_role_policy_document=TRUST))
        first = ram_client.list_roles(models.ListRolesRequest(max_items=1)).body
        second = ram_client.list_roles(models.ListRolesRequest(max_items=1, marker=first.marker)).body
        ram_client.delete_role(models.DeleteRoleRequest(role_name=other))
        assert first.is_truncated is True
        assert [found.role_name for body in (first, second) for found in body.roles.role] == [role, other]

    def test_with_a_policy_cannot_be_deleted(self, ram_client, role, policy):
        attach(ram_client, role, policy)
        with refused("DeleteConflict.Role.Policy", 409):
            ram_client.delete_role(models.DeleteRoleRequest(role_name=role))
        assert get_role(ram_client, role).role_name == role

    def test_that_never_was_is_not_found(self, ram_client):
        with refused("EntityNotExist.Role", 404):
            get_role(ram_client, "nobody")
        with refused("EntityNotExist.Role", 404):
            ram_client.delete_role(models.DeleteRoleRequest(role_name="nobody"))


class TestPolicy:
    def test_is_given_with_its_default_version(self, ram_client, policy):
        body = get_policy(ram_client, policy)
        assert (body.policy.policy_type, body.policy.default_version, body.policy.attachment_count) == (
            "Custom",
            "v1",
            0,
        )
        assert body.default_policy_version.policy_document == POLICY
        assert body.default_policy_version.is_default_version is True

    def test_of_a_name_that_is_taken_is_refused(self, ram_client, policy):
        for name in (policy, "AliyunOSSReadOnlyAccess"):
            with refused("EntityAlreadyExists.Policy", 409):
                ram_client.create_policy(models.CreatePolicyRequest(policy_name=name, policy_document=POLICY))

    def test_with_a_malformed_document_is_refused(self, ram_client):
        statement = '{"Effect":"Allow","Action":"oss:*","Resource":"*","Condition":%s}'
        for document in (
            "{",
            "[" * 3000,
            '{"Version":"1","Statement":[{"Effect":"Allow","Action":"oss:*"}]}',
            f'{{"Version":"1","Statement":[{statement % "7"}]}}',
            f'{{"Version":"1","Statement":[{statement % """{"Bool":"acs:SecureTransport"}"""}]}}',
        ):
            with refused("MalformedPolicyDocument"):
                ram_client.create_policy(
                    models.CreatePolicyRequest(policy_name="never", policy_document=document)
                )
        with refused("InvalidParameter.PolicyDocument.Length"):
            ram_client.create_policy(
                models.CreatePolicyRequest(policy_name="never", policy_document=POLICY + " " * 6144)
            )
        with refused("InvalidParameter.PolicyName.InvalidChars"):
            ram_client.create_policy(models.CreatePolicyRequest(policy_name="a b", policy_document=POLICY))

    @pytest.mark.parametrize(
        ("change", "text"),
        [
            ({"Condtion": {"Bool": {"acs:SecureTransport": "true"}}}, "'Condtion'"),
            ({"Principal": {"RAM": ["*"]}}, "'Principal'"),
            ({"Action": "DescribeInstances"}, "'DescribeInstances'"),
            ({"Action": ["oss:*", 7]}, "7"),
            ({"Resource": "instance/i-1"}, "'instance/i-1'"),
            ({"Resource": ["acs:oss:*:*:*", "arn:aws:s3:::bucket"]}, "'arn:aws:s3:::bucket'"),
        ],
    )
    def test_with_a_statement_that_says_less_than_it_seems_to_is_refused(self, ram_client, change, text):
        statement = {"Effect": "Allow", "Action": "oss:*", "Resource": "*", **change}
        document = json.dumps({"Version": "1", "Statement": [statement]})
        with refused("MalformedPolicyDocument", text=text):
            ram_client.create_policy(
                models.CreatePolicyRequest(policy_name="never", policy_document=document)
            )

    def test_of_the_provider_is_there_and_cannot_be_changed(self, ram_client):
        body = get_policy(ram_client, "AliyunOSSReadOnlyAccess", "System")
        assert json.loads(body.default_policy_version.policy_document)["Version"] == "1"
        with refused("EntityNotExist.Policy", 404):
            ram_client.delete_policy(models.DeletePolicyRequest(policy_name="AliyunOSSReadOnlyAccess"))

    def test_of_an_unknown_type_is_refused(self, ram_client, policy):
        with refused("InvalidParameter.PolicyType"):
            get_policy(ram_client, policy, "Borrowed")

    def test_is_listed_by_type(self, ram_client, policy):
        custom = ram_client.list_policies(models.ListPoliciesRequest(policy_type="Custom")).body
        assert [found.policy_name for found in custom.policies.policy] == [policy]
        system = ram_client.list_policies(models.ListPoliciesRequest(policy_type="System")).body
        assert "AdministratorAccess" in [found.policy_name for found in system.policies.policy]

    def test_attached_to_a_role_cannot_be_deleted_but_with_a_cascade(self, ram_client, role):
        ram_client.create_policy(models.CreatePolicyRequest(policy_name="brief", policy_document=POLICY))
        attach(ram_client, role, "brief")
        with refused("DeleteConflict.Policy.Role", 409):
            ram_client.delete_policy(models.DeletePolicyRequest(policy_name="brief"))
        ram_client.delete_policy(models.DeletePolicyRequest(policy_name="brief", cascading_delete=True))
        attached = ram_client.list_policies_for_role(models.ListPoliciesForRoleRequest(role_name=role)).body
        assert attached.policies.policy == []

    def test_versions_are_added_chosen_and_removed(self, ram_client, policy):
        def add(**settings):
            return ram_client.create_policy_version(
                models.CreatePolicyVersionRequest(policy_name=policy, policy_document=POLICY, **settings)
            ).body.policy_version

        assert add(set_as_default=True).version_id == "v2"
        assert get_policy(ram_client, policy).policy.default_version == "v2"
        with refused("DeleteConflict.Policy.Version", 409):
            ram_client.delete_policy(models.DeletePolicyRequest(policy_name=policy))
        with refused("DeleteConflict.Policy.Version.Default", 409):
            ram_client.delete_policy_version(
                models.DeletePolicyVersionRequest(policy_name=policy, version_id="v2")
            )
        ram_client.delete_policy_version(
            models.DeletePolicyVersionRequest(policy_name=policy, version_id="v1")
        )
        with refused("EntityNotExist.Policy.Version", 404):
            ram_client.set_default_policy_version(
                models.SetDefaultPolicyVersionRequest(policy_name=policy, version_id="v1")
            )
        assert [add().version_id for _ in range(4)] == ["v3", "v4", "v5", "v6"]
        with refused("LimitExceeded.Policy.Version", 409):
            add()
        assert add(rotate_strategy="DeleteOldestNonDefaultVersionWhenLimitExceeded").version_id == "v7"
        listed = ram_client.list_policy_versions(
            models.ListPolicyVersionsRequest(policy_name=policy, policy_type="Custom")
        ).body.policy_versions.policy_version
        assert [version.version_id for version in listed] == ["v2", "v4", "v5", "v6", "v7"]


class TestAttachment:
    def test_of_custom_and_system_policies_is_listed_from_both_ends(self, ram_client, role, policy):
        attach(ram_client, role, policy)
        attach(ram_client, role, "AliyunOSSReadOnlyAccess", "System")
        listed = ram_client.list_policies_for_role(
            models.ListPoliciesForRoleRequest(role_name=role)
        ).body.policies.policy
        assert [(found.policy_name, found.policy_type) for found in listed] == [
            (policy, "Custom"),
            ("AliyunOSSReadOnlyAccess", "System"),
        ]
        assert get_policy(ram_client, policy).policy.attachment_count == 1
        entities = ram_client.list_entities_for_policy(
            models.ListEntitiesForPolicyRequest(policy_name=policy, policy_type="Custom")
        ).body
        assert [found.role_name for found in entities.roles.role] == [role]

        detach(ram_client, role, policy)
        assert get_policy(ram_client, policy).policy.attachment_count == 0

    def test_twice_is_refused(self, ram_client, role, policy):
        attach(ram_client, role, policy)
        with refused("EntityAlreadyExists.Role.Policy", 409):
            attach(ram_client, role, policy)

    def test_that_never_was_cannot_be_undone(self, ram_client, role, policy):
        with refused("EntityNotExist.Role.Policy", 404):
            detach(ram_client, role, policy)

    def test_needs_both_its_ends(self, ram_client, role, policy):
        with refused("EntityNotExist.Policy", 404):
            attach(ram_client, role, "nothing")
        with refused("EntityNotExist.Policy", 404):
            attach(ram_client, role, "AliyunTeapotFullAccess", "System")
        with refused("EntityNotExist.Role", 404):
            attach(ram_client, "nobody", policy)


def test_tags_come_as_json_text_and_are_listed_flat(ram_client, role):
    ram_client.tag_resources(
        models.TagResourcesRequest(
            resource_type="role",
            resource_names=[role],
            tag=[models.TagResourcesRequestTag(key="team", value="train & test")],
        )
    )

    def listed():
        body = ram_client.list_tag_resources(
            models.ListTagResourcesRequest(resource_type="role", resource_names=[role])
        ).body
        return [(tag.resource_name, tag.tag_key, tag.tag_value) for tag in body.tag_resources]

    assert listed() == [(role, "team", "train & test")]
    ram_client.untag_resources(
        models.UntagResourcesRequest(resource_type="role", resource_names=[role], tag_keys=["team"])
    )
    assert listed() == []
    with refused("EntityNotExist.Role", 404):
        ram_client.untag_resources(
            models.UntagResourcesRequest(resource_type="role", resource_names=["nobody"], tag_keys=["x"])
        )


def test_a_version_of_a_policy_is_read_and_its_description_changed(ram_client, policy):
    named = {"policy_name": policy, "policy_type": "Custom"}
    version = models.GetPolicyVersionRequest(**named, version_id="v1")
    found = ram_client.get_policy_version(version).body.policy_version
    assert (found.version_id, found.is_default_version, found.policy_document) == ("v1", True, POLICY)
    ram_client.update_policy_description(
        models.UpdatePolicyDescriptionRequest(policy_name=policy, new_description="changed")
    )
    assert ram_client.get_policy(models.GetPolicyRequest(**named)).body.policy.description == "changed"
    version.version_id = "v2"
    with refused("EntityNotExist.Policy.Version", 404):
        ram_client.get_policy_version(version)
    with refused("EntityNotExist.Policy", 404):
        ram_client.update_policy_description(
            models.UpdatePolicyDescriptionRequest(policy_name="none", new_description="changed")
        )


def test_tags_are_those_of_the_kinds_that_have_them(ram_client):
    with refused("InvalidParameter.ResourceType"):
        ram_client.list_tag_resources(models.ListTagResourcesRequest(resource_type="moon"))
