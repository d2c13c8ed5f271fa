from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import ClassVar

from steelyard.localcloud.record import Record
from steelyard.localcloud.tag import tag_rows
from steelyard.localcloud.text import utc_text

# Some of the provider's own policies, with the products that they open; "*" stands for all.
SYSTEM_POLICIES: dict[str, str] = {
    "AdministratorAccess": "*",
    "ReadOnlyAccess": "*",
    "AliyunECSFullAccess": "ecs",
    "AliyunECSReadOnlyAccess": "ecs",
    "AliyunVPCFullAccess": "vpc",
    "AliyunVPCReadOnlyAccess": "vpc",
    "AliyunSLBFullAccess": "slb",
    "AliyunSLBReadOnlyAccess": "slb",
    "AliyunOSSFullAccess": "oss",
    "AliyunOSSReadOnlyAccess": "oss",
    "AliyunESSFullAccess": "ess",
    "AliyunRAMFullAccess": "ram",
    "AliyunRAMReadOnlyAccess": "ram",
    "AliyunSTSAssumeRoleAccess": "sts",
    "AliyunLogFullAccess": "log",
    "AliyunCloudMonitorFullAccess": "cms",
    "AliyunNASFullAccess": "nas",
}


@dataclass(frozen=True, kw_only=True)
class Role(Record):
    """A role; its id is its name."""

    kind: ClassVar[str] = "ram_role"

    role_id: str
    arn: str
    trust_policy: str
    description: str
    max_session_s: int
    updated_at: float

    def to_answer(self) -> dict[str, object]:
        """Give the fields of `Role` in answers."""
        return {
            "RoleName": self.id,
            "RoleId": self.role_id,
            "Arn": self.arn,
            "AssumeRolePolicyDocument": self.trust_policy,
            "Description": self.description,
            "MaxSessionDuration": self.max_session_s,
            "CreateDate": utc_text(self.created_at),
            "UpdateDate": utc_text(self.updated_at),
            "IsServiceLinkedRole": False,
            "RolePrincipalName": f"{self.id}@role.{self.arn.split(':')[3]}.onaliyunservice.com",
            "Tags": {"Tag": tag_rows(self.tags)},
        }


@dataclass(frozen=True, kw_only=True)
class PolicyVersion:
    """One version of a policy; its id is `v1`, `v2`, ..."""

    version_id: str
    document: str
    created_at: float

    def to_answer(self, default_version: str) -> dict[str, object]:
        """Give the fields of `PolicyVersion` in answers."""
        return {
            "VersionId": self.version_id,
            "PolicyDocument": self.document,
            "CreateDate": utc_text(self.created_at),
            "IsDefaultVersion": self.version_id == default_version,
        }


@dataclass(frozen=True, kw_only=True)
class Policy(Record):
    """A policy; its id is its name.

    Attributes:
        type: `Custom` or `System`.
        documents: Document by version id.
        version_times: Unix time of making by version id.
        num_versions: How many versions were ever made, so that an id is never used twice.
    """

    kind: ClassVar[str] = "ram_policy"

    type: str
    description: str
    default_version: str
    documents: dict[str, str]
    version_times: dict[str, float]
    num_versions: int
    updated_at: float

    def version(self, version_id: str) -> PolicyVersion | None:
        """Give a version, or None where there is none of this id."""
        if version_id not in self.documents:
            return None
        return PolicyVersion(
            version_id=version_id,
            document=self.documents[version_id],
            created_at=self.version_times[version_id],
        )

    def to_answer(self, num_attachments: int) -> dict[str, object]:
        """Give the fields of `Policy` in answers."""
        return {
            "PolicyName": self.id,
            "PolicyType": self.type,
            "Description": self.description,
            "DefaultVersion": self.default_version,
            "AttachmentCount": num_attachments,
            "CreateDate": utc_text(self.created_at),
            "UpdateDate": utc_text(self.updated_at),
            "Tags": {"Tag": tag_rows(self.tags)},
        }


class Holder(Enum):
    """What a policy can be attached to, as actions and codes call it."""

    ROLE = "Role"
    USER = "User"
    GROUP = "Group"


@dataclass(frozen=True, kw_only=True)
class Attachment(Record):
    """A policy that is attached to a role, a user or a group.

    Attributes:
        holder: What it is attached to: the value of a `Holder`.
        holder_id: Id of the role, user or group.
        policy_type: `Custom` or `System`.
        policy_name: The policy.
    """

    kind: ClassVar[str] = "ram_attachment"

    holder: str
    holder_id: str
    policy_type: str
    policy_name: str

    @staticmethod
    def id_of(holder: Holder, holder_id: str, policy: Policy) -> str:
        """Give the id of the attachment of a policy."""
        return f"{holder.value}/{holder_id}/{policy.type}/{policy.id}"
