"""Users, the groups that they are in, and their keys. They are referred to by ids, so that their names can change."""

from __future__ import annotations

import secrets
import string
from dataclasses import dataclass
from typing import ClassVar

from steelyard.localcloud.record import Record
from steelyard.localcloud.text import utc_text

ACTIVE, INACTIVE = "Active", "Inactive"


@dataclass(frozen=True, kw_only=True)
class LoginProfile:
    """How a user signs in to the console, which the local cloud does not have: kept and told, without the password.

    Attributes:
        created_at: Unix time of its making.
        needs_new_password: Whether the password has to be changed at the next sign-in.
        needs_mfa: Whether a second factor is asked for.
    """

    created_at: float
    needs_new_password: bool = False
    needs_mfa: bool = False

    def to_answer(self, user_name: str) -> dict[str, object]:
        """Give the fields of `LoginProfile` in answers."""
        return {
            "UserName": user_name,
            "CreateDate": utc_text(self.created_at),
            "PasswordResetRequired": self.needs_new_password,
            "MFABindRequired": self.needs_mfa,
        }


@dataclass(frozen=True, kw_only=True)
class User(Record):
    """A RAM user; its id is the digits that RAM gives it.

    Attributes:
        name: What calls name it by.
        display_name: Its name for people.
        mobile_phone: Its telephone.
        email: Its address.
        comments: What is said of it.
        updated_at: Unix time of its last change.
        login: How it signs in to the console, as the fields of a `LoginProfile`; None where it does not.
    """

    kind: ClassVar[str] = "ram_user"

    name: str
    display_name: str
    mobile_phone: str
    email: str
    comments: str
    updated_at: float
    login: dict[str, float | bool] | None = None

    @property
    def login_profile(self) -> LoginProfile | None:
        """How it signs in to the console; None where it does not."""
        return None if self.login is None else LoginProfile(**self.login)  # type: ignore[arg-type]

    def to_answer(self) -> dict[str, object]:
        """Give the fields of `User` in answers; nobody has ever signed in to the console."""
        return {
            "UserId": self.id,
            "UserName": self.name,
            "DisplayName": self.display_name,
            "MobilePhone": self.mobile_phone,
            "Email": self.email,
            "Comments": self.comments,
            "CreateDate": utc_text(self.created_at),
            "UpdateDate": utc_text(self.updated_at),
            "LastLoginDate": "",
        }


@dataclass(frozen=True, kw_only=True)
class Group(Record):
    """A group of users, who may do what its policies say; its id is of RAM's making.

    Attributes:
        name: What calls name it by.
        comments: What is said of it.
        updated_at: Unix time of its last change.
    """

    kind: ClassVar[str] = "ram_group"

    name: str
    comments: str
    updated_at: float

    def to_answer(self) -> dict[str, object]:
        """Give the fields of `Group` in answers."""
        return {
            "GroupId": self.id,
            "GroupName": self.name,
            "Comments": self.comments,
            "CreateDate": utc_text(self.created_at),
            "UpdateDate": utc_text(self.updated_at),
        }


@dataclass(frozen=True, kw_only=True)
class Membership(Record):
    """A user's place in a group, since `created_at`.

    Attributes:
        user_id: The user.
        member_of: The group's id.
    """

    kind: ClassVar[str] = "ram_membership"

    user_id: str
    member_of: str

    @staticmethod
    def id_of(user: User, group: Group) -> str:
        """Give the id of the place of a user in a group."""
        return f"{group.id}/{user.id}"


@dataclass(frozen=True, kw_only=True)
class UserKey(Record):
    """A lasting access key of a user; its id is the public part.

    Attributes:
        secret: What signs; told once, when it is made.
        user_id: Whose it is.
        status: `Active` or `Inactive`.
    """

    kind: ClassVar[str] = "ram_access_key"

    secret: str
    user_id: str
    status: str = ACTIVE

    def to_answer(self) -> dict[str, object]:
        """Give the fields of `AccessKey` in answers, without the secret."""
        return {
            "AccessKeyId": self.id,
            "Status": self.status,
            "CreateDate": utc_text(self.created_at),
        }


def random_digits(length: int) -> str:
    """Make the digits of an id."""
    return "".join(secrets.choice(string.digits) for _ in range(length))


def random_letters(length: int) -> str:
    """Make the letters and digits of a key."""
    return "".join(secrets.choice(string.ascii_letters + string.digits) for _ in range(length))
