from __future__ import annotations

import re
from collections.abc import Collection, Mapping, Set
from dataclasses import asdict

from steelyard.localcloud.identity import TEMPORARY_KEY_KIND
from steelyard.localcloud.service import Request, Service, action
from steelyard.localcloud.services.ram.actions import RamService
from steelyard.localcloud.services.ram.check import (
    MAX_SESSION_POLICY_BYTES,
    as_list,
    parse_statements,
    read_policy,
)
from steelyard.localcloud.services.ram.decision import holds
from steelyard.localcloud.services.ram.models import Role
from steelyard.localcloud.services.ram.principal_models import random_letters
from steelyard.localcloud.services.sts import errors
from steelyard.localcloud.text import utc_text
from steelyard.localcloud.wire.signature import AccessKey

_ROLE_ARN = re.compile(r"acs:ram::(\d+):role/(.+)")
_SESSION_NAME = re.compile(r"[A-Za-z0-9.@\-_]{2,64}")
_EXTERNAL_ID = re.compile(r"[\w+=,.@:/-]{2,1224}")
INSTANCE_KEY_S = 6 * 3600
_MIN_DURATION_S = 900
MAX_KEYS = 10_000
"""Keys that are kept, some 5 MB; a thousand instances with a role have two each that are good."""


class StsService(Service):
    """Tells who calls and gives temporary keys of roles.

    On the real cloud the account's own key cannot take a role, and RAM users and other roles do; here it can, too, if
    the role trusts the account. A temporary key may do what the policies of its role allow, and that of its session.
    """

    code, version = "sts", "2015-04-01"

    @action("GetCallerIdentity")
    def get_caller_identity(self, request: Request) -> dict[str, object]:
        """Tell who signed the call."""
        caller = request.caller
        identity: dict[str, object] = {
            "AccountId": self.cloud.identity.account_id,
            "Arn": caller.arn,
            "IdentityType": caller.identity_type,
            "PrincipalId": caller.principal_id,
        }
        if caller.identity_type == "AssumedRoleUser":
            identity["RoleId"] = caller.principal_id.partition(":")[0]
        else:
            identity["UserId"] = caller.principal_id
        return identity

    @action("AssumeRole")
    def assume_role(self, request: Request) -> dict[str, object]:
        """Give a temporary key of a role that trusts the account or the caller itself."""
        session_name = request.text("RoleSessionName")
        if not _SESSION_NAME.fullmatch(session_name):
            raise errors.invalid_value("RoleSessionName", "2 to 64 letters, digits and . @ - _")
        role = self._role(request.text("RoleArn"))
        if not self._trusts_caller(role, request):
            raise errors.not_trusted()
        duration_s = request.number("DurationSeconds", min(3600, role.max_session_s))
        if not _MIN_DURATION_S <= duration_s <= role.max_session_s:
            raise errors.invalid_value("DurationSeconds", f"{_MIN_DURATION_S} to {role.max_session_s}")
        external_id = request.text("ExternalId")
        if external_id and not _EXTERNAL_ID.fullmatch(external_id):
            raise errors.invalid_value("ExternalId", "2 to 1224 letters, digits and _ + = , . @ : / -")
        policy = ""
        if request.text("Policy"):
            policy = read_policy(request, "Policy", MAX_SESSION_POLICY_BYTES)
        key = self._issue(role, session_name, duration_s, policy)
        user = {"Arn": key.arn, "AssumedRoleId": key.principal_id}
        return {"AssumedRoleUser": user, "Credentials": _credentials(key)}

    def instance_credentials(self, role_name: str, instance_id: str) -> dict[str, object] | None:
        """Give an instance a temporary key of its role, as its metadata service hands it out.

        Returns:
            None where there is no such role or it does not trust ECS.
        """
        with self.cloud.transaction():
            role = self._ram.find_role(role_name)
            if role is None or not _trusts(role, "Service", {"ecs.aliyuncs.com"}, {}):
                return None
            return _credentials(self._issue(role, instance_id, INSTANCE_KEY_S))

    def knows_key(self, access_key_id: str) -> bool:
        """Tell whether a temporary key can still be used to sign with; the oldest ones are forgotten."""
        return self.cloud.access_key(access_key_id) is not None

    @property
    def _ram(self) -> RamService:
        return self.cloud.service(RamService)

    def _role(self, arn: str) -> Role:
        match = _ROLE_ARN.fullmatch(arn)
        if match is None:
            raise errors.invalid_value("RoleArn", "acs:ram::<account>:role/<name>")
        account_id, name = match.groups()
        wanted = f"acs:ram::{account_id}:role/{name}".lower()
        for role in self._ram.roles.list():
            if role.arn == wanted:
                return role
        raise errors.role_not_found()

    def _trusts_caller(self, role: Role, request: Request) -> bool:
        account = f"acs:ram::{self.cloud.identity.account_id}"
        principals = {f"{account}:root"}
        if request.caller.identity_type == "RAMUser":
            principals.add(request.caller.arn.lower())
        elif request.caller.identity_type == "AssumedRoleUser":
            principals.add(f"{account}:role/{request.caller.arn.split('/')[1].lower()}")
        context = {"acs:sourceip": {request.source_address}, "sts:externalid": {request.text("ExternalId")}}
        return _trusts(role, "RAM", principals, {name: seen for name, seen in context.items() if any(seen)})

    def _issue(self, role: Role, session_name: str, duration_s: int, policy: str = "") -> AccessKey:
        account_id = self.cloud.identity.account_id
        key = AccessKey(
            access_key_id=f"STS.N{random_letters(22)}",
            secret=random_letters(44),
            arn=f"acs:sts::{account_id}:assumed-role/{role.id}/{session_name}",
            principal_id=f"{role.role_id}:{session_name}",
            identity_type="AssumedRoleUser",
            security_token=random_letters(128),
            expires_at=self.cloud.clock() + duration_s,
            session_policy=policy,
        )
        self.cloud.store.put(TEMPORARY_KEY_KIND, key.access_key_id, asdict(key))
        self.cloud.store.trim(TEMPORARY_KEY_KIND, MAX_KEYS)
        return key


def _trusts(
    role: Role, principal_type: str, principals: Set[str], context: Mapping[str, Collection[str]]
) -> bool:
    """Tell whether a role lets itself be taken by one of these principals, none of which it denies.

    Args:
        role: The role.
        principal_type: `RAM` or `Service`.
        principals: Names of who asks, in small letters, as capitals do not matter in them.
        context: Values of condition keys.
    """
    concerned = [
        statement
        for statement in parse_statements(role.trust_policy)
        if principals & {str(name).lower() for name in as_list(statement["Principal"].get(principal_type))}
    ]
    if any(one["Effect"] == "Deny" and holds(one, context, unknown=True) for one in concerned):
        return False
    return any(one["Effect"] == "Allow" and holds(one, context, unknown=False) for one in concerned)


def _credentials(key: AccessKey) -> dict[str, object]:
    assert key.expires_at is not None
    return {
        "AccessKeyId": key.access_key_id,
        "AccessKeySecret": key.secret,
        "SecurityToken": key.security_token,
        "Expiration": utc_text(key.expires_at),
    }
