"""RAM users, groups and their keys through the vendor's SDK: what may stand, and whose keys sign."""

from __future__ import annotations

import alibabacloud_oss_v2 as oss
from alibabacloud_ram20150501 import models as ram
from alibabacloud_ram20150501.client import Client as RamClient
from alibabacloud_sts20150401.client import Client as StsClient
from contract_people import People, allow
from contract_sdk import refused
from contract_storage import storage_client, storage_refused


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
