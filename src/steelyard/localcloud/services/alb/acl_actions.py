from __future__ import annotations

from dataclasses import replace

from steelyard.localcloud.page import token_answer
from steelyard.localcloud.service import Request, action
from steelyard.localcloud.services.alb import errors
from steelyard.localcloud.services.alb.listener_actions import ListenerActions
from steelyard.localcloud.services.alb.models import Acl, AclEntry, Listener
from steelyard.localcloud.services.alb.rule_setting import check_range
from steelyard.localcloud.services.zonal.errors import in_use
from steelyard.localcloud.tag import has_tags, read_tags
from steelyard.localcloud.wire.error import invalid_parameter

RESOURCE_TYPE = "acl"
_MAX_ENTRIES_A_CALL = 20
_MAX_LISTS = 3


class AclActions(ListenerActions):
    """Access control lists. What changes is in force, for new connections, when the answer comes."""

    @action("CreateAcl")
    def create_acl(self, request: Request) -> dict[str, object]:
        """Create an empty list."""
        acl = Acl(
            id=self.cloud.new_id("acl"),
            created_at=self.cloud.clock(),
            tags=read_tags(request),
            region_id=request.region_id,
            name=self.read_name(request, "AclName", ""),
            resource_group_id=request.text("ResourceGroupId"),
        )
        self.acls.put(self.settling(acl, "Creating"))
        return {**self.done(request, acl.id, RESOURCE_TYPE), "AclId": acl.id}

    @action("ListAcls")
    def list_acls(self, request: Request) -> dict[str, object]:
        """List the region's lists by ids, names, resource group and tags."""
        ids, names, tags = request.texts("AclIds"), request.texts("AclNames"), read_tags(request)
        found = [
            acl
            for acl in self.acls.list()
            if acl.region_id == request.region_id
            and (not ids or acl.id in ids)
            and (not names or acl.name in names)
            and request.text("ResourceGroupId") in ("", acl.resource_group_id)
            and has_tags(acl.tags, tags)
        ]
        now = self.cloud.clock()
        return token_answer(request, "Acls", found, lambda acl: acl.to_answer(now))

    @action("UpdateAclAttribute")
    def update_acl_attribute(self, request: Request) -> dict[str, object]:
        """Change a list's name."""
        acl = self._settled_acl(request)
        self.acls.put(self.settling(replace(acl, name=self.read_name(request, "AclName", acl.name))))
        return {}

    @action("DeleteAcl")
    def delete_acl(self, request: Request) -> dict[str, object]:
        """Delete a list that no listener has."""
        acl = self._settled_acl(request)
        if self._users(acl):
            raise in_use("Acl")
        self.acls.delete(acl.id)
        return self.done(request, acl.id, RESOURCE_TYPE)

    @action("AddEntriesToAcl")
    def add_entries(self, request: Request) -> dict[str, object]:
        """Add ranges."""
        acl, entries = self._settled_acl(request), _entries(request)
        for entry in entries:
            if entry["Entry"] in acl.cidrs:
                raise errors.entry_exists(entry["Entry"])
        return self._put(request, replace(acl, entries=(*acl.entries, *entries)))

    @action("RemoveEntriesFromAcl")
    def remove_entries(self, request: Request) -> dict[str, object]:
        """Remove ranges, all of which have to be there."""
        acl, gone = self._settled_acl(request), set(request.texts("Entries"))
        if not gone <= set(acl.cidrs):
            raise self.not_found("aclEntry")
        kept = tuple(entry for entry in acl.entries if entry["Entry"] not in gone)
        return self._put(request, replace(acl, entries=kept))

    @action("ListAclEntries")
    def list_acl_entries(self, request: Request) -> dict[str, object]:
        """List a list's ranges."""
        acl = self._acl(request.text("AclId"))
        status = acl.status_at(self.cloud.clock(), "Available")
        return token_answer(request, "AclEntries", acl.entries, lambda entry: {**entry, "Status": status})

    @action("ListAclRelations")
    def list_acl_relations(self, request: Request) -> dict[str, object]:
        """List the listeners that have lists."""
        relations = [
            {
                "AclId": acl.id,
                "RelatedListeners": [
                    {
                        "ListenerId": listener.id,
                        "ListenerPort": listener.port,
                        "ListenerProtocol": listener.protocol,
                        "LoadBalancerId": listener.load_balancer_id,
                        "Status": "Associated",
                    }
                    for listener in self._users(acl)
                ],
            }
            for acl in (self._acl(acl_id) for acl_id in request.texts("AclIds"))
        ]
        return {"AclRelations": relations}

    @action("AssociateAclsWithListener")
    def associate_acls(self, request: Request) -> dict[str, object]:
        """Let a listener take just the clients of lists, or all but them."""
        listener = self.configured_listener(request)
        acls = [self._acl(acl_id) for acl_id in request.texts("AclIds")]
        acl_type = request.text("AclType")
        choices = (listener.acl_type,) if listener.acl_type else ("White", "Black")
        if acl_type not in choices:
            raise invalid_parameter(
                "AclType", acl_type, f"{' or '.join(choices)}, as the listener's lists are"
            )
        for acl in acls:
            if acl.id in listener.acl_ids:
                raise errors.acl_associated(acl.id)
        ids = (*listener.acl_ids, *(acl.id for acl in acls))
        if len(ids) > _MAX_LISTS:
            raise invalid_parameter("AclIds", f"{len(ids)} in all", f"at most {_MAX_LISTS}")
        return self.put_listener(request, replace(listener, acl_type=acl_type, acl_ids=ids))

    @action("DissociateAclsFromListener")
    def dissociate_acls(self, request: Request) -> dict[str, object]:
        """Take lists from a listener."""
        listener, gone = self.configured_listener(request), request.texts("AclIds")
        if not set(gone) <= set(listener.acl_ids):
            raise self.not_found("acl")
        kept = tuple(acl_id for acl_id in listener.acl_ids if acl_id not in gone)
        changed = replace(listener, acl_ids=kept, acl_type=listener.acl_type if kept else "")
        return self.put_listener(request, changed)

    def _acl(self, acl_id: str) -> Acl:
        acl = self.acls.get(acl_id)
        if acl is None:
            raise self.not_found("acl")
        return acl

    def _settled_acl(self, request: Request) -> Acl:
        return self.settled(self._acl(request.text("AclId")), "Acl")

    def _users(self, acl: Acl) -> list[Listener]:
        return [listener for listener in self.listeners.list() if acl.id in listener.acl_ids]

    def _put(self, request: Request, acl: Acl) -> dict[str, object]:
        self.acls.put(self.settling(acl))
        job = self.done(request, acl.id, RESOURCE_TYPE)
        self.apply(request, *dict.fromkeys(listener.load_balancer_id for listener in self._users(acl)))
        return job


def _entries(request: Request) -> list[AclEntry]:
    items = request.records("AclEntries")
    if not 1 <= len(items) <= _MAX_ENTRIES_A_CALL:
        raise invalid_parameter("AclEntries", f"{len(items)} entries", f"from 1 to {_MAX_ENTRIES_A_CALL}")
    for item in items:
        check_range(item.get("Entry"), "AclEntries.Entry")
    return [
        {"Entry": str(item["Entry"]), "Description": str(item.get("Description") or "")} for item in items
    ]
