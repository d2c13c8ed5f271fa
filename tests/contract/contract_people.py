"""Users and groups of a test, and keys that sign as they."""

from __future__ import annotations

import json

from alibabacloud_ecs20140526 import models as ecs
from alibabacloud_ecs20140526.client import Client as EcsClient
from alibabacloud_ram20150501 import models as ram
from alibabacloud_ram20150501.client import Client as RamClient
from alibabacloud_tea_openapi.utils_models import Config
from contract_sdk import sdk_config

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


def allow(*actions: str, resource: str = "*", **more: object) -> dict[str, object]:
    return {"Effect": "Allow", "Action": list(actions), "Resource": [resource], **more}


def regions(config: Config) -> int:
    return len(EcsClient(config).describe_regions(ecs.DescribeRegionsRequest()).body.regions.region)
