"""RAM roles, policies, and policies attached to roles."""

from __future__ import annotations

from typing import ClassVar

from steelyard.deploy.engine.provider import Values
from steelyard.deploy.provider.api import RAM, Api
from steelyard.deploy.provider.resource_type import ResourceType, changes, shown, wire
from steelyard.deploy.provider.tag import TagWriter


class Role(ResourceType):
    """`alicloud.ram.Role`; its id is its name."""

    token = "alicloud:ram/role:Role"
    create_only = frozenset({"roleName"})
    changeable = frozenset({"assumeRolePolicyDocument", "description", "maxSessionDuration", "force", "tags"})
    deletes_before_replace = True

    _CREATE: ClassVar = {
        "roleName": "RoleName",
        "assumeRolePolicyDocument": "AssumeRolePolicyDocument",
        "description": "Description",
        "maxSessionDuration": "MaxSessionDuration",
    }
    _CHANGE: ClassVar = {
        "assumeRolePolicyDocument": "NewAssumeRolePolicyDocument",
        "description": "NewDescription",
        "maxSessionDuration": "NewMaxSessionDuration",
    }
    _READ: ClassVar = {**_CREATE, "arn": "Arn", "roleId": "RoleId", "createTime": "CreateDate"}

    def create(self, api: Api, inputs: Values) -> str:
        """CreateRole, TagResources."""
        api.call(RAM, "CreateRole", wire(inputs, self._CREATE))
        name = str(inputs["roleName"])
        api.operation.allocated(name)
        TagWriter(api, RAM, "role").change(name, {}, inputs)
        return name

    def read(self, api: Api, resource_id: str) -> Values | None:
        """GetRole and ListTagResources."""
        role = api.call(RAM, "GetRole", {"RoleName": resource_id})["Role"]
        return {**shown(role, self._READ), "tags": TagWriter(api, RAM, "role").read(resource_id)}

    def update(self, api: Api, resource_id: str, old: Values, new: Values) -> None:
        """UpdateRole, TagResources, UntagResources."""
        changed = changes(old, new, self._CHANGE)
        if changed:
            api.call(RAM, "UpdateRole", {"RoleName": resource_id, **changed})
        TagWriter(api, RAM, "role").change(resource_id, old, new)

    def delete(self, api: Api, resource_id: str, inputs: Values) -> None:
        """DeleteRole, before it ListPoliciesForRole and DetachPolicyFromRole where `force` is set."""
        if inputs.get("force"):
            for policy in _policies_of(api, resource_id):
                params = {"RoleName": resource_id, **policy}
                api.call(RAM, "DetachPolicyFromRole", params)
        api.call(RAM, "DeleteRole", {"RoleName": resource_id}, retry_on=("DeleteConflict.Role.Policy",))


class Policy(ResourceType):
    """`alicloud.ram.Policy`: a policy of the account's own; its id is its name."""

    token = "alicloud:ram/policy:Policy"
    create_only = frozenset({"policyName"})
    changeable = frozenset({"policyDocument", "description", "rotateStrategy", "force", "tags"})
    deletes_before_replace = True

    _CREATE: ClassVar = {
        "policyName": "PolicyName",
        "policyDocument": "PolicyDocument",
        "description": "Description",
    }
    _READ: ClassVar = {
        "policyName": "PolicyName",
        "description": "Description",
        "type": "PolicyType",
        "defaultVersion": "DefaultVersion",
        "createTime": "CreateDate",
        "attachmentCount": "AttachmentCount",
    }

    def create(self, api: Api, inputs: Values) -> str:
        """CreatePolicy, TagResources."""
        api.call(RAM, "CreatePolicy", wire(inputs, self._CREATE))
        name = str(inputs["policyName"])
        api.operation.allocated(name)
        TagWriter(api, RAM, "policy").change(name, {}, inputs)
        return name

    def read(self, api: Api, resource_id: str) -> Values | None:
        """GetPolicy and ListTagResources."""
        answer = api.call(RAM, "GetPolicy", self._target(resource_id))
        version = answer.get("DefaultPolicyVersion") or {}
        return {
            **shown(answer["Policy"], self._READ),
            **shown(version, {"policyDocument": "PolicyDocument", "versionId": "VersionId"}),
            "tags": TagWriter(api, RAM, "policy").read(resource_id),
        }

    def update(self, api: Api, resource_id: str, old: Values, new: Values) -> None:
        """CreatePolicyVersion, UpdatePolicyDescription, TagResources, UntagResources."""
        if old.get("policyDocument") != new.get("policyDocument"):
            params = {
                "PolicyName": resource_id,
                "SetAsDefault": True,
                # Without a strategy the sixth version of a policy is refused.
                "RotateStrategy": new.get("rotateStrategy")
                or "DeleteOldestNonDefaultVersionWhenLimitExceeded",
                **wire(new, {"policyDocument": "PolicyDocument"}),
            }
            api.call(RAM, "CreatePolicyVersion", params)
        changed = changes(old, new, {"description": "NewDescription"})
        if changed:
            api.call(RAM, "UpdatePolicyDescription", {"PolicyName": resource_id, **changed})
        TagWriter(api, RAM, "policy").change(resource_id, old, new)

    def delete(self, api: Api, resource_id: str, inputs: Values) -> None:
        """ListPolicyVersions, DeletePolicyVersion for all but the default, DeletePolicy."""
        answer = api.call(RAM, "ListPolicyVersions", self._target(resource_id))
        for version in (answer.get("PolicyVersions") or {}).get("PolicyVersion") or []:
            if not version.get("IsDefaultVersion"):
                params = {"PolicyName": resource_id, "VersionId": version["VersionId"]}
                api.call(RAM, "DeletePolicyVersion", params)
        params = {"PolicyName": resource_id}
        api.call(RAM, "DeletePolicy", params, retry_on=("DeleteConflict.Policy",))

    def _target(self, name: str) -> dict[str, str]:
        return {"PolicyName": name, "PolicyType": "Custom"}


class RolePolicyAttachment(ResourceType):
    """`alicloud.ram.RolePolicyAttachment`."""

    token = "alicloud:ram/rolePolicyAttachment:RolePolicyAttachment"
    create_only = frozenset({"roleName", "policyName", "policyType"})

    _PARTS: ClassVar = {"policyName": "PolicyName", "policyType": "PolicyType", "roleName": "RoleName"}

    def create(self, api: Api, inputs: Values) -> str:
        """AttachPolicyToRole; the id is `role:policy:type:role`, as the vendor's provider makes it."""
        api.call(RAM, "AttachPolicyToRole", wire(inputs, self._PARTS))
        attachment_id = f"role:{inputs['policyName']}:{inputs['policyType']}:{inputs['roleName']}"
        api.operation.allocated(attachment_id)
        return attachment_id

    def read(self, api: Api, resource_id: str) -> Values | None:
        """ListPoliciesForRole."""
        _, policy, kind, role = resource_id.split(":")
        wanted = {"PolicyName": policy, "PolicyType": kind}
        if wanted not in _policies_of(api, role):
            return None
        return {"policyName": policy, "policyType": kind, "roleName": role}

    def delete(self, api: Api, resource_id: str, inputs: Values) -> None:
        """DetachPolicyFromRole."""
        _, policy, kind, role = resource_id.split(":")
        params = {"PolicyName": policy, "PolicyType": kind, "RoleName": role}
        api.call(RAM, "DetachPolicyFromRole", params)


def _policies_of(api: Api, role: str) -> list[dict[str, str]]:
    answer = api.call(RAM, "ListPoliciesForRole", {"RoleName": role})
    rows = (answer.get("Policies") or {}).get("Policy") or []
    return [{"PolicyName": row["PolicyName"], "PolicyType": row["PolicyType"]} for row in rows]
