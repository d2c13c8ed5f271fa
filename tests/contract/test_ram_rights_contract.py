"""What users, and roles that were taken on, may do; through the vendor's SDK."""

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
from contract_people import REGION, People, allow, regions
from contract_sdk import refused, sdk_config
from contract_storage import Shelf, storage_client, storage_refused

from steelyard.localcloud.certificate import CertificateFiles


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

    def test_cannot_be_attached_for_one_resource_group_alone(self, people: People, ram_client):
        user, policy = people.user("ada"), people.policy(allow("ecs:*"))
        within = {"policy_name": policy, "policy_type": "Custom", "resource_group_id": "rg-1"}
        with refused("UnsupportedOperation", text="ResourceGroupId"):
            ram_client.attach_policy_to_user(ram.AttachPolicyToUserRequest(user_name=user, **within))

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
