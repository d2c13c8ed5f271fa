from __future__ import annotations

import re
import secrets
import string
from dataclasses import asdict

from steelyard.localcloud.identity import TEMPORARY_KEY_KIND
from steelyard.localcloud.service import Request, Service, action
from steelyard.localcloud.services.ram.actions import RamService
from steelyard.localcloud.services.ram.check import as_list, parse_statements
from steelyard.localcloud.services.ram.models import Role
from steelyard.localcloud.services.sts import errors
from steelyard.localcloud.text import utc_text
from steelyard.localcloud.wire.signature import AccessKey

_LETTERS = string.ascii_letters + string.digits
_ROLE_ARN = re.compile(r"acs:ram::(\d+):role/(.+)")
_SESSION_NAME = re.compile(r"[A-Za-z0-9.@\-_]{2,64}")
INSTANCE_KEY_S = 6 * 3600
_MIN_DURATION_S = 900
_MAX_KEYS = 1000


class StsService(Service):
    """Tells who calls and gives temporary keys of roles.

    The local cloud has one lasting key, the account's own. On the real cloud that key cannot take a role, and RAM users
    do; here it can, if the role trusts the account. A temporary key may do what the policies of its role allow.
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
        """Give a temporary key of a role that trusts the account."""
        session_name = request.text("RoleSessionName")
        if not _SESSION_NAME.fullmatch(session_name):
            raise errors.invalid_value("RoleSessionName", "2 to 64 letters, digits and . @ - _")
        role = self._role(request.text("RoleArn"))
        account_arn = f"acs:ram::{self.cloud.identity.account_id}:root"
        if not _trusts(role, "RAM", account_arn):
            raise errors.not_trusted()
        duration_s = request.number("DurationSeconds", min(3600, role.max_session_s))
        if not _MIN_DURATION_S <= duration_s <= role.max_session_s:
            raise errors.invalid_value("DurationSeconds", f"{_MIN_DURATION_S} to {role.max_session_s}")
        key = self._issue(role, session_name, duration_s)
        user = {"Arn": key.arn, "AssumedRoleId": key.principal_id}
        return {"AssumedRoleUser": user, "Credentials": _credentials(key)}

    def instance_credentials(self, role_name: str, instance_id: str) -> dict[str, object] | None:
        """Give an instance a temporary key of its role, as its metadata service hands it out.

        Returns:
            None where there is no such role or it does not trust ECS.
        """
        with self.cloud.transaction():
            role = self._ram.find_role(role_name)
            if role is None or not _trusts(role, "Service", "ecs.aliyuncs.com"):
                return None
            return _credentials(self._issue(role, instance_id, INSTANCE_KEY_S))

    @property
    def _ram(self) -> RamService:
        ram = self.cloud.services["ram"]
        assert isinstance(ram, RamService)
        return ram

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

    def _issue(self, role: Role, session_name: str, duration_s: int) -> AccessKey:
        account_id = self.cloud.identity.account_id
        key = AccessKey(
            access_key_id=f"STS.N{_random(22)}",
            secret=_random(44),
            arn=f"acs:sts::{account_id}:assumed-role/{role.id}/{session_name}",
            principal_id=f"{role.role_id}:{session_name}",
            identity_type="AssumedRoleUser",
            security_token=_random(128),
            expires_at=self.cloud.clock() + duration_s,
        )
        self.cloud.store.put(TEMPORARY_KEY_KIND, key.access_key_id, asdict(key))
        self.cloud.store.trim(TEMPORARY_KEY_KIND, _MAX_KEYS)
        return key


def _trusts(role: Role, principal_type: str, principal: str) -> bool:
    return any(
        principal in as_list(statement["Principal"].get(principal_type))
        for statement in parse_statements(role.trust_policy)
        if statement["Effect"] == "Allow"
    )


def _credentials(key: AccessKey) -> dict[str, object]:
    assert key.expires_at is not None
    return {
        "AccessKeyId": key.access_key_id,
        "AccessKeySecret": key.secret,
        "SecurityToken": key.security_token,
        "Expiration": utc_text(key.expires_at),
    }


def _random(length: int) -> str:
    return "".join(secrets.choice(_LETTERS) for _ in range(length))
