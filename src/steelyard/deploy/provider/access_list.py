"""Access control lists of classic load balancers, and the ranges in them."""

from __future__ import annotations

import json
from typing import Any, ClassVar

from steelyard.deploy.engine.provider import Values
from steelyard.deploy.provider.api import SLB, Api
from steelyard.deploy.provider.connection import Answer
from steelyard.deploy.provider.resource_type import ResourceType, shown, wait_gone, wire
from steelyard.deploy.provider.tag import TagWriter
from steelyard.errors import ResourceError

_ABSENT = "AclNotExist"


class Acl(ResourceType):
    """`alicloud.slb.Acl`: an access control list; its ranges are attached one by one."""

    token = "alicloud:slb/acl:Acl"
    create_only = frozenset({"ipVersion", "resourceGroupId"})
    changeable = frozenset({"name", "tags"})

    _NAMES: ClassVar = {
        "name": "AclName",
        "ipVersion": "AddressIPVersion",
        "resourceGroupId": "ResourceGroupId",
    }

    def create(self, api: Api, inputs: Values) -> str:
        """CreateAccessControlList, TagResources."""
        params = wire({"ipVersion": "ipv4", **inputs}, self._NAMES)
        acl_id = str(api.call(SLB, "CreateAccessControlList", params)["AclId"])
        api.operation.allocated(acl_id)
        TagWriter(api, SLB, "acl").change(acl_id, {}, inputs)
        return acl_id

    def read(self, api: Api, resource_id: str) -> Values | None:
        """DescribeAccessControlListAttribute and ListTagResources."""
        answer = describe_acl(api, resource_id)
        if answer is None:
            return None
        return {**shown(answer, self._NAMES), "tags": TagWriter(api, SLB, "acl").read(resource_id)}

    def update(self, api: Api, resource_id: str, old: Values, new: Values) -> None:
        """SetAccessControlListAttribute, TagResources, UntagResources."""
        if old.get("name") != new.get("name"):
            params = {"AclId": resource_id, "AclName": new.get("name")}
            api.call(SLB, "SetAccessControlListAttribute", params)
        TagWriter(api, SLB, "acl").change(resource_id, old, new)

    def delete(self, api: Api, resource_id: str, inputs: Values) -> None:
        """DeleteAccessControlList, then wait until it is gone."""
        if describe_acl(api, resource_id) is None:
            return
        api.call(SLB, "DeleteAccessControlList", {"AclId": resource_id}, retry_on=("AclUsedByVip",))
        wait_gone(api, lambda: describe_acl(api, resource_id) is not None, f"list {resource_id}")


class AclEntryAttachment(ResourceType):
    """`alicloud.slb.AclEntryAttachment`: one range of an access control list."""

    token = "alicloud:slb/aclEntryAttachment:AclEntryAttachment"
    create_only = frozenset({"aclId", "entry", "comment"})
    # Its id is the list's and the range's: a new one must not be taken away as the old one.
    deletes_before_replace = True

    def create(self, api: Api, inputs: Values) -> str:
        """AddAccessControlListEntry."""
        acl_id, entry = inputs["aclId"], inputs["entry"]
        self._call(
            api, "AddAccessControlListEntry", acl_id, wire(inputs, {"entry": "entry", "comment": "comment"})
        )
        attachment_id = f"{acl_id}:{entry}"
        api.operation.allocated(attachment_id)
        return attachment_id

    def read(self, api: Api, resource_id: str) -> Values | None:
        """DescribeAccessControlListAttribute, and in it the range."""
        acl_id, entry = resource_id.split(":")
        answer = describe_acl(api, acl_id)
        for row in answer["AclEntrys"]["AclEntry"] if answer else []:
            if row["AclEntryIP"] == entry:
                comment = row.get("AclEntryComment")
                return {"aclId": acl_id, "entry": entry, **({"comment": comment} if comment else {})}
        return None

    def delete(self, api: Api, resource_id: str, inputs: Values) -> None:
        """RemoveAccessControlListEntry; a range or a list that is gone is fine."""
        acl_id, entry = resource_id.split(":")
        try:
            self._call(api, "RemoveAccessControlListEntry", acl_id, {"entry": entry})
        except ResourceError as err:
            if err.code not in ("AclEntryEmpty", _ABSENT):
                raise

    def _call(self, api: Api, action: str, acl_id: str, entry: dict[str, Any]) -> None:
        params = {"AclId": acl_id, "AclEntrys": json.dumps([entry])}
        api.call(SLB, action, params, retry_on=("AclEntryProcessing",))


def describe_acl(api: Api, acl_id: str) -> Answer | None:
    """Return an access control list with its ranges, None where it is gone."""
    try:
        return api.call(SLB, "DescribeAccessControlListAttribute", {"AclId": acl_id})
    except ResourceError as err:
        if err.code == _ABSENT:
            return None
        raise
