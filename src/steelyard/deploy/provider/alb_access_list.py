"""Access control lists of application load balancers, the ranges in them, and the listeners that have them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from steelyard.deploy.engine.provider import Values
from steelyard.deploy.provider.alb import CONFIGURING, AlbType, tag_writer
from steelyard.deploy.provider.api import ALB, Api, token_items
from steelyard.deploy.provider.resource_type import shown, wait_gone, wire
from steelyard.deploy.provider.tag import tag_map

_ENTRIES_A_CALL = 20
_BUSY = ("OperationFailed.ResourceGroupStatusCheckFail", "SystemBusy", "IncorrectStatus.Acl")
_CONFIGURING = (*_BUSY, "ResourceInConfiguring")


class Acl(AlbType):
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
        self.do_job(api, "DeleteAcl", {"AclId": resource_id}, "ResourceInUse.Acl", *_BUSY)
        wait_gone(api, lambda: _find_acl(api, resource_id) is not None, f"list {resource_id}")


class AclEntryAttachment(AlbType):
    """`alicloud.alb.AclEntryAttachment`: ranges of an access control list.

    With `entries` the id is the list's, and the ranges change in place; with `entry`, which is deprecated, the id is
    the list's and the range's.
    """

    token = "alicloud:alb/aclEntryAttachment:AclEntryAttachment"
    create_only = frozenset({"aclId", "entry", "description"})
    changeable = frozenset({"entries"})
    # A new one must not be taken away as the old one.
    deletes_before_replace = True

    def create(self, api: Api, inputs: Values) -> str:
        """AddEntriesToAcl, then wait until the list is available."""
        acl_id, entries = inputs["aclId"], _entries(inputs)
        _add(api, acl_id, entries)
        attachment_id = acl_id if inputs.get("entry") is None else f"{acl_id}:{inputs['entry']}"
        api.operation.allocated(attachment_id)
        return str(attachment_id)

    def read(self, api: Api, resource_id: str) -> Values | None:
        """ListAclEntries."""
        acl_id, _, entry = resource_id.partition(":")
        names = {"entry": "Entry", "description": "Description", "status": "Status"}
        rows = [shown(row, names) for row in _list_entries(api, acl_id) if entry in ("", row.get("Entry"))]
        if not rows:
            return None
        return {"aclId": acl_id, **(rows[0] if entry else {"entries": rows})}

    def update(self, api: Api, resource_id: str, old: Values, new: Values) -> None:
        """RemoveEntriesFromAcl, then AddEntriesToAcl, each with what changed."""
        before, after = _entries(old), _entries(new)
        _remove(api, resource_id, [entry for entry in before if entry not in after])
        _add(api, resource_id, [entry for entry in after if entry not in before])

    def delete(self, api: Api, resource_id: str, inputs: Values) -> None:
        """RemoveEntriesFromAcl, then wait until the ranges are gone."""
        acl_id = resource_id.partition(":")[0]
        there = {row.get("Entry") for row in _list_entries(api, acl_id)}
        _remove(api, acl_id, [entry for entry in _entries(inputs) if entry["Entry"] in there])
        wait_gone(api, lambda: self.read(api, resource_id) is not None, f"ranges {resource_id}")


class ListenerAclAttachment(AlbType):
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
        api.call(
            ALB, "AssociateAclsWithListener", params, retry_on=(*self.busy, *CONFIGURING, "Conflict.Acl")
        )
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
        busy = (*self.busy, *CONFIGURING, "LockFailed", "IncorrectStatus.Acl")
        api.call(ALB, "DissociateAclsFromListener", params, retry_on=busy)
        wait_gone(api, lambda: self.read(api, resource_id) is not None, f"list of a listener, {resource_id}")


def _wait_available(api: Api, acl_id: str) -> None:
    def look() -> bool | None:
        return True if (_find_acl(api, acl_id) or {}).get("AclStatus") == "Available" else None

    api.wait(look, what=f"list {acl_id}")


def _find_acl(api: Api, acl_id: str) -> Mapping[str, Any] | None:
    acls = token_items(api, ALB, "ListAcls", {"AclIds": [acl_id]}, "Acls")
    return next((acl for acl in acls if acl.get("AclId") == acl_id), None)


def _entries(inputs: Values) -> list[dict[str, Any]]:
    own = [inputs] if inputs.get("entry") is not None else inputs.get("entries") or []
    return [wire(entry, {"entry": "Entry", "description": "Description"}) for entry in own]


def _add(api: Api, acl_id: str, entries: Sequence[Mapping[str, Any]]) -> None:
    for part in _parts(entries):
        params = {"AclId": acl_id, "AclEntries": part}
        api.call(ALB, "AddEntriesToAcl", params, retry_on=_CONFIGURING)
        _wait_available(api, acl_id)


def _remove(api: Api, acl_id: str, entries: Sequence[Mapping[str, Any]]) -> None:
    for part in _parts(entries):
        params = {"AclId": acl_id, "Entries": [entry["Entry"] for entry in part]}
        api.call(ALB, "RemoveEntriesFromAcl", params, retry_on=_CONFIGURING)
        _wait_available(api, acl_id)


def _parts(entries: Sequence[Mapping[str, Any]]) -> Iterator[list[Mapping[str, Any]]]:
    for start in range(0, len(entries), _ENTRIES_A_CALL):
        yield list(entries[start : start + _ENTRIES_A_CALL])


def _list_entries(api: Api, acl_id: str) -> list[Mapping[str, Any]]:
    return list(token_items(api, ALB, "ListAclEntries", {"AclId": acl_id}, "AclEntries"))
