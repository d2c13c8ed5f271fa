from __future__ import annotations

from dataclasses import replace

from steelyard.localcloud.service import Request, action
from steelyard.localcloud.services.ram import errors
from steelyard.localcloud.services.ram.principal_models import (
    ACTIVE,
    INACTIVE,
    User,
    UserKey,
    random_letters,
)
from steelyard.localcloud.services.ram.state import RamState
from steelyard.localcloud.wire.error import missing_parameter
from steelyard.localcloud.wire.signature import AccessKey

MAX_KEYS = 2
_SECRET_LENGTH = 30


class AccessKeyActions(RamState):
    """The lasting access keys of users; a call that names no user means the caller's own."""

    @action("CreateAccessKey")
    def create_access_key(self, request: Request) -> dict[str, object]:
        """Give a user a key; its secret is told now and never again."""
        user = self._owner(request)
        if len(self.keys_of(user)) >= MAX_KEYS:
            raise errors.too_many("User.AccessKey", MAX_KEYS)
        key = UserKey(
            id=f"LTAI5t{random_letters(18)}",
            created_at=self.cloud.clock(),
            secret=random_letters(_SECRET_LENGTH),
            user_id=user.id,
        )
        self.keys.put(key)
        return {"AccessKey": {**key.to_answer(), "AccessKeySecret": key.secret}}

    @action("ListAccessKeys")
    def list_access_keys(self, request: Request) -> dict[str, object]:
        """List a user's keys, without their secrets."""
        answers = [key.to_answer() for key in self.keys_of(self._owner(request))]
        return {"AccessKeys": {"AccessKey": answers}}

    @action("UpdateAccessKey")
    def update_access_key(self, request: Request) -> dict[str, object]:
        """Let a key sign, or sign no more."""
        key = self._key(request)
        status = request.text("Status")
        if status not in (ACTIVE, INACTIVE):
            raise errors.invalid_value("Status")
        self.keys.put(replace(key, status=status))
        return {}

    @action("DeleteAccessKey")
    def delete_access_key(self, request: Request) -> dict[str, object]:
        """Take a key away for good."""
        self.keys.delete(self._key(request).id)
        return {}

    def access_key(self, access_key_id: str) -> AccessKey | None:
        """Give a user's key as it signs calls, or None where no user has it."""
        key = self.keys.get(access_key_id)
        user = self.users.get(key.user_id) if key else None
        if key is None or user is None:
            return None
        return AccessKey(
            access_key_id=key.id,
            secret=key.secret,
            arn=f"acs:ram::{self.cloud.identity.account_id}:user/{user.name}",
            principal_id=user.id,
            identity_type="RAMUser",
            is_active=key.status == ACTIVE,
        )

    def _owner(self, request: Request) -> User:
        if request.text("UserName"):
            return self.user(request)
        user = self.users.get(request.caller.principal_id)
        if user is None:
            # The account's own key cannot be changed here: the cloud would lock its owner out.
            raise missing_parameter("UserName")
        return user

    def _key(self, request: Request) -> UserKey:
        user = self._owner(request)
        key_id = request.text("UserAccessKeyId")
        if not key_id:
            raise missing_parameter("UserAccessKeyId")
        key = self.keys.get(key_id)
        if key is None or key.user_id != user.id:
            raise errors.key_not_found()
        return key
