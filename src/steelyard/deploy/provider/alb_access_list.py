"""Access control lists of application load balancers, the ranges in them, and the listeners that have them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from steelyard.deploy.engine.provider import Values
from steelyard.deploy.provider.alb import CONFIGURING, do_job, tag_writer
from steelyard.deploy.provider.api import ALB, Api, token_items
from steelyard.deploy.provider.resource_type import ResourceType, shown, wait_gone, wire
from steelyard.deploy.provider.tag import tag_map

_BUSY = ("OperationFailed.ResourceGroupStatusCheckFail", "SystemBusy", "IncorrectStatus.Acl")


class Acl(ResourceType):
    """`alicloud.alb.Acl`: an access control list; its ranges are attached one by one.

    The input `aclEntries` is deprecated in favour of that.
    """

    token = "alicloud:alb/acl:Acl"
    create_only = frozenset({"resourceGroupId"})
    changeable = frozenset({"aclName", "tags"})

    def create(self, api: Api, inputs: Values) -> str:
        """CreateAcl, wait until it is available, TagResources."""
        params = {
            **wire(inputs, {"aclName": "AclName", "resourceGroupId": "ResourceGroupId"}),
            "ClientToken": api.operation.token,
        }
        acl_id = str(api.call(ALB, "CreateAcl", params, retry_on=_BUSY)["AclId"])
        api.operation.allocated(acl_id)
        _wait_available(api, acl_id)
        tag_writer(api, "acl").change(acl_id, {}, inputs)
        return acl_id

    def read(self, api: Api, resource_id: str) -> Values | None:
        """ListAcls."""
        acl = _find_acl(api, resource_id)
        if acl is None:
            return None
        names = {"aclName": "AclName", "resourceGroupId": "ResourceGroupId", "status": "AclStatus"}
        return {**shown(acl, names), "tags": tag_map(acl.get("Tags") or [])}

    def update(self, api: Api, resource_id: str, old: Values, new: Values) -> None:
        """UpdateAclAttribute, then wait until it is available, and the tags' actions."""
        if old.get("aclName") != new.get("aclName"):
            params = {"AclId": resource_id, "AclName": new.get("aclName")}
            api.call(ALB, "UpdateAclAttribute", params, retry_on=_BUSY)
            _wait_available(api, resource_id)
        tag_writer(api, "acl").change(resource_id, old, new)

    def delete(self, api: Api, resource_id: str, inputs: Values) -> None:
        """DeleteAcl, waiting for the listeners that have it to go, its job, then wait until it is gone."""
        do_job(api, "DeleteAcl", {"AclId": resource_id}, "ResourceInUse.Acl", *_BUSY)
        wait_gone(api, lambda: _find_acl(api, resource_id) is not None, f"list {resource_id}")


class AclEntryAttachment(ResourceType):
    """`alicloud.alb.AclEntryAttachment`: one range of an access control list.

    The input `entries`, several ranges at once, is not supported: one attachment has one range.
    """

    token = "alicloud:alb/aclEntryAttachment:AclEntryAttachment"
    create_only = frozenset({"aclId", "entry", "description"})
    # Its id is the list's and the range's: a new one must not be taken away as the old one.
    deletes_before_replace = True

    def create(self, api: Api, inputs: Values) -> str:
        """AddEntriesToAcl, then wait until the range is available."""
        acl_id, entry = inputs["aclId"], inputs["entry"]
        entries = [wire(inputs, {"entry": "Entry", "description": "Description"})]
        params = {"AclId": acl_id, "AclEntries": entries, "ClientToken": api.operation.token}
        api.call(ALB, "AddEntriesToAcl", params, retry_on=(*_BUSY, "ResourceInConfiguring"))
        attachment_id = f"{acl_id}:{entry}"
        api.operation.allocated(attachment_id)

        def look() -> bool | None:
            return True if (_find_entry(api, attachment_id) or {}).get("Status") == "Available" else None

        api.wait(look, what=f"range {attachment_id}")
        return attachment_id

    def read(self, api: Api, resource_id: str) -> Values | None:
        """ListAclEntries, and in it the range."""
        entry = _find_entry(api, resource_id)
        if entry is None:
            return None
        names = {"entry": "Entry", "description": "Description", "status": "Status"}
        return {"aclId": resource_id.split(":")[0], **shown(entry, names)}

    def delete(self, api: Api, resource_id: str, inputs: Values) -> None:
        """RemoveEntriesFromAcl, then wait until the range is gone."""
        acl_id, entry = resource_id.split(":")
        params = {"AclId": acl_id, "Entries": [entry]}
        api.call(ALB, "RemoveEntriesFromAcl", params, retry_on=(*_BUSY, "ResourceInConfiguring"))
        wait_gone(api, lambda: _find_entry(api, resource_id) is not None, f"range {resource_id}")


class ListenerAclAttachment(ResourceType):
    """`alicloud.alb.ListenerAclAttachment`: an access control list of a listener."""

    token = "alicloud:alb/listenerAclAttachment:ListenerAclAttachment"
    create_only = frozenset({"aclId", "aclType", "listenerId"})
    # Its id is the listener's and the list's: a new one must not be taken away as the old one.
    deletes_before_replace = True

    def create(self, api: Api, inputs: Values) -> str:
        """AssociateAclsWithListener, then wait until they are associated."""
        params = {
            **wire(inputs, {"listenerId": "ListenerId", "aclType": "AclType"}),
            "AclIds": [inputs["aclId"]],
            "ClientToken": api.operation.token,
        }
        api.call(ALB, "AssociateAclsWithListener", params, retry_on=(*CONFIGURING, "Conflict.Acl"))
        attachment_id = f"{inputs['listenerId']}:{inputs['aclId']}"
        api.operation.allocated(attachment_id)

        def look() -> bool | None:
            return True if (self.read(api, attachment_id) or {}).get("status") == "Associated" else None

        api.wait(look, what=f"list of a listener, {attachment_id}")
        return attachment_id

    def read(self, api: Api, resource_id: str) -> Values | None:
        """GetListenerAttribute, and in it the list."""
        listener_id, acl_id = resource_id.split(":")
        answer = api.call(ALB, "GetListenerAttribute", {"ListenerId": listener_id})
        config: Mapping[str, Any] = answer.get("AclConfig") or {}
        for relation in config.get("AclRelations") or []:
            if relation.get("AclId") == acl_id:
                known = {"listenerId": listener_id, "aclId": acl_id, "aclType": config.get("AclType")}
                return {**known, "status": relation.get("Status")}
        return None

    def delete(self, api: Api, resource_id: str, inputs: Values) -> None:
        """DissociateAclsFromListener, then wait until they are apart."""
        listener_id, acl_id = resource_id.split(":")
        params = {"ListenerId": listener_id, "AclIds": [acl_id]}
        busy = (*CONFIGURING, "LockFailed", "IncorrectStatus.Acl")
        api.call(ALB, "DissociateAclsFromListener", params, retry_on=busy)
        wait_gone(api, lambda: self.read(api, resource_id) is not None, f"list of a listener, {resource_id}")


def _wait_available(api: Api, acl_id: str) -> None:
    def look() -> bool | None:
        return True if (_find_acl(api, acl_id) or {}).get("AclStatus") == "Available" else None

    api.wait(look, what=f"list {acl_id}")


def _find_acl(api: Api, acl_id: str) -> Mapping[str, Any] | None:
    acls = token_items(api, ALB, "ListAcls", {"AclIds": [acl_id]}, "Acls")
    return next((acl for acl in acls if acl.get("AclId") == acl_id), None)


def _find_entry(api: Api, attachment_id: str) -> Mapping[str, Any] | None:
    acl_id, entry = attachment_id.split(":")
    entries = token_items(api, ALB, "ListAclEntries", {"AclId": acl_id}, "AclEntries")
    return next((one for one in entries if one.get("Entry") == entry), None)
