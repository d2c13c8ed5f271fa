"""RAM users, groups and their keys through the vendor's SDK: what may stand, and who may do what."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path

import alibabacloud_oss_v2 as oss
import pytest
from alibabacloud_ecs20140526 import models as ecs
from alibabacloud_ecs20140526.client import Client as EcsClient
from alibabacloud_ram20150501 import models as ram
from alibabacloud_ram20150501.client import Client as RamClient
from alibabacloud_sts20150401 import models as sts
from alibabacloud_sts20150401.client import Client as StsClient
from alibabacloud_tea_openapi.utils_models import Config
from contract_sdk import refused, sdk_config
from contract_storage import Shelf, storage_client, storage_refused

from steelyard.localcloud.certificate import CertificateFiles

REGION = "cn-hangzhou"


class People:
    """Users and groups of a test, which are cleared away in the order that RAM asks for."""

    def __init__(self, client: RamClient, cloud) -> None:
        self.client = client
        self.cloud = cloud
        self.policies: list[str] = []

    def user(self, name: str = "ada", **settings: object) -> str:
        self.client.create_user(ram.CreateUserRequest(user_name=name, **settings))
        return name

    def group(self, name: str = "trainers", *users: str) -> str:
        self.client.create_group(ram.CreateGroupRequest(group_name=name, comments="who train"))
        for user in users:
            self.client.add_user_to_group(ram.AddUserToGroupRequest(user_name=user, group_name=name))
        return name

    def key(self, user: str) -> ram.CreateAccessKeyResponseBodyAccessKey:
        return self.client.create_access_key(ram.CreateAccessKeyRequest(user_name=user)).body.access_key

    def config(self, key: ram.CreateAccessKeyResponseBodyAccessKey) -> Config:
        """Give the configuration of a client that signs with a key."""
        return sdk_config(
            self.cloud, access_key_id=key.access_key_id, access_key_secret=key.access_key_secret
        )

    def set_status(self, user: str, key_id: str, status: str) -> None:
        self.client.update_access_key(
            ram.UpdateAccessKeyRequest(user_name=user, user_access_key_id=key_id, status=status)
        )

    def policy(self, *statements: dict[str, object]) -> str:
        name = f"people-{len(self.policies)}"
        text = json.dumps({"Version": "1", "Statement": list(statements)})
        self.client.create_policy(ram.CreatePolicyRequest(policy_name=name, policy_document=text))
        self.policies.append(name)
        return name

    def attach(self, policy: str, *, user: str = "", group: str = "", kind: str = "Custom") -> None:
        if user:
            self.client.attach_policy_to_user(
                ram.AttachPolicyToUserRequest(user_name=user, policy_name=policy, policy_type=kind)
            )
        if group:
            self.client.attach_policy_to_group(
                ram.AttachPolicyToGroupRequest(group_name=group, policy_name=policy, policy_type=kind)
            )

    def keys(self, user: str) -> list[tuple[str, str]]:
        body = self.client.list_access_keys(ram.ListAccessKeysRequest(user_name=user)).body
        return [(key.access_key_id, key.status) for key in body.access_keys.access_key]

    def policies_of(self, user: str) -> list[str]:
        body = self.client.list_policies_for_user(ram.ListPoliciesForUserRequest(user_name=user)).body
        return [policy.policy_name for policy in body.policies.policy]

    def groups_of(self, user: str) -> list[str]:
        body = self.client.list_groups_for_user(ram.ListGroupsForUserRequest(user_name=user)).body
        return [group.group_name for group in body.groups.group]

    def clear(self) -> None:
        for policy in self.policies:
            self.client.delete_policy(ram.DeletePolicyRequest(policy_name=policy, cascading_delete=True))
        for user in self.client.list_users(ram.ListUsersRequest()).body.users.user:
            self._clear_user(user.user_name)
        for group in self.client.list_groups(ram.ListGroupsRequest()).body.groups.group:
            name = group.group_name
            body = self.client.list_policies_for_group(ram.ListPoliciesForGroupRequest(group_name=name)).body
            for policy in body.policies.policy:
                self.client.detach_policy_from_group(
                    ram.DetachPolicyFromGroupRequest(
                        group_name=name, policy_name=policy.policy_name, policy_type=policy.policy_type
                    )
                )
            self.client.delete_group(ram.DeleteGroupRequest(group_name=name))

    def _clear_user(self, name: str) -> None:
        for key_id, _ in self.keys(name):
            self.client.delete_access_key(
                ram.DeleteAccessKeyRequest(user_name=name, user_access_key_id=key_id)
            )
        body = self.client.list_policies_for_user(ram.ListPoliciesForUserRequest(user_name=name)).body
        for policy in body.policies.policy:
            self.client.detach_policy_from_user(
                ram.DetachPolicyFromUserRequest(
                    user_name=name, policy_name=policy.policy_name, policy_type=policy.policy_type
                )
            )
        for group in self.groups_of(name):
            self.client.remove_user_from_group(
                ram.RemoveUserFromGroupRequest(user_name=name, group_name=group)
            )
        self.client.delete_user(ram.DeleteUserRequest(user_name=name))


@pytest.fixture
def people(ram_client: RamClient, local_cloud) -> Iterator[People]:
    people = People(ram_client, local_cloud)
    yield people
    people.clear()


def allow(*actions: str, resource: str = "*", **more: object) -> dict[str, object]:
    return {"Effect": "Allow", "Action": list(actions), "Resource": [resource], **more}


def regions(config: Config) -> int:
    return len(EcsClient(config).describe_regions(ecs.DescribeRegionsRequest()).body.regions.region)


class TestUser:
    def test_is_given_as_it_was_made(self, people: People, ram_client: RamClient):
        people.user("ada", display_name="Ada L.", email="ada@example.com", comments="writes notes")
        found = ram_client.get_user(ram.GetUserRequest(user_name="ada")).body.user
        assert (found.user_name, found.display_name) == ("ada", "Ada L.")
        assert (found.email, found.comments) == ("ada@example.com", "writes notes")
        listed = ram_client.list_users(ram.ListUsersRequest()).body.users.user
        assert [(user.user_name, user.user_id) for user in listed] == [("ada", found.user_id)]
        assert found.user_id.isdigit()

    def test_of_a_name_that_is_taken_or_bad_is_refused(self, people: People):
        people.user("ada")
        with refused("EntityAlreadyExists.User", 409):
            people.user("ada")
        with refused("InvalidParameter.UserName.InvalidChars"):
            people.user("no spaces")
        with refused("InvalidParameter.UserName.Length"):
            people.user("a" * 65)
        with refused("InvalidParameter.Comments.Length"):
            people.user("bob", comments="c" * 129)

    def test_that_is_not_there_is_not_found(self, people: People, ram_client: RamClient):
        with refused("EntityNotExist.User", 404):
            ram_client.get_user(ram.GetUserRequest(user_name="nobody"))
        with refused("EntityNotExist.User", 404):
            people.key("nobody")
        with refused("EntityNotExist.User", 404):
            people.attach("AdministratorAccess", user="nobody", kind="System")

    def test_keeps_what_it_has_under_another_name(self, people: People, ram_client: RamClient):
        people.user("ada")
        people.group("trainers", "ada")
        people.attach("AliyunECSReadOnlyAccess", user="ada", kind="System")
        key = people.key("ada")
        people.user("bob")
        with refused("EntityAlreadyExists.User", 409):
            ram_client.update_user(ram.UpdateUserRequest(user_name="ada", new_user_name="bob"))
        ram_client.update_user(
            ram.UpdateUserRequest(user_name="ada", new_user_name="ada2", new_comments="again")
        )
        assert people.groups_of("ada2") == ["trainers"]
        assert people.policies_of("ada2") == ["AliyunECSReadOnlyAccess"]
        assert StsClient(people.config(key)).get_caller_identity().body.arn.endswith(":user/ada2")

    def test_goes_once_nothing_of_it_is_left(self, people: People, ram_client: RamClient):
        """In the order of the provider's `force`: keys, policies, groups, login profile, second factor."""
        people.user("ada")
        people.group("trainers", "ada")
        people.attach("AliyunECSReadOnlyAccess", user="ada", kind="System")
        key = people.key("ada")
        ram_client.create_login_profile(ram.CreateLoginProfileRequest(user_name="ada", password="S3cret!x"))

        def delete() -> None:
            ram_client.delete_user(ram.DeleteUserRequest(user_name="ada"))

        with refused("DeleteConflict.User.AccessKey", 409):
            delete()
        ram_client.delete_access_key(
            ram.DeleteAccessKeyRequest(user_name="ada", user_access_key_id=key.access_key_id)
        )
        with refused("DeleteConflict.User.Policy", 409):
            delete()
        detach = ram.DetachPolicyFromUserRequest(
            user_name="ada", policy_name="AliyunECSReadOnlyAccess", policy_type="System"
        )
        ram_client.detach_policy_from_user(detach)
        with refused("EntityNotExist.User.Policy", 404):
            ram_client.detach_policy_from_user(detach)
        with refused("DeleteConflict.User.Group", 409):
            delete()
        leave = ram.RemoveUserFromGroupRequest(user_name="ada", group_name="trainers")
        ram_client.remove_user_from_group(leave)
        with refused("EntityNotExist.User.Group", 404):
            ram_client.remove_user_from_group(leave)
        with refused("DeleteConflict.User.LoginProfile", 409):
            delete()
        ram_client.delete_login_profile(ram.DeleteLoginProfileRequest(user_name="ada"))
        with refused("EntityNotExist.User.LoginProfile", 404):
            ram_client.delete_login_profile(ram.DeleteLoginProfileRequest(user_name="ada"))
        with refused("EntityNotExist.User.MFADevice", 404):
            ram_client.unbind_mfadevice(ram.UnbindMFADeviceRequest(user_name="ada"))
        delete()
        with refused("EntityNotExist.User", 404):
            delete()

    def test_has_a_login_profile_that_is_told(self, people: People, ram_client: RamClient):
        people.user("ada")
        with refused("EntityNotExist.User.LoginProfile", 404):
            ram_client.get_login_profile(ram.GetLoginProfileRequest(user_name="ada"))
        make = ram.CreateLoginProfileRequest(user_name="ada", password="S3cret!x")
        ram_client.create_login_profile(make)
        with refused("EntityAlreadyExists.User.LoginProfile", 409):
            ram_client.create_login_profile(make)
        ram_client.update_login_profile(
            ram.UpdateLoginProfileRequest(user_name="ada", password_reset_required=True)
        )
        profile = ram_client.get_login_profile(ram.GetLoginProfileRequest(user_name="ada")).body.login_profile
        assert (profile.user_name, profile.password_reset_required) == ("ada", True)
        ram_client.delete_login_profile(ram.DeleteLoginProfileRequest(user_name="ada"))


class TestAccessKey:
    def test_signs_as_its_user(self, people: People, local_cloud):
        people.user("ada")
        identity = StsClient(people.config(people.key("ada"))).get_caller_identity().body
        assert identity.arn == f"acs:ram::{local_cloud.account_id}:user/ada"
        assert identity.identity_type == "RAMUser"
        assert identity.user_id == identity.principal_id
        assert identity.account_id == local_cloud.account_id

    def test_is_refused_while_it_is_inactive_and_after_it_was_deleted(self, people: People, ram_client):
        people.user("ada")
        key = people.key("ada")
        config = people.config(key)
        people.set_status("ada", key.access_key_id, "Inactive")
        assert people.keys("ada") == [(key.access_key_id, "Inactive")]
        with refused("InvalidAccessKeyId.Inactive"):
            StsClient(config).get_caller_identity()
        client = storage_client(
            people.cloud, key_id=key.access_key_id, secret=key.access_key_secret or "never"
        )
        with storage_refused("InvalidAccessKeyId", 403):
            client.list_buckets(oss.ListBucketsRequest())
        people.set_status("ada", key.access_key_id, "Active")
        assert StsClient(config).get_caller_identity().body.arn.endswith(":user/ada")
        ram_client.delete_access_key(
            ram.DeleteAccessKeyRequest(user_name="ada", user_access_key_id=key.access_key_id)
        )
        with refused("InvalidAccessKeyId.NotFound", 404):
            StsClient(config).get_caller_identity()

    def test_there_are_two_at_most(self, people: People):
        people.user("ada")
        ids = {people.key("ada").access_key_id for _ in range(2)}
        assert len(ids) == 2
        with refused("LimitExceeded.User.AccessKey", 409):
            people.key("ada")

    def test_of_another_user_is_not_found(self, people: People):
        people.user("ada")
        people.user("bob")
        key = people.key("ada")
        with refused("EntityNotExist.User.AccessKey", 404):
            people.set_status("bob", key.access_key_id, "Inactive")
        with refused("InvalidParameter.Status"):
            people.set_status("ada", key.access_key_id, "Asleep")

    def test_of_ones_own_needs_no_name(self, people: People, ram_client: RamClient, local_cloud):
        people.user("ada")
        own = f"acs:ram:*:{local_cloud.account_id}:user/ada"
        people.attach(people.policy(allow("ram:*AccessKey*", resource=own)), user="ada")
        key = people.key("ada")
        client = RamClient(people.config(key))
        listed = client.list_access_keys(ram.ListAccessKeysRequest()).body.access_keys.access_key
        assert [one.access_key_id for one in listed] == [key.access_key_id]
        with refused("MissingParameter", text='"UserName"'):
            ram_client.create_access_key(ram.CreateAccessKeyRequest())


class TestGroup:
    def test_is_given_as_it_was_made_and_changed(self, people: People, ram_client: RamClient):
        people.user("ada")
        people.group("trainers", "ada")
        with refused("EntityAlreadyExists.User.Group", 409):
            ram_client.add_user_to_group(ram.AddUserToGroupRequest(user_name="ada", group_name="trainers"))
        with refused("EntityAlreadyExists.Group", 409):
            people.group("trainers")
        ram_client.update_group(
            ram.UpdateGroupRequest(group_name="trainers", new_group_name="runners", new_comments="who run")
        )
        found = ram_client.get_group(ram.GetGroupRequest(group_name="runners")).body.group
        assert (found.group_name, found.comments) == ("runners", "who run")
        users = ram_client.list_users_for_group(
            ram.ListUsersForGroupRequest(group_name="runners")
        ).body.users.user
        assert [user.user_name for user in users] == ["ada"]
        with refused("EntityNotExist.Group", 404):
            ram_client.get_group(ram.GetGroupRequest(group_name="trainers"))

    def test_goes_once_nobody_and_nothing_is_in_it(self, people: People, ram_client: RamClient):
        people.user("ada")
        people.group("trainers", "ada")
        people.attach("AliyunECSReadOnlyAccess", group="trainers", kind="System")
        with refused("DeleteConflict.Group.User", 409):
            ram_client.delete_group(ram.DeleteGroupRequest(group_name="trainers"))
        ram_client.remove_user_from_group(
            ram.RemoveUserFromGroupRequest(user_name="ada", group_name="trainers")
        )
        with refused("DeleteConflict.Group.Policy", 409):
            ram_client.delete_group(ram.DeleteGroupRequest(group_name="trainers"))
        with refused("EntityAlreadyExists.Group.Policy", 409):
            people.attach("AliyunECSReadOnlyAccess", group="trainers", kind="System")

    def test_there_are_fifty_at_most(self, people: People):
        for number in range(50):
            people.group(f"group-{number}")
        with refused("LimitExceeded.Group", 409, "50"):
            people.group("group-50")


class TestRights:
    """A policy is tried with a user's key, as it will be on the cloud."""

    def test_of_a_user_are_those_of_its_policies_and_of_its_groups(self, people: People, ram_client):
        people.user("ada")
        config = people.config(people.key("ada"))
        with refused("Forbidden.RAM", 403, "ecs:DescribeRegions"):
            regions(config)
        people.group("readers", "ada")
        people.attach(people.policy(allow("ecs:DescribeRegions")), group="readers")
        assert regions(config) > 0
        people.attach(people.policy({"Effect": "Deny", "Action": ["ecs:*"], "Resource": ["*"]}), user="ada")
        with refused("Forbidden.RAM", 403, "denied by a statement"):
            regions(config)
        entities = ram_client.list_entities_for_policy(
            ram.ListEntitiesForPolicyRequest(policy_name="people-0", policy_type="Custom")
        ).body
        assert [group.group_name for group in entities.groups.group] == ["readers"]
        assert entities.users.user == []

    def test_of_a_policy_that_users_have_keep_it_from_being_deleted(self, people: People, ram_client):
        policy = people.policy(allow("ecs:DescribeRegions"))
        people.user("ada")
        people.attach(policy, user="ada")
        with refused("DeleteConflict.Policy.User", 409):
            ram_client.delete_policy(ram.DeletePolicyRequest(policy_name=policy))
        other = people.policy(allow("ecs:DescribeZones"))
        people.group("trainers")
        people.attach(other, group="trainers")
        with refused("DeleteConflict.Policy.Group", 409):
            ram_client.delete_policy(ram.DeletePolicyRequest(policy_name=other))
        ram_client.delete_policy(ram.DeletePolicyRequest(policy_name=policy, cascading_delete=True))
        assert people.policies_of("ada") == []
        people.policies.remove(policy)

    def test_can_be_bound_to_a_time_and_to_all_but_some_actions(self, people: People, ram_client):
        people.user("ada")
        config = people.config(people.key("ada"))
        over = {"DateLessThan": {"acs:CurrentTime": "2020-01-01T00:00:00Z"}}
        people.attach(people.policy(allow("ecs:*", Condition=over)), user="ada")
        with refused("Forbidden.RAM", 403):
            regions(config)
        people.attach(
            people.policy({"Effect": "Allow", "NotAction": ["ecs:DescribeZones"], "Resource": ["*"]}),
            user="ada",
        )
        assert regions(config) > 0
        with refused("Forbidden.RAM", 403, "ecs:DescribeZones"):
            EcsClient(config).describe_zones(ecs.DescribeZonesRequest(region_id=REGION))
        with refused("MalformedPolicyDocument", text="NotAction"):
            people.policy({**allow("ecs:*"), "NotAction": ["ecs:DescribeZones"]})

    def test_can_ask_for_tls(self, people: People, local_cloud):
        people.user("ada")
        secure = {"Bool": {"acs:SecureTransport": "true"}}
        people.attach(people.policy(allow("ecs:DescribeRegions", Condition=secure)), user="ada")
        key = people.key("ada")
        with refused("Forbidden.RAM", 403):
            regions(people.config(key))
        authority = CertificateFiles.of(Path(local_cloud.data_dir)).authority
        config = people.config(key)
        config.protocol, config.ca = "https", str(authority)
        assert regions(config) > 0

    def test_over_users_can_be_bound_to_one(self, people: People, local_cloud):
        people.user("ada")
        people.user("bob")
        own = f"acs:ram:*:{local_cloud.account_id}:user/ada"
        people.attach(people.policy(allow("ram:GetUser", resource=own)), user="ada")
        client = RamClient(people.config(people.key("ada")))
        assert client.get_user(ram.GetUserRequest(user_name="ada")).body.user.user_name == "ada"
        with refused("NoPermission", 403, "user/bob"):
            client.get_user(ram.GetUserRequest(user_name="bob"))

    def test_reach_into_the_object_storage(self, people: People, local_cloud):
        shelf = Shelf(storage_client(local_cloud), "rights-of-users")
        shelf.client.put_bucket(oss.PutBucketRequest(bucket=shelf.bucket))
        shelf.put("data/1", b"one")
        shelf.put("secret/1", b"two")
        people.user("ada")
        mine = allow("oss:GetObject", resource="acs:oss:*:*:rights-of-users/data/*")
        people.attach(people.policy(mine), user="ada")
        key = people.key("ada")
        client = storage_client(local_cloud, key_id=key.access_key_id, secret=key.access_key_secret)
        reader = Shelf(client, shelf.bucket)
        assert reader.get("data/1") == b"one"
        for attempt in (lambda: reader.get("secret/1"), lambda: reader.put("data/2", b"x")):
            with storage_refused("AccessDenied", 403):
                attempt()
        shelf.clear()

    def test_in_the_object_storage_add_to_what_everybody_may_do(self, people: People, shelf: Shelf):
        shelf.client.put_bucket_acl(oss.PutBucketAclRequest(bucket=shelf.bucket, acl="public-read"))
        shelf.put("open", b"1")
        people.user("ada")
        key = people.key("ada")
        client = storage_client(people.cloud, key_id=key.access_key_id, secret=key.access_key_secret)
        reader = Shelf(client, shelf.bucket)
        assert reader.get("open") == b"1"
        with storage_refused("AccessDenied", 403):
            reader.put("mine", b"1")
        people.attach(
            people.policy({"Effect": "Deny", "Action": ["oss:GetObject"], "Resource": ["*"]}), user="ada"
        )
        with storage_refused("AccessDenied", 403):
            reader.get("open")

    def test_in_the_object_storage_can_be_bound_to_where_a_call_comes_from(
        self, people: People, shelf: Shelf
    ):
        people.user("ada")
        key = people.key("ada")
        client = storage_client(people.cloud, key_id=key.access_key_id, secret=key.access_key_secret)
        for block, is_let_in in (("203.0.113.0/24", False), ("127.0.0.0/8", True)):
            condition = {"IpAddress": {"acs:SourceIp": [block]}}
            people.attach(people.policy(allow("oss:PutObject", Condition=condition)), user="ada")
            if is_let_in:
                Shelf(client, shelf.bucket).put("mine", b"1")
            else:
                with storage_refused("AccessDenied", 403):
                    Shelf(client, shelf.bucket).put("mine", b"1")


class TestAssumedRole:
    @pytest.fixture
    def make_role(self, ram_client: RamClient) -> Iterator[Callable[..., str]]:
        made: list[str] = []

        def make(*statements: dict[str, object]) -> str:
            name = f"taken-{len(made)}"
            document = json.dumps({"Version": "1", "Statement": list(statements)})
            request = ram.CreateRoleRequest(role_name=name, assume_role_policy_document=document)
            arn = ram_client.create_role(request).body.role.arn
            made.append(name)
            ram_client.attach_policy_to_role(
                ram.AttachPolicyToRoleRequest(
                    role_name=name, policy_name="AliyunECSFullAccess", policy_type="System"
                )
            )
            return arn

        yield make
        for name in made:
            ram_client.detach_policy_from_role(
                ram.DetachPolicyFromRoleRequest(
                    role_name=name, policy_name="AliyunECSFullAccess", policy_type="System"
                )
            )
            ram_client.delete_role(ram.DeleteRoleRequest(role_name=name))

    @pytest.fixture
    def ada(self, people: People) -> StsClient:
        people.user("ada")
        people.attach("AliyunSTSAssumeRoleAccess", user="ada", kind="System")
        return StsClient(people.config(people.key("ada")))

    @staticmethod
    def trust(principal: str, effect: str = "Allow", **more: object) -> dict[str, object]:
        return {"Action": "sts:AssumeRole", "Effect": effect, "Principal": {"RAM": [principal]}, **more}

    @staticmethod
    def take(client: StsClient, arn: str, **settings: object) -> sts.AssumeRoleResponseBodyCredentials:
        request = sts.AssumeRoleRequest(role_arn=arn, role_session_name="run", **settings)
        return client.assume_role(request).body.credentials

    @staticmethod
    def config(cloud, key) -> Config:
        return sdk_config(
            cloud,
            access_key_id=key.access_key_id,
            access_key_secret=key.access_key_secret,
            security_token=key.security_token,
        )

    def test_is_taken_by_a_user_whom_it_trusts(self, ada, make_role, people, local_cloud):
        account = f"acs:ram::{local_cloud.account_id}"
        for principal in (f"{account}:root", f"{account}:user/ada"):
            key = self.take(ada, make_role(self.trust(principal)))
            assert regions(self.config(local_cloud, key)) > 0
        with refused("NoPermission", 403):
            self.take(ada, make_role(self.trust(f"{account}:user/bob")))

    def test_is_not_taken_by_a_user_who_may_not(self, people, make_role, local_cloud):
        people.user("bob")
        arn = make_role(self.trust(f"acs:ram::{local_cloud.account_id}:root"))
        with refused("NoPermission", 403, "sts:AssumeRole"):
            self.take(StsClient(people.config(people.key("bob"))), arn)

    def test_is_taken_by_another_role_that_it_trusts(self, ada, make_role, ram_client, local_cloud):
        account = f"acs:ram::{local_cloud.account_id}"
        first = make_role(self.trust(f"{account}:root"))
        second = make_role(self.trust(first))
        key = self.take(ada, first)
        client = StsClient(self.config(local_cloud, key))
        with refused("NoPermission", 403, "sts:AssumeRole"):
            self.take(client, second)
        attached = {
            "role_name": "taken-0",
            "policy_name": "AliyunSTSAssumeRoleAccess",
            "policy_type": "System",
        }
        ram_client.attach_policy_to_role(ram.AttachPolicyToRoleRequest(**attached))
        try:
            taken = self.config(local_cloud, self.take(client, second))
            assert ":assumed-role/taken-1/run" in StsClient(taken).get_caller_identity().body.arn
            with refused("NoPermission", 403):
                self.take(ada, second)
        finally:
            ram_client.detach_policy_from_role(ram.DetachPolicyFromRoleRequest(**attached))

    def test_asks_for_what_its_trust_asks_for(self, ada, make_role, local_cloud):
        root = f"acs:ram::{local_cloud.account_id}:root"
        secret = {"StringEquals": {"sts:ExternalId": "swordfish"}}
        arn = make_role(self.trust(root, Condition=secret))
        with refused("NoPermission", 403):
            self.take(ada, arn)
        assert self.take(ada, arn, external_id="swordfish").access_key_id.startswith("STS.")
        denied = self.trust(f"acs:ram::{local_cloud.account_id}:user/ada", "Deny")
        with refused("NoPermission", 403):
            self.take(ada, make_role(self.trust(root), denied))

    def test_may_be_given_less_by_its_session(self, ada, make_role, local_cloud):
        arn = make_role(self.trust(f"acs:ram::{local_cloud.account_id}:root"))
        policy = json.dumps({"Version": "1", "Statement": [allow("ecs:DescribeZones", "vpc:*")]})
        config = self.config(local_cloud, self.take(ada, arn, policy=policy))
        client = EcsClient(config)
        assert client.describe_zones(ecs.DescribeZonesRequest(region_id=REGION)).body.zones.zone
        with refused("Forbidden.RAM", 403, "ecs:DescribeRegions"):
            regions(config)
        with refused("MalformedPolicyDocument"):
            self.take(ada, arn, policy="{}")
