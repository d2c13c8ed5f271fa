from __future__ import annotations

from dataclasses import replace

from steelyard.localcloud.page import token_page
from steelyard.localcloud.service import Request, action
from steelyard.localcloud.services.ram import check, errors
from steelyard.localcloud.services.ram.models import SYSTEM_POLICIES, Policy, PolicyVersion
from steelyard.localcloud.services.ram.state import RamState, system_policy
from steelyard.localcloud.tag import has_tags, read_tags

MAX_VERSIONS = 5
OLDEST_NON_DEFAULT = "DeleteOldestNonDefaultVersionWhenLimitExceeded"


class PolicyActions(RamState):
    """Policies and their versions."""

    @action("CreatePolicy")
    def create_policy(self, request: Request) -> dict[str, object]:
        """Create a custom policy with a first version."""
        name = check.read_name(request, "PolicyName")
        if self.policies.get(name) or name in SYSTEM_POLICIES:
            raise errors.policy_exists()
        now = self.cloud.clock()
        policy = Policy(
            id=name,
            created_at=now,
            tags=read_tags(request),
            type="Custom",
            description=check.read_description(request, "Description"),
            default_version="v1",
            documents={"v1": check.read_policy(request, "PolicyDocument")},
            version_times={"v1": now},
            num_versions=1,
            updated_at=now,
        )
        self.policies.put(policy)
        return {"Policy": policy.to_answer(0)}

    @action("GetPolicy")
    def get_policy(self, request: Request) -> dict[str, object]:
        """Give one policy with its default version."""
        policy = self.policy(request)
        version = policy.version(policy.default_version)
        assert version is not None
        return {
            "Policy": {**policy.to_answer(self.num_attachments(policy)), "PolicyDocument": version.document},
            "DefaultPolicyVersion": version.to_answer(policy.default_version),
        }

    @action("ListPolicies")
    def list_policies(self, request: Request) -> dict[str, object]:
        """List policies of one type or both."""
        policy_type, wanted = request.text("PolicyType"), read_tags(request)
        if policy_type not in ("", "Custom", "System"):
            raise errors.invalid_value("PolicyType")
        known = [*self.policies.list(), *(system_policy(name) for name in SYSTEM_POLICIES)]
        found = [
            policy for policy in known if policy_type in ("", policy.type) and has_tags(policy.tags, wanted)
        ]
        page, marker = token_page(request, found, token_name="Marker", size_name="MaxItems", default=100)
        answers = [policy.to_answer(self.num_attachments(policy)) for policy in page]
        return {"Policies": {"Policy": answers}, "IsTruncated": bool(marker), "Marker": marker or None}

    @action("UpdatePolicyDescription")
    def update_policy_description(self, request: Request) -> dict[str, object]:
        """Change a custom policy's description."""
        policy = replace(
            self.custom_policy(request),
            description=check.read_description(request, "NewDescription"),
            updated_at=self.cloud.clock(),
        )
        self.policies.put(policy)
        return {"Policy": policy.to_answer(self.num_attachments(policy))}

    @action("DeletePolicy")
    def delete_policy(self, request: Request) -> dict[str, object]:
        """Delete a custom policy that is attached to nothing and has one version, or all with `CascadingDelete`."""
        policy = self.custom_policy(request)
        attachments = self.attachments_of_policy(policy)
        if not request.flag("CascadingDelete"):
            if attachments:
                raise errors.policy_is_attached(attachments[0].holder)
            if len(policy.documents) > 1:
                raise errors.policy_has_versions()
        for attachment in attachments:
            self.attachments.delete(attachment.id)
        self.policies.delete(policy.id)
        return {}

    # Versions

    @action("CreatePolicyVersion")
    def create_policy_version(self, request: Request) -> dict[str, object]:
        """Add a version to a custom policy."""
        policy = self.custom_policy(request)
        document = check.read_policy(request, "PolicyDocument")
        if len(policy.documents) >= MAX_VERSIONS:
            if request.text("RotateStrategy") != OLDEST_NON_DEFAULT:
                raise errors.too_many_versions()
            policy = _without(policy, next(v for v in policy.documents if v != policy.default_version))
        now, version_id = self.cloud.clock(), f"v{policy.num_versions + 1}"
        policy = replace(
            policy,
            documents={**policy.documents, version_id: document},
            version_times={**policy.version_times, version_id: now},
            num_versions=policy.num_versions + 1,
            default_version=version_id if request.flag("SetAsDefault") else policy.default_version,
            updated_at=now,
        )
        self.policies.put(policy)
        version = PolicyVersion(version_id=version_id, document=document, created_at=now)
        return {"PolicyVersion": version.to_answer(policy.default_version)}

    @action("GetPolicyVersion")
    def get_policy_version(self, request: Request) -> dict[str, object]:
        """Give one version of a policy."""
        policy = self.policy(request)
        return {"PolicyVersion": _version(policy, request).to_answer(policy.default_version)}

    @action("ListPolicyVersions")
    def list_policy_versions(self, request: Request) -> dict[str, object]:
        """List a policy's versions."""
        policy = self.policy(request)
        versions = [policy.version(version_id) for version_id in policy.documents]
        answers = [version.to_answer(policy.default_version) for version in versions if version]
        return {"PolicyVersions": {"PolicyVersion": answers}}

    @action("SetDefaultPolicyVersion")
    def set_default_policy_version(self, request: Request) -> dict[str, object]:
        """Make another version the one that counts."""
        policy = self.custom_policy(request)
        version_id = _version(policy, request).version_id
        self.policies.put(replace(policy, default_version=version_id, updated_at=self.cloud.clock()))
        return {}

    @action("DeletePolicyVersion")
    def delete_policy_version(self, request: Request) -> dict[str, object]:
        """Delete a version that is not the default one."""
        policy = self.custom_policy(request)
        version_id = _version(policy, request).version_id
        if version_id == policy.default_version:
            raise errors.version_is_default()
        self.policies.put(_without(policy, version_id))
        return {}


def _version(policy: Policy, request: Request) -> PolicyVersion:
    version = policy.version(request.text("VersionId"))
    if version is None:
        raise errors.version_not_found()
    return version


def _without(policy: Policy, version_id: str) -> Policy:
    return replace(
        policy,
        documents={key: text for key, text in policy.documents.items() if key != version_id},
        version_times={key: at for key, at in policy.version_times.items() if key != version_id},
    )
