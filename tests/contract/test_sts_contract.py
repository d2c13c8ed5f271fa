from __future__ import annotations

import json
from collections.abc import Iterator

import pytest
from alibabacloud_ecs20140526 import models as ecs_models
from alibabacloud_ecs20140526.client import Client as EcsClient
from alibabacloud_ram20150501 import models as ram_models
from alibabacloud_sts20150401 import models
from alibabacloud_sts20150401.client import Client as StsClient
from alibabacloud_vpc20160428 import models as vpc_models
from alibabacloud_vpc20160428.client import Client as VpcClient
from contract_sdk import refused, sdk_config


def trust(principal: dict[str, object]) -> str:
    statement = {"Action": "sts:AssumeRole", "Effect": "Allow", "Principal": principal}
    return json.dumps({"Version": "1", "Statement": [statement]})


@pytest.fixture
def trusting_role(ram_client, local_cloud) -> Iterator[str]:
    document = trust({"RAM": [f"acs:ram::{local_cloud.account_id}:root"]})
    role = ram_client.create_role(
        ram_models.CreateRoleRequest(role_name="Operator", assume_role_policy_document=document)
    ).body.role
    yield role.arn
    ram_client.delete_role(ram_models.DeleteRoleRequest(role_name="Operator"))


def assume(client, role_arn, session="session-1", **settings):
    return client.assume_role(
        models.AssumeRoleRequest(role_arn=role_arn, role_session_name=session, **settings)
    ).body


def test_the_account_knows_itself(sts_client, local_cloud):
    identity = sts_client.get_caller_identity().body
    assert identity.account_id == local_cloud.account_id
    assert identity.arn == f"acs:ram::{local_cloud.account_id}:root"
    assert (identity.identity_type, identity.user_id) == ("Account", local_cloud.account_id)


def test_a_role_that_is_assumed_signs_with_its_own_key(sts_client, local_cloud, trusting_role):
    assumed = assume(sts_client, trusting_role)
    config = sdk_config(
        local_cloud,
        access_key_id=assumed.credentials.access_key_id,
        access_key_secret=assumed.credentials.access_key_secret,
        security_token=assumed.credentials.security_token,
    )
    identity = StsClient(config).get_caller_identity().body
    assert identity.identity_type == "AssumedRoleUser"
    assert identity.arn == assumed.assumed_role_user.arn
    assert identity.arn.endswith(":assumed-role/Operator/session-1")


def test_a_temporary_key_without_its_token_is_refused_in_the_products_words(
    sts_client, local_cloud, trusting_role
):
    credentials = assume(sts_client, trusting_role).credentials
    config = sdk_config(
        local_cloud,
        access_key_id=credentials.access_key_id,
        access_key_secret=credentials.access_key_secret,
    )
    with refused("MissingSecurityToken", text="SecurityToken is mandatory for this action."):
        StsClient(config).get_caller_identity()
    region_id = local_cloud.region_id
    with refused("MissingParameter", text='"SecurityToken"'):
        VpcClient(config).describe_vpcs(vpc_models.DescribeVpcsRequest(region_id=region_id))
    with refused("MissingParameter", text='"SecurityToken"'):
        EcsClient(config).describe_instances(ecs_models.DescribeInstancesRequest(region_id=region_id))


def test_a_temporary_key_with_anothers_token_is_refused(sts_client, local_cloud, trusting_role):
    credentials = assume(sts_client, trusting_role).credentials
    config = sdk_config(
        local_cloud,
        access_key_id=credentials.access_key_id,
        access_key_secret=credentials.access_key_secret,
        security_token="forged",
    )
    with refused("InvalidSecurityToken.MismatchWithAccessKey"):
        StsClient(config).get_caller_identity()


def test_a_role_that_trusts_only_a_service_is_refused(sts_client, ram_client):
    document = trust({"Service": ["ecs.aliyuncs.com"]})
    role = ram_client.create_role(
        ram_models.CreateRoleRequest(role_name="machine", assume_role_policy_document=document)
    ).body.role
    with refused("NoPermission", 403):
        assume(sts_client, role.arn)
    ram_client.delete_role(ram_models.DeleteRoleRequest(role_name="machine"))


def test_a_role_that_is_not_there_is_refused(sts_client, local_cloud):
    with refused("EntityNotExist.Role", 404):
        assume(sts_client, f"acs:ram::{local_cloud.account_id}:role/nobody")
    with refused("InvalidParameter.RoleArn"):
        assume(sts_client, "role/nobody")


def test_a_session_out_of_its_bounds_is_refused(sts_client, trusting_role):
    with refused("InvalidParameter.RoleSessionName"):
        assume(sts_client, trusting_role, session="no spaces")
    with refused("InvalidParameter.DurationSeconds"):
        assume(sts_client, trusting_role, duration_seconds=60)
    with refused("InvalidParameter.DurationSeconds"):
        assume(sts_client, trusting_role, duration_seconds=7200)
    with refused("MissingParameter", text='"RoleArn"'):
        sts_client.assume_role(models.AssumeRoleRequest(role_session_name="session-1"))
    with refused("InvalidParameter.ExternalId"):
        assume(sts_client, trusting_role, external_id="?")
    actions = [f"ecs:Describe{i:04}" for i in range(140)]
    policy = {"Version": "1", "Statement": [{"Effect": "Allow", "Action": actions, "Resource": "*"}]}
    with refused("InvalidParameter.Policy.Length"):
        assume(sts_client, trusting_role, policy=json.dumps(policy))


def test_a_role_may_trust_another_one_whatever_capitals_it_is_written_in(
    sts_client, ram_client, local_cloud, trusting_role
):
    name = f"acs:ram::{local_cloud.account_id}:role/Operator"
    second = ram_client.create_role(
        ram_models.CreateRoleRequest(role_name="Second", assume_role_policy_document=trust({"RAM": [name]}))
    ).body.role
    policy = {
        "Version": "1",
        "Statement": [{"Effect": "Allow", "Action": "sts:AssumeRole", "Resource": "*"}],
    }
    try:
        ram_client.create_policy(
            ram_models.CreatePolicyRequest(policy_name="take-roles", policy_document=json.dumps(policy))
        )
        attached = {"policy_name": "take-roles", "policy_type": "Custom", "role_name": "Operator"}
        ram_client.attach_policy_to_role(ram_models.AttachPolicyToRoleRequest(**attached))
        with refused("NoPermission", 403):
            assume(sts_client, second.arn)
        key = assume(sts_client, trusting_role).credentials
        config = sdk_config(
            local_cloud,
            access_key_id=key.access_key_id,
            access_key_secret=key.access_key_secret,
            security_token=key.security_token,
        )
        assert assume(StsClient(config), second.arn).assumed_role_user.arn.endswith("Second/session-1")
        ram_client.detach_policy_from_role(ram_models.DetachPolicyFromRoleRequest(**attached))
        ram_client.delete_policy(ram_models.DeletePolicyRequest(policy_name="take-roles"))
    finally:
        ram_client.delete_role(ram_models.DeleteRoleRequest(role_name="Second"))
